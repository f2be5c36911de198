"""What GitLab tells about a token and its projects, by reading only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from urllib.parse import quote, urlsplit

from msgspec import Struct, field

from connectors.gitlab.session import OWN_FAILURES, Session
from connectors.shared.responses import clock_ahead, decode, rate_limit
from sync.tracker.errors import AuthError, GoneError, TrackerError
from sync.tracker.preflight import Examination, Need, Obstacle, Right, Trigger, Unread

__all__ = ["examine"]

MOST = 100
"""Projects whose webhooks are read, one request each."""

PLANNER = 15
"""The least role that may set labels."""
_OURS = ("issues", "confidential_issues", "note", "confidential_note")
_GROUP = {"include_subgroups": "true", "with_shared": "false", "archived": "false"}


class _Account(Struct):
    username: str


class _Token(Struct):
    scopes: tuple[str, ...] = ()
    expires_at: date | None = None


class _Version(Struct):
    version: str


class _Access(Struct):
    access_level: int = 0


class _Permissions(Struct):
    project_access: _Access | None = None
    group_access: _Access | None = None


class _Project(Struct):
    id: int
    path_with_namespace: str
    archived: bool = False
    visibility: str = "private"
    issues_access_level: str = "enabled"
    permissions: _Permissions = field(default_factory=_Permissions)


class _Hook(Struct):
    url: str
    issues_events: bool = False
    confidential_issues_events: bool = False
    note_events: bool = False
    confidential_note_events: bool = False


class _Seen(Struct):
    """A project, the least level (`PLANNER`) that we have in it, and whether that is known."""

    project: _Project
    level: int | None


def examine(session: Session, projects: Sequence[str], now: Callable[[], datetime]) -> Examination:
    """Examine the token and these projects and groups. Raises a `TrackerError` when the token itself is no good."""
    answer = session.get("/user")
    token, unread = _Token(), [Unread(project="", what="scopes and expiry of this kind of token")]
    with suppress(AuthError, *OWN_FAILURES):  # OAuth and job tokens are not listed
        token, unread = decode(session.get("/personal_access_tokens/self"), _Token, session.name), []
    seen, failed = _seen(session, projects)
    rights = [_right(one) for one in seen]
    if token.scopes:
        reads = not {"api", "read_api"}.isdisjoint(token.scopes)
        rights.append(Right(project="", name="the scope read_api", need=Need.READ, held=reads))
        rights.append(Right(project="", name="the scope api", need=Need.UPDATE, held="api" in token.scopes))
    triggers, unseen = _triggers(session, [one.project for one in seen])
    return Examination(
        account=decode(answer, _Account, session.name).username,
        expires=datetime.combine(token.expires_at, time.min, UTC) if token.expires_at else None,
        scopes=token.scopes or None,
        ahead=clock_ahead(answer, now()),
        server=f"GitLab {_version(session)}".strip(),
        sdk=f"python-gitlab {version('python-gitlab')}",
        budgets=tuple(one for one in [rate_limit(answer, "REST, a minute")] if one),
        rights=tuple(rights),
        obstacles=tuple(_obstacles(one.project for one in seen)),
        triggers=tuple(triggers),
        unread=(*unread, *unseen),
        failed=failed,
    )


def _version(session: Session) -> str:
    with suppress(AuthError, *OWN_FAILURES):
        return decode(session.get("/version"), _Version, session.name).version
    return ""


# --- projects ------------------------------------------------------------------------------------------------------


def _seen(session: Session, keys: Sequence[str]) -> tuple[list[_Seen], dict[str, TrackerError]]:
    """Each project once; a group's by what its lists say."""
    found: dict[int, _Seen] = {}
    failed: dict[str, TrackerError] = {}
    for key, answer in zip(keys, session.map_all(lambda key: _resolved(session, key), keys), strict=True):
        if isinstance(answer, TrackerError):
            failed[key] = answer
        else:
            found.update((one.project.id, one) for one in answer if one.project.id not in found)
    return list(found.values()), failed


def _resolved(session: Session, key: str) -> list[_Seen] | TrackerError:
    try:
        if key.endswith("/*"):
            return _group(session, key, key.removesuffix("/*"))
        try:
            told = decode(session.get(f"/projects/{quote(key, safe='')}", key), _Project, session.name, key)
        except GoneError as gone:
            try:
                return _group(session, key, key)
            except GoneError:
                return gone
        return [_Seen(told, _level(told))]
    except OWN_FAILURES as problem:
        return problem


def _group(session: Session, key: str, path: str) -> list[_Seen]:
    """A group's list does not say what we may do; asked for those where we may plan, it does."""
    address = f"/groups/{quote(path, safe='')}/projects"
    listed = session.rows(_Project, address, key, **_GROUP)
    writable = {project.id for project in session.rows(_Project, address, key, **_GROUP, min_access_level=PLANNER)}
    return [_Seen(project, PLANNER if project.id in writable else 0) for project in listed]


def _level(told: _Project) -> int | None:
    """The role that we have; None where it comes from somewhere that GitLab does not name here."""
    given = [
        access.access_level for access in (told.permissions.project_access, told.permissions.group_access) if access
    ]
    if not given and told.visibility == "private":
        return None
    return max(given, default=0)


def _right(seen: _Seen) -> Right:
    held = None if seen.level is None else seen.level >= PLANNER
    name = "the role Planner or Reporter"
    return Right(project=seen.project.path_with_namespace, name=name, need=Need.UPDATE, held=held)


def _obstacles(projects: Iterable[_Project]) -> Iterable[Obstacle]:
    for project in projects:
        name = project.path_with_namespace
        if project.issues_access_level == "disabled":
            remedy = "turn issues on in its settings, or leave it out of projects"
            yield Obstacle(project=name, words="issues are turned off", need=Need.READ, remedy=remedy)
        if project.archived:
            remedy = "leave it out of projects"
            yield Obstacle(project=name, words="the project is archived", need=Need.UPDATE, remedy=remedy)


# --- what our writes would set off ---------------------------------------------------------------------------------


def _triggers(session: Session, projects: Sequence[_Project]) -> tuple[list[Trigger], list[Unread]]:
    triggers, unread = (
        [],
        [Unread(project=project.path_with_namespace, what="its webhooks") for project in projects[MOST:]],
    )
    for project, hooks in zip(
        projects, session.map_all(lambda project: _hooks(session, project), projects[:MOST]), strict=False
    ):
        name = project.path_with_namespace
        if hooks is None:
            unread.append(Unread(project=name, what="its webhooks (for its maintainers only)"))
            continue
        for hook in hooks:
            events = [event for event in _OURS if getattr(hook, f"{event}_events")]
            if events:
                host = urlsplit(hook.url).hostname or "?"
                triggers.append(Trigger(project=name, words=f"the webhook to {host} ({', '.join(events)})"))
    return triggers, unread


def _hooks(session: Session, project: _Project) -> list[_Hook] | None:
    try:
        return session.rows(_Hook, f"/projects/{project.id}/hooks", project.path_with_namespace)
    except (AuthError, *OWN_FAILURES):
        return None
