"""How Alembic runs the revisions: on the connection that `sync.store.store` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from sync.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
