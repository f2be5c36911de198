"""Read the trackers into the store, all connections at once.

It may import `sync.store`, `sync.health` and the packages below them, and never loads numpy.
"""
