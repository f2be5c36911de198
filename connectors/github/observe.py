"""Observe status issues: their labels and our comments, ten issues in a request, long threads to the end.

Before, one request for fifty repositories lists their labels, and finds status issues whose numbers are not known.

A comment is ours if the token's own account wrote it (``viewerDidAuthor``, for users and Apps alike) and it carries
a marker. A person may give commands with the permission write or admin in the repository. Organisation members are
checked too, since membership alone gives no such right. Commands in a hidden comment are ignored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec
from msgspec import Struct

from connectors.github import api_types, normalize
from connectors.github.node_ids import NodeIds
from connectors.github.normalize import is_account
from connectors.github.project_boards import Boards
from connectors.github.queries import visibility
from connectors.github.session import PROJECT_ERRORS, Session, TooHeavyError, repository_path
from connectors.shared.responses import decode, decode_row
from sync.tracker.errors import GoneError, MalformedError, RefusedError, TrackerError
from sync.tracker.marker import claimed_target, find_marker, status_issue_of
from sync.tracker.observed import Claim, CommandComment, Observed, OurComment, StateChange, StatusIssue, Target
from sync.tracker.slash_commands import command_lines

__all__ = ["Observer"]

BATCH = 10
"""Status issues in one request; each may bring a hundred comments."""

REPOSITORIES = 50
"""Repositories in one request; each may bring a hundred labels and a hundred issues."""

_BELOW_WRITE = ("READ", "TRIAGE")
_INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")
"""Author associations for which the permission to write is checked; all others have none."""

_COMMENTS = "pageInfo { hasNextPage endCursor } nodes { id body createdAt updatedAt viewerDidAuthor \
isMinimized authorAssociation author { login } }"
_ACTOR = "actor { __typename login ... on Node { id } }"
_THREAD = f"""
  id number url closed body viewerDidAuthor
  labels(first: 100) {{ nodes {{ id name }} }}
  comments(first: 100) {{ {_COMMENTS} }}
  timelineItems(last: 1, itemTypes: [CLOSED_EVENT, REOPENED_EVENT]) {{
    nodes {{ ... on ClosedEvent {{ createdAt {_ACTOR} }} ... on ReopenedEvent {{ createdAt {_ACTOR} }} }}
  }}"""
_CANDIDATES = """issues(
    first: 100, after: $after, filterBy: {labels: $labels}, orderBy: {field: CREATED_AT, direction: ASC}
  ) { pageInfo { hasNextPage endCursor } nodes { number body viewerDidAuthor author { login } } }"""
_LABEL_PAGE = "labels(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { id name } }"
_VIEWER = "query Viewer { viewer { id login } }"
_COMMENTS_LATER = f"""query Comments($issue: ID!, $after: String!) {{
  node(id: $issue) {{ ... on Issue {{ comments(first: 100, after: $after) {{ {_COMMENTS} }} }} }}
}}"""
_LABELLED = f"""query Labelled($owner: String!, $name: String!, $labels: [String!], $after: String) {{
  repository(owner: $owner, name: $name) {{ {_CANDIDATES} }}
}}"""
_LABELS = f"""query Labels($owner: String!, $name: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{ {_LABEL_PAGE} }}
}}"""


class _IssueAddress(Struct, frozen=True):
    """A target with the repository and number of its status issue."""

    target: Target
    repository: str
    number: int


class _FirstPages(Struct, frozen=True):
    """First page of a repository's labels, and of the issues that may be status issues; None if not asked for."""

    labels: api_types.Pages[api_types.Label]
    issues: api_types.Pages[msgspec.Raw] | None = None


class _Search(Struct, frozen=True):
    """Result of the search for the status issues of one repository."""

    labels: frozenset[str]
    addresses: list[_IssueAddress]
    claims: dict[str, Claim]
    failed: dict[str, TrackerError]


@cache
def _search_document(count: int) -> str:
    """Document for the first pages of repositories ``r0 ...``; with issues where ``$s0 ...`` says so."""
    variables = ", ".join(f"$o{i}: String!, $n{i}: String!, $s{i}: Boolean!" for i in range(count))
    fields = "\n".join(
        f"  r{i}: repository(owner: $o{i}, name: $n{i}) {{ ...Labels ...Candidates @include(if: $s{i}) }}"
        for i in range(count)
    )
    return f"""query Search($labels: [String!], $after: String, {variables}) {{
{fields}
}}
fragment Labels on Repository {{ {_LABEL_PAGE} }}
fragment Candidates on Repository {{ {_CANDIDATES} }}"""


@cache
def _threads_document(count: int, lacking: frozenset[str]) -> str:
    variables = ", ".join(f"$o{i}: String!, $r{i}: String!, $n{i}: Int!" for i in range(count))
    fields = "\n".join(
        f"  t{i}: repository(owner: $o{i}, name: $r{i}) {{ issue(number: $n{i}) {{ ...Thread }} }}"
        for i in range(count)
    )
    repository = f"repository {{ nameWithOwner {visibility(lacking)} viewerPermission }}"
    return f"query Threads({variables}) {{\n{fields}\n}}\nfragment Thread on Issue {{\n  {repository}{_THREAD}\n}}"


class Observer:
    """Observer of one connection. ``status_labels`` are the labels of status issues that milesync created.

    It adds the node ids of what it sees to ``node_ids``.
    """

    def __init__(self, session: Session, status_labels: Sequence[str], node_ids: NodeIds) -> None:
        self._session, self._status_labels, self._node_ids = session, list(status_labels), node_ids
        self._may_write_cache: dict[tuple[str, str], bool] = {}
        self._account: api_types.Account | None = None
        self._hidden_roles: set[str] = set()

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the present status issues. An error of a repository fails its targets only. See `Connector.observe`."""
        self._may_write_cache, self._hidden_roles = {}, set()
        by_project: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            by_project[target.project_key].append(target)
        failed: dict[str, Exception] = {}
        labels: dict[str, frozenset[str]] = {}
        addresses: list[_IssueAddress] = []
        claims: dict[str, Claim] = {}
        groups = list(by_project.values())
        firsts = self._first_pages(groups)
        results = self._session.caller.map_all(lambda pair: self._search(*pair), zip(groups, firsts, strict=True))
        for group, result in zip(groups, results, strict=True):
            if isinstance(result, TrackerError):
                failed |= {target.milestone: result for target in group}
            else:
                labels[group[0].project] = result.labels
                addresses += result.addresses
                claims |= result.claims
                failed |= result.failed
        issues: dict[str, StatusIssue] = {}
        batches = [addresses[i : i + BATCH] for i in range(0, len(addresses), BATCH)]
        for threads in self._session.caller.map_all(self._threads, batches):
            for milestone, issue in threads.items():
                if isinstance(issue, TrackerError):
                    failed[milestone] = issue
                else:
                    issues[milestone] = issue
        self._add_boards(targets, issues)
        return Observed(issues=issues, failed=failed, labels=labels, claims=claims)

    def _add_boards(self, targets: Sequence[Target], issues: dict[str, StatusIssue]) -> None:
        boards = Boards(self._session)
        by_name = boards.read(name for target in targets if target.milestone in issues for name in target.boards)
        for target in targets:
            if target.boards and target.milestone in issues:
                own = tuple(boards.of(by_name[name], target.uids) for name in target.boards)
                issues[target.milestone] = msgspec.structs.replace(issues[target.milestone], boards=own)

    # --- search ----------------------------------------------------------------------------------------------------

    def _first_pages(self, groups: Sequence[Sequence[Target]]) -> list[_FirstPages | TrackerError]:
        """Fetch the first pages of each group's repository."""
        batches = [groups[i : i + REPOSITORIES] for i in range(0, len(groups), REPOSITORIES)]
        return [page for pages in self._session.caller.map_all(self._batch_of_pages, batches) for page in pages]

    def _batch_of_pages(self, groups: Sequence[Sequence[Target]]) -> list[_FirstPages | TrackerError]:
        repositories = [group[0].project_key for group in groups]
        variables: dict[str, object] = {"labels": self._status_labels[:1]}
        for i, (repository, group) in enumerate(zip(repositories, groups, strict=True)):
            variables[f"o{i}"], _, variables[f"n{i}"] = repository.partition("/")
            variables[f"s{i}"] = any(not target.issue for target in group)
        try:
            document = _search_document(len(groups))
            reply = self._session.query(
                document, variables, dict[str, msgspec.Raw], repositories[0], divisible=len(groups) > 1
            )
        except TooHeavyError:
            half = len(groups) // 2
            return self._batch_of_pages(groups[:half]) + self._batch_of_pages(groups[half:])
        except PROJECT_ERRORS as error:
            return [error] * len(groups)
        return [self._pages_of(reply, f"r{i}", repository) for i, repository in enumerate(repositories)]

    def _pages_of(
        self, reply: api_types.Reply[dict[str, msgspec.Raw]], alias: str, repository: str
    ) -> _FirstPages | TrackerError:
        """Return the first pages of one repository of an answer."""
        name = self._session.name
        try:
            self._session.split_name(repository, repository)
            errors = [error for error in reply.errors if not error.path or error.path[0] == alias]
            self._session.raise_errors(errors, repository)
            row = (reply.data or {}).get(alias, msgspec.Raw(b"null"))
            pages = decode_row(row, _FirstPages | None, name, repository)  # type: ignore[arg-type]
        except PROJECT_ERRORS as error:
            return error
        return pages or GoneError(name, repository)

    def _search(self, targets: Sequence[Target], first: _FirstPages | TrackerError) -> _Search | TrackerError:
        """Return a repository's labels, the status issues of its milestones, and the claims of others.

        ``first`` are the first pages; later ones are fetched.
        """
        if isinstance(first, TrackerError):
            return first
        repository = targets[0].project_key
        wanted = {target.milestone: target for target in targets if not target.issue}
        try:
            ids = {label.name: label.id for label in self._labels(first.labels, repository)}
            self._node_ids.add_labels(repository, ids)
            labels = frozenset(ids)
            addresses = [_IssueAddress(t, *normalize.parse_key(t.issue, repository)) for t in targets if t.issue]
            try:
                numbers, foreign = self._find_by_marker(first.issues, repository, wanted)
            except MalformedError as error:  # a row that cannot be read may be the status issue of any of them
                return _Search(labels, addresses, {}, dict.fromkeys(wanted, error))
        except PROJECT_ERRORS as error:
            return error
        except ValueError:
            return RefusedError(self._session.name, repository, "write an issue as owner/name#12")
        addresses += [_IssueAddress(wanted[uid], repository, numbers[uid]) for uid in wanted if uid in numbers]
        claims = {uid: foreign[uid] for uid in wanted if uid in foreign and uid not in numbers}
        return _Search(labels, addresses, claims, {})

    def _labels(self, first: api_types.Pages[api_types.Label], repository: str) -> Iterator[api_types.Label]:
        yield from first.nodes
        if first.page_info.has_next_page:
            variables = self._later(first, repository)
            yield from self._session.pages(_LABELS, variables, api_types.Label, repository)

    def _candidates(self, first: api_types.Pages[msgspec.Raw] | None, repository: str) -> Iterator[api_types.Candidate]:
        """Yield the issues that may be status issues, oldest first. Raises `MalformedError` for an unreadable one."""
        if first is None:
            return
        for row in first.nodes:
            yield decode_row(row, api_types.Candidate, self._session.name, repository)
        if first.page_info.has_next_page:
            variables = {**self._later(first, repository), "labels": self._status_labels[:1]}
            yield from self._session.pages(_LABELLED, variables, api_types.Candidate, repository)

    def _later(self, first: api_types.Pages[Any], repository: str) -> dict[str, Any]:
        """Return the variables for the page after the first one."""
        owner, name = self._session.split_name(repository, repository)
        after = self._session.next_cursor(first, self._session.caller.guard(repository), repository)
        return {"owner": owner, "name": name, "after": after}

    def _find_by_marker(
        self, first: api_types.Pages[msgspec.Raw] | None, repository: str, wanted: Mapping[str, Target]
    ) -> tuple[dict[str, int], dict[str, Claim]]:
        """Find the oldest issue with each milestone's marker, by milestone uid: our issues, and claims of others."""
        numbers: dict[str, int] = {}
        claims: dict[str, Claim] = {}
        for issue in self._candidates(first, repository):
            marker = find_marker(issue.body)
            target = status_issue_of(marker, wanted)
            claimed = target or claimed_target(marker, wanted)
            if target is not None and issue.viewer_did_author:
                numbers.setdefault(target.milestone, issue.number)
            elif claimed is not None and not claimed.ignores(_login(issue.author)):
                key = normalize.key_of(issue.number)
                claim = Claim(id=key, author=_login(issue.author), marker=marker, issue=key)
                claims.setdefault(claimed.milestone, claim)
        return numbers, claims

    # --- threads ---------------------------------------------------------------------------------------------------

    def _threads(self, addresses: Sequence[_IssueAddress]) -> dict[str, StatusIssue | TrackerError]:
        """Fetch issues by milestone uid. A missing issue and a pull request are left out."""
        variables: dict[str, object] = {}
        for i, address in enumerate(addresses):
            owner, _, name = address.repository.partition("/")
            variables |= {f"o{i}": owner, f"r{i}": name, f"n{i}": address.number}
        try:
            reply = self._session.query(
                partial(_threads_document, len(addresses)),
                variables,
                dict[str, msgspec.Raw],
                addresses[0].target.project_key,
                divisible=len(addresses) > 1,
            )
        except TooHeavyError:
            half = len(addresses) // 2
            return self._threads(addresses[:half]) | self._threads(addresses[half:])
        except PROJECT_ERRORS as error:
            return {address.target.milestone: error for address in addresses}
        issues: dict[str, StatusIssue | TrackerError] = {}
        for i, address in enumerate(addresses):
            errors = [error for error in reply.errors if not error.path or error.path[0] == f"t{i}"]
            try:
                repository = decode_row(
                    (reply.data or {}).get(f"t{i}", msgspec.Raw(b"null")),
                    api_types.StatusIssueRepository | None,  # type: ignore[arg-type]
                    self._session.name,
                    address.repository,
                    normalize.key_of(address.number),
                )
                is_missing = repository is not None and repository.issue is None
                if is_missing and all(error.type == "NOT_FOUND" for error in errors):
                    continue
                self._session.raise_errors(errors, address.repository)
                if repository is None or repository.issue is None:
                    raise MalformedError(self._session.name, address.repository, "GraphQL left an issue out")
                issues[address.target.milestone] = self._issue(address, repository.issue)
            except PROJECT_ERRORS as error:
                issues[address.target.milestone] = error
        return issues

    def _issue(self, address: _IssueAddress, thread: api_types.Thread) -> StatusIssue:
        key = normalize.key_of(thread.number)
        self._node_ids.add_issue(address.repository, thread.number, thread.id)
        is_own_repository = address.repository == address.target.project_key
        comments = list(self._comments(address, thread))
        commands = tuple(self._commands(address.repository, comments))
        is_below_write = thread.repository.viewer_permission in _BELOW_WRITE
        return StatusIssue(
            issue=key if is_own_repository else f"{address.repository}{key}",
            url=thread.url,
            closed=thread.closed,
            labels=tuple(label.name for label in thread.labels.visible) if thread.labels else (),
            comments=tuple(_our_comments(comments)),
            marker=find_marker(thread.body) if thread.viewer_did_author else "",
            visibility=normalize.visibility(thread.repository),
            asked=commands,
            is_open_to_commands=not is_below_write and address.repository not in self._hidden_roles,
            claims=tuple(_claims(comments)),
            state_change=self._state_change(thread, address.repository),
        )

    def _state_change(self, thread: api_types.Thread, repository: str) -> StateChange | None:
        """Return the last closing or reopening."""
        for event in thread.timeline_items.visible if thread.timeline_items else ():
            return StateChange(at=event.created_at, by_us=is_account(event.actor, self._viewer(repository)))
        return None

    def _viewer(self, repository: str) -> api_types.Account:
        """Return the token's own account; asked once."""
        if self._account is None:
            reply = self._session.query(_VIEWER, {}, dict[str, api_types.Account], repository)
            self._session.raise_errors(reply.errors, repository)
            self._account = (reply.data or {}).get("viewer")
        if self._account is None:
            raise MalformedError(self._session.name, repository, "GraphQL names no account of the token")
        return self._account

    def _comments(self, address: _IssueAddress, thread: api_types.Thread) -> Iterator[api_types.Comment]:
        yield from thread.comments.nodes
        info = thread.comments.page_info
        if info.has_next_page:
            variables = {"issue": thread.id, "after": info.end_cursor}
            yield from self._session.pages(_COMMENTS_LATER, variables, api_types.Comment, address.repository)

    # --- commands --------------------------------------------------------------------------------------------------

    def _commands(self, repository: str, comments: Iterable[api_types.Comment]) -> Iterator[CommandComment]:
        for comment in comments:
            lines = command_lines(comment.body)
            by_us = comment.viewer_did_author
            if not lines or comment.is_minimized or (by_us and find_marker(comment.body)):
                continue
            login = _login(comment.author)
            is_insider = comment.author_association in _INSIDERS
            yield CommandComment(
                id=comment.id,
                author=login,
                name=login,
                may_write=by_us or (is_insider and self._may_write(repository, login)),
                at=comment.updated_at,
                text=lines,
            )

    def _may_write(self, repository: str, login: str) -> bool:
        """Return whether an account may write; asked once per observation, and only for authors of commands.

        GitHub shows the permissions of others to accounts that may write themselves.
        """
        if (repository, login) not in self._may_write_cache:
            path = repository_path(repository, "/collaborators/{}/permission", login)
            try:
                answer = self._session.get(path, repository)
                permission = decode(answer, api_types.Permission, self._session.name, repository).permission
            except GoneError:
                permission = ""
            except RefusedError:
                permission = ""
                self._hidden_roles.add(repository)
            self._may_write_cache[repository, login] = permission in ("admin", "write")
        return self._may_write_cache[repository, login]


def _login(author: api_types.Author | None) -> str:
    return author.login if author else ""


def _claims(comments: Iterable[api_types.Comment]) -> Iterator[Claim]:
    for comment in comments:
        marker = "" if comment.viewer_did_author else find_marker(comment.body)
        if marker:
            yield Claim(id=comment.id, author=_login(comment.author), marker=marker, body=comment.body)


def _our_comments(comments: Iterable[api_types.Comment]) -> Iterator[OurComment]:
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
