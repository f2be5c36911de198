"""A plan as lines for people: first what it would create for the first time, then the changes of each milestone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from sync.assess.milestone import AssessedMilestone
from sync.cli.indented import Indented
from sync.markup.document import clean, clean_id
from sync.plan.desired import Plan
from sync.tracker.actions import Action, CreateComment, CreateLabel, CreateStatusIssue, kind_of

__all__ = ["plan_lines"]

_STYLE = {"+": "green", "~": "yellow", "-": "red"}


def plan_lines(plan: Plan, assessed: Sequence[AssessedMilestone]) -> Group:
    """The plan as a readable diff: additions (+), changes (~) and removals (-) by milestone.

    Several milestones that get their status issue are one list, with one line for each.
    """
    names = {milestone.uid: clean_id(milestone.written) for milestone in assessed}
    commented = {action.milestone for action in plan.actions if _is_summary(action)}
    new = {action.milestone: action for action in plan.actions if isinstance(action, CreateStatusIssue)}
    new = {milestone: create for milestone, create in new.items() if milestone in commented}
    first_time = new if len(new) > 1 else {}
    lines = list(_first_time_lines(first_time, plan.actions, names)) if first_time else []
    lines += _change_lines((action for action in plan.actions if not _is_first(action, first_time)), names)
    lines += [
        Indented(
            Text(f"{names.get(skipped.milestone, 'a milestone that is not read')}: skipped, {skipped.why}", "dim"), 0
        )
        for skipped in plan.skipped
    ]
    return Group(*(lines if plan.actions else [*lines, Text("Nothing to write.")]))


def _is_first(action: Action, first_time: Mapping[str, CreateStatusIssue]) -> bool:
    """Return whether the list of the first time shows an action."""
    is_listed = isinstance(action, CreateStatusIssue | CreateLabel) or _is_summary(action)
    return action.milestone in first_time and is_listed


def _is_summary(action: Action) -> bool:
    return isinstance(action, CreateComment) and action.summary


def _first_time_lines(
    new: Mapping[str, CreateStatusIssue], actions: Iterable[Action], names: Mapping[str, str]
) -> Iterator[RenderableType]:
    """One line for each new status issue, then the labels to create, by project."""
    common = set.intersection(*(set(create.labels) for create in new.values()))
    with_labels = f", labelled {', '.join(sorted(common))}" if common else ""
    yield Indented(
        Text(
            f"For the first time: a status issue and a summary comment for {len(new)} milestones{with_labels}", "bold"
        ),
        0,
    )
    labels: dict[str, list[str]] = {}
    for action in actions:
        if action.milestone not in new:
            continue
        if isinstance(action, CreateStatusIssue):
            own = "".join(f", {label}" for label in action.labels if label not in common)
            yield _line("+", f"{_name(action, names)}: “{action.title}”{own}")
        elif isinstance(action, CreateLabel):
            connection = _name(action, names).partition(":")[0]
            labels.setdefault(f"{connection}:{action.project_key}", []).append(action.label)
    for project, created in labels.items():
        noun = "label" if len(created) == 1 else "labels"
        yield _line("+", f"{noun} of {clean(project)}: {', '.join(sorted(created))}")


def _change_lines(actions: Iterable[Action], names: Mapping[str, str]) -> Iterator[RenderableType]:
    for _, group in groupby(actions, key=lambda action: action.milestone):
        first, *others = group
        yield Text(_name(first, names), style="bold")
        for action in (first, *others):
            yield _line(*kind_of(action).describe(action))


def _name(action: Action, names: Mapping[str, str]) -> str:
    return names.get(action.milestone) or f"a milestone of {clean(action.project_key)}"


def _line(sign: str, words: str) -> RenderableType:
    return Indented(Text(f"  {sign} {words}", style=_STYLE[sign]), 4, hanging=True)
