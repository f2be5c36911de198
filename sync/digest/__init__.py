"""The digest for stakeholders: per audience, the changes and the decisions needed, sent once per period over channels.

May import `sync.report` and everything below it, never `sync.plan`, `sync.site` or `sync.engine`.
"""
