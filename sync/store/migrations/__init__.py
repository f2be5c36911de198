"""The database's revisions, oldest first: each brings a database of the one before it forward, with its data."""
