"""Add the time at which an assessment was repeated without a change; only the last ones keep their bodies."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("health", sa.Column("repeated", sa.BigInteger(), nullable=True))
    op.execute("UPDATE health SET body = '' WHERE NOT latest")
