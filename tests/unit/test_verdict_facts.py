"""The facts that every surface reads: order, shapes, the main reason, and the words on missing data."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.model.dates import day_of
from sync.model.health import WORST_FIRST, Reason, ReasonKind, Status, UnknownCause
from sync.model.tracker_data import MilestoneKind
from sync.report.head import headline
from sync.report.language import load_language
from sync.report.phrases import UNKNOWN
from sync.report.reasons import reason_sentence
from sync.report.verdict import as_of, data_sentence, missing_since
from sync.report.verdict_facts import SHAPES, is_worse
from sync.report.why import main_reason, no_verdict_sentence, why_sentence
from tests.golden.situations import NOW, facts, health

GOOD = Reason(kind=ReasonKind.PACE, effect=0.9, values={"share": 0.9, "usual": 0.5})
BAD = Reason(kind=ReasonKind.HIT_RATE, effect=-0.5, values={"hits": 2, "of": 10})
WORSE = Reason(kind=ReasonKind.HIT_RATE, effect=-0.9, values={"hits": 0, "of": 10})
SINCE = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


def test_every_status_has_a_place_in_the_order_and_a_shape_of_its_own() -> None:
    assert sorted(WORST_FIRST) == sorted(Status)
    assert len(set(SHAPES.values())) == len(SHAPES) == len(Status)


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (Status.ON_TRACK, Status.AT_RISK, True),
        (Status.OVERDUE, Status.AT_RISK, False),
        (Status.AT_RISK, Status.AT_RISK, None),
        (Status.UNKNOWN, Status.AT_RISK, None),
        (Status.ON_TRACK, Status.UNKNOWN, None),
        (Status.ON_TRACK, Status.ENDED, True),
        (Status.OVERDUE, Status.ENDED, None),
    ],
)
def test_a_missing_verdict_is_neither_better_nor_worse(before: Status, now: Status, verdict: bool | None) -> None:
    assert is_worse(before, now) is verdict


@pytest.mark.parametrize("status", [Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE])
def test_the_main_reason_of_a_bad_status_is_the_strongest_against_it(status: Status) -> None:
    assert main_reason(health(status, 0.4, reasons=(GOOD, BAD, WORSE))) is BAD  # they come strongest first
    assert main_reason(health(status, 0.4, reasons=(GOOD,))) is None


def test_the_main_reason_of_on_track_is_the_strongest_in_its_favour() -> None:
    assert main_reason(health(Status.ON_TRACK, 0.9, reasons=(WORSE, GOOD))) is GOOD
    assert main_reason(health(Status.ON_TRACK, 0.9, reasons=(WORSE,))) is None


def test_a_missing_input_explains_a_missing_verdict_but_not_a_date_that_has_passed() -> None:
    missing = health(Status.UNKNOWN, None, unknown=UnknownCause.TOO_FEW_ITEMS, reasons=(BAD,))
    assert why_sentence(facts(missing)) == UNKNOWN[UnknownCause.TOO_FEW_ITEMS]
    assert why_sentence(facts(replace(missing, status=Status.OVERDUE))) == reason_sentence(BAD)


@pytest.mark.parametrize("cause", sorted(set(UnknownCause) - {UnknownCause.STALE}))
def test_a_milestone_without_a_history_in_its_tracker_says_when_its_history_begins(cause: UnknownCause) -> None:
    shown = facts(health(Status.UNKNOWN, None, unknown=cause))
    iteration = replace(shown.milestone, kind=MilestoneKind.ITERATION)
    listed = replace(shown, milestone=iteration, known_from=date(2026, 11, 10))
    history = "The history of this iteration begins on 10 Nov 2026: the tracker has none."
    assert no_verdict_sentence(shown) == UNKNOWN[cause]
    assert no_verdict_sentence(listed) == (history if cause is UnknownCause.NO_HISTORY else UNKNOWN[cause])
    dated = replace(listed, milestone=replace(iteration, kind=MilestoneKind.TARGET_DATE))
    if cause is UnknownCause.NO_HISTORY:
        assert no_verdict_sentence(dated) == why_sentence(dated) == history.replace("iteration", "target date")


def test_a_kept_verdict_has_its_time_and_since_when_a_source_fails_in_each_language() -> None:
    kept = facts(health(Status.AT_RISK, 0.5, stale_since=SINCE))
    assert data_sentence(kept) == (
        "As of 22 Nov 2026, 06:30 UTC; a source has not been read completely since 21 Nov 2026, 23:30 UTC."
    )
    assert headline(kept).endswith(f", {as_of(kept.as_of)}")
    assert missing_since(SINCE) in data_sentence(kept)
    german = data_sentence(kept, load_language("de"))
    assert german.startswith("Stand 22. Nov. 2026, 06:30 UTC; eine Quelle konnte seit 21. Nov. 2026, 23:30 UTC ")
    lost = facts(health(Status.UNKNOWN, None, unknown=UnknownCause.STALE, stale_since=SINCE))
    assert data_sentence(lost) == "A source has not been read completely since 21 Nov 2026, 23:30 UTC."
    assert data_sentence(facts(health(Status.AT_RISK, 0.5))) == ""


@pytest.mark.parametrize(("zone", "day"), [("Etc/GMT+12", 21), ("UTC", 22), ("Pacific/Kiritimati", 22)])
def test_days_begin_in_the_zone_of_the_connection(zone: str, day: int) -> None:
    shown = replace(facts(health(Status.AT_RISK, 0.5)), zone=ZoneInfo(zone))
    assert shown.today == day_of(NOW, ZoneInfo(zone))
    assert shown.today.day == day
    assert shown.days_left == 12 + 30 - day
