"""Table for a terminal of any width: columns where they fit, else one block for each row.

No cell is wrapped. Only the last part of a name is shortened, with an ellipsis; what identifies a row stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from sync.cli.indented import Indented
from sync.cli.streams import encodable

__all__ = ["FittedTable", "TableColumn", "TableRow", "packed", "shortened"]

_GAP, _INDENT = 2, 4
_SHORTEST = 16
"""Width in columns of the terminal to which a title may be shortened in a table."""


class TableColumn(Struct, frozen=True):
    """A column: its heading, and whether its cells are figures, which are aligned at their right end.

    In blocks, a cell that begins with ``precedes`` is before its heading: "no date by 20 May 2027 is 85% sure".
    """

    heading: str
    is_figure: bool = False
    precedes: str = ""

    def headed(self, cell: str) -> str:
        """Return the cell with its heading, for a block."""
        if self.precedes and cell.startswith(self.precedes):
            return f"{cell} is {self.heading}"
        return f"{self.heading} {cell}".strip()


class TableRow(Struct, frozen=True):
    """A row: a cell for each column, ``name`` and ``title`` as the last column, and sentences below it.

    The name is never shortened. ``style`` is that of the first cell, ``name_style`` that of the name.
    """

    cells: Sequence[str]
    name: str
    title: str = ""
    style: str = ""
    notes: Sequence[str] = ()
    name_style: str = ""


class FittedTable(Struct, frozen=True):
    """Rows under headings. In blocks, the first cell is before the name, and the others follow with their headings.

    ``name`` is the heading of the last column.
    """

    columns: Sequence[TableColumn]
    name: str
    rows: Sequence[TableRow]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [_encodable(row, console.encoding) for row in self.rows]
        widths = [
            max(cell_len(text) for text in (column.heading, *(row.cells[place] for row in rows)))
            for place, column in enumerate(self.columns)
        ]
        room = options.max_width - sum(widths) - _GAP * len(widths)
        needed = [width for width in map(_needed, rows) if width <= options.max_width - _INDENT]
        is_wide = room >= max(needed, default=0) and bool(rows)
        if is_wide:
            yield Text(self._line([column.heading for column in self.columns], widths, self.name), style="bold")
        for row in rows:
            if is_wide and _needed(row) <= room:
                lines = [_whole(self._line(row.cells, widths, _name(row, room, console.encoding)), row)]
            else:
                lines = list(self._block(row, options.max_width, console.encoding))
            for line in lines:
                line.expand_tabs()
                yield from line.render(console, end="\n")  # it is neither wrapped nor cut
            yield from (Indented(Text(words, style="dim"), _INDENT) for words in row.notes)

    def _line(self, cells: Sequence[str], widths: Sequence[int], name: str) -> str:
        parts = [
            " " * (width - cell_len(cell)) + cell if column.is_figure else set_cell_size(cell, width)
            for column, cell, width in zip(self.columns, cells, widths, strict=True)
        ]
        return (" " * _GAP).join([*parts, name]).rstrip()

    def _block(self, row: TableRow, width: int, encoding: str) -> Iterator[Text]:
        """Yield the row as lines: the name, then the cells with their headings, none of them broken."""
        first, *others = row.cells
        lead = f"{first}{' ' * _GAP}" if first else ""
        room = width - cell_len(lead)
        if cell_len(row.name) <= room:
            yield _whole(lead + _name(row, room, encoding), row)
        else:
            yield from (_whole(line, row) for line in (first, row.name) if line)
            if row.title:
                yield _whole(" " * _INDENT + shortened(row.title, width - _INDENT, encoding), row)
        headed = zip(self.columns[1:], others, strict=True)
        pairs = [column.headed(cell) for column, cell in headed if cell]
        yield from (_whole(" " * _INDENT + line, row) for line in packed(pairs, width - _INDENT))


def _encodable(row: TableRow, encoding: str) -> TableRow:
    name, title, *cells = (encodable(text, encoding).replace("\n", " ") for text in (row.name, row.title, *row.cells))
    return replace(row, cells=cells, name=name, title=title)


def _whole(line: str, row: TableRow) -> Text:
    """Return a line that is neither wrapped nor cut, with the row's first cell and its name in their styles."""
    text = Text(line, no_wrap=True, overflow="ignore")
    if line.startswith(row.cells[0]):
        text.stylize(row.style, 0, len(row.cells[0]))
    if (place := line.rfind(row.name)) >= 0:
        text.stylize(row.name_style, place, place + len(row.name))
    return text


def _needed(row: TableRow) -> int:
    """Return the width that the name needs in columns of the terminal, with a title that may be shortened."""
    title = cell_len(row.title)
    return cell_len(row.name) + (1 + min(title, _SHORTEST) if title else 0)


def _name(row: TableRow, room: int, encoding: str) -> str:
    left = room - cell_len(row.name) - 1
    return f"{row.name} {shortened(row.title, left, encoding)}" if row.title and left >= _SHORTEST // 2 else row.name


def packed(parts: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines of unbroken parts, each at most so many columns wide where a part fits."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and cell_len(longer) > width:
            yield line
            longer = part
        line = longer
    if line:
        yield line


def shortened(text: str, width: int, encoding: str = "utf-8") -> str:
    """Return the text in at most ``width`` columns of the terminal, with an ellipsis where it is cut."""
    if cell_len(text) <= width:
        return text
    dots = encodable("…", encoding)
    return set_cell_size(text, max(width - len(dots), 0)).rstrip() + dots
