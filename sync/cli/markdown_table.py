"""Table of milestones in Markdown, as the summary of a job shows it: the figures of `status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone
from sync.cli.output import NO_MILESTONE, STATUS_COLUMNS, hidden_words, status_cells, visible_milestones
from sync.markup.document import is_plain_url
from sync.markup.markdown import code_span
from sync.report.phrases import capital

__all__ = ["markdown_table"]

_PIPE = "¦"
"""The sign that stands for ``|`` in foreign text: a pipe ends a cell even inside a code span."""


def markdown_table(
    assessed: Sequence[AssessedMilestone], joints: Sequence[AssessedJointMilestone] = (), *, every: bool = False
) -> str:
    """Return a table of the running milestones, or of all with ``every``, the worst first.

    Ids and titles are code spans, in which no renderer looks for mentions, links or HTML.
    """
    visible = visible_milestones(assessed, joints, every=every)
    lines = list(_table(visible)) if visible else [NO_MILESTONE]
    if hidden := len(assessed) + len(joints) - len(visible):
        lines += ["", hidden_words(hidden)]
    return "\n".join(lines)


def _table(milestones: Sequence[AnyMilestone]) -> Iterator[str]:
    yield _row([*(capital(column.heading) for column in STATUS_COLUMNS), "Milestone"])
    yield _row([*("--:" if column.is_figure else "---" for column in STATUS_COLUMNS), "---"])
    for milestone in milestones:
        yield _row([*status_cells(milestone), _name(milestone)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _name(milestone: AnyMilestone) -> str:
    name = _literal(milestone.written, len(milestone.written))
    if isinstance(milestone, AssessedJointMilestone):
        return name
    row = milestone.milestone
    linked = f"[{name}]({row.url})" if is_plain_url(row.url) else name
    return linked if row.title in milestone.written else f"{linked} {_literal(row.title)}"


def _literal(text: str, limit: int = 100) -> str:
    return code_span(text.replace("|", _PIPE), limit)
