"""Add the working time that a tracker is configured with."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("source", sa.Column("hours_a_day", sa.Float(), nullable=True))
    op.add_column("source", sa.Column("days_a_week", sa.Float(), nullable=True))
