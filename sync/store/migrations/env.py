"""Run the revisions with Alembic, on the connection that `sync.store.database` passes, inside its transaction."""

from __future__ import annotations

from alembic import context

from sync.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
