"""Rows and texts in the answers of `milesync mcp`: few of each kind, and text of other people is marked.

Our own words and figures are as in the JSON documents of the commands. Text of other people is only under
``tracker_text``, and in ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone
from sync.cli.digests import digest_rows
from sync.cli.output import milestone_rows, score_rows
from sync.digest.send import SendOutcome
from sync.forecast.track_record import StreamScore
from sync.markup.document import Document, Foreign, Inline, Item, Mention, clean, clean_id
from sync.markup.message import message_parts, part_text
from sync.model.health import Lever
from sync.model.tracker_data import Issue
from sync.report.attention import attention_line
from sync.report.counting import counted_in
from sync.report.facts import Facts
from sync.report.levers import lever_texts
from sync.report.track_record import record_clauses, track_record_sentence
from sync.report.verdict import verdict
from sync.report.verdict_facts import facts_of
from sync.report.why import joint_why, why_sentence

__all__ = [
    "FEW",
    "FOREIGN_KEYS",
    "MOST_ROWS",
    "digest_row",
    "finding_row",
    "full_row",
    "history_row",
    "issue_row",
    "lever_row",
    "safe_text",
    "score_row",
    "short_row",
    "text_parts",
    "why_words",
    "without",
]

MOST_ROWS = 50
"""Maximum number of rows of an answer."""

FEW = 5
"""Maximum number of details of each kind in an answer: findings, levers, issues, earlier milestones."""

_LONGEST = 200
"""Maximum length of a foreign text in characters."""

_KEYS = (
    "id", "status", "probability", "due", "p50", "p85", "p95", "horizon", "open", "closed", "carried",
    "under_calibration", "as_of", "stale_since",
)  # fmt: skip
"""Keys of a milestone in a list, as in `milesync status --json`."""

FOREIGN_KEYS = ("title", "owners", "decisions", "risks")
"""Keys of a milestone with text of other people."""


def full_row(milestone: AnyMilestone) -> dict[str, Any]:
    """Return the row of the JSON documents, with ids that are safe to show, and not too many of them."""
    if not isinstance(milestone, AssessedJointMilestone):
        (row,) = milestone_rows([milestone])
        return {**row, "id": clean_id(row["id"]), "findings": [_few_items(finding) for finding in row["findings"]]}
    (row,) = milestone_rows([], [milestone])
    members = {name: [clean_id(own) for own in row[name][:MOST_ROWS]] for name in ("members", "missing")}
    return {**row, "id": clean_id(row["id"]), **members}


def short_row(milestone: AnyMilestone) -> dict[str, Any]:
    """Return the row of a milestone in a list, with its verdict and the main reason."""
    row = full_row(milestone)
    return {
        **{key: row[key] for key in _KEYS},
        "verdict": verdict(facts_of(milestone)),
        "why": why_words(milestone),
        "tracker_text": safe_text({"title": row["title"], "owners": row["owners"]}),
    }


def why_words(milestone: AnyMilestone) -> str:
    """Return the sentence with the main reason of a milestone's health."""
    return joint_why(milestone) if isinstance(milestone, AssessedJointMilestone) else why_sentence(facts_of(milestone))


def finding_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a finding about the portfolio, with the first ids."""
    ids = [clean_id(own) for own in row["ids"]]
    shown = {"ids": ids[:FEW], "more_ids": max(0, len(ids) - FEW)}
    return {**without(row, "title"), **shown, "tracker_text": safe_text({"title": row["title"]})}


def _few_items(finding: Mapping[str, Any]) -> dict[str, Any]:
    items = finding.get("items", [])
    return {**finding, "items": items[:FEW], "more_items": len(items) - FEW} if len(items) > FEW else dict(finding)


def lever_row(milestone: AnyMilestone, lever: Lever) -> dict[str, Any]:
    """Return the row of a lever: what to do, its effect, and the first of its issues."""
    act, effect = lever_texts(lever, milestone.health.due, counted_in(milestone.health))
    issues = {} if isinstance(milestone, AssessedJointMilestone) else milestone.issues
    keys = [issues[uid].key for uid in lever.items if uid in issues]
    return {
        "kind": lever.kind,
        "act": act,
        "effect": effect,
        "probability": lever.probability,
        "issues": keys[:FEW],
        "more_issues": max(0, len(keys) - FEW),
    }


def issue_row(facts: Facts, issue: Issue, flags: tuple[str, ...]) -> dict[str, Any]:
    """Return the row of an issue that needs someone. ``flags`` are the causes."""
    _, _, *words = attention_line(facts, issue, flags)  # without the issue and the colon
    return {
        "key": issue.key,
        "flags": flags,
        "words": text_parts(tuple(words)),
        "tracker_text": safe_text({"title": issue.title, "url": issue.url}),
    }


def history_row(history: Mapping[str, Any]) -> dict[str, Any]:
    """Return the earlier milestones that a forecast was made from: the weightiest ones, and the number of all."""
    rows = sorted(history["milestones"], key=lambda row: -row["weight"])
    keys = ("name", "due_day", "weight", "open_then", "joined_later", "gone_by_due", "left_at_due", "done_by_due")
    few = [{key: clean(row[key]) if key == "name" else row[key] for key in keys} for row in rows[:FEW]]
    return {**without(history, "milestones"), "milestones": few, "more_milestones": max(0, len(rows) - FEW)}


def score_row(score: StreamScore) -> dict[str, Any]:
    """Return a row of `milesync status --calibration --json` without the figures by horizon."""
    (row,) = score_rows({score.stream: score})
    levels = {"p50": row["p50"], "p85": row["p85"]}
    return {
        **without(row, "stream"),
        **{name: without(level, "horizons") for name, level in levels.items()},
        "promises": [without(level, "horizons") for level in row["promises"]],
        "record": record_clauses(score) or track_record_sentence(score),
        "tracker_text": safe_text({"stream": score.stream}),
    }


def digest_row(outcome: SendOutcome, limit: int) -> dict[str, Any]:
    """Return the row of a message, with at most ``limit`` entries in each section."""
    (row,) = digest_rows([outcome])
    document, omitted = _shortened(outcome.message.document if outcome.message else Document(()), limit)
    return {
        **without(row, "text", "error"),
        "text": text_parts(message_parts(document)),
        "omitted_entries": omitted,
    }


def _shortened(document: Document, limit: int) -> tuple[Document, int]:
    """Return the document with the first entries of each section, and the number of entries that are left out."""
    size = max(1, min(limit, MOST_ROWS))
    sections = tuple(replace(section, blocks=section.blocks[:size]) for section in document.sections)
    return Document(sections), sum(max(0, len(section.blocks) - size) for section in document.sections)


def text_parts(line: Iterable[Inline]) -> list[str | dict[str, str]]:
    """Return a text in parts: our own words as they are, each foreign part as ``tracker_text``."""
    parts: list[str | dict[str, str]] = []
    for part in line:
        if isinstance(part, Foreign | Item | Mention):
            parts.append({"tracker_text": part_text(part)})
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part_text(part)
        elif words := part_text(part):
            parts.append(words)
    return parts


def safe_text(value: Any) -> Any:
    """Return data with each text as one safe line: no controls, no signs without width, not too long."""
    value = msgspec.to_builtins(value)
    if isinstance(value, str):
        return clean(value, _LONGEST) if value else ""
    if isinstance(value, Mapping):
        return {key: safe_text(inner) for key, inner in value.items()}
    return [safe_text(inner) for inner in value] if isinstance(value, list) else value


def without(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a row without some of its keys; empty for no row."""
    return {key: value for key, value in (row or {}).items() if key not in keys}
