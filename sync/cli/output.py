"""Output of the commands: a JSON document for programs, or tables and sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone
from sync.assess.visibility import unshared_connections
from sync.cli.indented import Indented
from sync.cli.lines import line_text
from sync.cli.options import failure_rows, print_json
from sync.cli.plan_lines import plan_lines
from sync.cli.table import FittedTable, TableColumn, TableRow
from sync.cli.terminal import Terminal
from sync.engine.metrics import ReadState
from sync.engine.result import AppliedAction, Result
from sync.forecast.track_record import StreamScore, has_track_record
from sync.markup.document import clean, clean_id
from sync.model.counting import counting_of
from sync.model.definition import Finding
from sync.model.health import WORST_FIRST, Status, UnknownCause
from sync.model.keys import short_key
from sync.model.membership import Counts
from sync.model.policy import Policy
from sync.plan.desired import CommandCounts, Plan
from sync.plan.fingerprint import fingerprint
from sync.report import phrases
from sync.report.counting import counted_in, counting_sentences
from sync.report.leftover import outlook_sentences
from sync.report.phrases import finding_sentence, unlisted_words, unshared_words
from sync.report.reasons import reason_sentence
from sync.report.team_words import due_decision_lines, risk_line
from sync.report.track_record import NO_TRACK_RECORD, dates_clause, record_clauses
from sync.report.verdict import data_sentence
from sync.report.verdict_facts import SHAPES, VerdictFacts, facts_of, joint_verdict_facts, verdict_facts
from sync.report.why import joint_causes, joint_why, no_verdict_sentence, why_sentence

if TYPE_CHECKING:
    from sync.engine.engine import Engine

__all__ = [
    "NO_MILESTONE",
    "STATUS_COLUMNS",
    "STATUS_STYLE",
    "STATUS_VERSION",
    "error_rows",
    "held_back_lines",
    "held_back_rows",
    "hidden_words",
    "history_sentence",
    "last_read_lines",
    "milestone_rows",
    "milestone_table",
    "obstacle_lines",
    "obstacle_rows",
    "people_sentence",
    "plan_rows",
    "print_assessment",
    "print_result",
    "print_summary",
    "reason_sentences",
    "run_document",
    "score_lines",
    "score_rows",
    "status_cell",
    "status_cells",
    "status_document",
    "summary_line",
    "visible_milestones",
    "written_rows",
]

MAX_KEYS = 5
"""Maximum number of items that a finding names."""

STATUS_STYLE = {
    Status.ON_TRACK: "green",
    Status.AT_RISK: "yellow",
    Status.OFF_TRACK: "red",
    Status.OVERDUE: "red",
    Status.DONE: "green",
    Status.ENDED: "bright_black",
    Status.NO_DUE_DATE: "cyan",
    Status.UNKNOWN: "bright_black",
}
"""The colour of each status; its shape is in `sync.report.verdict_facts`."""


def status_cell(status: Status) -> str:
    """Return the status with its shape: "▲ at risk"."""
    return f"{SHAPES[status]} {phrases.STATUS[status]}"


def reason_sentences(milestone: AssessedMilestone) -> list[str]:
    """The reasons for a status as sentences, the most important first. For an unknown status, its cause."""
    health = milestone.health
    if health.unknown is UnknownCause.STALE:
        return [phrases.UNKNOWN[health.unknown]]
    facts = verdict_facts(milestone)
    if fact := phrases.fact_sentence(health, facts.milestone.kind):
        return [fact]
    if health.unknown is not None and health.unknown is not UnknownCause.NO_DUE_DATE:
        return [no_verdict_sentence(facts)]
    return [reason_sentence(reason, counted_in(health)) for reason in health.reasons]


STATUS_VERSION = 1
"""Version of the format of `status_document`; its schema is ``docs/reference/status.schema.json``."""


def status_document(
    assessed: Iterable[AssessedMilestone], joints: Iterable[AssessedJointMilestone] = ()
) -> dict[str, Any]:
    """The version of the format, and the milestones: the document ``status.json`` of a report."""
    return {"version": STATUS_VERSION, "milestones": milestone_rows(assessed, joints)}


def milestone_rows(
    assessed: Iterable[AssessedMilestone], joints: Iterable[AssessedJointMilestone] = ()
) -> list[dict[str, Any]]:
    """The milestones, then the joint milestones, as rows of the JSON document."""
    plain = [
        {
            **_row(verdict_facts(milestone)),
            "reasons": reason_sentences(milestone),
            "findings": [
                {
                    "kind": finding.kind,
                    **finding.values,
                    **_item_keys(milestone, finding),
                    "words": finding_sentence(finding),
                }
                for finding in milestone.findings
            ],
            "exit_criteria": milestone.criteria,
            **_said(verdict_facts(milestone)),
            "history": milestone.history,
        }
        for milestone in assessed
    ]
    return plain + [
        {
            **_row(joint_verdict_facts(joint)),
            "reasons": joint_causes(joint),
            "findings": [],
            **_said(joint_verdict_facts(joint)),
            "members": [member.written for member in joint.members],
            "missing": joint.missing,
        }
        for joint in joints
    ]


def _row(facts: VerdictFacts) -> dict[str, Any]:
    health = facts.health
    return {
        "id": facts.written,
        "title": facts.milestone.title,
        "due": health.due,
        "status": health.status,
        "probability": health.probability,
        "p50": health.dates.p50,
        "p85": health.dates.p85,
        "p95": health.dates.p95,
        "horizon": health.dates.horizon,
        "promise": health.promise,
        "leftover": health.leftover,
        "usual": health.usual,
        **_numbers(health.counts.on_page),
        "items": {**_numbers(health.counts), "count": counting_of(health.method)},
        "pull_requests": {"open": health.counts.pull_requests, "closed": health.counts.closed_pull_requests},
        "under_calibration": health.basis.calibrating,
        "as_of": facts.as_of,
        "stale_since": health.stale_since,
    }


def _said(facts: VerdictFacts) -> dict[str, Any]:
    """Return the team's words about a milestone: its owners with their origin, decisions, risks and tolerance."""
    return {
        "owners": facts.owners,
        "owner_origin": facts.owner_origin,
        "decisions": [
            {
                "text": decision.text,
                "by": decision.by,
                "from": decision.owner,
                "is_overdue": decision in facts.overdue_decisions,
            }
            for decision in facts.words.decisions
        ],
        "risks": facts.words.risks,
        "described_start": facts.words.start,
        "described_tolerance": facts.words.tolerance,
    }


def _numbers(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("open", "closed", "removed", "carried", "added")}


def milestone_table(
    assessed: Sequence[AssessedMilestone],
    joints: Sequence[AssessedJointMilestone] = (),
    *,
    every: bool = False,
    lint: bool = False,
) -> RenderableType:
    """Table of the running milestones, or of all with ``every``, the worst first. ``lint`` adds findings."""
    visible = visible_milestones(assessed, joints, every=every)
    rows = [_table_row(milestone, lint=lint) for milestone in visible]
    hidden = len(assessed) + len(joints) - len(visible)
    note = [Text(hidden_words(hidden), style="bright_black")] if hidden else []
    return Group(FittedTable(STATUS_COLUMNS, "milestone", rows) if rows else NO_MILESTONE, *note)


def visible_milestones(
    assessed: Sequence[AssessedMilestone], joints: Sequence[AssessedJointMilestone], *, every: bool
) -> list[AnyMilestone]:
    """Return the running milestones, or all with ``every``, joint ones among them, the worst first."""
    visible: list[AnyMilestone] = [milestone for milestone in assessed if every or milestone.is_current]
    return sorted([*visible, *joints], key=lambda milestone: facts_of(milestone).severity)


def hidden_words(count: int) -> str:
    """Return the words for the finished milestones that a table leaves out."""
    return f"{phrases.plural(count, 'finished milestone')} not shown"


NO_MILESTONE = "No milestone runs here."

STATUS_COLUMNS = (
    TableColumn("status"),
    TableColumn("in time", is_figure=True),
    TableColumn("due"),
    TableColumn("85% sure", precedes="no date"),
    TableColumn("done", is_figure=True),
)


def _table_row(milestone: AnyMilestone, *, lint: bool) -> TableRow:
    written = clean_id(milestone.written)
    title = "" if isinstance(milestone, AssessedJointMilestone) else clean(milestone.milestone.title)
    style = STATUS_STYLE[milestone.health.status]
    notes = _notes(milestone, lint=lint)
    return TableRow(status_cells(milestone), written, "" if title in written else title, style, notes)


def status_cells(milestone: AnyMilestone) -> tuple[str, ...]:
    """Return the figures of a milestone under `STATUS_COLUMNS`, in our own words."""
    health = milestone.health
    return (
        status_cell(health.status),
        "" if health.probability is None else phrases.percent(health.probability),
        "" if health.due is None else phrases.day(health.due),
        phrases.sure_date(health.dates.p85, health.dates.horizon),
        f"{health.counts.on_page.done}/{health.counts.on_page.total}",
    )


def _notes(milestone: AnyMilestone, *, lint: bool) -> list[str]:
    """Sentences below a milestone: decisions, the age of its verdict, what changed its status, the outlook.

    ``lint`` adds its risks and the gaps of its definition.
    """
    if isinstance(milestone, AssessedJointMilestone):
        facts = joint_verdict_facts(milestone)
        return [words for words in (data_sentence(facts) if facts.is_kept else "", joint_why(milestone)) if words]
    findings = [_finding_words(milestone, finding) for finding in milestone.findings] if lint else []
    outlook = [*(phrases.promise_sentences(milestone.health) or ()), *outlook_sentences(milestone.health)]
    facts = verdict_facts(milestone)
    kept = [data_sentence(facts)] if facts.is_kept else []
    differences = [] if facts.health.status.is_over else counting_sentences(facts.health.counts)
    decisions = [str(line_text(line, has_hyperlinks=True)) for line in due_decision_lines(facts)]
    risks = [str(line_text(risk_line(facts.words.risks), has_hyperlinks=True))] if lint and facts.words.risks else []
    paragraphs = (
        *([words] for words in decisions),
        kept,
        _cause(facts),
        outlook,
        differences,
        risks,
        findings,
    )
    return [words for sentences in paragraphs if (words := " ".join(filter(None, sentences)))]


def _item_keys(milestone: AssessedMilestone, finding: Finding) -> dict[str, list[str]]:
    """The keys of the items that a finding is about, for those that name any."""
    items = (milestone.issues[item] for item in finding.items if item in milestone.issues)
    keys = [short_key(issue.key, milestone.project.key) for issue in items]
    return {"items": keys} if keys else {}


def _finding_words(milestone: AssessedMilestone, finding: Finding) -> str:
    """The finding as a sentence, with the first items that it is about."""
    keys = _item_keys(milestone, finding).get("items", [])
    more = f" and {len(keys) - MAX_KEYS} more" if len(keys) > MAX_KEYS else ""
    named = f" ({', '.join(keys[:MAX_KEYS])}{more})" if keys else ""
    return f"{finding_sentence(finding).removesuffix('.')}{named}."


def _cause(facts: VerdictFacts) -> list[str]:
    """The status before, with its last day, and why the milestone has the present one."""
    health = facts.health
    if health.previous_status in (None, health.status):
        return [why_sentence(facts)]
    until = phrases.day(facts.day_of(health.since))
    return [f"Was {phrases.STATUS[health.previous_status]} until {until}.", why_sentence(facts)]


def print_assessment(
    assessed: Sequence[AssessedMilestone], engine: Engine, plan: Plan | None, *, as_json: bool, every: bool = False
) -> None:
    """Print the milestones, the history that their forecasts learn from, and the plan if there is one.

    ``every``: the table has finished milestones too.
    """
    finished = engine.portfolio.finished if engine.portfolio else {}
    if as_json:
        document: dict[str, Any] = {
            "milestones": milestone_rows(assessed, engine.joints),
            "history": {"projects": finished},
        }
        if plan is not None:
            document["actions"] = plan_rows(plan)
            document["fingerprint"] = fingerprint(plan.actions)
        document["errors"] = failure_rows(engine.failures)
        print_json(document)
        return
    console = Terminal()
    knows_milestones = _knows_milestones(assessed, engine)
    if knows_milestones:
        console.print(milestone_table(assessed, engine.joints, every=every))
    if assessed:
        console.print(Text(history_sentence(finished, is_check=plan is None), style="dim"))
    if plan is not None and (knows_milestones or plan.actions):
        console.print()
        console.print(plan_lines(plan, assessed))
        for joint in engine.joints:
            if names := unshared_connections(joint):
                words = unshared_words(clean(joint.joint.name), names)
                console.print(Indented(Text(f"{words}.", style="dim"), 2, hanging=True))


def print_result(result: Result, engine: Engine) -> None:
    """Print the milestones of a run, and its writes."""
    console = Terminal()
    knows_milestones = _knows_milestones(result.assessed, engine)
    if knows_milestones:
        console.print(milestone_table(result.assessed, engine.joints))
    if knows_milestones or result.plan.actions:
        print_summary(result, engine)


def print_summary(result: Result, engine: Engine) -> None:
    """Print the run in one line, and before it each cause that only a person can clear and that held writes back."""
    console = Terminal()
    unwritten = {action.milestone for action in result.plan.actions}
    unwritten -= {write.action.milestone for write in result.written}
    causes = {words for uid, words in engine.store.obstacles().items() if uid in unwritten} if unwritten else ()
    for cause in sorted(causes):
        console.print(f"Held back: {cause}", soft_wrap=True)
    for line in held_back_lines(result, known=causes):
        console.print(line, soft_wrap=True)
    console.print(summary_line(result))


def held_back_rows(result: Result) -> list[dict[str, Any]]:
    """Count the planned writes that were not made, by setting or cause, as rows of the JSON document."""
    counted = Counter((write.setting, write.cause) for write in result.held_back)
    rest = len(result.plan.actions) - len(result.written) - len(result.held_back)
    if rest > 0 and result.refused:
        counted["", "; ".join(result.refused)] += rest
    return [{"writes": n, "setting": setting, "cause": cause} for (setting, cause), n in counted.items()]


def held_back_lines(result: Result, known: Collection[str] = ()) -> Iterator[str]:
    """One line for each setting and each cause that held writes back, except the ``known`` causes."""
    for row in held_back_rows(result):
        writes = phrases.plural(row["writes"], "write")
        if row["setting"]:
            yield f'Held back by {row["setting"]} = "{Policy.PLAN.value}": {writes}.'
        elif row["cause"] not in known:
            yield f"Held back: {writes}: {row['cause']}"


def _knows_milestones(assessed: Iterable[AssessedMilestone], engine: Engine) -> bool:
    """Return False if no project could be read and no running milestone is known from before.

    The table would say that no milestone runs. The failures, on standard error, say why nothing is known.
    """
    has_read = engine.has_read_project or not engine.failures
    return has_read or any(milestone.is_current for milestone in assessed)


_NAMED_PROJECTS = 3
"""Projects that the sentence about the history names at most."""


def history_sentence(finished: Mapping[str, int], *, is_check: bool) -> str:
    """Sentence about the finished milestones that the forecasts learn from. ``finished``: project -> their number.

    ``is_check``: `check` reads only the projects that it is given, so a configured run may show other figures.
    """
    total = phrases.plural(sum(finished.values()), "finished milestone")
    most = sorted(finished, key=lambda project: (-finished[project], project))
    places = [f"{project} ({finished[project]})" for project in most[:_NAMED_PROJECTS]]
    if rest := len(most) - len(places):
        places.append(phrases.plural(rest, "more project"))
    where = f" of {', '.join(places[:-1])} and {places[-1]}" if len(places) > 1 else f" of {''.join(places)}"
    sentence = f"The forecasts learn from {total}{where if places else ''}."
    if not is_check:
        return sentence
    return f"{sentence} A configured run also learns from its other projects, so its figures can differ."


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """The actions as rows of the JSON document."""
    return [msgspec.to_builtins(action) for action in plan.actions]


def written_rows(written: Iterable[AppliedAction], assessed: Sequence[AssessedMilestone]) -> list[dict[str, str]]:
    """The writes that were made, as rows of the JSON document."""
    names = {milestone.uid: milestone.written for milestone in assessed}
    return [
        {
            "milestone": names.get(write.action.milestone, write.action.milestone),
            "what": type(write.action).__name__,
            "issue": write.receipt.issue or getattr(write.action, "issue", ""),
        }
        for write in written
    ]


def error_rows(result: Result) -> list[dict[str, str]]:
    """Failures and refusals, as rows of the JSON document."""
    return [*failure_rows(result.failures), *({"error": f"refused: {why}"} for why in result.refused)]


def score_rows(scores: Mapping[str, StreamScore]) -> list[dict[str, Any]]:
    """The scores of each stream's forecasts, as rows of the JSON document, with the sentence for people."""
    return [{**msgspec.to_builtins(score), "words": dates_clause(score)} for score in scores.values()]


def score_lines(scores: Mapping[str, StreamScore]) -> RenderableType:
    """The scores of each stream's forecasts as sentences."""
    if not scores:
        return "No forecast has been published yet, so there is nothing to score."
    lines = []
    for name, score in scores.items():
        parts = record_clauses(score) or [dates_clause(score)]
        if not has_track_record(score):
            parts.insert(0, NO_TRACK_RECORD.rstrip("."))
        if score.forecasts:
            skill = "" if score.skill is None else f", skill against the team's own hit rate {score.skill:+.2f}"
            parts.append(f"{score.forecasts} forecasts resolved{skill}")
        if score.other_methods:
            parts.append(f"{score.other_methods} forecasts by another method, not scored")
        lines.append(Text.assemble((f"{clean(name)}: ", "bold"), "; ".join(parts)))
    return Group(*lines)


def run_document(result: Result, requests: dict[str, int]) -> dict[str, Any]:
    """The JSON document of ``run`` and ``apply``. ``requests`` is the number of requests by connection."""
    current = [milestone for milestone in result.assessed if milestone.is_current]
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
        "held_back": held_back_rows(result),
    }


def summary_line(result: Result) -> Text:
    """The run in one line."""
    current = [milestone for milestone in result.assessed if milestone.is_current]
    counted = Counter(milestone.health.status for milestone in current)
    parts = [f"{counted[status]} {phrases.STATUS[status]}" for status in WORST_FIRST if counted[status]]
    wrote = phrases.plural(len(result.written), "write") if result.written else "nothing written"
    if result.written:
        wrote += f", {phrases.plural(result.notifications, 'notification')}"
    pending = len(result.plan.actions) - len(result.written)
    held_back = f", {pending} held back" if pending else ""
    people = people_sentence(result.plan.people)
    line = f"{phrases.plural(len(current), 'milestone')}: {', '.join(parts) or 'none'}; {wrote}{held_back}."
    return Text(f"{line} {people}" if people else line)


def people_sentence(counts: CommandCounts) -> str:
    """Sentence about the commands and edits of people. Return "" if there are none."""
    clauses = (
        (counts.understood, "{} from people obeyed".format, "command"),
        (counts.ignored, "{} ignored".format, "command"),
        (counts.muted, "{} muted by a command or a closed status issue".format, "milestone"),
        (counts.edited, "{} kept as people edited them".format, "summary"),
        (counts.waiting, "{} to be published on a working day".format, "new status"),
    )
    parts = [clause(_plural(count, noun)) for count, clause, noun in clauses if count]
    return f"{phrases.capital(', '.join(parts))}." if parts else ""


def _plural(count: int, noun: str) -> str:
    irregular = {"summary": "summaries", "new status": "new statuses"}
    return f"{count} {irregular[noun]}" if noun in irregular and count != 1 else phrases.plural(count, noun)


def obstacle_rows(words: Mapping[str, str], assessed: Iterable[AssessedMilestone]) -> list[dict[str, str]]:
    """Return what only a person can clear, as of the last plan, as rows of the JSON document. ``words`` are by uid."""
    names = {milestone.uid: milestone.written for milestone in assessed}
    return [{"milestone": names[uid], "words": text} for uid, text in words.items() if uid in names]


def obstacle_lines(rows: Iterable[Mapping[str, str]]) -> Iterator[RenderableType]:
    """One line for each milestone on which nothing is written until a person decides."""
    for row in rows:
        milestone = clean_id(row["milestone"])
        yield Indented(Text(f"{milestone}: {row['words']}", style="yellow"), 2, hanging=True)


def last_read_lines(states: Iterable[ReadState], now: datetime) -> Iterator[Text]:
    """One line with the last reading of each connection, and one for each project and row that could not be read.

    Losses with the server's version follow.
    """
    for state in states:
        when = f"{phrases.minute(state.seen)} ({_ago(state.seen, now)})" if state.seen else "never"
        yield Text(f"{state.connection}: last read {when}", style="dim")
        for project, at in state.stale.items():
            since = f"since {phrases.minute(at)}" if at else "so far"
            cause = state.causes.get(project, "").removeprefix(f"{state.connection}: ").removeprefix(f"{project}: ")
            yield Text(f"  {project}: not read {since}{f': {cause}' if cause else ''}", style="yellow")
        for project, issues in state.unlisted.items():
            yield Text(f"  {project}: {unlisted_words(issues)}", style="yellow")
        for line in state.unread:
            yield Text(f"  {line}", style="yellow")
        for line in state.limitations:
            yield Text(f"  {line}", style="dim")


def _ago(at: datetime, now: datetime) -> str:
    minutes = max(0, round((now - at).total_seconds() / 60))
    if minutes < 120:
        return f"{phrases.plural(minutes, 'minute')} ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
