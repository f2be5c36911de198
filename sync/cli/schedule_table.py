"""The table of `milesync timeline`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from sync.cli.indented import Indented
from sync.cli.output import STATUS_STYLE, status_cell
from sync.cli.table import FittedTable, TableColumn, TableRow
from sync.markup.document import clean, clean_id
from sync.report.phrases import against, capital, day, percent, plural, sure_date
from sync.report.timeline import Schedule, TimelineEntry
from sync.report.verdict import as_of

__all__ = ["schedule_table"]


def schedule_table(dates: Schedule) -> Group:
    """Return the table of the milestones in their order, and the critical chain."""
    rows = [_entry_row(entry, critical=entry.id in dates.critical) for entry in dates.milestones]
    if dates.critical:
        last = Text.assemble(("Critical chain: ", "bold"), " → ".join(map(clean, dates.critical)))
    else:
        last = Text("No milestone is delayed by another one.", style="dim")
    return Group(FittedTable(_COLUMNS, "milestone", rows) if rows else "No milestone runs here.", Indented(last, 0))


_COLUMNS = (
    TableColumn("status"),
    TableColumn("in time", is_figure=True),
    TableColumn("due"),
    TableColumn("85% sure", precedes="no date"),
    TableColumn(""),
)


def _entry_row(entry: TimelineEntry, *, critical: bool) -> TableRow:
    cells = (
        status_cell(entry.status),
        "" if entry.probability is None else percent(entry.probability),
        day(entry.due) if entry.due else "none",
        "" if entry.status.is_over else sure_date(entry.p85, entry.horizon),
        against(entry.p85, entry.due) if entry.p85 and entry.due else "",
    )
    written, title = clean_id(entry.id), "" if entry.title in entry.id else clean(entry.title)
    return TableRow(cells, written, title, STATUS_STYLE[entry.status], [*_relations(entry)], "bold" if critical else "")


def _relations(entry: TimelineEntry) -> Iterator[str]:
    if entry.as_of:
        yield capital(as_of(entry.as_of))
    if entry.members:
        yield f"made of {', '.join(map(clean, entry.members))}"
    for wait in entry.after:
        why = f" ({plural(wait.issues, 'blocked issue')})" if wait.issues else ""
        share = f", sets its date with {percent(wait.sets_the_date)}" if wait.sets_the_date else ""
        yield f"waits for {clean(wait.id)}{why}{share}"
    if round(entry.days_lost):
        yield f"loses {plural(round(entry.days_lost), 'day')} to what it waits for"
