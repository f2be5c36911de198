"""Connector to GitHub: github.com and GitHub Enterprise Server.

It may import `connectors.shared`, `sync.tracker`, `sync.model`, `sync.telemetry` and PyGithub.

Settings: ``url`` is the address of the API (``https://api.github.com``, ``https://HOST/api/v3``). The secret is
``token``, or ``private_key`` of a GitHub App with the options ``app_id`` and ``installation_id``. Options:
``sweep_days`` (`connectors.shared.deletion_sweep`), ``rules`` (`connectors.shared.rule_milestones`) and
``requests_a_minute``.
"""

from connectors.github.connector import GitHubConnector, connect
from connectors.github.options import Options

__all__ = ["GitHubConnector", "Options", "connect"]
