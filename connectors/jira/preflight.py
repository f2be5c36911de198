"""What Jira tells about a token, its permissions, and the form for new issues, by reading only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from connectors.jira.api_types import Permissions, ProjectOf, User
from connectors.jira.attachments import OFF, RIGHTS, enabled
from connectors.jira.projects import named
from connectors.jira.session import OWN, Session
from connectors.shared.responses import clock_ahead, decode, rate_limit
from sync.tracker.errors import AuthError, TrackerError
from sync.tracker.preflight import Examination, Need, Obstacle, Right, Trigger, Unread

__all__ = ["examine"]

_NEEDS: Mapping[str, Need] = {
    "BROWSE_PROJECTS": Need.READ,
    "ADD_COMMENTS": Need.UPDATE,
    "EDIT_ISSUES": Need.UPDATE,
    "EDIT_OWN_COMMENTS": Need.UPDATE,
    "DELETE_OWN_COMMENTS": Need.UPDATE,
    "CREATE_ISSUES": Need.CREATE,
}
_OURS_TO_SET = ("project", "issuetype", "summary", "description", "labels")
"""What a new status issue is given anyway."""
_EVENTS = ("jira:issue_created", "jira:issue_updated", "comment_created", "comment_updated")
_ALSO = {"description": ("ADMINISTER_PROJECTS",), "picture": RIGHTS}
"""What each thing that may be written beside label and comment needs."""


class _Wire(Struct, rename="camel"):
    """Names in camelCase; unknown ones are skipped."""


class _Site(_Wire):
    version: str = ""


class _Type(_Wire):
    id: str
    name: str


class _Types(_Wire):
    """Cloud says ``issueTypes``, Data Center ``values``."""

    issue_types: tuple[_Type, ...] = ()
    values: tuple[_Type, ...] = ()


class _Field(_Wire):
    name: str = ""
    field_id: str = ""
    key: str = ""
    required: bool = False
    has_default_value: bool = False


class _Fields(_Wire):
    """Cloud says ``fields``, Data Center ``values``."""

    fields: tuple[_Field, ...] = ()
    values: tuple[_Field, ...] = ()


class _Token(_Wire):
    expiring_at: str | None = None


class _Hook(_Wire):
    url: str = ""
    enabled: bool = True
    events: tuple[str, ...] = ()


class _Seen(Struct):
    rights: list[Right] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def examine(session: Session, projects: Sequence[str], now: Callable[[], datetime]) -> Examination:
    """Examine the token and these projects. Raises a `TrackerError` when the token itself is no good."""
    site = session.read(_Site, "serverInfo")
    answer = session.get(session.address("myself"))
    me = decode(answer, User, session.name)
    found, failed = named(session, projects)
    attaching = "picture" not in session.listed("also") or enabled(session)
    seen = session.caller.map_all(lambda pair: _project(session, pair[0], attaching=attaching), found)
    triggers, unread = _webhooks(session)
    expires, unknown = _expiry(session)
    return Examination(
        account=me.displayName or me.name or "",
        expires=expires,
        ahead=clock_ahead(answer, now()),
        server=f"Jira {'Cloud' if session.cloud else 'Data Center'} {site.version}".strip(),
        sdk=f"jira {version('jira')}",
        budgets=tuple(one for one in [rate_limit(answer, "REST")] if one),
        rights=tuple(right for one in seen if isinstance(one, _Seen) for right in one.rights),
        obstacles=tuple(words for one in seen if isinstance(one, _Seen) for words in one.obstacles),
        triggers=tuple(triggers),
        unread=(*unknown, *unread, *(what for one in seen if isinstance(one, _Seen) for what in one.unread)),
        failed=failed
        | {word: one for (_, word), one in zip(found, seen, strict=True) if isinstance(one, TrackerError)},
    )


# --- a project -----------------------------------------------------------------------------------------------------


def _project(session: Session, project: ProjectOf, *, attaching: bool) -> _Seen | TrackerError:
    seen = _Seen()
    if not attaching:
        remedy = "switch them on, or also.picture off"
        seen.obstacles.append(Obstacle(project=project.key, words=OFF, need=Need.UPDATE, remedy=remedy))
    try:
        more = [right for what in session.listed("also") for right in _ALSO.get(what, ())]
        needs = {**_NEEDS, **dict.fromkeys(more, Need.UPDATE)}
        asked = {"projectKey": project.key, "permissions": ",".join(needs)}
        held = session.read(Permissions, "mypermissions", asked, project=project.key).permissions
    except OWN as problem:
        return problem
    for key, need in needs.items():
        permission = held.get(key)
        name = (permission.name if permission else "") or key.replace("_", " ").title()
        seen.rights.append(
            Right(project=project.key, name=name, need=need, held=permission.havePermission if permission else None)
        )
    try:
        seen.obstacles += _form(session, project)
    except OWN:
        seen.unread.append(Unread(project=project.key, what="the form for new issues"))
    return seen


def _form(session: Session, project: ProjectOf) -> list[Obstacle]:
    """What would make Jira refuse a new status issue: no such type, a required field, a field off the screen."""
    path, wanted = f"issue/createmeta/{project.key}/issuetypes", str(session.options.get("status_type") or "Task")
    types = session.read(_Types, path, {"maxResults": 200}, project=project.key)
    every = types.issue_types or types.values
    kind = next((issue_type for issue_type in every if issue_type.name.casefold() == wanted.casefold()), None)
    if kind is None:
        if not every:  # without the right to create issues the form is empty; that right is told by itself
            return []
        known = ", ".join(issue_type.name for issue_type in every)
        words = f"it has no issue type {wanted!r}"
        return [_obstacle(project, words, f"set status_issue.type to one of: {known}")]
    form = session.read(_Fields, f"{path}/{kind.id}", {"maxResults": 200}, project=project.key)
    fields = {one.field_id or one.key: one for one in form.fields or form.values}
    given = {*_OURS_TO_SET, *(session.options.get("status_fields") or {})}
    missing = [
        _obstacle(project, f"a new {kind.name} must have {one.name!r}", f"give a value in status_issue.fields.{id_}")
        for id_, one in fields.items()
        if one.required and not one.has_default_value and id_ not in given
    ]
    hidden = [
        _obstacle(project, f"the field {id_} is not on the form for a new {kind.name}", "add it there")
        for id_ in ("description", "labels")
        if id_ not in fields
    ]
    return missing + hidden


def _obstacle(project: ProjectOf, words: str, remedy: str) -> Obstacle:
    return Obstacle(project=project.key, words=words, need=Need.CREATE, remedy=remedy)


# --- the site ------------------------------------------------------------------------------------------------------


def _expiry(session: Session) -> tuple[datetime | None, list[Unread]]:
    """When the token ends: Data Center lists an account's tokens, and with one of them it is ours."""
    unknown = [Unread(project="", what="the expiry of the token")]
    if session.cloud:
        return None, unknown
    with suppress(AuthError, *OWN):
        listed = decode(session.get(f"{session.base_url}/rest/pat/latest/tokens"), list[_Token], session.name)
        if len(listed) == 1:
            ends = listed[0].expiring_at
            return (msgspec.convert(_colon(ends), datetime) if ends else None), []
    return None, unknown


def _colon(time: str) -> str:
    """``+0000`` as ``+00:00``."""
    return time if time[-3:-2] == ":" or time[-5:-4] not in ("+", "-") else f"{time[:-2]}:{time[-2:]}"


def _webhooks(session: Session) -> tuple[list[Trigger], list[Unread]]:
    """Webhooks of the site, for its administrators. No API tells what automation rules listen to."""
    unread = [Unread(project="", what="automation rules")]
    try:
        answer = session.get(f"{session.base_url}/rest/webhooks/1.0/webhook")
        hooks = decode(answer, list[_Hook], session.name)
    except (AuthError, *OWN):
        return [], [Unread(project="", what="webhooks (for administrators of the site only)"), *unread]
    triggers = []
    for hook in hooks:
        events = [event.removeprefix("jira:") for event in _EVENTS if event in hook.events]
        if hook.enabled and events:
            words = f"the webhook to {urlsplit(hook.url).hostname or '?'} ({', '.join(events)})"
            triggers.append(Trigger(project="", words=words))
    return triggers, unread
