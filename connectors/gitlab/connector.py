"""The GitLab connector: its capabilities, and the part that does each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from connectors.gitlab.apply import Writer
from connectors.gitlab.containers import GROUP_KINDS, WORDS
from connectors.gitlab.containers.milestones import Milestones
from connectors.gitlab.cursor import Cursor
from connectors.gitlab.history_rest import HISTORY
from connectors.gitlab.observe import Observer
from connectors.gitlab.preflight import examine
from connectors.gitlab.pull import Reader
from connectors.gitlab.session import Session
from connectors.gitlab.survey import containers_in_use
from connectors.gitlab.webhook import parse_event
from connectors.shared.containers import selected_words
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.counting import ChangeWord, TrackerChanges
from sync.model.tracker_data import Markup
from sync.tracker.actions import Action, Receipt
from sync.tracker.container_use import ContainerUse
from sync.tracker.observed import Observed, Target
from sync.tracker.preflight import Examination, Limitation
from sync.tracker.protocol import Capabilities, Connector, Page, Setup
from sync.tracker.webhook import WebhookEvent

__all__ = ["GitLabConnector", "connect"]

BODY_LIMIT = 900_000
"""Largest number of characters in a body, below GitLab's own limit of 1,000,000."""


class GitLabConnector:
    """One GitLab through one set of credentials. Implements `sync.tracker.protocol.Connector`.

    Not thread-safe for callers; uses its own threads.
    """

    changes = TrackerChanges(word=ChangeWord.MERGE_REQUEST, have_rows=True, tracker="GitLab")

    def __init__(self, setup: Setup) -> None:
        labels = tuple(setup.options.get("status_labels", ("milestone-status",)))
        history = str(setup.options.get("history", HISTORY[0]))
        if history not in HISTORY:
            raise ValueError(f"connection {setup.name}: history must be one of {', '.join(HISTORY)}")
        self.name, self._clock = setup.name, setup.clock
        self._session = Session(setup)
        self.base_url = self._session.base_url
        self.capabilities = Capabilities(
            markup=Markup.GITLAB,
            body_limit=BODY_LIMIT,
            label_separator="::",
            history=history != "none",
            description_limit=BODY_LIMIT,
            health=True,
            issue_state=True,
        )
        self._rules = RuleMilestones(setup.options)
        self._containers = selected_words(setup.options.get("containers") or (), WORDS)
        self._has_merge_requests = Milestones.word in self._containers and setup.options.get("count") != "issues"
        self._reader = Reader(
            self._session,
            SweepSchedule(setup),
            self._rules,
            history,
            labels,
            self._containers,
            merge_requests=self._has_merge_requests,
        )
        self._observer = Observer(self._session, labels)
        self._writer = Writer(self._session)

    def __repr__(self) -> str:
        return f"GitLabConnector(name={self.name!r}, base_url={self.base_url!r})"

    @property
    def requests(self) -> int:
        """Number of requests sent so far."""
        return self._session.caller.count

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours. See `sync.tracker.protocol.TimedTracker`."""
        return self._session.caller.clock_ahead

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield milestones and issues with their history.

        A project is a path or number, or a group's path with or without ``/*``.
        """
        return self._rules.add_label_milestones(self._reader.pull(projects, cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with all our comments."""
        return self._observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises `sync.tracker.errors.UncertainError` when the answer to a creation was lost."""
        return self._writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """Find out, by reading only, what would fail. See `sync.tracker.preflight.Examiner`."""
        kinds = [kind(self._session) for kind in GROUP_KINDS if kind.word in self._containers]
        return examine(
            self._session,
            projects,
            self._clock,
            kinds,
            milestones=Milestones.word in self._containers,
            merge_requests=self._has_merge_requests,
        )

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count the issues in each kind of container. See `sync.tracker.container_use.SurveyingTracker`."""
        return containers_in_use(self._session, projects)

    def known_limitations(self, cursors: Mapping[str, str]) -> tuple[Limitation, ...]:
        """Return the kinds of containers that the last pulls were refused. See `sync.tracker.preflight.Limited`."""
        memories = [Cursor.decode(text).containers for text in cursors.values()]
        refused = {word for memory in memories for word, kind in memory.items() if kind.refused_at is not None}
        return tuple(
            Limitation(words=f"GitLab lists no {kind.word}: {kind.remedy()}", remedy=kind.remedy())
            for kind in GROUP_KINDS
            if kind.word in refused
        )

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify and read a webhook. See `sync.tracker.webhook.WebhookListener`."""
        return parse_event(headers, body, secret, self._clock())

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def connect(setup: Setup) -> Connector:
    """Create the connector of a connection of type ``gitlab``. Sends nothing yet."""
    return GitLabConnector(setup)
