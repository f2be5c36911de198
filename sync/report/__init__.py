"""The texts that people read about milestones: texts on the tracker, charts, the timeline, addresses of report pages.

May import `sync.assess` and everything below it; `sync.plan`, `sync.digest` and `sync.site` import this package.
"""
