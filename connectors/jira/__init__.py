"""Connector to Jira, Cloud (API v3) and Data Center (API v2). Jira's versions are milestones.

It may import `connectors.shared`, `sync.tracker`, `sync.model`, `sync.telemetry` and the SDK jira.

The secret is ``token``. With ``email`` it is sent as Cloud's basic authentication, without as a bearer token (personal
access tokens of Data Center, OAuth). Options, all optional:

=================  =========================================================================================
dialect            ``cloud`` or ``dc``; by default found out from the host or with one request
status_labels      labels of status issues, default ``["milestone-status"]``; a new issue gets the first
status_type        type of a new status issue, default ``Task``
status_fields      further fields that the project requires, by id
status_close       false: status issues are not closed, so `examine` does not look at the workflow
close_transition   transition (name or id) that closes a status issue; default: the only one to the category done
reopen_transition  transition that reopens it; default: the only one to another category, or the only one to "to do"
points_fields      ids of the story points fields; by default found by their kind and name
blocked_link       text of the link type on the blocked side, default ``is blocked by``
containers         kinds of milestones: some of ``versions`` (the default), ``sprints``, ``epics``, ``parents``
epic_types         issue types that are epics; default: those of their level on Cloud, ``["Epic"]`` on Data Center
parent_types       issue types (or levels) of ``parents``; default: above epics on Cloud, ``["Initiative"]`` else
history            false: read no changelogs (Data Center: 1,000 issues a request instead of 100)
rules              see `connectors.shared.rule_milestones`
sweep_days         see `connectors.shared.deletion_sweep`
requests_a_minute  highest number of requests a minute, default 0: no such limit
=================  =========================================================================================
"""

from connectors.jira.connector import JiraConnector, connect
from connectors.jira.options import Options

__all__ = ["JiraConnector", "Options", "connect"]
