"""The closing records of milestones that are done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of closing records."""
    op.create_table(
        "closing",
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("container", name="pk_closing"),
        sqlite_with_rowid=False,
    )
