"""History: the memberships of items in containers, derived from tracker data, stored in columns and counted.

Pure. It may import `sync.model` and numpy.
"""
