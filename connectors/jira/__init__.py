"""Jira, Cloud (API v3) and Data Center (API v2): versions are its milestones.

Secrets: ``token``, with ``email`` for Cloud's basic authentication; without an e-mail the token is sent as a bearer
(Data Center's personal access token, OAuth). Options, all optional:

================  ==========================================================================================
dialect           ``cloud`` or ``dc``; else asked from the server once
status_labels     labels that status issues carry, default ``["milestone-status"]``; the first is put on new ones
status_type       type of a new status issue, default ``Task``
status_fields     further fields that the project requires, by id
points_fields     ids of the story points fields; else found by their kind and name
blocked_link      what the link type says on the blocked side, default ``is blocked by``
containers        what is a milestone: some of ``versions``, ``sprints``, ``epics``; default ``["versions"]``
epic_types        issue types that are epics, default ``["Epic"]``
history           false: read no change logs (1,000 issues a request on Data Center instead of 100)
rules             see `connectors.shared.rule_milestones`
sweep_days        see `connectors.shared.deletion_sweep`
================  ==========================================================================================
"""

from connectors.jira.connector import JiraConnector
from sync.tracker.protocol import Connector, Setup

__all__ = ["connect"]


def connect(setup: Setup) -> Connector:
    """A connector for one Jira. Sends nothing yet."""
    return JiraConnector(setup)
