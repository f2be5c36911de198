"""Forget the numbers of pull requests: they become differences to rows that the next complete pull reads."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.execute("UPDATE milestone SET open_pull_requests = NULL, closed_pull_requests = NULL")
