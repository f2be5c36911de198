"""Connectors: each tracker behind the seam of `sync.tracker.protocol`."""
