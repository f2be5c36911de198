"""GitLab, SaaS and self-managed, through REST API v4: project and group milestones, issues, notes, labels.

Settings: ``status_labels`` (by which status issues are listed), ``history`` (``full``, ``members`` or ``none``),
``notes_a_minute`` (GitLab.com takes 60), ``sweep_days`` (see `connectors.shared.deletion_sweep`), ``rules`` (see
`connectors.shared.rule_milestones`).
Secrets: ``token`` (personal, project, group or OAuth) or ``job_token``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.gitlab.apply import Writer
from connectors.gitlab.history_rest import HISTORY
from connectors.gitlab.observe import Observer
from connectors.gitlab.preflight import examine
from connectors.gitlab.pull import Options, pull
from connectors.gitlab.session import Session
from connectors.gitlab.webhook import parse_event
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.rule_milestones import RuleMilestones
from sync.tracker.preflight import Examination
from sync.tracker.protocol import Action, Capabilities, Connector, Markup, Observed, Page, Receipt, Setup, Target
from sync.tracker.webhook import WebhookEvent

__all__ = ["GitLabConnector", "connect"]

BODY_LIMIT = 900_000
"""Characters; GitLab takes 1,000,000."""


class GitLabConnector:
    """A `Connector` for one GitLab. Its threads are its own; do not share it between yours."""

    def __init__(self, setup: Setup) -> None:
        labels = tuple(setup.options.get("status_labels", ("milestone-status",)))
        history = str(setup.options.get("history", HISTORY[0]))
        if history not in HISTORY:
            raise ValueError(f"history is one of {', '.join(HISTORY)}")
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
        )
        self._rules = RuleMilestones(setup.options)
        self._options = Options(SweepSchedule(setup), self._rules, history, frozenset(labels))
        self._observer, self._writer = Observer(self._session, labels), Writer(self._session)

    def __repr__(self) -> str:
        return f"GitLabConnector(name={self.name!r}, base_url={self.base_url!r})"

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._session.sent

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """See `Connector.pull`; a project is a path, a number, a group's path, or ``group/*``."""
        return self._rules.add_label_milestones(pull(self._session, self._options, projects, cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """See `Connector.observe`."""
        return self._observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """See `Connector.apply`."""
        return self._writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """See `sync.tracker.protocol.Examiner`."""
        return examine(self._session, projects, self._clock)

    def heard(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent:
        """See `sync.tracker.protocol.Listener`."""
        return parse_event(headers, body, secret, self._clock())

    def close(self) -> None:
        """Give back connections."""
        self._session.close()


def connect(setup: Setup) -> Connector:
    """The entry point."""
    return GitLabConnector(setup)
