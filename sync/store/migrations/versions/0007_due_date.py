"""Add the actor of a change of due date, and the time after which it happened."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.add_column("due_date", sa.Column("after", sa.BigInteger(), nullable=True))
    op.add_column("due_date", sa.Column("actor_id", sa.Text(), nullable=True))
    op.add_column("due_date", sa.Column("actor_name", sa.Text(), nullable=True))
