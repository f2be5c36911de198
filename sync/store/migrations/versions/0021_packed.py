"""Compress the long texts, and store shorter assessments, in the order of their key."""

import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

DAYS = ("start", "due", "p50", "p85", "p95", "p70")
"""Columns with dates, from now on as days since 1970."""
SLICE = 200
"""Rows that are in memory at once."""


def upgrade() -> None:
    """Bring the database forward."""
    key, body = sa.Text(), sa.LargeBinary()
    _pack(
        "verdict",
        sa.Column("container", key, primary_key=True),
        sa.Column("audience", key, primary_key=True),
        sa.Column("body", body, nullable=False),
    )
    _pack(
        "closing",
        sa.Column("container", key, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", body, nullable=False),
    )
    _pack(
        "observed",
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("milestone", key, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", body),
    )
    if op.get_bind().dialect.name == "sqlite":
        _cluster_health()
    else:
        for name in DAYS:
            op.alter_column("health", name, type_=sa.Integer(), postgresql_using=f"\"{name}\" - DATE '1970-01-01'")
        op.execute(sa.text("ALTER INDEX health_pkey RENAME TO pk_health"))


def _pack(name: str, *columns: sa.Column[Any]) -> None:
    """Make the table again, with the compressed text, a slice of rows at a time: a table may not fit into memory."""
    former = f"former_{name}"
    names = [column.name for column in columns]
    op.rename_table(name, former)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text(f"ALTER INDEX IF EXISTS {name}_pkey RENAME TO {former}_pkey"))
    packed = op.create_table(name, *columns)
    query = sa.select(sa.table(former, *map(sa.column, names)))
    with op.get_bind().execute(query, execution_options={"yield_per": SLICE}) as rows:
        for part in rows.mappings().partitions():
            op.bulk_insert(packed, [{**row, "body": _compressed(row["body"])} for row in part])
    op.drop_table(former)


def _compressed(text: str | None) -> bytes | None:
    return None if text is None else zlib.compress(text.encode())


def _cluster_health() -> None:
    """Make the table again without rowids, which SQLite would store with a second copy of the key; convert dates."""
    columns = [
        sa.Column(
            column["name"],
            sa.Integer() if column["name"] in DAYS else column["type"],
            nullable=column["nullable"],
            server_default=None if column["default"] is None else sa.text(column["default"]),
        )
        for column in sa.inspect(op.get_bind()).get_columns("health")
    ]
    op.drop_index("ix_health_latest", "health")
    op.rename_table("health", "former_health")
    health = op.create_table(
        "health",
        *columns,
        sa.PrimaryKeyConstraint("container", "audience", "at", name="pk_health"),
        sqlite_with_rowid=False,
    )
    names = [column.name for column in columns]
    values = [f"CAST(julianday({name}) - 2440587.5 AS INTEGER)" if name in DAYS else name for name in names]
    op.execute(
        sa.insert(health).from_select(names, sa.select(*map(sa.text, values)).select_from(sa.text("former_health")))
    )
    op.drop_table("former_health")
    op.create_index("ix_health_latest", "health", ["latest"], sqlite_where=sa.text("latest"))
