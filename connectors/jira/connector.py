"""The Jira connector: its capabilities, and the part that does each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from connectors.jira.address import normalise_url
from connectors.jira.webhook import parse_event
from sync.model.tracker_data import Markup
from sync.tracker.actions import Action, Receipt
from sync.tracker.container_use import ContainerUse
from sync.tracker.observed import Observed, Target
from sync.tracker.preflight import Examination
from sync.tracker.project_list import ListedProject
from sync.tracker.protocol import Capabilities, Connector, Page, Setup
from sync.tracker.webhook import WebhookEvent

if TYPE_CHECKING:
    from connectors.jira.parts import Parts

__all__ = ["JiraConnector", "connect"]

DESCRIPTION_LIMIT = 16_000
"""Largest number of bytes in a version's description, below Jira's own limit of 16,384."""

BODY_LIMIT = 30_000
"""Largest number of characters in a body. Jira's own limit is 32,767, and markup grows when Jira converts it."""


class JiraConnector:
    """One Jira through one set of credentials. Implements `sync.tracker.protocol.Connector`."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.base_url, self._setup = setup.name, normalise_url(setup.url), setup
        if not setup.offline:
            _ = self._parts  # refuses unknown options

    @cached_property
    def _parts(self) -> Parts:
        """The parts that ask Jira. They import the SDK."""
        from connectors.jira.parts import Parts

        return Parts(self._setup)

    @property
    def _can_ask(self) -> bool:
        return "_parts" in vars(self)

    @cached_property
    def capabilities(self) -> Capabilities:
        """The capabilities: ADF on Cloud, wiki markup on Data Center. Finding out which may take one request."""
        markup = Markup.ADF if self._parts.session.is_cloud else Markup.WIKI
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
        return self._parts.session.caller.count if self._can_ask else 0

    def tracker_id(self) -> str | None:
        """Return the id of a Jira Cloud site; None if it is not known yet.

        Data Center has none that a restored copy would not share.
        """
        return self._parts.session.tracker_id()

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours. See `sync.tracker.protocol.TimedTracker`."""
        return self._parts.session.caller.clock_ahead if self._can_ask else None

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield milestones and issues with their history.

        A project is a key, a pattern such as ``PAY*``, or JQL: see `connectors.jira.projects.resolve`.
        """
        return self._parts.reader.pull(projects, cursors)

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with all our comments."""
        return self._parts.observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises `sync.tracker.errors.UncertainError` when the answer to a creation was lost."""
        return self._parts.writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """Find out, by reading only, what would fail. See `sync.tracker.preflight.Examiner`."""
        from connectors.jira.preflight import examine

        return examine(self._parts.session, projects, self._setup.clock)

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count the issues in each kind of container. See `sync.tracker.container_use.SurveyingTracker`."""
        from connectors.jira.survey import containers_in_use

        return containers_in_use(self._parts.session, projects)

    def list_projects(self, pattern: str) -> Sequence[ListedProject]:
        """List projects for a check. See `sync.tracker.project_list.ListingTracker`."""
        from connectors.jira.project_list import list_site

        return list_site(self._parts.session, pattern)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify and read a webhook. See `sync.tracker.webhook.WebhookListener`."""
        return parse_event(headers, body, secret)

    def close(self) -> None:
        """Close all connections."""
        if self._can_ask:
            self._parts.session.close()


def connect(setup: Setup) -> Connector:
    """Create the connector of a connection of type ``jira``. Sends nothing yet."""
    return JiraConnector(setup)
