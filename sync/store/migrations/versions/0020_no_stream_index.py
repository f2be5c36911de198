"""Drop an index that no query uses: forecasts of a stream are read by container."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.drop_index("ix_health_stream", "health")
