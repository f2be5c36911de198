"""Examine a GitHub token and its repositories, by reading only.

A classic token names its scopes, and a repository names the account's role in it. A fine-grained token and an App's
token name no scopes, so the right to write stays unknown where the role allows it. The right to read is tested by
reading.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from msgspec import Struct, field

from connectors.github.losses import losses
from connectors.github.probe import ask_for_fields
from connectors.github.session import PROJECT_ERRORS, Session, repository_path
from connectors.shared.responses import Response, clock_ahead, decode, host_of, parse_time, rate_limit
from connectors.shared.server_versions import ServerLine, limitations
from sync.tracker.errors import ArchivedError, GoneError, RefusedError, TrackerError
from sync.tracker.preflight import (
    Examination,
    Limitation,
    Need,
    Obstacle,
    RequestBudget,
    Right,
    Trigger,
    Unread,
    unread_roles,
)

__all__ = ["examine"]

MAX_REPOSITORIES = 100
"""Number of repositories that are examined, with five requests each."""

_EVENTS = ("issues", "issue_comment", "label")
"""Events that our writes cause, as webhooks and workflows name them."""

VERSIONS = ServerLine(name="GitHub Enterprise Server", supported="3.19", oldest="3.14")
"""The losses of older versions are not listed here: the server names the fields that it lacks."""


class _Account(Struct):
    login: str


class _Viewer(Struct):
    viewer: _Account


class _Permissions(Struct):
    push: bool = False


class _Repository(Struct):
    full_name: str
    private: bool = False
    archived: bool = False
    has_issues: bool = True
    permissions: _Permissions = field(default_factory=_Permissions)


class _Address(Struct):
    url: str = ""


class _Hook(Struct):
    active: bool = True
    events: tuple[str, ...] = ()
    config: _Address = field(default_factory=_Address)


class _File(Struct):
    name: str
    path: str
    content: str = ""


class _Limit(Struct):
    limit: int
    remaining: int
    reset: int


class _Limits(Struct):
    resources: dict[str, _Limit]


class _Findings(Struct):
    """Findings in one repository."""

    rights: list[Right] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def examine(
    session: Session, projects: Sequence[str], failed: dict[str, TrackerError], now: Callable[[], datetime]
) -> Examination:
    """Examine the token and these repositories. ``failed`` are projects that could not be resolved.

    Raises a `TrackerError` when GitHub does not accept the token.
    """
    answer, account = _account(session)
    header = answer.headers.get("x-oauth-scopes")
    scopes = None if header is None else tuple(scope.strip() for scope in header.split(",") if scope.strip())
    expires = _expiry(answer.headers.get("github-authentication-token-expiration", ""))
    results = session.caller.map_all(lambda name: _repository(session, name, scopes), projects[:MAX_REPOSITORIES])
    findings = [result for result in results if isinstance(result, _Findings)]
    errors = {name: result for name, result in zip(projects, results, strict=False) if isinstance(result, TrackerError)}
    unread = [] if scopes is not None else [Unread(project="", what="the permissions of this kind of token")]
    if expires is None and scopes is None:
        unread.append(Unread(project="", what="the expiry of this kind of token"))
    what = f"all beyond the first {MAX_REPOSITORIES} repositories"
    unread += [Unread(project=name, what=what) for name in projects[MAX_REPOSITORIES:]]
    budget = rate_limit(answer, "REST")
    return Examination(
        account=account,
        expires=expires,
        scopes=scopes,
        ahead=clock_ahead(answer, now()),
        server=_server(session),
        limitations=tuple(_limitations(session, [name for name in projects if name not in errors])),
        sdk=f"PyGithub {version('PyGithub')}",
        budgets=_budgets(session) or ((budget,) if budget else ()),
        rights=tuple(right for finding in findings for right in finding.rights),
        obstacles=tuple(obstacle for finding in findings for obstacle in finding.obstacles),
        triggers=tuple(trigger for finding in findings for trigger in finding.triggers),
        unread=(*unread, *(entry for finding in findings for entry in finding.unread)),
        failed=failed | errors,
    )


def _account(session: Session) -> tuple[Response, str]:
    """Fetch an answer whose headers describe the token, and the account's name.

    A GitHub App has no user, but GraphQL names its bot as the viewer.
    """
    try:
        answer = session.get("/user", "")
        return answer, decode(answer, _Account, session.name).login
    except RefusedError:
        reply = session.query("query { viewer { login } }", {}, _Viewer, "")
        try:
            answer = session.get("/rate_limit", "")
        except PROJECT_ERRORS:
            answer = Response(200, {}, b"")
        return answer, reply.data.viewer.login if reply.data else ""


def _expiry(text: str) -> datetime | None:
    """Parse the token's expiry (UTC); None without one."""
    try:
        return datetime.strptime(text.removesuffix(" UTC")[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _server(session: Session) -> str:
    version = session.schema.version
    return f"GitHub Enterprise Server {version}" if version else "GitHub, REST and GraphQL"


def _limitations(session: Session, projects: Sequence[str]) -> Iterator[Limitation]:
    """Ask one of these repositories for all optional fields, and yield the losses with the server's version."""
    version = session.schema.version
    yield from limitations(VERSIONS, version)
    if any(ask_for_fields(session, name, name) for name in projects[:1]):
        yield from losses(session.schema.lacking)


def _budgets(session: Session) -> tuple[RequestBudget, ...]:
    """Fetch the rate limits of REST and GraphQL; empty for an Enterprise Server without limits."""
    try:
        resources = decode(session.get("/rate_limit", ""), _Limits, session.name).resources
    except PROJECT_ERRORS:
        return ()
    return tuple(
        RequestBudget(name=name, limit=limit.limit, left=limit.remaining, resets=parse_time(str(limit.reset)))
        for key, name in (("core", "REST"), ("graphql", "GraphQL"))
        if (limit := resources.get(key))
    )


def _repository(session: Session, name: str, scopes: tuple[str, ...] | None) -> _Findings | TrackerError:
    """Examine one repository. Return an error that concerns this repository alone."""
    try:
        repository = decode(session.get(repository_path(name), name), _Repository, session.name, name)
    except PROJECT_ERRORS as error:
        return error
    findings = _Findings()
    if not repository.has_issues:
        remedy = "turn issues on in its settings, or leave it out of projects"
        findings.obstacles.append(Obstacle(project=name, words="issues are turned off", need=Need.READ, remedy=remedy))
    else:
        may_read = _may_read(session, name, "issues")
        findings.rights.append(Right(project=name, name="Issues: read", need=Need.READ, held=may_read))
    may_read = _may_read(session, name, "pulls")
    findings.rights.append(Right(project=name, name="Pull requests: read", need=Need.READ, held=may_read))
    may_write = _may_write(repository, scopes)
    findings.rights.append(Right(project=name, name="Issues: write", need=Need.UPDATE, held=may_write))
    if session.writes_boards:
        has_scope = None if scopes is None else "project" in scopes
        findings.rights.append(Right(project=name, name="Projects: write", need=Need.UPDATE, held=has_scope))
    if repository.archived:
        findings.obstacles.append(
            Obstacle(project=name, words="the repository is archived", need=Need.UPDATE, remedy=ArchivedError.REMEDY)
        )
    if not repository.permissions.push:
        findings.unread.append(unread_roles(name, "give the token's account the role Write"))
    _add_webhooks(session, name, findings)
    _add_workflows(session, name, findings)
    return findings


def _may_read(session: Session, name: str, part: str) -> bool:
    try:
        session.get(repository_path(name, "/{}", part), name, {"per_page": 1, "state": "all"})
    except (RefusedError, GoneError):
        return False
    return True


def _may_write(repository: _Repository, scopes: tuple[str, ...] | None) -> bool | None:
    """Return whether the token may write issues; None if the role allows it and the scopes are unknown."""
    if not repository.permissions.push:
        return False
    if scopes is None:
        return None
    return "repo" in scopes or (not repository.private and "public_repo" in scopes)


def _add_webhooks(session: Session, name: str, findings: _Findings) -> None:
    """Find webhooks that our writes would trigger."""
    try:
        hooks = decode(
            session.get(repository_path(name, "/hooks"), name, {"per_page": 100}), list[_Hook], session.name, name
        )
    except PROJECT_ERRORS:
        findings.unread.append(Unread(project=name, what="its webhooks (for its administrators only)"))
        return
    for hook in hooks:
        events = [event for event in _EVENTS if event in hook.events or "*" in hook.events]
        if hook.active and events:
            host = host_of(hook.config.url)
            findings.triggers.append(Trigger(project=name, words=f"the webhook to {host} ({', '.join(events)})"))


def _add_workflows(session: Session, name: str, findings: _Findings) -> None:
    """Find workflows that our writes would trigger. Most repositories have no such folder."""
    try:
        folder = session.get(repository_path(name, "/contents/.github/workflows"), name)
        for entry in decode(folder, list[_File], session.name, name):
            if entry.name.endswith((".yml", ".yaml")):
                answer = session.get(repository_path(name, "/contents/.github/workflows/{}", entry.name), name)
                file = decode(answer, _File, session.name, name)
                events = _trigger_events(b64decode(file.content).decode("utf-8", "replace"))
                if events:
                    words = f"the workflow {entry.name} ({', '.join(events)})"
                    findings.triggers.append(Trigger(project=name, words=words))
    except GoneError:
        return
    except (*PROJECT_ERRORS, ValueError):
        findings.unread.append(Unread(project=name, what="its workflows (Contents: read)"))


def _trigger_events(text: str) -> list[str]:
    """The events of `_EVENTS` that a workflow names before its jobs.

    The text is searched for words, not parsed: a false alarm costs little.
    """
    head = re.split(r"^jobs\s*:", re.sub(r"#.*", "", text), maxsplit=1, flags=re.MULTILINE)[0]
    return [event for event in _EVENTS if re.search(rf"(?<![\w-]){event}(?![\w-])", head)]
