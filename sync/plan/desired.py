"""What should stand in a tracker for a milestone, and the plan that leads there: values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct

from sync.model.health import Replan, Status
from sync.model.policy import Policy
from sync.model.tracker_data import Visibility
from sync.tracker.actions import Action

__all__ = [
    "HEALTH",
    "LABELS",
    "CommandCounts",
    "CurrentDescription",
    "Desired",
    "Plan",
    "Skipped",
    "label_name",
    "merge_plans",
]

LABELS: Mapping[Status, tuple[str, str]] = {
    Status.ON_TRACK: ("0e8a16", "Milestone health: on track"),
    Status.AT_RISK: ("fbca04", "Milestone health: at risk"),
    Status.OFF_TRACK: ("d93f0b", "Milestone health: off track"),
    Status.OVERDUE: ("b60205", "Milestone health: overdue"),
    Status.DONE: ("5319e7", "Milestone health: done"),
    Status.NO_DUE_DATE: ("c5def5", "Milestone health: no due date"),
    Status.UNKNOWN: ("cccccc", "Milestone health: not enough data"),
}
"""Colour (six hex digits) and description of each status label."""


HEALTH: Mapping[Status, str] = {
    Status.ON_TRACK: "on_track",
    Status.AT_RISK: "needs_attention",
    Status.OFF_TRACK: "at_risk",
    Status.OVERDUE: "at_risk",
}
"""GitLab's own health status for each of ours; the others have none."""


class CurrentDescription(Struct, frozen=True, kw_only=True):
    """A milestone's own description as it stands, and how it is told: native id, key, page.

    ``before``: lines of ours stood in it once. ``room`` is how long it may get, in UTF-8 bytes.
    """

    native: str
    key: str
    url: str
    text: str
    before: bool
    room: int


class Desired(Struct, frozen=True, kw_only=True):
    """What should stand in a tracker for one milestone.

    ``label`` is the wanted status label, ``siblings`` the other labels of its prefix. ``summary`` and ``transition``
    are rendered bodies, ``probability``, ``p50`` and ``due`` the forecast in them; ``transition`` says what changed,
    given the status in the last summary, and may decline.
    ``closing`` is the body of the closing comment, which tells `done` in its place; None where there is no record.
    ``reminder`` is the body of the one that asks owners, None when nobody is to be asked; it is posted anew every
    ``remind_every`` days at most.
    ``posted`` tells that a summary of ours stood there before, so that its absence is a person's doing.
    ``may_create`` is false for a milestone that gets no status issue made for it; ``needs_label`` says that the
    tracker wants labels created before use, ``any_case`` that it knows them whatever their case. ``stale``: a source
    failed, so only a summary that stands is rewritten.
    ``lines`` are what should stand in the milestone's own description, empty for nothing, None where that is not ours
    to say; ``described`` is what stands there.
    ``health`` is the tracker's own health status as it should be (empty: none), None where that is not ours to say;
    ``health_set`` is what we set last.
    ``board`` is the project board on which a status update of it should stand (empty: none), None where there are no
    boards; ``told`` is its body, ``boards_told`` where we have posted one. ``visibility`` is that of its project.
    ``picture`` is a digest of what the picture of its burn-up should tell (empty: none), None where that is not ours to
    say; ``undrawn`` says why it cannot be drawn, ``pictured`` which ones (`sync.plan.attachment`) we have attached.
    ``quiet``: today nobody is to be notified of a new status. ``muted`` and ``refresh`` (when) are people's commands;
    ``understood`` and ``ignored`` count them.
    """

    milestone: str
    project: str
    project_key: str
    status: Status
    since: datetime
    label: str
    siblings: tuple[str, ...]
    summary: str
    meaning: str
    transition: Callable[[Status], str | None]
    issue_title: str
    issue_body: str
    closing: str | None = None
    reminder: str | None = None
    remind_every: int = 7
    issue_labels: tuple[str, ...] = ()
    baseline: date | None = None
    policy: Policy = Policy.PLAN
    posted: bool = False
    may_create: bool = True
    needs_label: bool = False
    any_case: bool = False
    probability: float | None = None
    p50: date | None = None
    due: date | None = None
    replan: Replan | None = None
    lines: str | None = None
    described: CurrentDescription | None = None
    health: str | None = None
    health_set: str | None = None
    board: str | None = None
    told: str = ""
    boards_told: frozenset[str] = frozenset()
    picture: str | None = None
    undrawn: str = ""
    pictured: frozenset[str] = frozenset()
    visibility: Visibility = Visibility.UNKNOWN
    stale: bool = False
    quiet: bool = False
    muted: bool = False
    refresh: datetime | None = None
    understood: int = 0
    ignored: int = 0


class Skipped(Struct, frozen=True):
    """A milestone for which nothing is written although something differs, and why in a few words."""

    milestone: str
    why: str


class CommandCounts(Struct, frozen=True, kw_only=True):
    """What people have said in the threads: commands ``understood``, and ``ignored`` because they are not, or because
    their author may not write; milestones ``muted``, summaries ``edited`` by hand, which stay, and transitions that
    ``wait`` for a working day.
    """

    understood: int = 0
    ignored: int = 0
    muted: int = 0
    edited: int = 0
    waiting: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """Actions in the order in which they are applied, what was left out on purpose, and what people have said."""

    actions: tuple[Action, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    people: CommandCounts = CommandCounts()


def label_name(prefix: str, separator: str, status: Status) -> str:
    """``health/on-track`` or, where labels are scoped, ``health::on-track``."""
    return f"{prefix}{separator}{status.value.replace('_', '-')}"


def merge_plans(plans: Sequence[Plan]) -> Plan:
    """One after the other."""
    return Plan(
        actions=tuple(action for plan in plans for action in plan.actions),
        skipped=tuple(skipped for plan in plans for skipped in plan.skipped),
        people=CommandCounts(
            **{name: sum(getattr(plan.people, name) for plan in plans) for name in CommandCounts.__struct_fields__}
        ),
    )
