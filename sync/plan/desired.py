"""Desired state of a milestone on its tracker, and the plan of the writes that produce it: values only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.model.health import Replan, Status
from sync.model.plan_clock import PlanClock
from sync.model.policy import Policy
from sync.model.published import SummaryForecast
from sync.model.tracker_data import Visibility
from sync.tracker.actions import Action

__all__ = [
    "LABELS",
    "CommandCounts",
    "CurrentDescription",
    "Desired",
    "Plan",
    "PreviousWrites",
    "Skipped",
    "label_name",
    "label_names",
    "merge_plans",
]

LABELS: Mapping[Status, tuple[str, str]] = {
    Status.ON_TRACK: ("0e8a16", "Milestone health: on track"),
    Status.AT_RISK: ("fbca04", "Milestone health: at risk"),
    Status.OFF_TRACK: ("d93f0b", "Milestone health: off track"),
    Status.OVERDUE: ("b60205", "Milestone health: overdue"),
    Status.DONE: ("5319e7", "Milestone health: done"),
    Status.ENDED: ("bfbfbf", "Milestone health: ended with open work"),
    Status.NO_DUE_DATE: ("c5def5", "Milestone health: no due date"),
    Status.UNKNOWN: ("cccccc", "Milestone health: not enough data"),
}
"""Colour (six hex digits) and description of each status label."""


_UTC = ZoneInfo("UTC")


class CurrentDescription(Struct, frozen=True, kw_only=True):
    """A milestone's own description as it was pulled, with the milestone's native id, key and page.

    ``limit`` is the maximum length of the description in UTF-8 bytes.
    """

    native: str
    key: str
    url: str
    text: str
    limit: int


class PreviousWrites(Struct, frozen=True, kw_only=True):
    """Our earlier writes for one milestone, from the journal: what is missing now was deleted by a person.

    ``summary`` and ``description`` say that we posted a summary comment, and lines in the description. ``health`` is
    the tracker's own health status that we set last, None: never. ``boards`` are the names of the project boards with
    an update of ours, ``pictures`` the stems (`sync.tracker.attachment`) of the files that we attached. ``prefixes``
    are the prefixes of all status labels that we ever wrote.
    """

    summary: bool = False
    description: bool = False
    health: str | None = None
    boards: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()


class Desired(Struct, frozen=True, kw_only=True):
    """The desired state of one milestone on its tracker.

    ``label`` is the wanted status label, ``prefix`` is the first part of its name; ``siblings`` are
    our other labels, with that prefix or a former one. ``summary`` is the body of
    the summary comment and ``meaning`` the hash of its meaning; ``probability``, ``p50`` and ``due`` are the forecast
    in it, ``p70``, ``p85`` and ``p95`` its other dates, ``dated`` the time (UTC) since which they are given.
    ``changes_since`` (UTC) and ``previous_forecast`` are what its changes refer to, see `sync.report.changes`;
    ``method_changed_at`` (UTC) is the change of method that it names. ``zone`` is that of the connection, in which a
    day begins.
    ``transition`` returns the body of the comment for a new status, given the status before; None for none.
    ``closing`` is the body of the closing comment, which replaces the transition to `done` or `ended`; None without a
    record.
    ``reminder`` is the body of the comment that reminds owners, None when no issue needs its owner; a new one is
    posted every ``remind_every`` days at most.
    ``may_create`` is false for a milestone that gets no status issue; ``needs_label``: the tracker needs labels
    created before use; ``any_case``: the tracker ignores the case of labels. ``stale``: a source failed, so only an
    existing summary is rewritten; ``keeps_verdict``: the last verdict is kept meanwhile, so nothing is written.
    ``description`` holds our lines for the milestone's own description: empty for none, None when the tracker has no
    description to write; ``current_description`` is the present one.
    ``health`` is the tracker's own health status: empty for none, None when the tracker has none.
    ``board`` is the name of the project board for a status update (empty: none), None when the tracker has no boards;
    ``board_update`` is the body of the update. ``visibility`` is that of the milestone's project.
    ``method`` is that of the health; a summary of another one is edited in place, and nothing is announced.
    ``is_transition``: the status was reached from another status of the same method.
    ``picture`` is the hash of the burn-up's content (empty: no picture), None when the tracker takes no files;
    ``picture_problem`` says why the picture cannot be drawn.
    ``closes``: milesync closes and reopens a status issue that it created (`sync.plan.issue_state`).
    ``quiet``: today no new status is announced. ``muted`` and ``refresh`` (time in UTC) come from people's commands;
    ``understood`` and ``ignored`` count the commands.
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
    prefix: str = ""
    closing: str | None = None
    reminder: str | None = None
    remind_every: int = 7
    issue_labels: tuple[str, ...] = ()
    baseline: date | None = None
    policy: Policy = Policy.PLAN
    may_create: bool = True
    needs_label: bool = False
    any_case: bool = False
    probability: float | None = None
    p50: date | None = None
    p70: date | None = None
    p85: date | None = None
    p95: date | None = None
    dated: datetime | None = None
    due: date | None = None
    changes_since: datetime | None = None
    previous_forecast: SummaryForecast | None = None
    method_changed_at: datetime | None = None
    zone: ZoneInfo = _UTC
    replan: Replan | None = None
    clock: PlanClock | None = None
    method: int = 1
    is_transition: bool = True
    description: str | None = None
    current_description: CurrentDescription | None = None
    health: str | None = None
    board: str | None = None
    board_update: str = ""
    picture: str | None = None
    picture_problem: str = ""
    previous: PreviousWrites = PreviousWrites()
    visibility: Visibility = Visibility.UNKNOWN
    stale: bool = False
    keeps_verdict: bool = False
    closes: bool = False
    quiet: bool = False
    muted: bool = False
    refresh: datetime | None = None
    understood: int = 0
    ignored: int = 0


class Skipped(Struct, frozen=True):
    """A milestone whose differences are not written, with the reason in a few words.

    ``address``: an unknown address of the tracker in our texts, which is the reason. ``claimed_by``: another account,
    whose text with our marker at ``place`` is the reason; empty for an account that was deleted.
    """

    milestone: str
    why: str
    address: str = ""
    claimed_by: str = ""
    place: str = ""


class CommandCounts(Struct, frozen=True, kw_only=True):
    """Counts of what people did in the threads.

    ``understood``: valid commands; ``ignored``: unknown commands, or commands of authors who may not write. ``muted``:
    milestones muted by a command, or by a closed status issue that holds writes back. ``edited``: summaries that a
    person edited, which are kept. ``waiting``: transitions that wait for a working day.
    """

    understood: int = 0
    ignored: int = 0
    muted: int = 0
    edited: int = 0
    waiting: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """Actions in the order of their application, skipped milestones, and counts of people's commands and edits.

    ``recomputed`` are the milestones (uid) whose texts are written because the forecast's method changed, ``refreshed``
    those whose texts are only rewritten in place for a new day. Both may wait for a later run. ``without_issue`` are
    the milestones (uid) that have no status issue and should have one, under any policy; ``undecided`` those
    for which an unread status issue or missing data leaves that open.
    """

    actions: tuple[Action, ...] = ()
    recomputed: tuple[str, ...] = ()
    refreshed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    without_issue: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    people: CommandCounts = CommandCounts()


def label_name(prefix: str, separator: str, status: Status) -> str:
    """Return the status label: ``health/on-track``, or ``health::on-track`` with the separator for scoped labels."""
    return f"{prefix}{separator}{status.value.replace('_', '-')}"


def label_names(prefixes: Iterable[str], separator: str) -> tuple[str, ...]:
    """Return all status labels with these prefixes."""
    return tuple(label_name(prefix, separator, status) for prefix in prefixes for status in Status)


def merge_plans(plans: Sequence[Plan]) -> Plan:
    """Concatenate plans and add up their counts."""
    return Plan(
        actions=tuple(action for plan in plans for action in plan.actions),
        recomputed=tuple(uid for plan in plans for uid in plan.recomputed),
        refreshed=tuple(uid for plan in plans for uid in plan.refreshed),
        skipped=tuple(skipped for plan in plans for skipped in plan.skipped),
        without_issue=tuple(uid for plan in plans for uid in plan.without_issue),
        undecided=tuple(uid for plan in plans for uid in plan.undecided),
        people=CommandCounts(
            **{name: sum(getattr(plan.people, name) for plan in plans) for name in CommandCounts.__struct_fields__}
        ),
    )
