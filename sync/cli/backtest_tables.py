"""Output of `milesync backtest` for people: tables of methods, dates and parts, and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from sync.backtest.aims import SHORT_NAMES, aims_of
from sync.backtest.milestone_dates import TOO_FEW
from sync.backtest.reliability_plot import METHOD_NAMES, TARGET_TITLES
from sync.cli.indented import Indented
from sync.cli.table import packed

__all__ = ["render"]

_PACES: Mapping[str, str] = {"unchanged": "1 x", "twice_as_long": "2 x", "half_as_long": "½ x"}
_PART_SUFFIX: Mapping[str, str] = {"half": " half", "time_gone": " of the time"}


def render(result: Mapping[str, Any], console: Console) -> None:
    """Print `sync.backtest.run.backtest`'s result: tables of methods and dates, then a line for each other subject."""
    for sentence in _left_out(result.get("left_out", {})):
        console.print(sentence)
    for tau, title in TARGET_TITLES.items():
        console.print(_methods(result[tau], title))
    dates, labels = result["dates"], result["labels"]
    console.print(
        f"Throughput dates: {_percent(dates['p50'])} held of those given with 50%, {_percent(dates['p70'])} of 70%, "
        f"{_percent(dates['p85'])} of 85%; half of the 85% dates were {_number(dates['days']['p85'], 0)} days ahead "
        f"or less; scaled pinball loss {_number(dates['pinball'])}; n = {dates['n']}"
    )
    console.print(_milestone_dates(result["milestone_dates"]))
    console.print(_leftover(result["leftover"], result["usual"]))
    console.print(_levers(result["levers"]))
    console.print(_parts(result["detail"]["parts"]))
    console.print(_splices(result["detail"]["splices"]))
    console.print(_hindsight(result["detail"]["hindsight"]))
    console.print(
        f"Labels at 90% done, over nine checks: {_number(labels['changes'], 2)} changes and "
        f"{_number(labels['reversals'], 2)} reversals a milestone; done when due were "
        f"{_percent(labels['done_given_on_track'])} of on track and "
        f"{_percent(labels['done_given_off_track'])} of off track"
    )
    console.print(_aims(result))


def _hindsight(figures: Mapping[str, Mapping[str, Any]]) -> str:
    skills = [
        f"{SHORT_NAMES[tau]} {_signed(row['bss'])} ({_signed(row['bss_ci'][0], 2)}…{_signed(row['bss_ci'][1], 2)})"
        for tau, row in figures.items()
    ]
    return f"Skill with hindsight (fitted to later milestones too: no forecast, but a ceiling): {', '.join(skills)}"


def _left_out(left_out: Mapping[str, Any]) -> list[str]:
    sentences = []
    if left_out.get("methods"):
        sentences.append("Counts have no single closures: methods and dates that need them have no figures.")
    if left_out.get("milestones"):
        sentences.append(f"{left_out['milestones']} milestones are left out: their counts end before their due date.")
    return sentences


def _methods(figures: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    asked = figures["pool"]["n"]
    headings = ("Brier", "skill", "95%", "log loss", "AUC", "ECE")
    table = _table(f"{title} (n = {asked})", "method", headings)
    for method, row in figures.items():
        low, high = row["bss_ci"]
        table.add_row(
            METHOD_NAMES.get(method, method),
            _number(row["brier"]),
            _signed(row["bss"]),
            f"{_signed(low, 2)}…{_signed(high, 2)}",
            *(_number(row[figure]) for figure in ("log_loss", "auc", "ece")),
            style="bold" if method == "pool" else None,
        )
    return table


def _milestone_dates(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    title = "Dates as shown: share held, of all whose day is over (never: a miss)"
    headings = ("given", "held", "n", *_horizons(figures["tau0"]["p50"]["horizons"]))
    table = _table(title, "date", headings)
    for kind, title in {**SHORT_NAMES, "throughput": "throughput"}.items():
        for level, row in figures[kind].items():
            cells = (_covered(part) for part in (row, *row["horizons"]))
            held, *by_horizon = cells
            table.add_row(f"{level.upper()}, {title}", _percent(row.get("given")), held, str(row["dates"]), *by_horizon)
    return table


def _horizons(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    first, *others = parts
    return [
        f"<{first['days_before']:.0f} d",
        *(
            f"{part['days_from']:.0f}+"
            if part["days_before"] is None
            else f"{part['days_from']:.0f}–{part['days_before']:.0f}"
            for part in others
        ),
    ]


def _covered(part: Mapping[str, Any]) -> str:
    """Return the share of dates that came true; in words where they are too few for a share."""
    return _percent(part["share"]) if part["dates"] >= TOO_FEW else "too few"


def _leftover(leftover: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    low, high = usual["bss_ci"]
    return (
        f"Left over at the due date: CRPS skill {_signed(leftover['crps_skill'])} against the own history "
        f"({_by_time_gone(leftover)}); the range held in {_percent(leftover['covered'])}, and is "
        f"{_percent(leftover['width'])} of the scope wide; n = {leftover['n']}\n"
        f"No more left over than usual ({_percent(usual['base'])}): skill {_signed(usual['bss'])} "
        f"({_signed(low, 2)}…{_signed(high, 2)}; {_by_time_gone(usual)}), ECE {_number(usual['ece'])}; n = {usual['n']}"
    )


def _by_time_gone(figures: Mapping[str, Any]) -> str:
    """Return the skill by share of the planned time gone, in words."""
    return ", ".join(f"{name} {_signed(skill, 2)}" for name, skill in figures["by_time_gone"].items())


def _levers(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    title = "Levers taken at half time: median points to the next forecast, share within 5"
    table = _table(title, "lever", ("n", "at once", "quiet day", "next day"))
    for tau, short in SHORT_NAMES.items():
        in_a_row = {f"{count}. move in a row": row for count, row in figures[tau]["in_a_row"].items() if count != "1"}
        kinds = {kind: row for kind, row in figures[tau].items() if kind not in ("milestones", "in_a_row")}
        for name, row in (kinds | in_a_row).items():
            cells = (
                f"{_number(row[f'median{when}'], 1)}  {_percent(row[f'within_5{when}']):>5}"
                for when in ("", "_quiet_day", "_next_day")
            )
            table.add_row(f"{name}, {short}", str(row["n"]), *cells)
    return table


def _parts(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    title = "Skill of the pool and of the first pool in parts of the history: all done, and 90% done"
    headings = ("n", "all", "first", "ECE", "90%", "first", "ECE")
    table = _table(title, "part", headings)
    both = [figures[tau] for tau in SHORT_NAMES]
    for subject in ("kind", "length", "half", "time_gone"):
        for name, part in both[0][subject].items():
            cells = [str(part["n"])]
            for row in (figure[subject][name] for figure in both):
                cells += [_signed(row["bss"], 2), _signed(row["first_pool"], 2), _number(row["ece"], 2)]
            table.add_row(f"{name.replace('_', ' ')}{_PART_SUFFIX.get(subject, '')}", *cells)
    return table


def _splices(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    streams = figures["tau0"]["streams"]
    count = len(figures["tau0"]["unchanged"]["excess"])
    title = f"Excess of P in points, by milestone after a change of pace ({streams} streams)"
    table = _table(title, "closing time", [str(k) for k in range(1, count + 1)])
    for tau, short in SHORT_NAMES.items():
        for name, pace in _PACES.items():
            excess = figures[tau][name]["excess"]
            cells = (_signed(None if value is None else 100 * value, 0) for value in excess)
            table.add_row(f"{pace}, {short.removesuffix(' done')}", *cells)
    return table


def _aims(result: Mapping[str, Any]) -> Table:
    table = _table("Aims of a release", "measure", ("figure", "aim", "reached"))
    for aim in aims_of(result):
        if aim.low is not None and aim.high is not None:
            words = f"{aim.low:.2f}–{aim.high:.2f}"
        else:
            words = f"≥ {aim.low:.3f}" if aim.low is not None else f"≤ {aim.high:.3f}"
        reached = {True: "yes", False: "no", None: "–"}[aim.is_reached]
        table.add_row(aim.measure, _number(aim.figure), words, reached)
    return table


class _FigureTable(Table):
    """A table of figures; where it is wider than the terminal, one block for each row, with the headings in it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.__rich_measure__(console, options.update(max_width=1000)).maximum <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        yield Indented(Text(str(self.title), style="italic"), 0)
        for name, *cells in zip(*(column.cells for column in self.columns), strict=True):
            yield Text(str(name), style="bold", no_wrap=True)
            pairs = [f"{column.header} {cell}" for column, cell in zip(self.columns[1:], cells, strict=True)]
            yield from (Text(f"    {line}", no_wrap=True) for line in packed(pairs, options.max_width - 4))
        yield ""


def _table(title: str, first: str, headings: Sequence[str]) -> Table:
    table = _FigureTable(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:+.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}%"
