"""Building blocks that the connectors share: HTTP calls, concurrency, sweeps, rule milestones, webhook signatures.

This package may import `sync.model`, `sync.tracker` and `sync.telemetry`, and no connector.
"""
