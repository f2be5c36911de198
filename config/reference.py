"""The page of all settings, generated from their definitions so that it can't differ from them.

``python -m config.reference > docs/reference/configuration.md``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from config.connector_options import options_type
from config.settings import schema

__all__ = ["reference"]

_HEAD = """\
# Configuration

<!-- Generated: python -m config.reference > docs/reference/configuration.md -->

One file, `milesync.toml` (another: `--config FILE`). Two things have no default: `instance`, and at least one
connection with `type` and `projects` (for Jira also `url`). A complete example is `config/example.toml`; editors that
know JSON schema check the file against `config/schema.json`. All errors are
reported at once, each with its key.

The file never holds a secret. A key of type *secret* names the place of the secret:
`{ env = "NAME" }` is an environment variable, `{ file = "/path" }` a file that holds nothing else.
Paths are relative to the configuration's folder.

## Environment variables

| variable | meaning |
|---|---|
| `MILESYNC_POLICY` | no policy in the file exceeds it: `plan` stops all writes |
| `MILESYNC_POLICY_<CONNECTION>` | the same for one connection, in capital letters, `-` as `_` |
| `MILESYNC_DATABASE` | replaces `database` |
| `MILESYNC_STATE_KEY` | the key of `db seal` and `db unseal`: 32 bytes in Base64 |

`milesync check` needs no file. It reads `GITHUB_TOKEN` and `GITHUB_API_URL`, `GITLAB_TOKEN` and `GITLAB_URL`,
`JIRA_URL` with `JIRA_TOKEN`, and for Jira Cloud `JIRA_EMAIL`.
"""
_CONNECTORS = {"github": "GitHub", "gitlab": "GitLab", "jira": "Jira"}
_WORDS = {"string": "text", "object": "table", "integer": "whole number", "boolean": "true or false"}
_PLACES = {
    "Settings": ("The whole file", ""),
    "ConnectionSettings": ("Connections", "`[connections.NAME]`"),
    "Filter": ("Selected milestones", "`milestones = { ... }` of a connection or a project"),
    "StatusIssue": ("Status issues", "`status_issue = { ... }` of a connection"),
    "OptionalOutputs": (
        "Optional outputs",
        "`optional_outputs = { ... }` of a connection or a project; see the how-to *more places*",
    ),
    "DoneNames": ("Done", "`[connections.NAME.done]`, or `done = { ... }` of a project; see *what counts*"),
    "RemovedNames": ("Removed from scope", "`[connections.NAME.removed]`, or `removed = { ... }` of a project"),
    "StartedNames": ("In progress", "`[connections.NAME.started]`, or `started = { ... }` of a project"),
    "ProjectRules": (
        "One project of a connection",
        '`[connections.NAME.project."acme/app"]`; the narrower wins',
    ),
    "Milestone": ("Single milestones", "`[[milestone]]`"),
    "Joint": ("Joint milestones", "`[[joint]]`"),
    "Dependency": ("Dependencies", "`[[dependency]]`"),
    "Audience": ("Audiences", "`[audiences.NAME]`; `public` and each project's name are audiences too"),
    "Digest": ("Digest", "`[audiences.NAME.digest]`; channels need the extra `digest`"),
    "DaysOff": ("Days without messages", "`calendar = { ... }` of a digest"),
    "Thresholds": ("From probability to status", "`[rules]`"),
    "CalendarRules": ("Days without work", "`[calendar]`"),
    "ReminderRules": ("Owners and reminders", "`[people]`"),
    "Limits": ("Limits", "`[limits]`"),
    "Retention": ("Retention", "`[retention]`"),
    "Report": ("Report", "`[report]`; needs the extra `site`"),
    "Metrics": ("Metrics", "`[metrics]`; needs the extra `metrics`"),
    "Ping": ("Ping", "`[ping]`"),
    "Traces": ("Traces", "`[traces]`; needs the extra `traces`"),
    "Serve": ("Webhooks", "`[serve]`; for `milesync serve`, which needs the extra `serve`"),
    "Worker": ("Worker", "`[worker]`; for `milesync worker`, which needs PostgreSQL and the extra `worker`"),
}


def reference() -> str:
    """The page, as Markdown."""
    root = json.loads(schema())
    definitions = {"Settings": root, **root["$defs"]}
    sections = [(*_PLACES[name], definitions[name]) for name in _PLACES]
    for kind, title in _CONNECTORS.items():
        declared = options_type(kind)
        assert declared is not None
        place = "`[connections.NAME.options]`; a plugin has options of its own"
        sections.append((f"Options of {title}", place, TypeAdapter(declared).json_schema()))
    return "\n".join([_HEAD, *(line for section in sections for line in _section(*section))])


def _section(title: str, place: str, table: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    if place:
        yield f"{place}\n"
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    needed = table.get("required", [])
    for key, field in table["properties"].items():
        default = "**required**" if key in needed else _value(field.get("default"))
        yield f"| `{key}` | {_kind(field)} | {default} | {field['description']} |"
    yield ""


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return {"Secret": "secret", "Policy": "plan, update or create", "Counting": "text, see there"}.get(
            name, "table"
        )
    if 0 < len(field.get("enum", ())) < 5:  # a longer list does not fit into the cell
        return " or ".join(field["enum"])
    for word in ("anyOf", "oneOf"):
        if word in field:
            return " or ".join(dict.fromkeys(_kind(choice) for choice in field[word] if choice.get("type") != "null"))
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("format") in ("date", "time"):
        return str(field["format"])
    kind = str(field.get("type", ""))
    return _WORDS.get(kind, kind)


def _value(value: Any) -> str:
    if value is None or value in ("", [], {}) or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
