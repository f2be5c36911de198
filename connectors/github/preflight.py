"""What GitHub tells about a token and its repositories, by reading only.

A classic token names its scopes, and a repository the account's role in it. A fine-grained or an App's token names
nothing, so its right to write stays open where the role would allow it; what it may read shows by reading.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from msgspec import Struct, field

from connectors.github.session import OWN, Session
from connectors.shared.responses import Response, clock_ahead, decode, rate_limit
from sync.tracker.errors import GoneError, RefusedError, TrackerError
from sync.tracker.preflight import Examination, Need, Obstacle, RequestBudget, Right, Trigger, Unread

__all__ = ["examine"]

MOST = 100
"""Repositories that are looked at, five requests each."""

_OURS = ("issues", "issue_comment", "label")
"""The events that our writes cause, as webhooks and workflows name them."""
_WORKFLOWS = ".github/workflows"


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


class _Seen(Struct):
    """What was found in one repository."""

    rights: list[Right] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def examine(
    session: Session, projects: Sequence[str], failed: dict[str, TrackerError], now: Callable[[], datetime]
) -> Examination:
    """Examine the token and these repositories; ``failed`` are those that could not be named. Raises a `TrackerError`
    when the token itself is no good.
    """
    answer, account = _who(session)
    scopes = answer.headers.get("x-oauth-scopes")
    granted = None if scopes is None else tuple(word.strip() for word in scopes.split(",") if word.strip())
    expires = _expiry(answer.headers.get("github-authentication-token-expiration", ""))
    seen = session.caller.map_all(lambda name: _repository(session, name, granted), projects[:MOST])
    found = [one for one in seen if isinstance(one, _Seen)]
    unread = [] if granted is not None else [Unread(project="", what="the permissions of this kind of token")]
    if expires is None and granted is None:
        unread.append(Unread(project="", what="the expiry of this kind of token"))
    unread += [Unread(project=name, what=f"all beyond the first {MOST} repositories") for name in projects[MOST:]]
    return Examination(
        account=account,
        expires=expires,
        scopes=granted,
        ahead=clock_ahead(answer, now()),
        server=_server(answer),
        sdk=f"PyGithub {version('PyGithub')}",
        budgets=_budgets(session) or tuple(one for one in [rate_limit(answer, "REST")] if one),
        rights=tuple(right for one in found for right in one.rights),
        obstacles=tuple(obstacle for one in found for obstacle in one.obstacles),
        triggers=tuple(trigger for one in found for trigger in one.triggers),
        unread=(*unread, *(what for one in found for what in one.unread)),
        failed=failed
        | {name: project for name, project in zip(projects, seen, strict=False) if isinstance(project, TrackerError)},
    )


def _who(session: Session) -> tuple[Response, str]:
    """An answer that describes the token, and whose it is. An App has no user, but is the viewer all the same."""
    try:
        answer = session.get("/user", "")
        return answer, decode(answer, _Account, session.name).login
    except RefusedError:
        reply = session.query("query { viewer { login } }", {}, _Viewer, "")
        try:
            answer = session.get("/rate_limit", "")
        except OWN:
            answer = Response(200, {}, b"")
        return answer, reply.data.viewer.login if reply.data else ""


def _expiry(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.removesuffix(" UTC")[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _server(answer: Response) -> str:
    own = answer.headers.get("x-github-enterprise-version", "")
    return f"GitHub Enterprise Server {own}" if own else "GitHub, REST and GraphQL"


def _budgets(session: Session) -> tuple[RequestBudget, ...]:
    """What is left of both limits; nothing where an Enterprise Server has none."""
    try:
        told = decode(session.get("/rate_limit", ""), _Limits, session.name).resources
    except OWN:
        return ()
    return tuple(
        RequestBudget(
            name=name, limit=limit.limit, left=limit.remaining, resets=datetime.fromtimestamp(limit.reset, UTC)
        )
        for key, name in (("core", "REST"), ("graphql", "GraphQL"))
        if (limit := told.get(key))
    )


def _repository(session: Session, name: str, scopes: tuple[str, ...] | None) -> _Seen | TrackerError:
    """One repository: its own errors are its answer."""
    try:
        told = decode(session.get(f"/repos/{name}", name), _Repository, session.name, name)
    except OWN as problem:
        return problem
    seen = _Seen()
    readable = _readable(session, name)
    if not told.has_issues:
        remedy = "turn issues on in its settings, or leave it out of projects"
        seen.obstacles.append(Obstacle(project=name, words="issues are turned off", need=Need.READ, remedy=remedy))
    else:
        seen.rights.append(Right(project=name, name="Issues: read", need=Need.READ, held=readable("issues")))
    seen.rights.append(Right(project=name, name="Pull requests: read", need=Need.READ, held=readable("pulls")))
    seen.rights.append(Right(project=name, name="Issues: write", need=Need.UPDATE, held=_writes(told, scopes)))
    if session.boards:
        held = None if scopes is None else "project" in scopes
        seen.rights.append(Right(project=name, name="Projects: write", need=Need.UPDATE, held=held))
    if told.archived:
        remedy = 'leave it out of projects, or give it policy = "plan"'
        seen.obstacles.append(
            Obstacle(project=name, words="the repository is archived", need=Need.UPDATE, remedy=remedy)
        )
    _hooks(session, name, seen)
    _workflows(session, name, seen)
    return seen


def _readable(session: Session, name: str) -> Callable[[str], bool]:
    def readable(part: str) -> bool:
        try:
            session.get(f"/repos/{name}/{part}", name, {"per_page": 1, "state": "all"})
        except (RefusedError, GoneError):
            return False
        return True

    return readable


def _writes(told: _Repository, scopes: tuple[str, ...] | None) -> bool | None:
    """Whether labels, comments and issues may be written; None where the role allows it and the token is silent."""
    if not told.permissions.push:
        return False
    if scopes is None:
        return None
    return "repo" in scopes or (not told.private and "public_repo" in scopes)


def _hooks(session: Session, name: str, seen: _Seen) -> None:
    try:
        hooks = decode(session.get(f"/repos/{name}/hooks", name, {"per_page": 100}), list[_Hook], session.name, name)
    except OWN:
        seen.unread.append(Unread(project=name, what="its webhooks (for its administrators only)"))
        return
    for hook in hooks:
        events = [event for event in _OURS if event in hook.events or "*" in hook.events]
        if hook.active and events:
            host = urlsplit(hook.config.url).hostname or "?"
            seen.triggers.append(Trigger(project=name, words=f"the webhook to {host} ({', '.join(events)})"))


def _workflows(session: Session, name: str, seen: _Seen) -> None:
    """Workflows that run on our events. The folder is not there in most repositories."""
    try:
        listed = session.get(f"/repos/{name}/contents/{_WORKFLOWS}", name)
        files = decode(listed, list[_File], session.name, name)
        for file in files:
            if file.name.endswith((".yml", ".yaml")):
                one = decode(session.get(f"/repos/{name}/contents/{file.path}", name), _File, session.name, name)
                events = _events(b64decode(one.content).decode("utf-8", "replace"))
                if events:
                    words = f"the workflow {file.name} ({', '.join(events)})"
                    seen.triggers.append(Trigger(project=name, words=words))
    except GoneError:
        return
    except (*OWN, ValueError):
        seen.unread.append(Unread(project=name, what="its workflows (Contents: read)"))


def _events(text: str) -> list[str]:
    """Which of our events stand in a workflow before its jobs; read as words, since a comment there costs little."""
    head = re.split(r"^jobs\s*:", re.sub(r"#.*", "", text), maxsplit=1, flags=re.MULTILINE)[0]
    return [event for event in _OURS if re.search(rf"(?<![\w-]){event}(?![\w-])", head)]
