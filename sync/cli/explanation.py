"""Output of `milesync explain` for people, in three lengths.

About ten lines: verdict, dates, reasons and the issues that need someone. The figures in the order of their
computation. A tree of every number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from sync.assess.explain import Explanation
from sync.assess.portfolio import AssessedJointMilestone
from sync.cli.indented import Indented
from sync.cli.lines import line_text
from sync.cli.output import STATUS_STYLE, milestone_table, status_cell
from sync.cli.table import FittedTable, TableColumn, TableRow
from sync.markup.document import Foreign, Line, clean, clean_id, join_parts
from sync.model.characters import one_line
from sync.model.dates import day_of
from sync.model.health import Dates, Health, Status
from sync.model.team_words import OwnerOrigin
from sync.report import phrases
from sync.report.attention import attention_line, flagged_issues
from sync.report.counting import counted_in, counting_sentences, only_uncounted
from sync.report.details import reason_line
from sync.report.facts import Facts
from sync.report.figures import share_percent
from sync.report.head import date_lines, headline, place_line, progress_line
from sync.report.leftover import outlook_sentences
from sync.report.levers import lever_texts
from sync.report.phrases import day, percent, plural
from sync.report.team_words import decision_line, due_decision_lines, risk_line, tolerance_sentence
from sync.report.verdict_facts import SHAPES, VerdictFacts, verdict_facts
from sync.report.why import no_verdict_sentence

__all__ = ["explanation_tree", "explanation_view", "joint_explanation", "short_explanation"]

SHOWN = 8
"""Earlier milestones in the table; the others are counted."""

_VOTES = (
    ("survival", "survival", "issues go at the rate of earlier milestones"),
    ("reference", "reference class", "it ends as those that needed about as much"),
    ("closures", "closures", "it closes as many as earlier milestones did"),
)

_NOTICEABLE = 0.005
"""Smaller changes of a probability are ignored: it is shown in whole percents."""


REASONS, ITEMS = 2, 3
"""Maximum numbers of reasons and of issues in the short explanation."""


def short_explanation(facts: Facts, *, has_hyperlinks: bool) -> RenderableType:
    """Show the verdict, its dates, why, and the issues that need someone, each in the words of the comment.

    Without hyperlinks, addresses follow the lines.
    """
    status = facts.health.status
    lines: list[Line] = [place_line(facts), *due_decision_lines(facts), *date_lines(facts)]
    lines += [line for line in (progress_line(facts),) if line]
    lines += [reason_line(reason, counted_in(facts.health)) for reason in facts.health.reasons[:REASONS]]
    lines += [risk_line(facts.words.risks)] if facts.words.risks else []
    flagged = flagged_issues(facts)[:ITEMS]
    lines += [("Needs someone: ", *attention_line(facts, issue, flags)) for issue, flags in flagged]
    return Group(
        Indented(Text(f"{SHAPES[status]} {headline(facts)}", style=f"bold {STATUS_STYLE[status]}"), 2, hanging=True),
        *(Indented(line_text(line, has_hyperlinks=has_hyperlinks), 2) for line in lines),
        _MORE,
    )


def joint_explanation(joint: AssessedJointMilestone) -> RenderableType:
    """Show a joint milestone below its members."""
    return Group(milestone_table(joint.members, [joint], every=True), _MORE)


_MORE = Indented(Text("-v shows how the forecast was computed; --all and --json show every number.", style="dim"), 0)


def explanation_view(written: str, explanation: Explanation) -> RenderableType:
    """Show a milestone's health, votes, earlier milestones, dates, reasons and levers, in the order of computation."""
    health, numbers = explanation.health, explanation.numbers
    parts: list[RenderableType] = [*_head(written, explanation)]
    if health.probability is not None:
        parts += _votes(explanation)
        parts += _earlier(numbers["history"], numbers["forecast"]["phase_in_usual_work"])
    if health.status is not Status.DONE:
        parts += _dates(health, numbers["forecast"])
    parts += _advice(health)
    parts += [Text("Every number: --all, or --json with all digits.", style="dim")]
    return Group(*parts)


def _head(written: str, explanation: Explanation) -> Iterator[RenderableType]:
    health, counts = explanation.health, explanation.health.counts.on_page
    title = clean(explanation.title)
    yield Text.assemble((clean_id(written), "bold"), "" if title in written else f" ({title})")
    due = "" if health.due is None else f" by {day(health.due)}"
    odds = "" if health.probability is None else f": {percent(health.probability)} likely to be done{due}"
    yield _line(Text.assemble((status_cell(health.status), STATUS_STYLE[health.status]), odds))
    left = f"{counts.open} open" + (f", {counts.carried} carried over" if counts.carried else "")
    yield _line(f"{counts.done} of {plural(counts.total, counts.noun)} done, {left}, as of {_at(health.at)}")
    if health.counts.has_only_uncounted:
        yield _line(only_uncounted(health.counts))
    for sentence in counting_sentences(health.counts):
        yield _line(sentence)
    facts = None if explanation.milestone is None else verdict_facts(explanation.milestone)
    if facts is not None and health.unknown is not None:
        yield _line(no_verdict_sentence(facts))
    if health.confidence is not None:
        yield _line(f"Confidence: {phrases.sureness(health)}")
    for sentence in (*outlook_sentences(health), *(phrases.promise_sentences(health) or ())):
        yield _line(sentence)
    if facts is not None:
        yield from (_line(line_text(line, has_hyperlinks=True)) for line in _said(facts))


def _said(facts: VerdictFacts) -> Iterator[Line]:
    """Yield the owners with their origin, and the words in the description that have an effect or are shown."""
    if facts.owner_origin is not None:
        yield ("Owner: ", *join_parts(map(Foreign, facts.owners)), f" ({_ORIGINS[facts.owner_origin]})")
    if facts.tolerance is not None:
        yield (tolerance_sentence(facts.tolerance),)
    if facts.words.start is not None and facts.words.start == facts.milestone.start:
        yield (f"Its start, {day(facts.words.start)}, is that of its description.",)
    for decision in facts.words.decisions:
        yield decision_line(decision, is_overdue=decision in facts.overdue_decisions)
    if facts.words.risks:
        yield risk_line(facts.words.risks, shown=len(facts.words.risks))


_ORIGINS = {
    OwnerOrigin.CONFIGURATION: "from the configuration",
    OwnerOrigin.DESCRIPTION: "from its description",
    OwnerOrigin.TRACKER: "from the tracker's own fields",
}


def _votes(explanation: Explanation) -> Iterator[RenderableType]:
    forecast = explanation.numbers["forecast"]
    rows = [
        TableRow((percent(forecast[key]["p"]), f"{forecast[key]['weight']:.2f}"), name, f" {meaning}")
        for key, name, meaning in _VOTES
    ]
    rows.append(TableRow((percent(forecast["raw_pool"]), ""), "together", " the weighted mean of their log-odds"))
    columns = [TableColumn(heading, is_figure=True) for heading in ("P", "weight")]
    yield from _section("Votes", FittedTable(columns, "vote", rows))
    for sentence in _changes(explanation):
        yield _line(sentence)


def _changes(explanation: Explanation) -> Iterator[str]:
    """Yield what makes the published probability different from the votes together, and the bound by experience."""
    health, forecast = explanation.health, explanation.numbers["forecast"]
    experience, clock = forecast["experience"], forecast["clock"]
    factor = 1.0 if experience["factor"] is None else experience["factor"]
    if experience["most_closed"] is not None and experience["needed"] > 0:
        yield _bound(experience, factor)
    if clock is not None:
        moved = "" if clock["moved_at"] is None else f" on {_day_of(explanation, clock['moved_at'])}"
        yield (
            f"The due date was moved past {day(date.fromisoformat(clock['plan_due']))}{moved}: the curve of the plan "
            f"before still counts {share_percent(1 - clock['weight_of_new_date'])}%, and less with each day."
        )
    is_changed = abs(forecast["published"] - forecast["raw_pool"]) >= _NOTICEABLE
    if is_changed and clock is None and factor == 1.0:
        yield f"Time alone never raises the probability, which makes it {percent(forecast['published'])}."
    p = health.probability
    if p is not None and health.basis.calibrating:
        yield f"Its forecasts were lately worse than the hit rate of the series, which is shown instead: {percent(p)}."
    elif p is not None and abs(p - forecast["published"]) >= _NOTICEABLE:
        yield f"It waits for other milestones, which makes {percent(p)} of {percent(forecast['published'])}."


def _day_of(explanation: Explanation, moment: str) -> str:
    zone = ZoneInfo("UTC") if explanation.milestone is None else explanation.milestone.connection.zone
    return day(day_of(datetime.fromisoformat(moment), zone))


def _bound(experience: Mapping[str, Any], factor: float) -> str:
    needed, most = plural(experience["needed"], "closure"), experience["most_closed"]
    length = f"{plural(max(1, round(experience['days'])), 'day')}"
    words = f"{needed} in {length} {'are' if experience['needed'] > 1 else 'is'} needed; the series"
    if experience["windows"] == 0:
        return f"{words} has no record as long as that, so experience bounds nothing."
    if most >= experience["needed"]:
        return f"{words} has closed {most} in as many days, so experience bounds nothing."
    words = f"{words} never closed more than {most} in as many days"
    return f"{words}: {_factor_words(factor)}."


def _factor_words(factor: float) -> str:
    if factor == 1.0:
        return "up to two more lower nothing"
    return f"this multiplies the probability by {max(factor, 0.01):.2f}"


def _earlier(history: Mapping[str, Any], phase: float) -> Iterator[RenderableType]:
    """Show the earlier milestones from the same point on, most weighty first. ``phase``: that of this milestone."""
    rows = sorted(history["milestones"], key=lambda row: -row["weight"])
    if not rows:
        return
    columns = [
        TableColumn(heading, is_figure=heading != "due")
        for heading in ("weight", "due", "open", "joined", "closed", "left", "in time")
    ]
    table = FittedTable(columns, "milestone", [_earlier_row(row) for row in rows[:SHOWN]])
    point, now = share_percent(history["phase"]), share_percent(phase)
    yield from _section(f"Earlier milestones from {point}% of their time on (this one: {now}%)", table)
    hidden = rows[SHOWN:]
    if hidden:
        weight = sum(row["weight"] for row in hidden) / sum(row["weight"] for row in rows)
        yield _line(f"{len(hidden)} more have {share_percent(weight)}% of the weight.", style="dim")
    yield _line("open: at this point; joined, closed: from then on; left: open when due", style="dim")
    yield _line(_vote_sentence(history))


def _earlier_row(row: Mapping[str, Any]) -> TableRow:
    cells = (
        f"{row['weight']:.2f}",
        "" if row["due_day"] is None else day(date.fromisoformat(row["due_day"])),
        *(str(row[name]) for name in ("open_then", "joined_later", "gone_by_due", "left_at_due")),
        "yes" if row["done_by_due"] else "no",
    )
    return TableRow(cells, clean_id(row["name"] or "a milestone that is not read"))


def _vote_sentence(history: Mapping[str, Any]) -> str:
    votes, own = history["votes"], history["of"] == "stream"
    whose = "before," if own else "of its kind before, as the series has fewer than four,"
    if votes["needed"] <= 0:
        return f"Nothing more has to be closed here; {plural(votes['of'], 'earlier milestone')} are compared."
    count = "all" if votes["closed_as_much"] == votes["of"] else votes["closed_as_much"] or "none"
    return f"Of the {votes['of']} {whose} {count} still closed {votes['needed']} or more from this point."


def _dates(health: Health, forecast: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    dates = health.dates
    if dates.horizon is None or health.promise is not None:
        return
    shown: dict[str, tuple[str, str]] = {}
    for point in forecast["curve"] if forecast is not None else ():
        if point["p"] > 0 and point["day"] is not None:
            times = point["planned_times"]
            planned = "the due date" if times == 1 else f"{times:g} times the planned time"
            shown.setdefault(percent(point["p"]), (day(date.fromisoformat(point["day"])), planned))
    columns = [TableColumn("P", is_figure=True), TableColumn("done by")]
    rows = [TableRow((odds, on), planned) for odds, (on, planned) in shown.items()]
    yield from _section("Dates", FittedTable(columns, "", rows) if rows else None)
    yield _line(_date_sentence(dates, dates.horizon))


def _date_sentence(dates: Dates, horizon: date) -> str:
    levels = {"50%": dates.p50, "85%": dates.p85, "95%": dates.p95}
    given = [f"with {level} by {day(on)}" for level, on in levels.items() if on is not None]
    missing = [level for level, on in levels.items() if on is None]
    none = f"no date with {' or '.join(missing)} until {day(horizon)}"
    words = f"done {', '.join(given)}" if given else none
    return phrases.capital(f"{words}; {none}." if given and missing else f"{words}.")


def _advice(health: Health) -> Iterator[RenderableType]:
    if health.reasons:
        yield from _section("Reasons")
    for reason in health.reasons:
        yield Indented(line_text(reason_line(reason, counted_in(health)), has_hyperlinks=False), 2)
    if health.levers:
        yield from _section("Levers")
    for lever in health.levers:
        act, effect = lever_texts(lever, health.due, counted_in(health))
        yield _line(f"{act}: {effect}" if effect else act)


def _section(title: str, table: FittedTable | None = None) -> Iterator[RenderableType]:
    yield ""
    yield Text(title, style="bold")
    if table is not None:
        yield table


def _line(words: str | Text, style: str = "") -> Indented:
    return Indented(words if isinstance(words, Text) else Text(words, style=style), 2)


def _at(at: datetime) -> str:
    return phrases.minute(at)


# --- every number ----------------------------------------------------------------------------------------------------


def explanation_tree(written: str, explanation: Explanation) -> RenderableType:
    """Show every number behind a milestone's health, as a tree of the JSON document."""
    tree = Tree(Text(clean_id(written), style="bold"))
    _add_branches(tree, explanation.numbers)
    return tree


def _add_branches(tree: Tree, value: Any) -> None:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, inner in pairs:
        if isinstance(inner, Mapping) or (isinstance(inner, list | tuple) and inner and not _is_flat(inner)):
            _add_branches(tree.add(Text(one_line(str(name)), style="bold")), inner)
        else:
            text = ", ".join(map(_figure, inner)) if isinstance(inner, list | tuple) else _figure(inner)
            tree.add(Text.assemble((f"{one_line(str(name))}: ", "bold"), text))


def _figure(value: Any) -> str:
    """One value with four digits; `--json` has every digit. An empty value becomes a dash."""
    if value is None or value == "":
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


def _is_flat(values: Sequence[Any]) -> bool:
    return all(not isinstance(value, Mapping | list | tuple) for value in values)
