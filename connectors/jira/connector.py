"""The Jira connector: what it can do and which part does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from connectors.jira.apply import Writer
from connectors.jira.milestones import kinds
from connectors.jira.observe import observe
from connectors.jira.preflight import examine
from connectors.jira.pull import pull
from connectors.jira.session import Session
from connectors.jira.webhook import parse_event
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.tracker.preflight import Examination
from sync.tracker.protocol import Action, Capabilities, Markup, Observed, Page, Receipt, Setup, Target
from sync.tracker.webhook import WebhookEvent

__all__ = ["JiraConnector"]

_DESCRIBED = 16_000
"""A version's description holds 16,384 bytes."""

_BODY_LIMIT = 30_000
"""Jira's own limit is 32,767 characters, and markup grows when it is converted."""


class JiraConnector:
    """One Jira through one set of credentials; see `sync.tracker.protocol.Connector`."""

    def __init__(self, setup: Setup) -> None:
        self.name, self._clock = setup.name, setup.clock
        self._session = Session(setup)
        kinds(self._session.listed("containers"))
        self._rules = RuleMilestones(setup.options)
        self.base_url = self._session.base_url
        self._writer = Writer(self._session)
        self._sweeping = SweepSchedule(setup)

    @cached_property
    def capabilities(self) -> Capabilities:
        """ADF on Cloud, wiki markup on Data Center; which of them it is may take one request."""
        markup = Markup.ADF if self._session.cloud else Markup.WIKI
        return Capabilities(
            markup=markup, body_limit=_BODY_LIMIT, needs_label_creation=False, description_limit=_DESCRIBED, files=True
        )

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._session.caller.count

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Read what changed since ``cursors``; a project is a key, a pattern such as ``PAY*``, or JQL: see `named`."""
        return pull(self._session, self._sweeping, self._rules, projects, cursors)

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones afresh."""
        return observe(self._session, targets)

    def apply(self, action: Action) -> Receipt:
        """Do one change."""
        return self._writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """See `sync.tracker.protocol.Examiner`."""
        return examine(self._session, projects, self._clock)

    def heard(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """See `sync.tracker.protocol.Listener`."""
        return parse_event(headers, body, secret)

    def close(self) -> None:
        """Give back connections."""
        self._session.close()
