"""Assess: from stored rows to milestones with their health, for one audience at one time; relations and what-if.

May import `sync.health`, `sync.store`, `sync.forecast` and the packages below them.
"""
