"""Template of a commented configuration, filled with the answers of `milesync init`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answers", "TrackerAnswers", "render_config"]


@dataclass
class TrackerAnswers:
    """The answers about one tracker. ``variable`` is the environment variable with the token.

    ``options`` are those of the connector: what is a milestone.
    """

    name: str
    kind: str
    url: str
    variable: str = ""
    email: str = ""
    projects: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Answers:
    """All answers."""

    instance: str
    policy: str = "plan"
    trackers: list[TrackerAnswers] = field(default_factory=list)


_HEAD = """\
# Every key: docs/reference/configuration.md. What would fail: milesync doctor

instance = {instance}   # part of every comment's hidden marker; never change it
policy   = {policy}   # what `run` may do: plan (nothing) | update (status issues that exist) | create (new ones too)
database = "sqlite:///milesync.db"   # next to this file; or {{ env = "DATABASE_URL" }} with postgresql://...
"""
_TRACKER = """
[connections.{name}]
type       = "{kind}"
url        = {url}
token      = {{ env = {variable} }}   # or {{ file = "/run/secrets/{name}" }}; never the token itself
{email}projects   = {projects}
{options}# milestones = {{ exclude = ["Backlog"] }}   # milestones to leave out, by title
# timezone   = "Europe/Berlin"             # time zone in which a due date ends
"""
_TAIL = """
# One project may have a policy of its own:
# [connections.{name}.project.{project}]
# policy = "create"

# [calendar]
# country = "DE"   # public holidays; or a part of it: DE-BY
"""


def render_config(answers: Answers) -> str:
    """Render the text of the file."""
    parts = [_HEAD.format(instance=_quoted(answers.instance), policy=_quoted(answers.policy))]
    for answer in answers.trackers:
        email = f"email      = {_quoted(answer.email)}\n" if answer.email else ""
        projects = f"[{', '.join(map(_quoted, answer.projects))}]"
        parts.append(
            _TRACKER.format(
                name=answer.name,
                kind=answer.kind,
                url=_quoted(answer.url),
                variable=_quoted(answer.variable),
                email=email,
                projects=projects,
                options=_options(answer.options),
            )
        )
    first = answers.trackers[0]
    parts.append(_TAIL.format(name=first.name, project=_quoted(first.projects[0])))
    return "".join(parts)


def _options(options: Mapping[str, Any]) -> str:
    """Return the line of the connector's options; empty without any. Values are texts, and lists and tables of them."""
    if not options:
        return ""
    return f"options    = {_toml(options)}   # what is a milestone\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_quoted_key(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, str):
        return _quoted(value)
    return f"[{', '.join(map(_toml, value))}]"


def _quoted_key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else _quoted(key)


def _quoted(text: str) -> str:
    """A TOML string. TOML has all escapes of JSON, and needs one for DEL too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
