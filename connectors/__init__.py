"""Connectors: each tracker behind the seam of `sync.connector`."""
