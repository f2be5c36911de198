"""Examine a GitLab token and its projects, by reading only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from typing import Any

from msgspec import Struct, field

from connectors.gitlab.containers.kind import LicensedContainers
from connectors.gitlab.milestone_findings import find_unread_merge_requests, find_unread_projects
from connectors.gitlab.session import PROJECT_ERRORS, Session, TooHeavyError
from connectors.shared.paths import path_of
from connectors.shared.responses import clock_ahead, decode, host_of, rate_limit
from connectors.shared.server_versions import Loss, ServerLine, is_older, limitations
from sync.model.tracker_data import Project
from sync.tracker.errors import ArchivedError, AuthError, GoneError, RefusedError, TrackerError
from sync.tracker.preflight import Examination, Limitation, Need, Obstacle, Right, Trigger, Unread, unread_roles

__all__ = ["examine"]

MAX_PROJECTS = 100
"""Number of projects whose webhooks, roles and containers are read."""

PLANNER, REPORTER = 15, 20
"""Access levels of the two lowest roles that may set labels."""

PLANNER_SINCE = "17.7"
"""The first version with that role. An older GitLab refuses its level as an unknown value."""

TOKENS_SINCE = "15.5"
"""The first version that describes the token of a request."""

VERSIONS = ServerLine(
    name="GitLab",
    supported="19.4",
    oldest="15.0",
    losses=(
        Loss("15.3", "it is not known for whom a merge request waits"),
        Loss(TOKENS_SINCE, "a token's scopes and expiry are not known"),
        Loss("15.5", "the comments of each status issue take a request of their own"),
        Loss("15.8", "histories take a request for each issue that was ever changed instead of one for 100 issues"),
        Loss("16.3", "blocking links take one request for each open issue"),
        Loss(
            "16.7",
            "when nothing changed, a list takes a request for each group, and for each project alone in its group",
        ),
        Loss("17.4", "epics have no owners, and what is below a nested epic counts as if it had always been there"),
        Loss(
            "17.5",
            "a merge request in a milestone needs one request on the first pull, and two more when it waits for review",
        ),
        Loss("18.2", "an issue that was closed as canceled counts as done"),
    ),
)

_EVENTS = ("issues", "confidential_issues", "note", "confidential_note")
_GROUP = {"include_subgroups": "true", "with_shared": "false", "archived": "false"}


class _Account(Struct):
    id: int
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
    merge_requests_access_level: str = "enabled"
    permissions: _Permissions = field(default_factory=_Permissions)

    @property
    def has_merge_requests(self) -> bool:
        """Return whether merge requests are switched on."""
        return self.merge_requests_access_level != "disabled"


class _Hook(Struct):
    url: str
    issues_events: bool = False
    confidential_issues_events: bool = False
    note_events: bool = False
    confidential_note_events: bool = False


class _ProjectAccess(Struct):
    """A project with the lowest access level that we have in it; None if it is unknown."""

    project: _Project
    level: int | None


def examine(
    session: Session,
    projects: Sequence[str],
    now: Callable[[], datetime],
    kinds: Sequence[LicensedContainers] = (),
    *,
    milestones: bool = True,
    merge_requests: bool = True,
) -> Examination:
    """Examine the token, projects and groups, and the ``kinds`` of containers that are to be read.

    ``milestones``, ``merge_requests``: these are to be read, too. Raises a `TrackerError` when GitLab does not accept
    the token.
    """
    answer, server = session.get("/user"), _version(session)
    token, unread = _Token(), [Unread(project="", what="scopes and expiry of this kind of token")]
    if is_older(server, TOKENS_SINCE):
        unread = []  # no such request; the limitations of the version name it
    with suppress(AuthError, *PROJECT_ERRORS):  # OAuth and job tokens are not listed
        token, unread = decode(session.get("/personal_access_tokens/self"), _Token, session.name), []
    level = REPORTER if is_older(server, PLANNER_SINCE) else PLANNER
    projects_access, failed = _resolve(session, projects, level)
    rights = [_right(access, level) for access in projects_access]
    if token.scopes:
        may_read = not {"api", "read_api"}.isdisjoint(token.scopes)
        rights.append(Right(project="", name="the scope read_api", need=Need.READ, held=may_read))
        rights.append(Right(project="", name="the scope api", need=Need.UPDATE, held="api" in token.scopes))
    triggers, unread_hooks = _triggers(session, [access.project for access in projects_access])
    account = decode(answer, _Account, session.name)
    unread += _unread_roles(session, account, [access.project for access in projects_access])
    known = [_model_of(access.project) for access in projects_access[:MAX_PROJECTS]]
    unread += (finding for kind in kinds for finding in kind.findings(known))
    if merge_requests:
        switched_off = {str(access.project.id) for access in projects_access if not access.project.has_merge_requests}
        unread += find_unread_merge_requests(session, [each for each in known if each.id not in switched_off])
    losses = [
        *limitations(VERSIONS, server),
        *_graphql_losses(session),
        *(find_unread_projects(session, known) if milestones else ()),
    ]
    budget = rate_limit(answer, "REST, per minute")
    return Examination(
        account=account.username,
        expires=datetime.combine(token.expires_at, time.min, UTC) if token.expires_at else None,
        scopes=token.scopes or None,
        ahead=clock_ahead(answer, now()),
        server=f"GitLab {server}".strip(),
        sdk=f"python-gitlab {version('python-gitlab')}",
        limitations=tuple(losses),
        budgets=(budget,) if budget else (),
        rights=tuple(rights),
        obstacles=tuple(_obstacles(access.project for access in projects_access)),
        triggers=tuple(triggers),
        unread=(*unread, *unread_hooks),
        failed=failed,
    )


def _model_of(project: _Project) -> Project:
    return Project(id=str(project.id), key=project.path_with_namespace, name="", url="")


def _version(session: Session) -> str:
    with suppress(AuthError, *PROJECT_ERRORS):
        return decode(session.get("/version"), _Version, session.name).version
    return ""


def _graphql_losses(session: Session) -> Iterator[Limitation]:
    """Yield the cost of a connection that may not use GraphQL, such as one with a job token."""
    if session.graphql:
        try:
            answer = session.query("query { currentUser { id } }", {})
            data = decode(answer, dict[str, Any], session.name).get("data")
            if isinstance(data, dict) and data.get("currentUser"):
                return
        except (GoneError, RefusedError):
            pass
        except (AuthError, TooHeavyError, *PROJECT_ERRORS):
            return  # not for good
    yield Limitation(
        words="GraphQL is refused, so the first pull takes a request for each issue that was ever changed, a project "
        "without changes takes three or four, and the comments of each status issue take one",
        remedy="use an access token with the scope read_api, not a job token",
    )


# --- projects ------------------------------------------------------------------------------------------------------


def _resolve(session: Session, keys: Sequence[str], level: int) -> tuple[list[_ProjectAccess], dict[str, TrackerError]]:
    """Resolve keys of projects and groups. Return each project once, and the errors by key.

    ``level`` is the access level from which an account may write.
    """
    found: dict[int, _ProjectAccess] = {}
    failed: dict[str, TrackerError] = {}
    answers = session.caller.map_all(lambda key: _resolve_key(session, key, level), keys)
    for key, answer in zip(keys, answers, strict=True):
        if isinstance(answer, TrackerError):
            failed[key] = answer
        else:
            for access in answer:
                found.setdefault(access.project.id, access)
    return list(found.values()), failed


def _resolve_key(session: Session, key: str, level: int) -> list[_ProjectAccess] | TrackerError:
    try:
        if key.endswith("/*"):
            return _group(session, key, key.removesuffix("/*"), level)
        try:
            project = decode(session.get(path_of("/projects/{}", key), key), _Project, session.name, key)
        except GoneError as error:
            try:
                return _group(session, key, key, level)
            except GoneError:
                return error
        return [_ProjectAccess(project, _level(project))]
    except PROJECT_ERRORS as error:
        return error


def _group(session: Session, key: str, path: str, level: int) -> list[_ProjectAccess]:
    """Fetch the projects of a group, and the projects among them where we have this access level.

    The list itself does not name our role.
    """
    address = path_of("/groups/{}/projects", path)
    listed = session.rows(_Project, address, key, **_GROUP)
    writable = {project.id for project in session.rows(_Project, address, key, **_GROUP, min_access_level=level)}
    return [_ProjectAccess(project, level if project.id in writable else 0) for project in listed]


def _level(project: _Project) -> int | None:
    """Our access level in a project; None if it comes from a source that GitLab does not name here."""
    permissions = project.permissions
    levels = [access.access_level for access in (permissions.project_access, permissions.group_access) if access]
    if not levels and project.visibility == "private":
        return None
    return max(levels, default=0)


def _right(access: _ProjectAccess, level: int) -> Right:
    held = None if access.level is None else access.level >= level
    name = "the role Planner or Reporter" if level == PLANNER else "the role Reporter"
    return Right(project=access.project.path_with_namespace, name=name, need=Need.UPDATE, held=held)


def _obstacles(projects: Iterable[_Project]) -> Iterable[Obstacle]:
    for project in projects:
        name = project.path_with_namespace
        if project.issues_access_level == "disabled":
            remedy = "turn issues on in its settings, or leave it out of projects"
            yield Obstacle(project=name, words="issues are turned off", need=Need.READ, remedy=remedy)
        if project.archived:
            yield Obstacle(project=name, words="the project is archived", need=Need.UPDATE, remedy=ArchivedError.REMEDY)


def _unread_roles(session: Session, account: _Account, projects: Sequence[_Project]) -> list[Unread]:
    """Find the projects in which the token may not see the roles of members, by a request for our own."""

    def is_refused(project: _Project) -> bool:
        try:
            session.get(path_of("/projects/{}/members/all/{}", project.id, account.id), project.path_with_namespace)
        except RefusedError:
            return True
        except PROJECT_ERRORS:
            return False  # 404: we are no member, and may ask
        return False

    examined = projects[:MAX_PROJECTS]
    answers = session.caller.map_all(is_refused, examined)
    refused = [project.path_with_namespace for project, answer in zip(examined, answers, strict=True) if answer]
    return [unread_roles(name, "give the token the right to read the project's members") for name in refused]


# --- webhooks ------------------------------------------------------------------------------------------------------


def _triggers(session: Session, projects: Sequence[_Project]) -> tuple[list[Trigger], list[Unread]]:
    """Find webhooks that our writes would trigger."""
    triggers: list[Trigger] = []
    rest = projects[MAX_PROJECTS:]
    unread = [Unread(project=project.path_with_namespace, what="its webhooks") for project in rest]
    answers = session.caller.map_all(lambda project: _hooks(session, project), projects[:MAX_PROJECTS])
    for project, hooks in zip(projects, answers, strict=False):
        name = project.path_with_namespace
        if hooks is None:
            unread.append(Unread(project=name, what="its webhooks (for its maintainers only)"))
            continue
        for hook in hooks:
            events = [event for event in _EVENTS if getattr(hook, f"{event}_events")]
            if events:
                host = host_of(hook.url)
                triggers.append(Trigger(project=name, words=f"the webhook to {host} ({', '.join(events)})"))
    return triggers, unread


def _hooks(session: Session, project: _Project) -> list[_Hook] | None:
    """Fetch the webhooks of a project; None if the token may not read them."""
    try:
        return session.rows(_Hook, path_of("/projects/{}/hooks", project.id), project.path_with_namespace)
    except (AuthError, *PROJECT_ERRORS):
        return None
