"""Reading status issues: their labels and our comments, ten issues a request, long threads to their end.

Ours is what the token's own account wrote (``viewerDidAuthor``, which holds for users and for Apps alike) and what
carries a marker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache

import msgspec
from msgspec import Struct

from connectors.github import rows, wire
from connectors.github.session import OWN, Session, TooHeavyError
from sync.action import Observed, OurComment, StatusIssue, Target
from sync.connector import MalformedError, RefusedError, TrackerError, find_marker

__all__ = ["Observer"]

BATCH = 10
"""Status issues a request; each may bring a hundred comments."""

_COMMENTS = "pageInfo { hasNextPage endCursor } nodes { id body createdAt updatedAt viewerDidAuthor }"
_THREAD = f"""fragment Thread on Issue {{
  id number url closed body viewerDidAuthor
  repository {{ nameWithOwner visibility }}
  labels(first: 100) {{ nodes {{ id name }} }}
  comments(first: 100) {{ {_COMMENTS} }}
}}"""
_COMMENTS_LATER = f"""query Comments($issue: ID!, $after: String!) {{
  node(id: $issue) {{ ... on Issue {{ comments(first: 100, after: $after) {{ {_COMMENTS} }} }} }}
}}"""
_LABELLED = """query Labelled($owner: String!, $name: String!, $labels: [String!], $after: String) {
  repository(owner: $owner, name: $name) {
    issues(
      first: 100, after: $after, filterBy: {labels: $labels}, orderBy: {field: CREATED_AT, direction: ASC}
    ) { pageInfo { hasNextPage endCursor } nodes { number body viewerDidAuthor } }
  }
}"""
_LABELS = """query Labels($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    labels(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { id name } }
  }
}"""


class _Place(Struct, frozen=True):
    """A target, and the repository and number of its status issue."""

    target: Target
    repository: str
    number: int


class _Marker(Struct, frozen=True):
    """As much of a marker as finding an issue needs."""

    kind: str
    milestone: str


@cache
def _threads(count: int) -> str:
    declared = ", ".join(f"$o{i}: String!, $r{i}: String!, $n{i}: Int!" for i in range(count))
    asked = "\n".join(
        f"  t{i}: repository(owner: $o{i}, name: $r{i}) {{ issue(number: $n{i}) {{ ...Thread }} }}"
        for i in range(count)
    )
    return f"query Threads({declared}) {{\n{asked}\n}}\n{_THREAD}"


class Observer:
    """Reads status issues. ``status_labels`` are those which a status issue made by milesync carries."""

    def __init__(self, session: Session, status_labels: Sequence[str]) -> None:
        self._session, self._status_labels = session, list(status_labels)

    def observe(self, targets: Sequence[Target]) -> Observed:
        """The status issues as they stand. A repository's own failure is that of its targets."""
        projects: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            projects[target.project_key].append(target)
        failed: dict[str, Exception] = {}
        labels: dict[str, frozenset[str]] = {}
        places: list[_Place] = []
        for mine, answer in zip(
            projects.values(), self._session.caller.each(self._project, projects.values()), strict=True
        ):
            if isinstance(answer, TrackerError):
                failed |= {target.milestone: answer for target in mine}
            else:
                labels[mine[0].project] = answer[0]
                places += answer[1]
        issues: dict[str, StatusIssue] = {}
        batches = [places[i : i + BATCH] for i in range(0, len(places), BATCH)]
        for read in self._session.caller.each(self._threads, batches):
            for uid, issue in read.items():
                if isinstance(issue, TrackerError):
                    failed[uid] = issue
                else:
                    issues[uid] = issue
        return Observed(issues=issues, failed=failed, labels=labels)

    # --- where they are ------------------------------------------------------------------------------------------

    def _project(self, targets: Sequence[Target]) -> tuple[frozenset[str], list[_Place]] | TrackerError:
        """A repository's labels, and where the status issues of its milestones are."""
        repository = targets[0].project_key
        try:
            owner, name = self._session.parts(repository, repository)
            asked = {"owner": owner, "name": name}
            labels = self._session.pages(_LABELS, asked, wire.Label, repository)
            names = frozenset(label.name for label in labels)
            places = [_Place(t, *rows.place_of(t.issue, repository)) for t in targets if t.issue]
            lost = {t.milestone: t for t in targets if not t.issue}
            if lost:
                found = self._marked(repository, asked)
                places += [_Place(t, repository, found[uid]) for uid, t in lost.items() if uid in found]
        except OWN as error:
            return error
        except ValueError:
            return RefusedError(self._session.name, repository, "an issue is written owner/name#12")
        return names, places

    def _marked(self, repository: str, asked: Mapping[str, str]) -> dict[str, int]:
        """By milestone uid, the number of the oldest issue of ours whose marker says that it carries its status."""
        variables = {**asked, "labels": self._status_labels[:1]}
        found: dict[str, int] = {}
        for one in self._session.pages(_LABELLED, variables, wire.Candidate, repository):
            marker = _decoded(find_marker(one.body)) if one.viewer_did_author else None
            if marker is not None and marker.kind == "status_issue":
                found.setdefault(marker.milestone, one.number)
        return found

    # --- what they say -------------------------------------------------------------------------------------------

    def _threads(self, places: Sequence[_Place]) -> dict[str, StatusIssue | TrackerError]:
        """Issues by milestone uid; one that is not there, or is a pull request, is left out."""
        asked: dict[str, object] = {}
        for i, place in enumerate(places):
            owner, _, name = place.repository.partition("/")
            asked |= {f"o{i}": owner, f"r{i}": name, f"n{i}": place.number}
        project = places[0].target.project_key
        try:
            reply = self._session.query(
                _threads(len(places)), asked, dict[str, wire.Holder | None], project, divisible=len(places) > 1
            )
        except TooHeavyError:
            half = len(places) // 2
            return self._threads(places[:half]) | self._threads(places[half:])
        except OWN as error:
            return {place.target.milestone: error for place in places}
        found: dict[str, StatusIssue | TrackerError] = {}
        for i, place in enumerate(places):
            holder = (reply.data or {}).get(f"t{i}")
            about = [error for error in reply.errors if not error.path or error.path[0] == f"t{i}"]
            if holder is not None and all(error.type == "NOT_FOUND" for error in about) and holder.issue is None:
                continue
            try:
                self._session.refuse(about, place.repository)
                if holder is None or holder.issue is None:
                    raise MalformedError(self._session.name, place.repository, "GraphQL left an issue out")
                found[place.target.milestone] = self._issue(place, holder.issue)
            except OWN as error:
                found[place.target.milestone] = error
        return found

    def _issue(self, place: _Place, thread: wire.Thread) -> StatusIssue:
        here = place.repository == place.target.project_key
        key = rows.key_of(thread.number)
        return StatusIssue(
            issue=key if here else f"{place.repository}{key}",
            url=thread.url,
            closed=thread.closed,
            labels=tuple(label.name for label in thread.labels.seen) if thread.labels else (),
            comments=tuple(_ours(self._comments(place, thread))),
            marker=find_marker(thread.body) if thread.viewer_did_author else "",
            visibility=rows.visibility(thread.repository.visibility),
        )

    def _comments(self, place: _Place, thread: wire.Thread) -> Iterator[wire.Comment]:
        yield from thread.comments.nodes
        info = thread.comments.page_info
        if info.has_next_page:
            asked = {"issue": thread.id, "after": info.end_cursor}
            yield from self._session.pages(_COMMENTS_LATER, asked, wire.Comment, place.repository)


def _ours(comments: Iterable[wire.Comment]) -> Iterator[OurComment]:
    for comment in comments:
        marker = find_marker(comment.body) if comment.viewer_did_author else ""
        if marker:
            yield OurComment(
                id=comment.id,
                marker=marker,
                body=comment.body,
                created_at=comment.created_at,
                updated_at=comment.updated_at,
            )


def _decoded(text: str) -> _Marker | None:
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=_Marker)
    return None
