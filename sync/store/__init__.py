"""The inside of `sync.store.store`: tables, opening, and what is kept on each shelf."""
