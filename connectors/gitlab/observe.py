"""Reading status issues afresh: their labels, those of their comments that are ours, and what people ask.

A person may write who is an active member of the issue's project from Developer on, inherited or not. Internal notes
are not heard, since what they say would be shown to every reader of the issue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import UNSET

from connectors.gitlab import api_types
from connectors.gitlab.normalize import project_of, visibility_of
from connectors.gitlab.session import OWN_FAILURES, Session
from connectors.shared.responses import decode
from sync.model.tracker_data import Visibility
from sync.tracker.errors import GoneError, TrackerError
from sync.tracker.protocol import (
    Claim,
    CommandComment,
    Observed,
    OurComment,
    StatusIssue,
    Target,
    command_lines,
    find_marker,
    status_issue_of,
)

__all__ = ["Observer", "place"]

MOST_NUMBERS = 50
"""Numbers asked for in one request, so that its URL stays short."""


DEVELOPER = 30
"""The least role that may write."""


def place(issue: str, project: str, project_key: str) -> tuple[str, int]:
    """The API path of an issue's project and its number there: from ``group/project#12``, ``#12`` or ``12``.

    Raises ValueError for anything else.
    """
    path, _, number = issue.rpartition("#")
    if path in ("", project_key):
        return f"/projects/{quote(project, safe='')}", int(number)
    return f"/projects/{quote(path, safe='')}", int(number)


class Observer:
    """Observes for one connection; knows who we are after the first request."""

    def __init__(self, session: Session, status_labels: Sequence[str]) -> None:
        self.session, self.status_labels = session, status_labels
        self._me: int | None = None
        self._writers: dict[tuple[int, int], bool] = {}

    def observe(self, targets: Sequence[Target]) -> Observed:
        """See `Connector.observe`. A known status issue that is not there any more is a failure, not an absence, so
        that no second one is made for it.
        """
        if self._me is None:
            self._me = decode(self.session.get("/user"), api_types.User, self.session.name).id
        self._writers = {}
        here: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            here[target.project].append(target)
        issues: dict[str, StatusIssue] = {}
        failed: dict[str, Exception] = {}
        labels: dict[str, frozenset[str]] = {}
        claims: dict[str, Claim] = {}
        for project, some in here.items():
            try:
                labels[project] = self._labels(project, some[0].project_key)
                found = self._known(some, failed) | self._marked(some, claims)
                for target, answer in zip(found, self._read(found), strict=True):
                    if isinstance(answer, TrackerError):
                        failed[target.milestone] = answer
                    else:
                        issues[target.milestone] = answer
            except OWN_FAILURES as problem:
                failed |= {target.milestone: problem for target in some}
        return Observed(issues=issues, failed=failed, labels=labels, claims=claims)

    def _labels(self, project: str, key: str) -> frozenset[str]:
        read = self.session.rows(api_types.Label, f"/projects/{project}/labels", key, include_ancestor_groups="true")
        return frozenset(label.name for label in read)

    def _known(self, targets: Iterable[Target], failed: dict[str, Exception]) -> dict[Target, api_types.Issue]:
        """The status issues whose keys are known, by numbers, many in one request."""
        wanted: dict[str, dict[int, list[Target]]] = defaultdict(lambda: defaultdict(list))
        for target in targets:
            if target.issue:
                try:
                    path, number = place(target.issue, target.project, target.project_key)
                except ValueError:
                    failed[target.milestone] = GoneError(self.session.name, target.project_key, "no such status issue")
                    continue
                wanted[path][number].append(target)
        found: dict[Target, api_types.Issue] = {}
        for path, numbers in wanted.items():
            found |= self._numbered(path, numbers, failed)
        return found

    def _numbered(
        self, path: str, numbers: Mapping[int, list[Target]], failed: dict[str, Exception]
    ) -> dict[Target, api_types.Issue]:
        every = sorted(numbers)
        found: dict[Target, api_types.Issue] = {}
        for start in range(0, len(every), MOST_NUMBERS):
            some = every[start : start + MOST_NUMBERS]
            key = numbers[some[0]][0].project_key
            try:
                read = self.session.rows(
                    api_types.Issue, f"{path}/issues", key, **{"iids[]": some, "state": "all", "scope": "all"}
                )
            except OWN_FAILURES as problem:
                failed |= {target.milestone: problem for n in some for target in numbers[n]}
                continue
            by_number = {issue.iid: issue for issue in read}
            for number in some:
                for target in numbers[number]:
                    if number in by_number:
                        found[target] = by_number[number]
                    else:
                        failed[target.milestone] = GoneError(
                            self.session.name, target.project_key, f"its status issue #{number} is not there"
                        )
        return found

    def _marked(self, targets: Sequence[Target], claims: dict[str, Claim]) -> dict[Target, api_types.Issue]:
        """The status issues that only their marker tells: written by us, with a status label. The oldest wins.

        Those of another account go into ``claims``, where there is none of ours.
        """
        sought = {target.milestone: target for target in targets if not target.issue}
        found: dict[Target, api_types.Issue] = {}
        if not sought:
            return found
        path, key = f"/projects/{targets[0].project}/issues", targets[0].project_key
        for label in self.status_labels:
            params: dict[str, Any] = {"labels": label, "state": "all", "scope": "all", "sort": "asc"}
            for issue in self.session.rows(api_types.Issue, path, key, order_by="created_at", **params):
                text = find_marker(issue.description or "")
                target = status_issue_of(text, sought)
                if target is not None and self._ours(issue.author):
                    found.setdefault(target, issue)
                elif target is not None:
                    made = issue.references.full
                    claim = Claim(id=made, author=_login(issue.author), marker=text, issue=made)
                    claims.setdefault(target.milestone, claim)
        for target in found:
            claims.pop(target.milestone, None)
        return found

    def _read(self, found: Mapping[Target, api_types.Issue]) -> list[StatusIssue | TrackerError]:
        """The status issues with their threads, a few at once."""
        visibility: dict[int, Visibility] = {}
        for target, issue in found.items():
            if issue.project_id not in visibility:
                answer = self.session.get(f"/projects/{issue.project_id}", target.project_key)
                read = decode(answer, api_types.Project, self.session.name, target.project_key)
                visibility[issue.project_id] = project_of(read).visibility
        return self.session.map_all(
            lambda pair: self._status_issue(pair[0].project_key, pair[1], visibility[pair[1].project_id]), found.items()
        )

    def _status_issue(self, key: str, issue: api_types.Issue, project: Visibility) -> StatusIssue | TrackerError:
        try:
            notes = self.session.rows(
                api_types.Note,
                f"/projects/{issue.project_id}/issues/{issue.iid}/notes",
                key,
                order_by="created_at",
                sort="asc",
                activity_filter="only_comments",
            )
        except OWN_FAILURES as problem:
            return problem
        return StatusIssue(
            issue=issue.references.full,
            url=issue.web_url,
            closed=issue.state == "closed",
            labels=tuple(issue.labels),
            comments=tuple(comment for note in notes if (comment := self._comment(note)) is not None),
            marker=find_marker(issue.description or "") if self._ours(issue.author) else "",
            visibility=visibility_of(issue, project),
            asked=tuple(asked for note in notes if (asked := self._asked(key, issue.project_id, note)) is not None),
            health=None if issue.health_status is UNSET else issue.health_status or "",
            claims=tuple(
                Claim(id=str(note.id), author=_login(note.author), marker=find_marker(note.body), body=note.body)
                for note in notes
                if not note.system and not self._ours(note.author) and find_marker(note.body)
            ),
        )

    def _asked(self, key: str, project: int, note: api_types.Note) -> CommandComment | None:
        """What a person asks in a note. GitLab leaves it in the text: it knows no quick action of that name."""
        lines, author = command_lines(note.body), note.author
        by_us = self._ours(author)
        if not lines or note.system or note.internal or note.confidential or (by_us and find_marker(note.body)):
            return None
        if author is None or note.created_at is None:
            return None
        return CommandComment(
            id=str(note.id),
            author=str(author.id),
            name=author.name or author.username,
            may_write=by_us or self._may_write(key, project, author.id),
            at=note.updated_at or note.created_at,
            text=lines,
        )

    def _may_write(self, key: str, project: int, user: int) -> bool:
        """Whether GitLab says so; asked once an observation, and only of those who gave a command."""
        if (project, user) not in self._writers:
            try:
                answer = self.session.get(f"/projects/{project}/members/all/{user}", key)
                member = decode(answer, api_types.Member, self.session.name, key)
            except OWN_FAILURES:
                member = api_types.Member()
            self._writers[project, user] = member.access_level >= DEVELOPER and member.state == "active"
        return self._writers[project, user]

    def _comment(self, note: api_types.Note) -> OurComment | None:
        marker = find_marker(note.body)
        if not marker or note.system or not self._ours(note.author):
            return None
        if note.id is None or note.created_at is None:
            return None
        return OurComment(
            id=str(note.id),
            marker=marker,
            body=note.body,
            created_at=note.created_at,
            updated_at=note.updated_at or note.created_at,
        )

    def _ours(self, author: api_types.User | None) -> bool:
        return author is not None and author.id == self._me


def _login(author: api_types.User | None) -> str:
    return author.username if author else ""
