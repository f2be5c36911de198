"""What the commands print: one JSON document, or tables and words for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AssessedJointMilestone
from sync.cli.options import failure_rows
from sync.engine.result import AppliedAction, Result
from sync.forecast.track_record import StreamScore, sentence
from sync.model.health import Health, Status, UnknownWhy
from sync.plan.desired import CommandCounts, Plan
from sync.report import phrases as sentences
from sync.report.phrases import finding_sentence
from sync.report.reasons import reason_sentence
from sync.tracker.actions import (
    Action,
    Attach,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    LabelItem,
    MoveLabel,
    PostBoardUpdate,
    RemoveLabel,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.marker import Marker

__all__ = ["because", "milestones", "plan_lines", "plan_rows", "rows", "run_document", "summary_line", "written_rows"]

_STYLE = {
    Status.ON_TRACK: ("●", "green"),
    Status.AT_RISK: ("▲", "yellow"),
    Status.OFF_TRACK: ("■", "red"),
    Status.OVERDUE: ("◆", "red"),
    Status.DONE: ("✔", "green"),
    Status.NO_DUE_DATE: ("○", "cyan"),
    Status.UNKNOWN: ("?", "bright_black"),
}


def because(milestone: AssessedMilestone) -> list[str]:
    """The reasons in words, the weightiest first; for an unknown status, why."""
    health = milestone.health
    if health.unknown is not None and health.unknown is not UnknownWhy.NO_DUE_DATE:
        return [sentences.UNKNOWN[health.unknown]]
    return [reason_sentence(reason) for reason in health.reasons]


def rows(assessed: Iterable[AssessedMilestone], joints: Iterable[AssessedJointMilestone] = ()) -> list[dict[str, Any]]:
    """The milestones as other programs read them, then the joint ones."""
    plain = [
        {
            **_row(milestone.written, milestone.milestone.title, milestone.health),
            "reasons": because(milestone),
            "findings": [
                {"kind": found.kind, **found.values, "words": finding_sentence(found)} for found in milestone.findings
            ],
            "exit_criteria": milestone.criteria,
        }
        for milestone in assessed
    ]
    return plain + [
        {
            **_row(joint.written, joint.joint.name, joint.health),
            "reasons": _blind(joint),
            "findings": [],
            "members": [member.written for member in joint.members],
            "missing": joint.missing,
        }
        for joint in joints
    ]


def _row(written: str, title: str, health: Health) -> dict[str, Any]:
    return {
        "id": written,
        "title": title,
        "due": health.due,
        "status": health.status,
        "probability": health.probability,
        "p50": health.dates.p50,
        "p85": health.dates.p85,
        "p95": health.dates.p95,
        "open": health.counts.open,
        "closed": health.counts.closed,
        "added": health.counts.added,
    }


def _blind(joint: AssessedJointMilestone) -> list[str]:
    """Why a joint milestone cannot be forecast."""
    if joint.health.status is not Status.UNKNOWN:
        return []
    gone = [f"{written} is not known here." for written in joint.missing]
    return gone + [
        f"{member.written} cannot be forecast: {sentences.UNKNOWN[member.health.unknown]}"
        if member.health.unknown
        else f"{member.written} cannot be forecast."
        for member in joint.blind
    ]


def milestones(
    assessed: Sequence[AssessedMilestone],
    joints: Sequence[AssessedJointMilestone] = (),
    *,
    every: bool = False,
    lint: bool = False,
) -> RenderableType:
    """A table of the milestones that run, or of every one, with the joint ones last; ``lint`` tells the findings."""
    shown: list[AssessedMilestone | AssessedJointMilestone] = [
        milestone for milestone in assessed if every or milestone.current
    ]
    shown = sorted(shown, key=lambda milestone: (_ORDER.index(milestone.health.status), milestone.written)) + list(
        joints
    )
    cells = [_HEADINGS, *(_cells(milestone) for milestone in shown)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_HEADINGS))]
    lines = [Text("  ".join(map(str.ljust, _HEADINGS, widths)).rstrip(), style="bold")]
    for milestone, row in zip(shown, cells[1:], strict=True):
        status, *rest = (_aligned(cell, n, width) for n, (cell, width) in enumerate(zip(row, widths, strict=True)))
        lines.append(Text.assemble((status, _STYLE[milestone.health.status][1]), "  ", "  ".join(rest).rstrip()))
        lines += [Text(f"    {words}", style="dim") for words in _notes(milestone, lint=lint)]
    hidden = len(assessed) + len(joints) - len(shown)
    note = Text(f"{sentences.plural(hidden, 'finished milestone')} not shown", style="bright_black") if hidden else ""
    return Group(*lines, note) if shown else Group("No milestone runs here.", note)


def _notes(milestone: AssessedMilestone | AssessedJointMilestone, *, lint: bool) -> list[str]:
    if isinstance(milestone, AssessedJointMilestone):
        return _blind(milestone) or [f"joint milestone of {sentences.plural(len(milestone.members), 'member')}"]
    return because(milestone)[:1] + ([finding_sentence(found) for found in milestone.findings] if lint else [])


_HEADINGS = ("status", "P", "due", "85 %", "done", "milestone")


def _cells(milestone: AssessedMilestone | AssessedJointMilestone) -> tuple[str, ...]:
    health = milestone.health
    title = milestone.written if isinstance(milestone, AssessedJointMilestone) else milestone.milestone.title
    title = "" if title in milestone.written else f" ({title})"
    return (
        f"{_STYLE[health.status][0]} {sentences.STATUS[health.status]}",
        "" if health.probability is None else sentences.percent(health.probability),
        "" if health.due is None else sentences.day(health.due),
        "" if health.dates.p85 is None else sentences.day(health.dates.p85),
        f"{health.counts.done}/{health.counts.total}",
        f"{milestone.written}{title}",
    )


def _aligned(cell: str, column: int, width: int) -> str:
    return cell.rjust(width) if _HEADINGS[column] in ("P", "done") else cell.ljust(width)


_ORDER = (
    Status.OVERDUE,
    Status.OFF_TRACK,
    Status.AT_RISK,
    Status.UNKNOWN,
    Status.ON_TRACK,
    Status.NO_DUE_DATE,
    Status.DONE,
)


def plan_lines(plan: Plan, assessed: Sequence[AssessedMilestone]) -> Group:
    """The plan as a readable diff: what is added (+), changed (~) and taken away (-), milestone by milestone."""
    names = {milestone.uid: milestone.written for milestone in assessed}
    lines: list[Text] = []
    last = ""
    for action in plan.actions:
        if action.milestone != last:
            last = action.milestone
            lines.append(Text(names.get(last, last), style="bold"))
        sign, words = _told(action)
        lines.append(Text(f"  {sign} {words}", style={"+": "green", "~": "yellow", "-": "red"}[sign]))
    lines += [Text(f"{names.get(s.milestone, s.milestone)}: skipped, {s.why}", style="dim") for s in plan.skipped]
    if not plan.actions:
        lines.append(Text("Nothing to write."))
    return Group(*lines)


def _told(action: Action) -> tuple[str, str]:
    where = getattr(action, "issue", "") or "the new issue"
    match action:
        case CreateStatusIssue():
            return "+", f"status issue “{action.title}”"
        case CreateLabel():
            return "+", f"label {action.label}"
        case MoveLabel():
            took = f", remove {', '.join(action.remove)}" if action.remove else ""
            return "~", f"label {action.add} on {where}{took}"
        case CreateComment():
            return "+", f"{_kind(action)} comment on {where}"
        case RemoveLabel():
            return "-", f"label {', '.join(action.labels)} from {where}"
        case DeleteComment():
            return "-", f"{'the former account’s' if action.claimed else 'our'} comment on {where}"
        case CloseIssue():
            return "-", f"status issue {where}, closed"
        case UpdateComment():
            return "~", f"{_kind(action)} comment on {where}"
        case _:
            return _told_beside(action, where)


def _told_beside(action: Action, where: str) -> tuple[str, str]:
    """What is written beside label and comment."""
    match action:
        case LabelItem(add=add, remove=remove):
            parts = [f"label {', '.join(add)}"] if add else []
            parts += [f"remove {', '.join(remove)}"] if remove else []
            return "~", f"{', '.join(parts)} on {where}"
        case UpdateDescription(lines=lines, was=was):
            return ("~" if lines and was else "+" if lines else "-"), "our lines in the milestone's description"
        case SetNativeHealth(value=value):
            return "~", f"health status {value.replace('_', ' ') or 'none'} on {where}"
        case PostBoardUpdate(board=board, update=update, body=body):
            return ("-" if not body else "~" if update else "+"), f"our status update on the board {board}"
        case Attach(again=again):
            return ("~" if again else "+"), f"our picture of the burn-up on {where}"
        case Detach(superseded=superseded):
            return "-", f"our {'former ' if superseded else ''}picture of the burn-up on {where}"
        case _:
            raise TypeError(f"no words for {type(action).__name__}")


def _kind(action: Action) -> str:
    """Summary, transition, closing or reminder."""
    marker = Marker.decode(getattr(action, "marker", ""))
    return marker.kind.value if marker else "summary"


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """The actions as other programs read them."""
    return [msgspec.to_builtins(action) for action in plan.actions]


def written_rows(written: Iterable[AppliedAction], assessed: Sequence[AssessedMilestone]) -> list[dict[str, str]]:
    """What was written where."""
    names = {milestone.uid: milestone.written for milestone in assessed}
    return [
        {
            "milestone": names.get(w.action.milestone, w.action.milestone),
            "what": type(w.action).__name__,
            "issue": w.receipt.issue or getattr(w.action, "issue", ""),
        }
        for w in written
    ]


def error_rows(result: Result) -> list[dict[str, str]]:
    """What went wrong or was refused."""
    return [*failure_rows(result.failures), *({"error": f"refused: {why}"} for why in result.refused)]


def score_rows(scores: Mapping[str, StreamScore]) -> list[dict[str, Any]]:
    """How each stream's forecasts have fared, as other programs read it, with the sentence for people."""
    return [{**msgspec.to_builtins(score), "words": sentence(score)} for score in scores.values()]


def scores(found: Mapping[str, StreamScore]) -> RenderableType:
    """How each stream's forecasts have fared, in words."""
    if not found:
        return "No forecast has been published yet, so there is nothing to score."
    lines = []
    for name, score in found.items():
        rest = f"; {score.forecasts} forecasts resolved" if score.forecasts else ""
        skill = "" if score.skill is None else f", skill against the team's own hit rate {score.skill:+.2f}"
        lines.append(Text.assemble((f"{name}: ", "bold"), f"{sentence(score)}{rest}{skill}"))
    return Group(*lines)


def explained(milestone: str, found: Mapping[str, Any]) -> RenderableType:
    """The numbers behind a milestone's health as a tree."""
    tree = Tree(Text(milestone, style="bold"))
    _grow(tree, found)
    return tree


def _grow(tree: Tree, value: Any) -> None:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, inner in pairs:
        if isinstance(inner, Mapping) or (isinstance(inner, list | tuple) and inner and not _plain(inner)):
            _grow(tree.add(Text(str(name), style="bold")), inner)
        else:
            shown = ", ".join(map(_figure, inner)) if isinstance(inner, list | tuple) else _figure(inner)
            tree.add(Text.assemble((f"{name}: ", "bold"), shown))


def _figure(value: Any) -> str:
    """One value for a reader; `--json` has every digit."""
    if value is None or value == "":
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(values: Sequence[Any]) -> bool:
    return all(not isinstance(value, Mapping | list | tuple) for value in values)


def run_document(result: Result, requests: dict[str, int]) -> dict[str, Any]:
    """What ``run --json`` prints."""
    current = [milestone for milestone in result.assessed if milestone.current]
    counted = Counter(milestone.health.status for milestone in current)
    return {
        "milestones": len(current),
        "status": {status.value: counted.get(status, 0) for status in Status},
        "writes": {
            "planned": len(result.plan.actions),
            "applied": len(result.written),
            "skipped": len(result.plan.actions) - len(result.written) + len(result.plan.skipped),
        },
        "notifications": result.notifications,
        "people": msgspec.to_builtins(result.plan.people),
        "requests": requests,
        "errors": error_rows(result),
        "written": written_rows(result.written, result.assessed),
    }


def summary_line(result: Result) -> Text:
    """The run in one line."""
    current = [milestone for milestone in result.assessed if milestone.current]
    counted = Counter(milestone.health.status for milestone in current)
    parts = [f"{counted[status]} {sentences.STATUS[status]}" for status in _ORDER if counted[status]]
    wrote = sentences.plural(len(result.written), "write") if result.written else "nothing written"
    if result.written:
        wrote += f", {sentences.plural(result.notifications, 'notification')}"
    left = len(result.plan.actions) - len(result.written)
    held = f", {left} held back by the policy or a failure" if left else ""
    heard = people(result.plan.people)
    line = f"{sentences.plural(len(current), 'milestone')}: {', '.join(parts) or 'none'}; {wrote}{held}."
    return Text(f"{line} {heard}" if heard else line)


def people(said: CommandCounts) -> str:
    """What people have said, as far as they have: a sentence or an empty text."""
    told = (
        (said.understood, "{} of people heard".format, "command"),
        (said.ignored, "{} ignored".format, "command"),
        (said.muted, "{} muted".format, "milestone"),
        (said.edited, "{} edited by hand left alone".format, "summary"),
        (said.waiting, "{} to be told on a working day".format, "new status"),
    )
    parts = [words(_counted(count, noun)) for count, words, noun in told if count]
    return f"{sentences.capital(', '.join(parts))}." if parts else ""


def _counted(count: int, noun: str) -> str:
    irregular = {"summary": "summaries", "new status": "new statuses"}
    return f"{count} {irregular[noun]}" if noun in irregular and count != 1 else sentences.plural(count, noun)
