"""Keep the whole of an assessment in a table of its own, which has the latest ones only."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    health = sa.table("health", *(sa.column(name) for name in ("container", "audience", "latest", "body")))
    verdict = op.create_table(
        "verdict",
        sa.Column("container", sa.Text(), primary_key=True),
        sa.Column("audience", sa.Text(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )
    last = sa.select(health.c.container, health.c.audience, health.c.body).where(health.c.latest)
    op.execute(sa.insert(verdict).from_select(["container", "audience", "body"], last))
    op.drop_column("health", "body")
