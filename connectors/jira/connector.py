"""The Jira connector: its capabilities, and the part that does each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property

from connectors.jira.apply import Writer
from connectors.jira.containers import kinds_of
from connectors.jira.observe import Observer
from connectors.jira.preflight import examine
from connectors.jira.pull import Reader
from connectors.jira.session import Session
from connectors.jira.survey import containers_in_use
from connectors.jira.webhook import parse_event
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import Markup
from sync.tracker.actions import Action, Receipt
from sync.tracker.container_use import ContainerUse
from sync.tracker.observed import Observed, Target
from sync.tracker.preflight import Examination
from sync.tracker.protocol import Capabilities, Connector, Page, Setup
from sync.tracker.webhook import WebhookEvent

__all__ = ["JiraConnector", "connect"]

DESCRIPTION_LIMIT = 16_000
"""Largest number of bytes in a version's description, below Jira's own limit of 16,384."""

BODY_LIMIT = 30_000
"""Largest number of characters in a body. Jira's own limit is 32,767, and markup grows when Jira converts it."""


class JiraConnector:
    """One Jira through one set of credentials. Implements `sync.tracker.protocol.Connector`."""

    def __init__(self, setup: Setup) -> None:
        self.name, self._clock = setup.name, setup.clock
        self._session = Session(setup)
        kinds_of(self._session)  # raises ValueError for an unknown word
        self.base_url = self._session.base_url
        self._rules = RuleMilestones(setup.options)
        self._reader = Reader(self._session, SweepSchedule(setup), self._rules)
        self._observer = Observer(self._session, setup.clock)
        self._writer = Writer(self._session)

    @cached_property
    def capabilities(self) -> Capabilities:
        """The capabilities: ADF on Cloud, wiki markup on Data Center. Finding out which may take one request."""
        markup = Markup.ADF if self._session.is_cloud else Markup.WIKI
        return Capabilities(
            markup=markup,
            body_limit=BODY_LIMIT,
            needs_label_creation=False,
            description_limit=DESCRIPTION_LIMIT,
            files=True,
            issue_state=True,
        )

    @property
    def requests(self) -> int:
        """Number of requests sent so far."""
        return self._session.caller.count

    def tracker_id(self) -> str | None:
        """Return the id of a Jira Cloud site; None if it is not known yet.

        Data Center has none that a restored copy would not share.
        """
        return self._session.tracker_id()

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours. See `sync.tracker.protocol.TimedTracker`."""
        return self._session.caller.clock_ahead

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield milestones and issues with their history.

        A project is a key, a pattern such as ``PAY*``, or JQL: see `connectors.jira.projects.resolve`.
        """
        return self._reader.pull(projects, cursors)

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with all our comments."""
        return self._observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises `sync.tracker.errors.UncertainError` when the answer to a creation was lost."""
        return self._writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """Find out, by reading only, what would fail. See `sync.tracker.preflight.Examiner`."""
        return examine(self._session, projects, self._clock)

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count the issues in each kind of container. See `sync.tracker.container_use.SurveyingTracker`."""
        return containers_in_use(self._session, projects)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify and read a webhook. See `sync.tracker.webhook.WebhookListener`."""
        return parse_event(headers, body, secret)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def connect(setup: Setup) -> Connector:
    """Create the connector of a connection of type ``jira``. Sends nothing yet."""
    return JiraConnector(setup)
