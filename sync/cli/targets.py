"""Targets of `milesync check`: what to read of which tracker, without a configuration.

=================================  ==================================================================================
``github:acme/app``                the milestones of a repository
``github:acme``                    of all repositories of an owner, as ``github:acme/*``
``github:acme/app:parents``        a kind of container: a word of the connector's option ``containers``
``github:acme/projects/7``         the iterations of a board, in the repositories that have items on it
``github:acme/projects/7:WORD``    another kind of its containers: ``target-dates``
``gitlab:acme/api:iterations``     of a project or group
``jira:PAY:sprints``               of a project
``jira:*``                         of all projects
=================================  ==================================================================================

The address of a page is a target, too: see `sync.cli.page_address`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

from msgspec import Struct, field

from config.connector_options import options_type

__all__ = ["EXAMPLES", "TargetConnection", "container_words", "other_targets", "parse_targets"]

EXAMPLES = "github:owner/repo, gitlab:group/project or jira:KEY"
"""Targets without a kind of container, for messages."""

_OWNER = re.compile(r"[^/\s:*]+")

_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/")

_BOARD = re.compile(r"(?P<owner>[^/\s:]+)/projects/(?P<number>[1-9][0-9]*)")

_BOARD_KINDS = ("iterations", "target dates")

_WORD = re.compile(r":([a-z-]+)$")


class TargetConnection(Struct, frozen=True):
    """A tracker with the projects to read and the options of its connector."""

    kind: str
    projects: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def parse_targets(targets: Iterable[str], kinds: Sequence[str], errors: list[str]) -> dict[str, TargetConnection]:
    """Return what to read, by type of tracker (``kinds``). Adds a line to ``errors`` for each wrong target."""
    projects: dict[str, dict[str, None]] = {}
    words: dict[str, dict[str, None]] = {}
    boards: dict[str, dict[str, None]] = {}
    for target in targets:
        kind, _, rest = target.partition(":")
        suffix = _WORD.search(rest)
        project, written = (rest[: suffix.start()], suffix[1]) if suffix else (rest, "")
        word = written.replace("-", " ")
        if kind not in kinds or not project:
            hint = f"write https://{target}" if _HOST.match(target) else f"write {EXAMPLES}, or the address of a page"
            errors.append(f"{target}: {hint}")
            continue
        if kind == "github" and _OWNER.fullmatch(project):
            project = f"{project}/*"
        known = container_words(kind)
        board = _BOARD.fullmatch(project) if kind == "github" else None
        if written and word not in known:
            choice = ", ".join(name.replace(" ", "-") for name in known)
            errors.append(f"{target}: {written!r} is no kind of milestone of {kind}; write one of {choice}")
        if kind == "github" and board is None and word in _BOARD_KINDS:
            errors.append(f"{target}: {word} are those of a board; write github:OWNER/projects/NUMBER:{written}")
        if board is not None:
            boards.setdefault(kind, {})[f"{board['owner']}/{board['number']}"] = None
            word = word or "iterations"
        projects.setdefault(kind, {})[project] = None
        words.setdefault(kind, {})[word or known[0]] = None
    return {
        kind: TargetConnection(kind, tuple(names), _options(tuple(words[kind]), tuple(boards.get(kind, ()))))
        for kind, names in projects.items()
    }


def other_targets(targets: Iterable[str]) -> list[str]:
    """Return the targets of other kinds of milestones of the same projects: ``gitlab:acme:iterations``."""
    plain = [target for target in targets if not _WORD.search(target.partition(":")[2]) and "/projects/" not in target]
    return [
        f"{target}:{word.replace(' ', '-')}"
        for target in plain
        for word in container_words(target.partition(":")[0])[1:]
        if not target.startswith("github:") or word == "parents"  # the others need a board
    ]


def container_words(kind: str) -> tuple[str, ...]:
    """The words of the option ``containers`` of a type of connector, the default first."""
    declared = options_type(kind)
    hint = get_type_hints(declared).get("containers") if declared else None
    return tuple(word for part in get_args(hint) for word in get_args(part)) or ("milestones",)


def _options(words: tuple[str, ...], boards: tuple[str, ...]) -> dict[str, Any]:
    homes = {"boards": boards, "board_homes": dict.fromkeys(boards, "*")}  # nothing is written, so any will do
    return {"containers": words} | (homes if boards else {})
