"""Count the kinds of containers that projects use: a page of open issues of each, the last changed first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Raw

from connectors.gitlab import api_types
from connectors.gitlab.containers import WORDS
from connectors.gitlab.normalize import unread_issue
from connectors.gitlab.session import PER_PAGE, PROJECT_ERRORS, Session
from connectors.shared.paths import path_of
from connectors.shared.responses import decode, decode_row
from connectors.shared.rows import read_rows
from sync.tracker.container_use import ContainerUse
from sync.tracker.errors import GoneError

__all__ = ["PROJECTS", "containers_in_use"]

PROJECTS = 5
"""Projects or groups of which a page of issues is read."""


def containers_in_use(session: Session, keys: Sequence[str]) -> list[ContainerUse]:
    """Return the number of issues in each kind. Keys are those of `connectors.gitlab.pull.Reader.pull`."""
    counts = Counter[str]()
    for key in keys[:PROJECTS]:
        for issue in _sample(session, key):
            members = {"milestones": issue.milestone, "iterations": issue.iteration, "epics": issue.epic}
            counts.update(word for word, container in members.items() if container is not None)
    return [ContainerUse(word=word, issues=counts[word]) for word in WORDS]


def _sample(session: Session, key: str) -> Sequence[api_types.Issue]:
    """The open issues of a project, or of a group, that changed last; nothing where they cannot be read."""
    parameters = {"state": "opened", "scope": "all", "order_by": "updated_at", "sort": "desc", "per_page": PER_PAGE}
    path = key.removesuffix("/*")
    for place in ("/groups/{}/issues",) if path != key else ("/projects/{}/issues", "/groups/{}/issues"):
        try:
            answer = session.get(path_of(place, path), key, **parameters)
        except GoneError:
            continue
        except PROJECT_ERRORS:
            return ()
        rows = decode(answer, list[Raw], session.name, key)
        return read_rows(rows, lambda row: decode_row(row, api_types.Issue, session.name, key), unread_issue).read
    return ()
