"""The GitLab connector: its capabilities, and the part that does each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from connectors.gitlab.address import base_url_of
from connectors.gitlab.cursor import Cursor
from connectors.gitlab.options import HISTORY
from sync.model.counting import ChangeWord, TrackerChanges
from sync.model.tracker_data import Markup
from sync.tracker.actions import Action, Receipt
from sync.tracker.container_use import ContainerUse
from sync.tracker.observed import Observed, Target
from sync.tracker.preflight import Examination, Limitation
from sync.tracker.project_list import ListedProject
from sync.tracker.protocol import Capabilities, Connector, Page, Setup
from sync.tracker.webhook import WebhookEvent

if TYPE_CHECKING:
    from connectors.gitlab.parts import Parts

__all__ = ["GitLabConnector", "connect"]

BODY_LIMIT = 900_000
"""Largest number of characters in a body, below GitLab's own limit of 1,000,000."""


class GitLabConnector:
    """One GitLab through one set of credentials. Implements `sync.tracker.protocol.Connector`.

    Not thread-safe for callers; uses its own threads.
    """

    changes = TrackerChanges(word=ChangeWord.MERGE_REQUEST, have_rows=True, tracker="GitLab")

    def __init__(self, setup: Setup) -> None:
        history = str(setup.options.get("history", HISTORY[0]))
        if history not in HISTORY:
            raise ValueError(f"connection {setup.name}: history must be one of {', '.join(HISTORY)}")
        self.name, self.base_url, self._setup = setup.name, base_url_of(setup.url), setup
        self.capabilities = Capabilities(
            markup=Markup.GITLAB,
            body_limit=BODY_LIMIT,
            label_separator="::",
            history=history != "none",
            description_limit=BODY_LIMIT,
            health=True,
            issue_state=True,
        )
        if not setup.offline:
            _ = self._parts  # refuses unknown options

    @cached_property
    def _parts(self) -> Parts:
        """The parts that ask GitLab. They import the SDK."""
        from connectors.gitlab.parts import Parts

        return Parts(self._setup)

    @property
    def _can_ask(self) -> bool:
        return "_parts" in vars(self)

    def __repr__(self) -> str:
        return f"GitLabConnector(name={self.name!r}, base_url={self.base_url!r})"

    @property
    def requests(self) -> int:
        """Number of requests sent so far."""
        return self._parts.session.caller.count if self._can_ask else 0

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours. See `sync.tracker.protocol.TimedTracker`."""
        return self._parts.session.caller.clock_ahead if self._can_ask else None

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield milestones and issues with their history.

        A project is a path or number, or a group's path with or without ``/*``.
        """
        return self._parts.rules.add_label_milestones(self._parts.reader.pull(projects, cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with all our comments."""
        return self._parts.observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises `sync.tracker.errors.UncertainError` when the answer to a creation was lost."""
        return self._parts.writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """Find out, by reading only, what would fail. See `sync.tracker.preflight.Examiner`."""
        from connectors.gitlab.preflight import examine

        parts = self._parts
        return examine(
            parts.session,
            projects,
            self._setup.clock,
            parts.group_kinds(),
            milestones=parts.has_milestones,
            merge_requests=parts.has_merge_requests,
        )

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count the issues in each kind of container. See `sync.tracker.container_use.SurveyingTracker`."""
        from connectors.gitlab.survey import containers_in_use

        return containers_in_use(self._parts.session, projects)

    def known_limitations(self, cursors: Mapping[str, str]) -> tuple[Limitation, ...]:
        """Return the kinds of containers that the last pulls were refused. See `sync.tracker.preflight.Limited`."""
        memories = [Cursor.decode(text).containers for text in cursors.values()]
        refused = {word for memory in memories for word, kind in memory.items() if kind.refused_at is not None}
        if not refused:
            return ()
        from connectors.gitlab.containers import GROUP_KINDS

        return tuple(
            Limitation(words=f"GitLab lists no {kind.word}: {kind.remedy()}", remedy=kind.remedy())
            for kind in GROUP_KINDS
            if kind.word in refused
        )

    def list_projects(self, pattern: str) -> Sequence[ListedProject]:
        """List projects for a check. See `sync.tracker.project_list.ListingTracker`."""
        from connectors.gitlab.project_list import list_group

        return list_group(self._parts.session, pattern)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify and read a webhook. See `sync.tracker.webhook.WebhookListener`."""
        from connectors.gitlab.webhook import parse_event

        return parse_event(headers, body, secret, self._setup.clock())

    def close(self) -> None:
        """Close all connections."""
        if self._can_ask:
            self._parts.session.close()


def connect(setup: Setup) -> Connector:
    """Create the connector of a connection of type ``gitlab``. Sends nothing yet."""
    return GitLabConnector(setup)
