"""Long-running processes: workers on a PostgreSQL queue, the webhook receiver and the Prometheus exporter.

It may import every package of `sync` except `sync.cli`.
"""
