"""The inside of `sync.store`: tables, opening, and what is kept on each shelf."""
