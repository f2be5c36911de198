"""Reading status issues: their labels and our comments, ten issues a request, long threads to their end.

Ours is what the token's own account wrote (``viewerDidAuthor``, which holds for users and for Apps alike) and what
carries a marker. A person may write whose permission in the repository is write or admin; an organisation's members
are asked for as well, since being a member alone gives no such right. A comment that was hidden is not heard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from urllib.parse import quote

import msgspec
from msgspec import Struct

from connectors.github import api_types, normalize
from connectors.github.project_boards import Boards
from connectors.github.session import OWN, Session, TooHeavyError
from connectors.shared.responses import decode
from sync.tracker.errors import MalformedError, RefusedError, TrackerError
from sync.tracker.observed import Claim, CommandComment, Observed, OurComment, StatusIssue, Target
from sync.tracker.protocol import command_lines, find_marker, status_issue_of

__all__ = ["Observer"]

BATCH = 10
"""Status issues a request; each may bring a hundred comments."""

_INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")
"""Of nobody else is it worth asking whether they may write."""

_COMMENTS = "pageInfo { hasNextPage endCursor } nodes { id body createdAt updatedAt viewerDidAuthor \
isMinimized authorAssociation author { login } }"
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
    ) { pageInfo { hasNextPage endCursor } nodes { number body viewerDidAuthor author { login } } }
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
        self._writers: dict[tuple[str, str], bool] = {}

    def observe(self, targets: Sequence[Target]) -> Observed:
        """The status issues as they stand. A repository's own failure is that of its targets."""
        projects: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            projects[target.project_key].append(target)
        failed: dict[str, Exception] = {}
        labels: dict[str, frozenset[str]] = {}
        places: list[_Place] = []
        claims: dict[str, Claim] = {}
        self._writers = {}
        for mine, answer in zip(
            projects.values(), self._session.caller.map_all(self._project, projects.values()), strict=True
        ):
            if isinstance(answer, TrackerError):
                failed |= {target.milestone: answer for target in mine}
            else:
                labels[mine[0].project] = answer[0]
                places += answer[1]
                claims |= answer[2]
        issues: dict[str, StatusIssue] = {}
        batches = [places[i : i + BATCH] for i in range(0, len(places), BATCH)]
        for threads in self._session.caller.map_all(self._threads, batches):
            for uid, issue in threads.items():
                if isinstance(issue, TrackerError):
                    failed[uid] = issue
                else:
                    issues[uid] = issue
        boards = Boards(self._session)
        read = boards.read(name for target in targets if target.milestone in issues for name in target.boards)
        for target in targets:
            if target.boards and target.milestone in issues:
                theirs = tuple(boards.of(read[name], target.milestone) for name in target.boards)
                issues[target.milestone] = msgspec.structs.replace(issues[target.milestone], boards=theirs)
        return Observed(issues=issues, failed=failed, labels=labels, claims=claims)

    # --- where they are ------------------------------------------------------------------------------------------

    def _project(
        self, targets: Sequence[Target]
    ) -> tuple[frozenset[str], list[_Place], dict[str, Claim]] | TrackerError:
        """A repository's labels, where the status issues of its milestones are, and who else claims to have one."""
        repository = targets[0].project_key
        claims: dict[str, Claim] = {}
        try:
            owner, name = self._session.parts(repository, repository)
            asked = {"owner": owner, "name": name}
            labels = self._session.pages(_LABELS, asked, api_types.Label, repository)
            names = frozenset(label.name for label in labels)
            places = [_Place(t, *normalize.place_of(t.issue, repository)) for t in targets if t.issue]
            lost = {t.milestone: t for t in targets if not t.issue}
            if lost:
                found, others = self._marked(repository, asked, lost)
                places += [_Place(t, repository, found[uid]) for uid, t in lost.items() if uid in found]
                claims = {uid: others[uid] for uid in lost if uid in others and uid not in found}
        except OWN as error:
            return error
        except ValueError:
            return RefusedError(self._session.name, repository, "an issue is written owner/name#12")
        return names, places, claims

    def _marked(
        self, repository: str, asked: Mapping[str, str], lost: Mapping[str, Target]
    ) -> tuple[dict[str, int], dict[str, Claim]]:
        """By milestone uid, the oldest issue whose marker says that it carries its status: ours, and another's."""
        variables = {**asked, "labels": self._status_labels[:1]}
        found: dict[str, int] = {}
        claims: dict[str, Claim] = {}
        for candidate in self._session.pages(_LABELLED, variables, api_types.Candidate, repository):
            text = find_marker(candidate.body)
            target = status_issue_of(text, lost)
            if target is None:
                continue
            if candidate.viewer_did_author:
                found.setdefault(target.milestone, candidate.number)
            else:
                key = normalize.key_of(candidate.number)
                claim = Claim(id=key, author=_login(candidate.author), marker=text, issue=key)
                claims.setdefault(target.milestone, claim)
        return found, claims

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
                _threads(len(places)), asked, dict[str, api_types.Holder | None], project, divisible=len(places) > 1
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

    def _issue(self, place: _Place, thread: api_types.Thread) -> StatusIssue:
        here = place.repository == place.target.project_key
        key = normalize.key_of(thread.number)
        comments = list(self._comments(place, thread))
        return StatusIssue(
            issue=key if here else f"{place.repository}{key}",
            url=thread.url,
            closed=thread.closed,
            labels=tuple(label.name for label in thread.labels.seen) if thread.labels else (),
            comments=tuple(_ours(comments)),
            marker=find_marker(thread.body) if thread.viewer_did_author else "",
            visibility=normalize.visibility(thread.repository.visibility),
            asked=tuple(self._asked(place.repository, comments)),
            claims=tuple(_claims(comments)),
        )

    def _comments(self, place: _Place, thread: api_types.Thread) -> Iterator[api_types.Comment]:
        yield from thread.comments.nodes
        info = thread.comments.page_info
        if info.has_next_page:
            asked = {"issue": thread.id, "after": info.end_cursor}
            yield from self._session.pages(_COMMENTS_LATER, asked, api_types.Comment, place.repository)

    # --- what people ask -----------------------------------------------------------------------------------------

    def _asked(self, repository: str, comments: Iterable[api_types.Comment]) -> Iterator[CommandComment]:
        for comment in comments:
            lines = command_lines(comment.body)
            by_us = comment.viewer_did_author
            if not lines or comment.is_minimized or (by_us and find_marker(comment.body)):
                continue
            login = _login(comment.author)
            insider = comment.author_association in _INSIDERS
            yield CommandComment(
                id=comment.id,
                author=login,
                name=login,
                may_write=by_us or (insider and self._may_write(repository, login)),
                at=comment.updated_at,
                text=lines,
            )

    def _may_write(self, repository: str, login: str) -> bool:
        """Whether GitHub says so; asked once an observation, and only of those who gave a command."""
        if (repository, login) not in self._writers:
            path = f"/repos/{repository}/collaborators/{quote(login, safe='')}/permission"
            try:
                answer = self._session.get(path, repository)
                held = decode(answer, api_types.Permission, self._session.name, repository).permission
            except OWN:
                held = ""
            self._writers[repository, login] = held in ("admin", "write")
        return self._writers[repository, login]


def _login(author: api_types.Author | None) -> str:
    return author.login if author else ""


def _claims(comments: Iterable[api_types.Comment]) -> Iterator[Claim]:
    for comment in comments:
        marker = "" if comment.viewer_did_author else find_marker(comment.body)
        if marker:
            yield Claim(id=comment.id, author=_login(comment.author), marker=marker, body=comment.body)


def _ours(comments: Iterable[api_types.Comment]) -> Iterator[OurComment]:
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
