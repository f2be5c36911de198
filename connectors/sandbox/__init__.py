"""Sandbox: three trackers on loopback over one stateful world, for the demo, for first experiments and for tests.

May import `sync.model`, `sync.tracker` and `connectors.testing`; the connectors never import it.
"""
