"""Add the method of each assessment; those before are of method 1."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("health", sa.Column("method", sa.Integer(), nullable=False, server_default="1"))
