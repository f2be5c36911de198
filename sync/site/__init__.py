"""The static report: HTML pages that need no server; `build` writes what `gather` read (extra ``site``).

May import `sync.report` and everything below it, never `sync.plan`, `sync.digest` or `sync.engine`.
"""
