"""Connectors to GitHub, GitLab and Jira, the sandbox that imitates them, and the contract suite that tests a connector.

A connector may import `sync.model`, `sync.tracker`, `sync.telemetry`, `connectors.shared` and its own SDK, and never
another connector.
"""
