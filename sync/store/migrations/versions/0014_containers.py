"""Add the people and dates of containers, the reviews and targets of changes, and the values of events."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("milestone", sa.Column("owners", sa.Text(), nullable=False, server_default=""))
    op.add_column("milestone", sa.Column("is_due_inherited", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("issue", sa.Column("closes", sa.Text(), nullable=False, server_default=""))
    op.add_column("issue", sa.Column("reviewers", sa.Text(), nullable=False, server_default=""))
    op.add_column("issue", sa.Column("review_since", sa.BigInteger(), nullable=True))
    op.add_column("event", sa.Column("value", sa.Text(), nullable=False, server_default=""))
