"""Add the numbers of pull requests of a milestone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    for name in ("listed_open", "listed_closed", "open_pull_requests", "closed_pull_requests"):
        op.add_column("milestone", sa.Column(name, sa.Integer(), nullable=True))
