"""GitHub: github.com and Enterprise Server.

Settings: ``url`` is that of the API (``https://api.github.com``, ``https://HOST/api/v3``); the secret is ``token``, or
``private_key`` of a GitHub App with the options ``app_id`` and ``installation_id``. The options ``sweep_days`` and
``rules`` are `connectors.sweep`'s and `connectors.rules`'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.github.examine import examine
from connectors.github.observe import Observer
from connectors.github.pull import Reader
from connectors.github.session import Session
from connectors.github.webhook import heard
from connectors.github.write import Writer
from connectors.rules import Rules
from connectors.sweep import Sweeping
from sync.action import Action, Observed, Receipt, Target
from sync.connector import Capabilities, Connector, Examination, Heard, Page, Setup
from sync.model import Markup

__all__ = ["GitHub", "connect"]

BODY_LIMIT = 65_000
"""Characters; GitHub's own limit is 65,536."""


class GitHub:
    """One GitHub through one set of credentials. Implements `sync.connector.Connector`."""

    capabilities = Capabilities(
        markup=Markup.GITHUB, body_limit=BODY_LIMIT, labels_any_case=True, described=BODY_LIMIT, boards=True
    )

    def __init__(self, setup: Setup) -> None:
        self.name, self.source = setup.name, setup.url.rstrip("/")
        self._clock = setup.clock
        self._session = Session(setup)
        self._rules = Rules(setup.options, any_case=True)
        self._reader = Reader(self._session, Sweeping(setup), self._rules)
        self._observer = Observer(self._session, setup.options.get("status_labels") or ["milestone-status"])
        self._writer = Writer(self._session)

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._session.caller.count

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Repositories, ``owner/name`` or ``owner/*``: milestones, and issues with their history."""
        return self._rules.labelled(self._reader.pull(projects, cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones with every comment of ours."""
        return self._observer.observe(targets)

    def apply(self, action: Action) -> Receipt:
        """Do one change. Raises `sync.connector.UncertainError` when the answer to a creation was lost."""
        return self._writer.apply(action)

    def examine(self, projects: Sequence[str]) -> Examination:
        """See `sync.connector.Examiner`."""
        names, failed = self._reader.named(projects)
        return examine(self._session, names, failed, self._clock)

    def heard(self, headers: Mapping[str, str], body: bytes, secret: str) -> Heard:
        """See `sync.connector.Listener`."""
        return heard(headers, body, secret)

    def close(self) -> None:
        """Give back connections."""
        self._session.close()


def connect(setup: Setup) -> Connector:
    """The connector of a connection of type ``github``."""
    return GitHub(setup)
