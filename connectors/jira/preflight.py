"""Examine a Jira token, its permissions and the form for new issues, by reading only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version

import msgspec
from msgspec import Struct, field

from connectors.jira import api_types, jql
from connectors.jira.attachments import OFF, PERMISSIONS, has_attachments
from connectors.jira.containers import containers_of, search_for
from connectors.jira.permissions import shows_permissions
from connectors.jira.projects import resolve
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.jira.transitions import choose_transition, transition_setting
from connectors.shared.paths import path_of
from connectors.shared.responses import Time, clock_ahead, decode, decode_row, host_of, rate_limit, reading
from connectors.shared.server_versions import ServerLine, limitations
from sync.tracker.errors import AuthError, TrackerError
from sync.tracker.preflight import Examination, Limitation, Need, Obstacle, Right, Trigger, Unread, unread_roles

__all__ = ["examine"]

_NEEDS: Mapping[str, Need] = {
    "BROWSE_PROJECTS": Need.READ,
    "ADD_COMMENTS": Need.UPDATE,
    "EDIT_ISSUES": Need.UPDATE,
    "EDIT_OWN_COMMENTS": Need.UPDATE,
    "DELETE_OWN_COMMENTS": Need.UPDATE,
    "CREATE_ISSUES": Need.CREATE,
}
_SET_FIELDS = ("project", "issuetype", "summary", "description", "labels")
"""Fields that milesync sets in a new status issue."""

_EVENTS = ("jira:issue_created", "jira:issue_updated", "comment_created", "comment_updated")
"""Events that our writes cause, as webhooks name them."""

VERSIONS = ServerLine(name="Jira Data Center", supported="10.3", oldest="8.20")
"""All that milesync uses is in the oldest version; personal access tokens came with 8.14."""

_OPTIONAL = {"description": ("ADMINISTER_PROJECTS",), "picture": PERMISSIONS}
"""Permissions for each optional kind of write."""


class _Camel(Struct, rename="camel"):
    """Object with names in camelCase; unknown fields are skipped."""


class _Site(_Camel):
    version: str = ""


class _Type(_Camel):
    id: str
    name: str


class _Types(_Camel):
    """Page of issue types: Cloud sends ``issueTypes``, Data Center ``values``."""

    issue_types: tuple[_Type, ...] = ()
    values: tuple[_Type, ...] = ()


class _Field(_Camel):
    name: str = ""
    field_id: str = ""
    key: str = ""
    required: bool = False
    has_default_value: bool = False


class _Fields(_Camel):
    """Page of fields: Cloud sends ``fields``, Data Center ``values``."""

    fields: tuple[_Field, ...] = ()
    values: tuple[_Field, ...] = ()


class _Token(_Camel):
    expiring_at: str | None = None


class _Hook(_Camel):
    url: str = ""
    enabled: bool = True
    events: tuple[str, ...] = ()


class _Findings(Struct):
    """Findings in one project."""

    rights: list[Right] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def examine(session: Session, projects: Sequence[str], now: Callable[[], datetime]) -> Examination:
    """Examine the token and these projects. Raises a `TrackerError` when Jira does not accept the token."""
    site = session.read(_Site, "serverInfo")
    answer = session.get(session.address("myself"))
    account = decode(answer, api_types.User, session.name)
    resolved, failed = resolve(session, projects)
    can_attach = "picture" not in session.list_option("optional_outputs") or has_attachments(session)
    results = session.caller.map_all(lambda pair: _project(session, pair[0], can_attach=can_attach), resolved)
    findings = [result for result in results if isinstance(result, _Findings)]
    errors = {
        word: result for (_, word), result in zip(resolved, results, strict=True) if isinstance(result, TrackerError)
    }
    missing = containers_of(session, search_for(session, history=False)).findings([row for row, _ in resolved])
    triggers, unread_hooks = _webhooks(session)
    expires, unread_expiry = _expiry(session)
    budget = rate_limit(answer, "REST")
    return Examination(
        account=account.displayName or account.name or "",
        expires=expires,
        ahead=clock_ahead(answer, now()),
        server=f"Jira {'Cloud' if session.is_cloud else 'Data Center'} {site.version}".strip(),
        sdk=f"jira {version('jira')}",
        limitations=(
            *(() if session.is_cloud else limitations(VERSIONS, site.version)),
            *(finding for finding in missing if isinstance(finding, Limitation)),
        ),
        budgets=(budget,) if budget else (),
        rights=tuple(right for finding in findings for right in finding.rights),
        obstacles=tuple(obstacle for finding in findings for obstacle in finding.obstacles),
        triggers=tuple(triggers),
        unread=(
            *unread_expiry,
            *unread_hooks,
            *(finding for finding in missing if isinstance(finding, Unread)),
            *(entry for finding in findings for entry in finding.unread),
        ),
        failed=failed | errors,
        states=tuple(session.status_names.values()) if session.recorded.states else (),
    )


# --- projects ------------------------------------------------------------------------------------------------------


def _project(session: Session, project: api_types.Project, *, can_attach: bool) -> _Findings | TrackerError:
    """Examine one project. Return an error that concerns this project alone."""
    findings = _Findings()
    if not can_attach:
        remedy = "switch them on, or also.picture off"
        findings.obstacles.append(Obstacle(project=project.key, words=OFF, need=Need.UPDATE, remedy=remedy))
    try:
        optional = [key for kind in session.list_option("optional_outputs") for key in _OPTIONAL.get(kind, ())]
        needs = {**_NEEDS, **dict.fromkeys(optional, Need.UPDATE)}
        query = {"projectKey": project.key, "permissions": ",".join(needs)}
        permissions = session.read(api_types.Permissions, "mypermissions", query, project=project.key).permissions
    except PROJECT_ERRORS as error:
        return error
    for key, need in needs.items():
        permission = permissions.get(key)
        name = (permission.name if permission else "") or key.replace("_", " ").title()
        is_held = permission.havePermission if permission else None
        findings.rights.append(Right(project=project.key, name=name, need=need, held=is_held))
    if shows_permissions(session, project.key) is False:
        remedy = "give the token's account the permission Administer Projects"
        findings.unread.append(unread_roles(project.key, remedy))
    try:
        findings.obstacles += _form_obstacles(session, project)
    except PROJECT_ERRORS:
        findings.unread.append(Unread(project=project.key, what="the form for new issues"))
    if session.options.get("status_close", True):
        with suppress(*PROJECT_ERRORS):
            findings.obstacles += _workflow_obstacles(session, project)
    return findings


def _workflow_obstacles(session: Session, project: api_types.Project) -> Iterator[Obstacle]:
    """Find out whether status issues can be closed and reopened, by the newest open and the newest closed issue of
    their type: the workflow of a type is the same for all issues. Without such an issue it is not known.
    """
    kind = str(session.options.get("status_type") or "Task")
    scope = f"project = {jql.literal(project.key)} AND issuetype = {jql.literal(kind)} AND statusCategory"
    for closed, operator in ((True, "!="), (False, "=")):
        body = {"jql": f"{scope} {operator} Done ORDER BY created DESC", "maxResults": 1, "fields": ["status"]}
        path = "search/jql" if session.is_cloud else "search"
        page = session.read(api_types.SearchPage, path, body=body, project=project.key)
        for raw in page.issues:
            key = decode_row(raw, api_types.IssueKey, session.name, project.key).key
            path = path_of("issue/{}/transitions", key)
            transitions = session.read(api_types.Transitions, path, project=project.key).transitions
            setting = transition_setting(closed=closed)
            chosen = choose_transition(transitions, closed=closed, name=str(session.options.get(setting) or ""))
            if isinstance(chosen, str):
                yield Obstacle(
                    project=project.key,
                    words=f"a status issue would stay {'open' if closed else 'closed'}, as {key} would: {chosen}",
                    need=Need.UPDATE,
                    remedy=f"set status_issue.{setting}, give the account the permission Transition Issues, or set "
                    "status_issue.close to false",
                    is_optional=True,
                )


def _form_obstacles(session: Session, project: api_types.Project) -> list[Obstacle]:
    """Find the reasons for which Jira would refuse a new status issue.

    They are a missing issue type, a required field without a value, and a field that is not on the form.
    """
    path, wanted = (
        path_of("issue/createmeta/{}/issuetypes", project.key),
        str(session.options.get("status_type") or "Task"),
    )
    page = session.read(_Types, path, {"maxResults": 200}, project=project.key)
    types = page.issue_types or page.values
    kind = next((issue_type for issue_type in types if issue_type.name.casefold() == wanted.casefold()), None)
    if kind is None:
        if not types:  # without the permission to create issues the list is empty; that permission is a right above
            return []
        names = ", ".join(issue_type.name for issue_type in types)
        words = f"it has no issue type {wanted!r}"
        return [_obstacle(project, words, f"set status_issue.type to one of: {names}")]
    form = session.read(_Fields, path + path_of("/{}", kind.id), {"maxResults": 200}, project=project.key)
    fields = {entry.field_id or entry.key: entry for entry in form.fields or form.values}
    has_value = {*_SET_FIELDS, *(session.options.get("status_fields") or {})}
    missing = [
        _obstacle(project, f"a new {kind.name} must have {entry.name!r}", f"give a value in status_issue.fields.{id_}")
        for id_, entry in fields.items()
        if entry.required and not entry.has_default_value and id_ not in has_value
    ]
    hidden = [
        _obstacle(project, f"the field {id_} is not on the form for a new {kind.name}", "add it there")
        for id_ in ("description", "labels")
        if id_ not in fields
    ]
    return missing + hidden


def _obstacle(project: api_types.Project, words: str, remedy: str) -> Obstacle:
    return Obstacle(project=project.key, words=words, need=Need.CREATE, remedy=remedy)


# --- the site ------------------------------------------------------------------------------------------------------


def _expiry(session: Session) -> tuple[datetime | None, list[Unread]]:
    """Fetch the token's expiry (UTC). Data Center lists an account's tokens; a single token is ours."""
    unknown = [Unread(project="", what="the expiry of the token")]
    if session.is_cloud:
        return None, unknown
    with suppress(AuthError, *PROJECT_ERRORS):
        tokens = decode(session.get(f"{session.base_url}/rest/pat/latest/tokens"), list[_Token], session.name)
        if len(tokens) == 1:
            expiry = tokens[0].expiring_at
            with reading(session.name):
                return (msgspec.convert(_with_colon(expiry), Time) if expiry else None), []
    return None, unknown


def _with_colon(time: str) -> str:
    """Replace an offset ``+0000`` by ``+00:00``."""
    return time if time[-3:-2] == ":" or time[-5:-4] not in ("+", "-") else f"{time[:-2]}:{time[-2:]}"


def _webhooks(session: Session) -> tuple[list[Trigger], list[Unread]]:
    """Find webhooks that our writes would trigger; only administrators may read them.

    No API lists the triggers of automation rules.
    """
    unread = [Unread(project="", what="automation rules")]
    try:
        answer = session.get(f"{session.base_url}/rest/webhooks/1.0/webhook")
        hooks = decode(answer, list[_Hook], session.name)
    except (AuthError, *PROJECT_ERRORS):
        return [], [Unread(project="", what="webhooks (for administrators of the site only)"), *unread]
    triggers = []
    for hook in hooks:
        events = [event.removeprefix("jira:") for event in _EVENTS if event in hook.events]
        if hook.enabled and events:
            words = f"the webhook to {host_of(hook.url)} ({', '.join(events)})"
            triggers.append(Trigger(project="", words=words))
    return triggers, unread
