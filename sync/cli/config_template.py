"""A commented configuration from what a newcomer answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

__all__ = ["Answers", "TrackerAnswers", "render_config"]


@dataclass
class TrackerAnswers:
    """One tracker, as it was answered."""

    name: str
    kind: str
    url: str
    variable: str = ""
    email: str = ""
    projects: tuple[str, ...] = ()


@dataclass
class Answers:
    """Everything that was answered."""

    instance: str
    policy: str = "plan"
    trackers: list[TrackerAnswers] = field(default_factory=list)


_HEAD = """\
# Every key: docs/reference/configuration.md. What would fail: milesync doctor

instance = {instance}   # part of every comment's hidden marker; never change it
policy   = {policy}   # what `run` may do: plan (nothing) | update (status issues that exist) | create (make them too)
database = "sqlite:///milesync.db"   # beside this file; or {{ env = "DATABASE_URL" }} with postgresql://...
"""
_TRACKER = """
[connections.{name}]
type       = "{kind}"
url        = {url}
token      = {{ env = {variable} }}   # or {{ file = "/run/secrets/{name}" }}; never the token itself
{email}projects   = {projects}
# milestones = {{ exclude = ["Backlog"] }}   # which milestones, by title
# timezone   = "Europe/Berlin"             # where a due date ends its day
"""
_TAIL = """
# One project may do more, or less, than the others:
# [connections.{name}.project.{project}]
# policy = "create"

# [calendar]
# country = "DE"   # public holidays; or a part of it: DE-BY
"""


def render_config(answers: Answers) -> str:
    """The text of the file."""
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
            )
        )
    first = answers.trackers[0]
    parts.append(_TAIL.format(name=first.name, project=_quoted(first.projects[0])))
    return "".join(parts)


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are among TOML's, save that of DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
