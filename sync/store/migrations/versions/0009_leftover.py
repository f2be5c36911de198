"""Add the 70% date of an assessment, and the range of its expected leftover."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("health", sa.Column("p70", sa.Date(), nullable=True))
    op.add_column("health", sa.Column("leftover_low", sa.Integer(), nullable=True))
    op.add_column("health", sa.Column("leftover_high", sa.Integer(), nullable=True))
