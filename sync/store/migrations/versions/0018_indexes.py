"""Index issues by key and project, and what connections read and milesync wrote by tracker.

A query for a few of these rows then reads no others.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.drop_index("ix_issue_key", "issue")
    op.create_index("ix_issue_key", "issue", ["source", "key", "project"])
    op.create_index("ix_watch_source", "watch", ["source", "project"])
    op.create_index("ix_made_source", "made", ["source", "what"])
