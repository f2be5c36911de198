"""Connector to GitLab, SaaS and self-managed, through REST API v4 and GraphQL.

It may import `connectors.shared`, `sync.tracker`, `sync.model`, `sync.telemetry` and python-gitlab.

The secret is ``token`` (personal, project, group or OAuth) or ``job_token``. Options: ``status_labels`` (labels that
status issues are listed by), ``history`` (``full``, ``members`` or ``none``), ``notes_a_minute`` and
``requests_a_minute`` (defaults for GitLab.com), ``sweep_days`` (`connectors.shared.deletion_sweep`) and ``rules``
(`connectors.shared.rule_milestones`).
"""

from connectors.gitlab.connector import GitLabConnector, connect
from connectors.gitlab.options import Options

__all__ = ["GitLabConnector", "Options", "connect"]
