"""Checks of single values. Each raises ValueError with a reason that does not repeat the value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import time
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import available_timezones

from config.connector_types import connector_types, installed_type
from config.errors import did_you_mean, key
from sync.model.item_state import fold_name
from sync.model.settings import DaysOff, SettingError

__all__ = [
    "PUBLIC_URLS",
    "address",
    "audience_names",
    "channel_names",
    "collector",
    "connection_names",
    "connector_type",
    "credentials",
    "database",
    "days_off",
    "digest_file",
    "email",
    "folded_name",
    "former_urls",
    "issue",
    "local_time",
    "no_secret_names",
    "ping",
    "policy_variables",
    "projects",
    "published",
    "references",
    "rule",
    "schedule",
    "tracker_url",
    "url",
    "zone",
]

Days = TypeVar("Days", bound=DaysOff)
Named = TypeVar("Named", bound=Collection[str])

PUBLIC_URLS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com"}
"""Addresses of the public services, by type of tracker."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_POLICIES = ("plan", "update", "create")
# The patterns are texts, which `re` compiles when a file has a value that they check.
_CREDENTIAL = r"(?i)token|secret|passw|private_?key|api_?key|credential"
_PLAIN = r"(?a)https?://[\w.-]+(:\d+)?(/[\w.~%-]*)*"
_ITEM = r"(?i)/(issues|work_items|merge_requests|pull|pulls|discussions|browse|milestones?)(/|$)"
_ISSUE = r"[^\s#]+#[1-9]\d*|[A-Z][A-Z0-9_]+-[1-9]\d*"
_RULES = {
    "github": r"(?P<projects>[^/\s#~]+/[^/\s#~]+)(?P<sign>~)(?P<text>.+)",
    "gitlab": r"(?P<projects>[^\s%~]+)(?P<sign>~)(?P<text>.+)",
    "jira": r"(?s)(?P<projects>[A-Z0-9_*]+)(?P<sign>[~?])(?P<text>.+)",
}
"""Milestones by rule: issues of these projects with a label (``~``), or the result of a query (``?``)."""
_MILESTONE = {
    "github": (r"[^/\s#]+/[^/\s#]+#[1-9]\d*", "gh:owner/name#12"),
    "gitlab": (r"[^\s%]+%.+", "gl:group/project%2.0"),
    "jira": (r"[A-Z][A-Z0-9_]+/.+", "jira:KEY/2.0"),
}


def connector_type(value: str) -> str:
    """Check that the type of tracker is built in or installed as a plugin."""
    if value not in _MILESTONE and installed_type(value) is None:
        known = {*_MILESTONE, *(point.name for point in connector_types())}
        raise ValueError(f"should be one of {', '.join(sorted(known))}{did_you_mean(value, known)}")
    return value


def url(value: str) -> str:
    """Check an address to which a token is sent: https, or http to this machine. Return it without a last slash."""
    if not value:
        raise ValueError("is missing (this type of tracker has no public address)")
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an address that starts with https://")
    if parts.username or parts.password:
        raise ValueError("the file must not hold a secret: name it with token")
    if parts.query or parts.fragment:
        raise ValueError("should end before any ? or #")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("should start with https://, because the token is sent there")
    return value.rstrip("/")


def tracker_url(value: str, kind: str) -> str:
    """Check the address of a tracker. An empty one is that of the public service of its type. See `url`."""
    return url(value or PUBLIC_URLS.get(kind, ""))


def former_urls(value: tuple[str, ...]) -> tuple[str, ...]:
    """Check earlier addresses of a tracker, to which nothing is sent. Return them without a last slash."""
    return tuple(map(_former_url, value))


def _former_url(value: str) -> str:
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("should be addresses such as https://old.example.org")
    return value.rstrip("/").removesuffix("/api/v4")  # GitLab's API is not part of its address


def folded_name(value: str) -> str:
    """Check a name of a state, label or resolution: without a letter or digit it would match nothing."""
    if not fold_name(value):
        raise ValueError("should have a letter or a digit, as signs around a name are ignored")
    return value


def ping(value: str) -> None:
    """Check an address that may itself be a secret: https, or http to this machine."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an address that starts with https://")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("should start with https://, because anyone who reads the address can call it")


def published(value: str) -> str:
    """Check the address of published pages. It must not look like a tracker's item, and no markup may break it.

    "" is allowed. Return it without a last slash.
    """
    if not value:
        return value
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an address that starts with https://")
    if not re.fullmatch(_PLAIN, value):
        raise ValueError("should be a plain address: letters, digits and . _ ~ % - / only")
    if re.search(_ITEM, parts.path):
        raise ValueError("should not be the address of a tracker's items, as a link to an item leaves a note there")
    return value.rstrip("/")


def database(value: str, *, secret: bool = False) -> str:
    """Check the URL of a SQLite file or of PostgreSQL. It may hold a password only with ``secret``."""
    scheme = value.partition(":")[0].partition("+")[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("should start with sqlite:/// or postgresql://")
    if scheme == "sqlite" and not value.startswith("sqlite:///"):
        raise ValueError("should start with sqlite:/// (three slashes; four for an absolute path)")
    parts = _split(value)
    if parts is None:
        raise ValueError("should be an address; signs such as [ and ] in a password are written as %5B and %5D")
    if not secret and (parts.password or "password" in value.casefold()):
        raise ValueError('the file must not hold a secret: write { env = "NAME" } or { file = "/path" }')
    return value


def zone(value: str) -> str:
    """Check the name of a time zone in the IANA database."""
    if value not in available_timezones():
        hint = did_you_mean(value, available_timezones())
        raise ValueError(f"should be a time zone such as Europe/Berlin{hint}")
    return value


def local_time(value: time) -> time:
    """Check a time of day in a time zone that is written next to it."""
    if value.tzinfo is not None:
        raise ValueError("should have no offset; its time zone is the key timezone")
    return value


def address(value: str) -> str:
    """Check a host and port to listen on; "" is allowed."""
    if not value:
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError("should be a host and a port, such as 127.0.0.1:8787")
    return value


def collector(value: str) -> str:
    """Check the address of a collector of traces, without a password; "" is allowed."""
    parts = _split(value)
    if value and (parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.password):
        raise ValueError("should be an address such as http://127.0.0.1:4318/v1/traces")
    return value


def schedule(value: str) -> str:
    """Check five fields as in cron: numbers, ranges, lists and steps, or names of months and days."""
    fields = value.split()
    part = r"(\*|\w+(-\w+)?)(/[1-9]\d*)?"
    if len(fields) != 5 or not all(re.fullmatch(rf"{part}(,{part})*", field) for field in fields):
        raise ValueError("should be five fields as in cron, such as 17 * * * *")
    for field, (low, high) in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)), strict=True):
        numbers = [int(number) for number in re.findall(r"(?<![\w/])\d+", field)]
        if not all(low <= number <= high for number in numbers):
            raise ValueError(f"should have numbers from {low} to {high} where it has {field}")
    return value


def days_off(value: Days) -> Days:
    """Check that the public holidays of the country, or of its part, are known."""
    if not value.country:
        return value
    import holidays  # 70 ms, only if a country is set

    country, _, part = value.country.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        raise SettingError("country", "should be a two-letter country code such as DE, or DE-BY for a part of it")
    if part and part not in known[country]:
        raise SettingError(
            "country", f"should name a part of {country}: {', '.join(known[country]) or 'none is known'}"
        )
    return value


def projects(value: tuple[str, ...], kind: object) -> tuple[str, ...]:
    """Check the projects' names for this type of tracker."""
    if kind == "github" and not all(re.fullmatch(r"[^/\s]+/([^/\s]+|projects/[1-9][0-9]*)", name) for name in value):
        raise ValueError("should be written owner/name, owner/* for all of them, or owner/projects/7 for a board")
    return value


def email(value: object, kind: object, address: object) -> None:
    """Check that Jira Cloud has the account of its API token."""
    if value is None and kind == "jira" and _host(address).endswith(".atlassian.net"):
        raise ValueError("is missing (Jira Cloud: the account of the API token)")


def credentials(kind: str, keys: Mapping[str, object], *, has_token: bool) -> None:
    """Check that the keys give exactly one complete set of credentials, and that this type of tracker accepts it."""
    app = {name: value for name, value in keys.items() if name != "job_token" and value is not None}
    job = keys.get("job_token") is not None
    if app and kind != "github":
        raise ValueError(f"{next(iter(app))} is for a GitHub App only")
    if job and kind != "gitlab":
        raise ValueError("job_token is for GitLab only")
    if app and len(app) < 3:
        raise ValueError("a GitHub App needs private_key, app_id and installation_id")
    if has_token and (app or job):
        raise ValueError(f"should be left out, as there is a {'private_key' if app else 'job_token'}")


def issue(value: str) -> str:
    """Check an issue as people write it; "" is allowed."""
    if value and not re.fullmatch(_ISSUE, value):
        raise ValueError("should be an issue such as acme/app#345 or PAY-7")
    return value


def no_secret_names(value: Mapping[str, Any]) -> dict[str, Any]:
    """Check that no option has the name of a secret."""
    for name in value:
        if re.search(_CREDENTIAL, name):
            raise ValueError("the file must not hold a secret: name it with token")
    return dict(value)


def connection_names(value: Named) -> Named:
    """Check names that are used in a milestone's id, before the colon, and in names of variables."""
    for name in value:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise ValueError("names should be letters, digits, - and _, and start with a letter")
    return value


def audience_names(value: Named) -> Named:
    """Check names of audiences. They must differ from every project and from `public`."""
    for name in value:
        if name == "public" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise ValueError("names should be letters, digits, - and _, start with a letter, and not be public")
    return value


def rule(kind: object, written: str) -> tuple[str, str, str] | None:
    """Projects, sign and text of a milestone by rule. None if ``written`` is no rule.

    ``written`` is the text after the connection's name and colon: ``acme/*~launch``.
    """
    match = re.fullmatch(_RULES[kind], written) if isinstance(kind, str) and kind in _RULES else None
    return (match["projects"], match["sign"], match["text"]) if match else None


def channel_names(value: Named) -> Named:
    """Check names of channels. `file` is the channel of the file."""
    for name in value:
        if name == "file" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise ValueError("names should be letters, digits, - and _, start with a letter, and not be file")
    return value


def digest_file(value: str) -> str:
    """Check the name of a digest's file: its ending is a known format, ``{day}`` its only variable part."""
    if value and not value.endswith((".md", ".txt", ".html")):
        raise ValueError("should end in .md, .txt or .html")
    if "{" in value.replace("{day}", "") or "}" in value.replace("{day}", ""):
        raise ValueError("should have no { } other than {day}")
    return value


def references(table: Mapping[str, Any], file: str) -> list[str]:
    """Check the references between the tables of the parsed file ``table``. Return one line per error.

    Errors: a milestone that no connection can have, a name that is used twice, a circle of dependencies.
    """
    connections = table.get("connections")
    known = connections if isinstance(connections, Mapping) else {}
    errors, ids = [], set()
    joints = {f"joint:{row.get('name')}" for row in _rows(table, "joint")}
    for where, text in _milestones(table):
        if where.startswith("dependency") and text.startswith("joint:"):
            if text not in joints:
                errors.append(f"{file}:{where}: no joint milestone has this name{did_you_mean(text, joints)}")
            continue
        name, _, rest = text.partition(":")
        kind = known[name].get("type") if isinstance(known.get(name), Mapping) else None
        shape, example = _MILESTONE.get(kind, (None, "")) if isinstance(kind, str) else (None, "")
        if name not in known:
            errors.append(f"{file}:{where}: no connection has this name{did_you_mean(name, known)}")
        elif not rest or (shape and not re.fullmatch(shape, rest) and rule(kind, rest) is None):
            errors.append(f"{file}:{where}: should be written like {example or 'connection:project#milestone'}")
        if where.startswith("milestone") and text in ids:
            errors.append(f"{file}:{where}: this milestone is configured twice")
        ids.add(text)
    errors += _audiences(table, file, known, joints)
    names = [row.get("name") for row in _rows(table, "joint")]
    errors += [f"{file}:joint[{i}].name: this name is used twice" for i, n in enumerate(names) if n in names[:i]]
    circle = [] if errors else _circle(table)  # without errors, every text repeated here is an id
    errors += [f"{file}:dependency: these wait for each other in a circle: {' → '.join(circle)}"] if circle else []
    return errors


def _audiences(
    table: Mapping[str, Any], file: str, connections: Mapping[str, Any], joints: Collection[str]
) -> Iterator[str]:
    """Errors in projects and milestones of audiences. Only a pattern may leave the connection open."""
    audiences = table.get("audiences")
    for name, row in audiences.items() if isinstance(audiences, Mapping) else ():
        for field in ("reads", "milestones"):
            texts = row.get(field) if isinstance(row, Mapping) else None
            for i, text in enumerate(texts if isinstance(texts, list) else []):
                where = f"{file}:{key(('audiences', name, field, i))}"
                start, colon, _ = str(text).partition(":")
                if "*" in start:
                    continue
                if start == "joint" and field == "milestones":
                    if "*" not in text and text not in joints:
                        yield f"{where}: no joint milestone has this name{did_you_mean(text, joints)}"
                elif start not in connections:
                    yield f"{where}: no connection has this name{did_you_mean(start, connections)}"
                elif not colon:
                    yield f"{where}: should name a project after the connection, such as gh:acme/*"


def _circle(table: Mapping[str, Any]) -> list[str]:
    """A circle of milestones that wait for each other; empty if there is none. A joint milestone is its members."""
    joints = {f"joint:{row.get('name')}": row.get("members") for row in _rows(table, "joint")}

    def members_of(text: object) -> list[str]:
        members = joints.get(str(text))
        return [str(member) for member in members] if isinstance(members, list) else [str(text)]

    sorter: TopologicalSorter[str] = TopologicalSorter()
    for row in _rows(table, "dependency"):
        for after in members_of(row.get("after")):
            sorter.add(after, *members_of(row.get("before")))
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def policy_variable(connection: str) -> str:
    """The environment variable that limits the policy of a connection; "" for that of all connections."""
    return f"MILESYNC_POLICY_{connection.upper().replace('-', '_')}" if connection else "MILESYNC_POLICY"


def policy_variables(environ: Mapping[str, str], connections: object, errors: list[str]) -> Iterator[tuple[str, str]]:
    """Each MILESYNC_POLICY variable, as connection (or "" for all) and policy.

    A variable with a wrong name or value is added to ``errors``, as its author expects it to stop writes.
    """
    names = {policy_variable(""): ""}
    if isinstance(connections, Mapping):
        names |= {policy_variable(str(name)): str(name) for name in connections}
    for variable, value in environ.items():
        if variable in names:
            if value in _POLICIES:
                yield names[variable], value
            else:
                errors.append(f"{variable}: should be one of {', '.join(_POLICIES)}{did_you_mean(value, _POLICIES)}")
        elif variable.startswith("MILESYNC_POL"):
            errors.append(f"{variable}: there is no such variable{did_you_mean(variable, names)}")


def _split(value: str) -> SplitResult | None:
    try:
        return urlsplit(value)
    except ValueError:  # the message of this error repeats the value
        return None


def _host(address: object) -> str:
    parts = _split(str(address))
    return (parts.hostname or "") if parts else ""


def _milestones(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for i, row in enumerate(_rows(table, "milestone")):
        if isinstance(row.get("id"), str):
            yield f"milestone[{i}].id", row["id"]
    for i, row in enumerate(_rows(table, "joint")):
        members = row.get("members")
        for j, member in enumerate(members if isinstance(members, list) else []):
            if isinstance(member, str):
                yield f"joint[{i}].members[{j}]", member
    for i, row in enumerate(_rows(table, "dependency")):
        for end in ("before", "after"):
            if isinstance(row.get(end), str):
                yield f"dependency[{i}].{end}", row[end]


def _rows(table: Mapping[str, Any], name: str) -> Collection[Mapping[str, Any]]:
    rows = table.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
