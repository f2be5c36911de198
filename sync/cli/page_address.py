"""Addresses of a tracker's pages as targets of `milesync check`.

========  =========================================================================================================
tracker   pages
========  =========================================================================================================
GitHub    ``/acme``, ``/acme/app``, ``/acme/app/milestone/3``, ``/acme/app/issues/12``, ``/orgs/acme/projects/7``
GitLab    ``/acme/api``, ``/acme/api/-/milestones/3``, ``/groups/acme/-/milestones/3``, ``/groups/acme/-/epics/4``
Jira      ``/browse/PAY-12``, ``/projects/PAY/versions/10001``, ``/jira/software/projects/PAY/boards/1``
========  =========================================================================================================

Any other page of a project means the project. A page belongs to a tracker by its address alone, and only to a tracker
that the user has named: a token is never sent to the host of an address that came from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qs, urlsplit

from msgspec import Struct

__all__ = ["URL_VARIABLES", "PageAddress", "is_address", "page_key", "read_address", "web_address"]

URL_VARIABLES = {"github": "GITHUB_API_URL", "gitlab": "GITLAB_URL", "jira": "JIRA_URL"}
"""The environment variables with the addresses of the user's trackers, by type."""

_EXAMPLE = "https://github.com/acme/app/milestone/3"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|//|[^/\s:]+@[^/\s:]+:|www\.")
_SIGNS = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")
_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9_.-]+")
_NUMBER = re.compile(r"[1-9][0-9]*")
_KEY = re.compile(r"[A-Z][A-Z0-9_]+", re.IGNORECASE)
_ISSUE_KEY = re.compile(r"([A-Z][A-Z0-9_]+)-[1-9][0-9]*", re.IGNORECASE)
_SHOWN = 120
"""Characters of an address that a message repeats."""


class PageAddress(Struct, frozen=True):
    """The meaning of an address: targets such as ``github:acme/app``.

    ``page`` is the milestone's or issue's own page (`page_key`); empty if the address names none.
    """

    address: str
    targets: tuple[str, ...]
    page: str = ""

    @property
    def kind(self) -> str:
        """The type of the tracker."""
        return self.targets[0].partition(":")[0]


def is_address(target: str) -> bool:
    """Return whether a target is written as an address, of a page or of a repository to clone."""
    return _SCHEME.match(target) is not None


def web_address(kind: str, url: str) -> str:
    """Return the address of a tracker's pages, without a slash at its end. ``url`` is that of its API."""
    if kind == "gitlab":
        return url.rstrip("/").removesuffix("/api/v4")
    if kind != "github":
        return url.rstrip("/")
    parts = urlsplit(url.rstrip("/").removesuffix("/api/v3"))
    host = parts.netloc.lower()
    is_service = host == "api.github.com" or (host.startswith("api.") and host.endswith(".ghe.com"))
    return parts._replace(netloc=host.removeprefix("api.") if is_service else host).geturl()


def page_key(url: str) -> str:
    """Return what identifies a page in its tracker: its path in lower case, and the sprint that its query names.

    GitLab shows one object at several addresses: an epic is also a work item of its group.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/").lower()
    path = re.sub(r"/-/(work_items|epics)/", "/-/issues/", path)
    sprint = parse_qs(parts.query).get("sprint", [""])[0]
    return f"{path}?sprint={sprint}" if sprint else path


def read_address(address: str, trackers: Mapping[str, str]) -> PageAddress:
    """Read the address of a page. ``trackers`` are the addresses of the user's trackers' pages, by type.

    Raises ValueError with one line for the user, which repeats no user name, password or query of the address.
    """
    parts = _checked(address)
    shown = _shown(parts)
    below = {kind: rest for kind, home in trackers.items() if (rest := _path_below(parts, home)) is not None}
    if not below:
        raise ValueError(f"{shown}: {_unknown_host(parts, trackers)}")
    kind = min(below, key=lambda kind: len(below[kind]))
    targets, page = _READERS[kind](below[kind].split("/") if below[kind] else [], parts)
    if not targets:
        raise ValueError(f"{shown}: {_MISSING[kind]}")
    own = page_key(f"{trackers[kind].rstrip('/')}/{page}") if page else ""
    return PageAddress(shown, tuple(f"{kind}:{target}" for target in targets), own)


def _checked(address: str) -> SplitResult:
    """Return the parts of an address without anything that could mislead. Raises ValueError."""
    if not _SIGNS.fullmatch(address):
        raise ValueError(f"{_plain(address)}: has signs that no address has; copy it from the browser's address bar")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ValueError(f"{_plain(address)}: is no address; write one such as {_EXAMPLE}") from None
    if "@" in parts.netloc:
        raise ValueError(f"{_shown(parts)}: write it without the user name or password before @")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(parts)}: should be the address of a page, such as {_EXAMPLE}")
    if re.search(r"//|/\.\.?(/|$)", parts.path.rstrip("/")):
        raise ValueError(f"{_shown(parts)}: has // or /../ in it; copy it from the browser's address bar")
    return parts


def _plain(address: str) -> str:
    """Return an address that cannot be read, in ASCII and without what may be a secret."""
    text = re.sub("//[^/]*@", "//", re.split("[?#]", address, maxsplit=1)[0])
    return ascii(text)[1:-1][:_SHOWN]


def _shown(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()[:_SHOWN]


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    host = (parts.hostname or "").removeprefix("www.") if parts.hostname == "www.github.com" else parts.hostname or ""
    return parts.scheme, host, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _path_below(parts: SplitResult, home: str) -> str | None:
    """Return the path below a tracker's address, without slashes at its ends; None if it is on another tracker."""
    base = urlsplit(home)
    prefix = base.path.rstrip("/") + "/"
    if _origin(parts) != _origin(base) or not f"{parts.path}/".startswith(prefix):
        return None
    return f"{parts.path}/"[len(prefix) :].strip("/")


def _unknown_host(parts: SplitResult, trackers: Mapping[str, str]) -> str:
    """Return what to do about an address of no known tracker: the variable to set, by what the page looks like."""
    if any(_path_below(parts._replace(scheme="https"), home) is not None for home in trackers.values()):
        return "write it with https://"
    page = f"{parts.hostname}{parts.path}/"
    kinds = [kind for kind, shape in _SHAPES.items() if re.search(shape, page)][:1] or list(URL_VARIABLES)
    settings = [f"{URL_VARIABLES[kind]}={_api_address(kind, parts.netloc.lower())}" for kind in kinds]
    return (
        "is on no tracker that you have named, and a token is sent to no other; if it is yours, set "
        f"{' or '.join(settings)} and a token of that tracker"
    )


def _api_address(kind: str, host: str) -> str:
    """Return the address that names a tracker, from the host of its pages."""
    if kind != "github":
        return f"https://{host}"
    is_service = host in ("github.com", "www.github.com") or host.endswith(".ghe.com")
    return f"https://api.{host.removeprefix('www.')}" if is_service else f"https://{host}/api/v3"


# --- pages ------------------------------------------------------------------------------------------------------------

Meaning = tuple[Sequence[str], str]
"""Targets without the type of tracker, and the path of a milestone's or issue's own page."""


def _github(segments: list[str], _: SplitResult) -> Meaning:
    match segments:
        case ["orgs" | "users", owner, "projects", board, *_] if _are_names(owner) and _NUMBER.fullmatch(board):
            return [f"{owner}/projects/{board}"], ""
        case [owner] | ["orgs" | "users", owner, *_] if _are_names(owner):
            return [owner], ""
        case [owner, name, "milestone" | "issues" | "pull" as noun, number, *_] if _NUMBER.fullmatch(number):
            return _names(owner, name), f"{owner}/{name}/{noun}/{number}"
        case [owner, name, *_]:
            return _names(owner, name.removesuffix(".git")), ""
    return [], ""


def _gitlab(segments: list[str], _: SplitResult) -> Meaning:
    place, page = (
        (segments[: segments.index("-")], segments[segments.index("-") :]) if "-" in segments else (segments, [])
    )
    group = place[:1] == ["groups"]
    names = place[1:] if group else place
    if not page and len(names) > 2 and names[-2] in ("issues", "merge_requests", "milestones"):
        names, page = names[:-2], ["-", *names[-2:]]  # an address of before 2019
    path = "/".join(names).removesuffix(".git")
    if not names or not _are_names(*names):
        return [], ""
    whole = f"{path}/*" if group else path
    own = "/".join([*(["groups"] if group else []), path, *page])
    match page[1:]:
        case ["epics" | "work_items", number, *_] if group and _NUMBER.fullmatch(number):
            return [f"{path}:epics"], f"groups/{path}/-/epics/{number}"
        case ["milestones" | "issues" | "work_items" | "merge_requests" as noun, number, *_] if _NUMBER.fullmatch(
            number
        ):
            return [whole], f"{'groups/' if group else ''}{path}/-/{noun}/{number}"
        case ["iterations", _, *_] | ["cadences", _, "iterations", _, *_]:
            return [f"{path}:iterations"], own
    return [whole], ""


def _jira(segments: list[str], parts: SplitResult) -> Meaning:
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    shown_issue = query.get("selectedIssue", "")
    if not segments:
        return ["*"], ""
    if "projects" in segments[:-1]:
        key, *page = segments[segments.index("projects") + 1 :]
    elif segments[0] == "browse" and len(segments) > 1:
        key, *page = segments[1:]
    elif segments[-1] == "RapidBoard.jspa":
        key, page = query.get("projectKey", ""), ["boards"]
    else:
        return [], ""
    if page[:1] == ["issues"] and len(page) > 1:
        shown_issue = page[1]
    if match := _ISSUE_KEY.fullmatch(shown_issue or key):
        return [match[1].upper(), f"{match[1].upper()}:epics"], f"browse/{match[0]}"
    if not _KEY.fullmatch(key):
        return [], ""
    key = key.upper()
    match page:
        case ["versions" | "fixforversion", version, *_] if _NUMBER.fullmatch(version):
            return [key], f"projects/{key}/versions/{version}"
        case ["boards", *_] if _NUMBER.fullmatch(query.get("sprint", "")):
            return [f"{key}:sprints"], f"secure/RapidBoard.jspa?sprint={query['sprint']}"
        case ["boards", *_]:
            return [key, f"{key}:sprints"], ""
    return [key], ""


def _are_names(*segments: str) -> bool:
    return all(_NAME.fullmatch(segment) for segment in segments)


def _names(owner: str, name: str) -> list[str]:
    return [f"{owner}/{name}"] if _are_names(owner, name) else []


_READERS = {"github": _github, "gitlab": _gitlab, "jira": _jira}

_MISSING = {
    "github": "names no repository; write an address such as https://github.com/acme/app",
    "gitlab": "names no project or group; write an address such as https://gitlab.com/acme/api",
    "jira": "names no project; write jira:KEY, or jira:JQL for the projects of a filter",
}

_SHAPES = {
    "gitlab": r"/-/|/groups/|^[^/]*gitlab",
    "jira": r"/browse/|/projects/[A-Z]|/jira/|\.jspa|^[^/]*(jira|\.atlassian\.net)",
    "github": r"/milestone/|/issues/|/pull/|/orgs/|^[^/]*git(hub)?",
}
"""What the pages of each type of tracker look like, host and path."""
