"""Output of `milesync explain` for people: the figures of a forecast with what they come from.

Two renderings: the figures in the order in which the forecast computes them, and a tree of every number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from sync.assess.explain import Explanation
from sync.cli.indented import Indented
from sync.cli.output import STATUS_STYLE
from sync.markup.document import clean
from sync.model.health import Dates, Health, Status
from sync.report import phrases
from sync.report.leftover import outlook_sentences
from sync.report.levers import lever_texts
from sync.report.phrases import day, percent, plural
from sync.report.reasons import reason_sentence

__all__ = ["explanation_tree", "explanation_view"]

SHOWN = 8
"""Earlier milestones in the table; the others are counted."""

_VOTES = (
    ("survival", "survival", "issues go at the rate of earlier milestones"),
    ("reference", "reference class", "it ends as those that needed about as much"),
    ("closures", "closures", "it closes as many as earlier milestones did"),
)

_NOTICEABLE = 0.005
"""Smaller changes of a probability are ignored: it is shown in whole percents."""


def explanation_view(written: str, explanation: Explanation) -> RenderableType:
    """Show a milestone's health, votes, earlier milestones, dates, reasons and levers, in the order of computation."""
    health, numbers = explanation.health, explanation.numbers
    parts: list[RenderableType] = [*_head(written, explanation)]
    if health.probability is not None:
        parts += _votes(health, numbers["forecast"])
        parts += _earlier(numbers["history"], numbers["forecast"]["phase_in_usual_work"])
    if health.status is not Status.DONE:
        parts += _dates(health, numbers["forecast"])
    parts += _advice(health)
    parts += ["", Text("Every number: --all, or --json with all digits.", style="dim")]
    return Group(*parts)


def _head(written: str, explanation: Explanation) -> Iterator[RenderableType]:
    health, counts = explanation.health, explanation.health.counts
    title = clean(explanation.title)
    yield Text.assemble((clean(written), "bold"), "" if title in written else f" ({title})")
    sign, style = STATUS_STYLE[health.status]
    due = "" if health.due is None else f" by {day(health.due)}"
    odds = "" if health.probability is None else f": {percent(health.probability)} likely to be done{due}"
    yield _line(Text.assemble((f"{sign} {phrases.STATUS[health.status]}", style), odds))
    left = f"{counts.open} open" + (f", {counts.carried} carried over" if counts.carried else "")
    yield _line(f"{counts.done} of {plural(counts.total, 'issue')} done, {left}, as of {_at(health.at)}")
    if health.unknown is not None:
        yield _line(phrases.UNKNOWN[health.unknown])
    if health.confidence is not None:
        yield _line(f"Confidence: {phrases.sureness(health)}")
    for sentence in (*outlook_sentences(health), *(phrases.promise_sentences(health) or ())):
        yield _line(sentence)


def _votes(health: Health, forecast: Mapping[str, Any]) -> Iterator[RenderableType]:
    table = _table("P", "weight", "vote", "the probability if", right=2)
    for key, name, meaning in _VOTES:
        vote = forecast[key]
        table.add_row(percent(vote["p"]), f"{vote['weight']:.2f}", name, meaning)
    table.add_row(percent(forecast["raw_pool"]), "", "together", "the weighted mean of their log-odds")
    yield from _section("Votes", table)
    for sentence in _changes(health, forecast):
        yield _line(sentence)


def _changes(health: Health, forecast: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes the published probability different from the votes together, and the bound by experience."""
    experience, clock = forecast["experience"], forecast["clock"]
    factor = 1.0 if experience["factor"] is None else experience["factor"]
    if experience["most_closed"] is not None and experience["needed"] > 0:
        yield _bound(experience, factor)
    if clock is not None:
        moved = "" if clock["moved_at"] is None else f" on {day(datetime.fromisoformat(clock['moved_at']).date())}"
        yield (
            f"The due date was moved past {day(date.fromisoformat(clock['plan_due']))}{moved}: the curve of the plan "
            f"before still counts {round(100 * (1 - clock['weight_of_new_date']))}%, and less with each day."
        )
    is_changed = abs(forecast["published"] - forecast["raw_pool"]) >= _NOTICEABLE
    if is_changed and clock is None and factor == 1.0:
        yield f"Time alone never raises the probability, which makes it {percent(forecast['published'])}."
    p = health.probability
    if p is not None and health.basis.calibrating:
        yield f"Its forecasts were lately worse than the hit rate of the series, which is shown instead: {percent(p)}."
    elif p is not None and abs(p - forecast["published"]) >= _NOTICEABLE:
        yield f"It waits for other milestones, which makes {percent(p)} of {percent(forecast['published'])}."


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
    table = _table("weight", "due", "open", "joined", "closed", "left", "in time", "milestone", right=1)
    for column in table.columns[2:6]:
        column.justify = "right"
    for row in rows[:SHOWN]:
        table.add_row(
            f"{row['weight']:.2f}",
            "" if row["due_day"] is None else day(date.fromisoformat(row["due_day"])),
            *(str(row[name]) for name in ("open_then", "joined_later", "gone_by_due", "left_at_due")),
            "yes" if row["done_by_due"] else "no",
            clean(row["name"] or row["container"]),
        )
    point, now = round(100 * history["phase"]), round(100 * phase)
    yield from _section(f"Earlier milestones from {point}% of their time on (this one: {now}%)", table)
    hidden = rows[SHOWN:]
    if hidden:
        weight = sum(row["weight"] for row in hidden) / sum(row["weight"] for row in rows)
        yield _line(f"{len(hidden)} more have {round(100 * weight)}% of the weight.", style="dim")
    yield _line("open: at this point; joined, closed: from then on; left: open when due", style="dim")
    yield _line(_vote_sentence(history))


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
    table = _table("P", "done by", "", right=1)
    for odds, cells in shown.items():
        table.add_row(odds, *cells)
    yield from _section("Dates", table if shown else None)
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
        side = "In its favour" if reason.effect > 0 else "Against it"
        yield _line(f"{side}: {phrases.small(reason_sentence(reason))}")
    if health.levers:
        yield from _section("Levers")
    for lever in health.levers:
        act, effect = lever_texts(lever, health.due)
        yield _line(f"{act}: {effect}" if effect else act)


def _section(title: str, table: Table | None = None) -> Iterator[RenderableType]:
    yield ""
    yield Text(title, style="bold")
    if table is not None:
        yield Padding(table, (0, 0, 0, 2), expand=False)


def _table(*headings: str, right: int) -> Table:
    """Return a table without lines. The first ``right`` columns are of figures."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, heading in enumerate(headings):
        is_last = place == len(headings) - 1
        table.add_column(heading, justify="right" if place < right else "left", no_wrap=not is_last, overflow="fold")
    return table


def _line(words: str | Text, style: str = "") -> Indented:
    return Indented(words if isinstance(words, Text) else Text(words, style=style), 2)


def _at(at: datetime) -> str:
    return phrases.minute(at)


# --- every number ----------------------------------------------------------------------------------------------------


def explanation_tree(written: str, explanation: Explanation) -> RenderableType:
    """Show every number behind a milestone's health, as a tree of the JSON document."""
    tree = Tree(Text(written, style="bold"))
    _add_branches(tree, explanation.numbers)
    return tree


def _add_branches(tree: Tree, value: Any) -> None:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, inner in pairs:
        if isinstance(inner, Mapping) or (isinstance(inner, list | tuple) and inner and not _is_flat(inner)):
            _add_branches(tree.add(Text(str(name), style="bold")), inner)
        else:
            text = ", ".join(map(_figure, inner)) if isinstance(inner, list | tuple) else _figure(inner)
            tree.add(Text.assemble((f"{name}: ", "bold"), text))


def _figure(value: Any) -> str:
    """One value with four digits; `--json` has every digit. An empty value becomes a dash."""
    if value is None or value == "":
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_flat(values: Sequence[Any]) -> bool:
    return all(not isinstance(value, Mapping | list | tuple) for value in values)
