"""The shapes of each tracker: the same situation with the keys, addresses and kinds of its own tracker."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from sync.model.tracker_data import Issue, Markup, MilestoneKind
from sync.report.facts import Facts

__all__ = ["in_dialect"]


class Dialect(Struct, frozen=True):
    """Project, name of the connection, kind and address of the milestone, and how issues are named and addressed."""

    project: str
    connection: str
    kind: MilestoneKind
    milestone: str
    key: str
    url: str
    other: str


DIALECTS = {
    Markup.GITLAB: Dialect(
        "acme/api",
        "gl",
        MilestoneKind.MILESTONE,
        "https://gitlab.com/acme/api/-/milestones/12",
        "acme/api#{n}",
        "https://gitlab.com/acme/api/-/work_items/{n}",
        "acme/vendor#{n}",
    ),
    Markup.ADF: Dialect(
        "AB_C",
        "jira",
        MilestoneKind.VERSION,
        "https://acme.atlassian.net/projects/AB_C/versions/10012",
        "AB_C-{n}",
        "https://acme.atlassian.net/browse/AB_C-{n}",
        "VEND-{n}",
    ),
    Markup.WIKI: Dialect(
        "PAY",
        "jira-dc",
        MilestoneKind.VERSION,
        "https://jira.acme.example/projects/PAY/versions/10012",
        "PAY-{n}",
        "https://jira.acme.example/browse/PAY-{n}",
        "VEND-{n}",
    ),
}
"""By markup; the situations themselves have the shapes of GitHub."""

_OWN, _OTHER = re.compile(r"acme/app#(\d+)"), re.compile(r"acme/vendor#(\d+)")


def in_dialect(facts: Facts, markup: Markup) -> Facts:
    """Return the facts with the shapes of the markup's tracker. Hostile texts stay as they are."""
    dialect = DIALECTS.get(markup)
    if dialect is None or facts.project != "acme/app":
        return facts
    kind = dialect.kind if facts.milestone.kind is MilestoneKind.MILESTONE else facts.milestone.kind
    return replace(
        facts,
        project=dialect.project,
        milestone=replace(facts.milestone, kind=kind, url=dialect.milestone),
        items={uid: _issue(issue, dialect) for uid, issue in facts.items.items()},
        sources=tuple(
            replace(source, name=dialect.connection) if source.name == "gh" else source for source in facts.sources
        ),
    )


def _issue(issue: Issue, dialect: Dialect) -> Issue:
    number = _OWN.fullmatch(issue.key)
    if number is None:
        return issue
    blockers = tuple(_key(key, dialect) for key in issue.blocked_by)
    url = dialect.url.format(n=number[1])
    return replace(issue, key=_key(issue.key, dialect), url=url, blocked_by=blockers)


def _key(key: str, dialect: Dialect) -> str:
    own, other = _OWN.fullmatch(key), _OTHER.fullmatch(key)
    if own is not None:
        return dialect.key.format(n=own[1])
    return dialect.other.format(n=other[1]) if other is not None else key
