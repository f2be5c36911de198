"""Plan: compare the desired state of the trackers with the observed state, and list the writes in between. Pure.

It may import `sync.report` and the packages below it, and does no I/O.
"""
