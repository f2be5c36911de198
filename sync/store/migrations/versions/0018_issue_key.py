"""Index issues by key and project: a query by both reads no other issues."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.drop_index("ix_issue_key", "issue")
    op.create_index("ix_issue_key", "issue", ["source", "key", "project"])
