"""The GitHub connector: its capabilities, and the part that does each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import structs

from connectors.github.boards.state import board_limitations
from connectors.github.cursor import decode_cursors
from connectors.github.losses import losses
from sync.model.counting import ChangeWord, TrackerChanges
from sync.model.tracker_data import Markup
from sync.tracker.actions import Action, Receipt
from sync.tracker.container_use import ContainerUse
from sync.tracker.observed import Observed, Target
from sync.tracker.preflight import Examination, Limitation, Obstacle, Right
from sync.tracker.project_list import ListedProject
from sync.tracker.protocol import Capabilities, Connector, Page, Setup
from sync.tracker.webhook import WebhookEvent

if TYPE_CHECKING:
    from connectors.github.parts import Parts

__all__ = ["GitHubConnector", "connect"]

BODY_LIMIT = 65_000
"""Largest number of characters in a body, below GitHub's own limit of 65,536."""


TEXTS_AN_HOUR = 500
"""Issues and comments that GitHub lets an account create in an hour: 250 status issues, each with its comment."""


class GitHubConnector:
    """One GitHub through one set of credentials. Implements `sync.tracker.protocol.Connector`."""

    changes = TrackerChanges(word=ChangeWord.PULL_REQUEST, on_page=True, have_rows=True, tracker="GitHub")

    def __init__(self, setup: Setup) -> None:
        self.name, self.base_url = setup.name, setup.url.rstrip("/")
        self._setup = setup
        if not setup.offline:
            _ = self._parts

    @cached_property
    def _parts(self) -> Parts:
        """The parts that ask GitHub. They import the SDK."""
        from connectors.github.parts import Parts

        return Parts(self._setup)

    @property
    def _can_ask(self) -> bool:
        return "_parts" in vars(self)

    @property
    def capabilities(self) -> Capabilities:
        """The abilities. Enterprise Server has no limit of texts until an administrator sets one."""
        is_enterprise = self._can_ask and bool(self._parts.session.schema.version)
        return Capabilities(
            markup=Markup.GITHUB,
            body_limit=BODY_LIMIT,
            labels_any_case=True,
            description_limit=BODY_LIMIT,
            boards=True,
            issue_state=True,
            texts_an_hour=0 if is_enterprise else TEXTS_AN_HOUR,
        )

    @property
    def requests(self) -> int:
        """Number of requests sent so far."""
        return self._parts.session.caller.count if self._can_ask else 0

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours. See `sync.tracker.protocol.TimedTracker`."""
        return self._parts.session.caller.clock_ahead if self._can_ask else None

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield milestones and issues with their history. A project is ``owner/name`` or ``owner/*``."""
        parts = self._parts
        pages: Iterator[Page] = parts.reader.pull(projects, cursors)
        if not parts.has_milestones:
            pages = map(_without_milestones, pages)
        pages = parts.boards.add_to(parts.rules.add_label_milestones(pages), projects, cursors)
        return parts.parents.add_to(pages, cursors)

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with all our comments."""
        return self._parts.observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Make one change. Raises `sync.tracker.errors.UncertainError` when the answer to a creation was lost."""
        return self._parts.writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """Find out, by reading only, what would fail. See `sync.tracker.preflight.Examiner`."""
        from connectors.github.preflight import examine

        names, failed = self._parts.reader.resolve(projects)
        report = examine(self._parts.session, names, failed, self._setup.clock)
        boards = list(self._parts.boards.findings())
        return structs.replace(
            report,
            rights=(*report.rights, *(line for line in boards if isinstance(line, Right))),
            obstacles=(*report.obstacles, *(line for line in boards if isinstance(line, Obstacle))),
        )

    def known_limitations(self, cursors: Mapping[str, str]) -> tuple[Limitation, ...]:
        """Return the losses that earlier pulls met. See `sync.tracker.preflight.Limited`."""
        memories = [cursor.schema for _, cursor in decode_cursors(cursors) if cursor.schema]
        asked = [(memory.asked_at, memory.lacking) for memory in memories if memory.asked_at]
        return (*(losses(max(asked)[1]) if asked else ()), *board_limitations(cursors))

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count the issues in each kind of container. See `sync.tracker.container_use.SurveyingTracker`."""
        from connectors.github.survey import containers_in_use

        return containers_in_use(self._parts.session, self._parts.reader.resolve(projects)[0])

    def list_projects(self, pattern: str) -> Sequence[ListedProject]:
        """List projects for a check. See `sync.tracker.project_list.ListingTracker`."""
        from connectors.github.project_list import list_repositories

        return list_repositories(self._parts.session, pattern)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """Verify and read a webhook. See `sync.tracker.webhook.WebhookListener`."""
        from connectors.github.webhook import parse_event

        return parse_event(headers, body, secret)

    def close(self) -> None:
        """Close all connections."""
        if self._can_ask:
            self._parts.session.close()


def _without_milestones(page: Page) -> Page:
    """Return a page without the repository's own milestones, which the option ``containers`` does not name."""
    issues = tuple(structs.replace(issue, milestones=()) for issue in page.issues)
    return structs.replace(page, milestones=(), issues=issues)


def connect(setup: Setup) -> Connector:
    """Create the connector of a connection of type ``github``. Sends nothing yet."""
    return GitHubConnector(setup)
