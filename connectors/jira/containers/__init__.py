"""Jira's kinds of containers, in the order of the option ``containers``; the first one is the default."""

from __future__ import annotations

from connectors.jira.containers.epics import Epics
from connectors.jira.containers.kind import JiraContainers, JiraKinds
from connectors.jira.containers.parents import Parents
from connectors.jira.containers.sprints import Sprints
from connectors.jira.containers.versions import Versions
from connectors.jira.search import Search
from connectors.jira.session import Session
from connectors.shared.containers import selected_words

__all__ = ["KINDS", "containers_of", "kinds_of", "search_for"]

KINDS: tuple[type[JiraContainers], ...] = (Versions, Sprints, Epics, Parents)


def kinds_of(session: Session) -> list[type[JiraContainers]]:
    """The kinds that the option ``containers`` names. Raises ValueError for an unknown word."""
    words = selected_words(session.list_option("containers"), [kind.word for kind in KINDS])
    return [kind for kind in KINDS if kind.word in words]


def containers_of(session: Session, search: Search, *further: JiraContainers) -> JiraKinds:
    """The containers of these kinds for one pull, and of further ones that no option names."""
    return JiraKinds([*(kind(session, search) for kind in kinds_of(session)), *further])


def search_for(session: Session, *, history: bool) -> Search:
    """A search that reads of each issue what these kinds need."""
    kinds = kinds_of(session)
    changes = [kind.history_fields(session) for kind in kinds]
    return Search(
        session,
        history=history,
        fields=[field for kind in kinds for field in kind.fields(session)],
        history_fields=None if None in changes else [field for fields in changes for field in fields or ()],
        has_large_batches=any(kind.asks_for_each_batch for kind in kinds),
    )
