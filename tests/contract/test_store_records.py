"""Assessments, observations and the journal of writes in every database of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import event, select

from sync.model.health import (
    Basis,
    Confidence,
    Dates,
    Health,
    Leftover,
    Lever,
    LeverKind,
    Promise,
    Reason,
    ReasonKind,
    Status,
)
from sync.model.membership import Counts
from sync.model.tracker_data import Project, Visibility
from sync.store import tables as schema
from sync.store.store import Store
from sync.tracker.actions import CreateComment, CreateStatusIssue, MoveLabel, OwnContent, Receipt, UpdateComment
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import Board, BoardUpdate, OurComment, StatusIssue
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, OTHER, SOURCE, T0, issue
from tests.journal_rows import unfinished_writes

HOUR = timedelta(hours=1)

# --- assessments --------------------------------------------------------------------------------------------------

FULL = Health(
    container="c",
    at=T0,
    status=Status.AT_RISK,
    band=Status.OFF_TRACK,
    since=T0 - DAY,
    audience="team",
    due=date(2026, 4, 1),
    baseline=date(2026, 3, 1),
    start=date(2026, 1, 1),
    probability=0.4,
    dates=Dates(p50=date(2026, 4, 2), p85=date(2026, 4, 9), p95=None, horizon=date(2027, 1, 1)),
    counts=Counts(open=3, closed=2, removed=1, added=1),
    reasons=(Reason(kind=ReasonKind.DUE_MOVED, effect=-0.5, values={"from": date(2026, 3, 1), "days": 31, "x": None}),),
    levers=(
        Lever(
            kind=LeverKind.MOVE, probability=0.8, values={"to": date(2026, 4, 9), "text": "2026-04-09"}, items=("i",)
        ),
        Lever(kind=LeverKind.PACE, probability=None, values={"needed": 2.5}),
    ),
    confidence=Confidence.LOW,
    basis=Basis(stream="s", survival=0.3),
)


def test_the_last_health_comes_back_whole_and_by_audience(store: Store) -> None:
    later = replace(FULL, at=T0 + DAY, status=Status.ON_TRACK)
    public = replace(FULL, audience="public", reasons=(), levers=())
    store.save_health("run 1", [FULL, public])
    store.save_health("run 2", [later])
    assert store.last_health("team") == {"c": later}
    assert store.last_health("public") == {"c": public}
    assert store.last_health() == {}


def test_a_late_older_health_is_not_the_last_one(store: Store) -> None:
    store.save_health("run", [FULL])
    store.save_health("run", [replace(FULL, at=T0 - DAY)])
    store.save_health("run", [replace(FULL, at=T0 - DAY)])
    assert store.last_health("team")["c"].at == T0
    assert len(list(store.forecasts())) == 2


def test_a_health_of_a_clock_that_ran_ahead_is_the_last_one_until_the_next(store: Store) -> None:
    store.save_health("run", [replace(FULL, at=T0 + 400 * DAY)])
    store.save_health("run", [FULL])
    assert store.last_health("team")["c"].at == T0


def test_the_same_health_an_hour_later_is_no_new_row_and_has_the_new_time(store: Store) -> None:
    later = [replace(FULL, at=T0 + n * HOUR) for n in range(3)]
    for n, health in enumerate(later):
        store.save_health(f"run {n}", [health], {"c": "s"})
    assert _times(store) == [T0]
    assert store.last_health("team") == {"c": later[-1]}
    assert store.as_of(T0 + 2 * HOUR, "team")["c"].status is FULL.status


def test_a_late_health_does_not_replace_a_repeated_one(store: Store) -> None:
    for hours in (3, 0):
        store.save_health("run", [replace(FULL, at=T0 - hours * HOUR)])
    for late in (FULL, replace(FULL, probability=0.41)):
        store.save_health("slow run", [replace(late, at=T0 - HOUR)])
        assert store.last_health("team") == {"c": FULL}
    assert _times(store) == [T0 - 3 * HOUR, T0 - HOUR]


@pytest.mark.parametrize("probability", [FULL.probability, 0.41])
def test_a_repetition_of_a_clock_that_ran_ahead_ends_with_the_next_health(
    store: Store, probability: float | None
) -> None:
    for hours in (-1, 11):
        store.save_health("run", [replace(FULL, at=T0 + hours * HOUR)])
    following = replace(FULL, probability=probability)
    store.save_health("run", [following])
    assert store.last_health("team") == {"c": following}


def test_of_assessments_with_the_same_columns_the_last_one_is_whole(store: Store) -> None:
    fewer = replace(FULL, reasons=())
    assert fewer != FULL
    for hours, health in enumerate((FULL, fewer, fewer)):
        store.save_health("run", [replace(health, at=T0 - (5 - hours) * HOUR)], {"c": "s"})
    assert _times(store) == [T0 - 5 * HOUR]
    assert store.last_health("team") == {"c": replace(fewer, at=T0 - 3 * HOUR)}
    store.save_health("slow run", [replace(FULL, at=T0 - 4 * HOUR)], {"c": "s"})
    assert store.last_health("team") == {"c": replace(fewer, at=T0 - 3 * HOUR)}
    store.save_health("next run", [FULL], {"c": "s"})
    assert _times(store) == [T0 - 5 * HOUR]
    assert store.last_health("team") == {"c": FULL}


@pytest.mark.parametrize("other", [{"probability": 0.41}, {"audience": "public"}, {"method": 2}])
def test_any_difference_in_a_column_is_a_new_row_and_so_is_what_comes_after_it(
    store: Store, other: dict[str, Any]
) -> None:
    store.save_health("run 0", [FULL], {"c": "s"})
    store.save_health("run 1", [replace(FULL, at=T0 + HOUR, **other)], {"c": "s"})
    store.save_health("run 2", [replace(FULL, at=T0 + 2 * HOUR, audience=other.get("audience", FULL.audience))])
    assert _times(store) == [T0, T0 + HOUR, T0 + 2 * HOUR]
    assert store.last_health(other.get("audience", "team"))["c"].at == T0 + 2 * HOUR


def test_another_stream_and_another_day_are_new_rows(store: Store) -> None:
    times = [T0 - DAY, T0 - DAY + HOUR, T0, T0 + timedelta(minutes=1)]
    for at, stream in zip(times, "sttt", strict=True):
        store.save_health("run", [replace(FULL, at=at)], {"c": stream})
    assert _times(store) == times[:3]


def _times(store: Store) -> list[datetime]:
    return [forecast.at for forecast in sorted(store.forecasts(), key=lambda forecast: forecast.at)]


def test_what_was_last_said_in_each_week(store: Store) -> None:
    thursday = datetime(2026, 1, 1, tzinfo=UTC)
    days = (0, 1, 6, 7, 15, 20)
    told = [replace(FULL, audience="", at=thursday + n * DAY, probability=0.3 + n / 100) for n in days]
    store.save_health("run", [*told, replace(FULL, audience="public", at=thursday + 8 * DAY)])
    found = store.weekly(thursday, thursday + 20 * DAY)
    assert [(summary.at - thursday).days for summary in found["c"]] == [6, 7, 15]
    assert [round(summary.probability or 0, 2) for summary in found["c"]] == [0.36, 0.37, 0.45]
    assert [(summary.at - thursday).days for summary in store.weekly(thursday + 7 * DAY, thursday + 99 * DAY)["c"]] == [
        7,
        20,
    ]


def test_forecasts_and_outcomes_are_kept_for_scoring(store: Store) -> None:
    silent = replace(FULL, container="d", probability=None, dates=Dates(), basis=Basis(stream="t"))
    store.save_health("run 1", [FULL, silent, replace(FULL, container="a")], {"a": "named"})
    store.save_health("run 2", [replace(FULL, at=T0 + DAY)])
    found = list(store.forecasts())
    assert [(forecast.container, forecast.at, forecast.stream) for forecast in found] == [
        ("a", T0, "named"),
        ("c", T0, "s"),
        ("c", T0 + DAY, "s"),
    ]
    assert (found[1].probability, found[1].start, found[1].due) == (0.4, FULL.start, FULL.due)
    assert (found[1].p50, found[1].p85, found[1].p95) == (FULL.dates.p50, FULL.dates.p85, None)
    assert [forecast.container for forecast in store.forecasts("named")] == ["a"]


def test_a_forecast_keeps_its_method_range_and_promise(store: Store) -> None:
    ranged = replace(FULL, leftover=Leftover(usually=3, low=1, high=6), method=2)
    promised = replace(FULL, container="p", probability=None, dates=Dates(p50=date(2026, 4, 2)), due=None, start=None)
    promised = replace(promised, promise=Promise(p50=date(2026, 4, 2), p70=date(2026, 4, 5)))
    store.save_health("run", [ranged, promised])
    first, second = store.forecasts()
    assert (first.leftover_low, first.leftover_high, first.method, first.p70) == (1, 6, 2, None)
    assert (second.leftover_low, second.p50, second.p70, second.method) == (None, date(2026, 4, 2), date(2026, 4, 5), 1)
    assert store.as_of(T0, "team")["c"].method == 2


def test_what_was_said_at_a_time_and_when_it_turned(store: Store) -> None:
    risk = replace(FULL, audience="", status=Status.AT_RISK)
    told = [
        risk,
        replace(risk, at=T0 + DAY, probability=0.5),
        replace(risk, at=T0 + 2 * DAY, status=Status.ON_TRACK),
        replace(risk, at=T0 + 3 * DAY, status=Status.ON_TRACK, due=None),
        replace(risk, container="d", at=T0 + DAY),
        replace(risk, audience="public", at=T0 + DAY),
    ]
    store.save_health("run", told)
    assert store.as_of(T0 - DAY) == {}
    before = store.as_of(T0 + DAY)
    assert {name: (summary.at, summary.probability) for name, summary in before.items()} == {
        "c": (T0 + DAY, 0.5),
        "d": (T0 + DAY, 0.4),
    }
    assert store.as_of(T0 + 9 * DAY)["c"].due is None
    turns = store.status_changes()
    assert [(summary.at, summary.status, summary.due) for summary in turns["c"]] == [
        (T0, Status.AT_RISK, FULL.due),
        (T0 + 2 * DAY, Status.ON_TRACK, FULL.due),
        (T0 + 3 * DAY, Status.ON_TRACK, None),
    ]
    assert len(turns["d"]) == 1
    assert store.as_of(T0, "public") == {}
    assert len(store.status_changes("public")["c"]) == 1


# --- observation and journal --------------------------------------------------------------------------------------

UID = f"{SOURCE}/milestone/m"


def marker(kind: MarkerKind, milestone: str = UID) -> str:
    return Marker(instance="i", kind=kind, milestone=milestone).encode()


def status_issue(**changes: Any) -> StatusIssue:
    fields: dict[str, Any] = {
        "issue": "#1",
        "url": f"{SOURCE}/p/1",
        "closed": False,
        "labels": ("health/on-track",),
        "comments": (),
    }
    return StatusIssue(**fields | changes)


def comment(kind: MarkerKind) -> OurComment:
    return OurComment(id="c1", marker=marker(kind), body="Body", created_at=T0, updated_at=T0)


def test_the_last_observation_is_kept(store: Store) -> None:
    store.save(SOURCE, Page(), T0)
    seen = status_issue(comments=(comment(MarkerKind.TRANSITION),))
    store.save_observed({UID: None}, T0)
    store.save_observed({UID: seen}, T0 + DAY)
    store.save_observed({f"{SOURCE}/milestone/n": None}, T0)
    assert store.last_observations() == {UID: (seen, T0 + DAY), f"{SOURCE}/milestone/n": (None, T0)}
    assert store.observed_milestones() == {UID: True, f"{SOURCE}/milestone/n": False}


def test_a_stored_observation_of_an_earlier_version_is_open_to_commands() -> None:
    earlier = b'{"issue":"#1","url":"","closed":false,"labels":[],"comments":[]}'
    assert msgspec.json.decode(earlier, type=StatusIssue).is_open_to_commands


def test_status_issues_are_known_from_the_journal(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("9", key="#5"), issue("8", key="#5", project="q"), issue("7"))), T0)
    action = CreateStatusIssue(milestone=UID, project="p", project_key="a/b", title="T", body="B", marker="{}")
    entry = store.begin("run", action)
    assert store.status_issue_ids(SOURCE) == frozenset()
    store.finish(entry, Receipt(issue="#5"))
    assert store.status_issue_ids(SOURCE) == {"9"}


def test_a_key_that_thousands_of_projects_have_makes_no_longer_statement(store: Store) -> None:
    issues = tuple(issue(f"{n}", key="#5", project=f"p{n}", url=f"{SOURCE}/p{n}/5") for n in range(2_500))
    store.save(SOURCE, Page(issues=issues), T0)
    action = CreateStatusIssue(milestone=UID, project="p7", project_key="a/b", title="T", body="B", marker="{}")
    store.finish(store.begin("run", action), Receipt(issue="#5"))
    values: list[int] = []
    event.listen(store._engine, "before_cursor_execute", lambda *given: values.append(len(given[3])))
    assert store.status_issue_ids(SOURCE) == {"7"}
    assert 1_000 < max(values) <= 1_001


def test_status_issues_are_known_from_an_observation_by_their_marker(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1"), issue("2"))), T0)
    named = status_issue(issue="#2", url=f"{SOURCE}/p/2")
    store.save_observed({f"{SOURCE}/milestone/n": named}, T0)
    foreign = status_issue(marker=marker(MarkerKind.STATUS_ISSUE, "another milestone"))
    store.save_observed({UID: foreign}, T0)
    assert store.status_issue_ids(SOURCE) == frozenset()
    store.save_observed({UID: status_issue(marker=marker(MarkerKind.STATUS_ISSUE))}, T0)
    store.save_observed({UID: None}, T0 + DAY)
    assert store.status_issue_ids(SOURCE) == {"1"}


def test_rows_that_another_process_saves_between_two_statements_are_read_correctly(lasting: str) -> None:
    with (
        Store.open(lasting, create=True, clock=lambda: T0) as ours,
        Store.open(lasting, create=True, clock=lambda: T0) as theirs,
    ):
        ours.save(SOURCE, Page(), T0)
        saved: list[str] = []

        def save(*_: object) -> None:
            name = f"{len(saved):03}"
            saved.append(name)
            for source in (SOURCE, f"{OTHER}/{name}"):
                page = Page(projects=(Project(id=name, key=name, name=name, url="", visibility=Visibility.PROJECT),))
                theirs.save(source, page, T0)
                theirs.note_pull(source, name, T0, None)
                theirs.note_pull(source, f"{name}-lost", T0, "refused")
                theirs.watch("connection", source, [name], only=False)
            theirs.save_observed({f"{OTHER}/{name}/milestone/n": None}, T0)

        event.listen(ours._engine, "after_cursor_execute", save)
        for _ in range(3):
            assert not any(key.endswith("-lost") for _, key in ours.last_pulls())
            assert all(key.endswith("-lost") for _, key in ours.failed_pulls())
            assert ours.removed_projects(SOURCE) == []
            assert not any(ours.observed_milestones().values())
        assert len(saved) > 20


def test_no_text_of_a_comment_is_kept_whatever_becomes_of_it(store: Store) -> None:
    store.save(SOURCE, Page(), T0)
    place: Any = {"milestone": UID, "project": "p", "project_key": "k"}
    opened = CreateStatusIssue(**place, title="T", body="Hello", marker="{world}")
    posted = CreateComment(**place, issue="#1", body="Hello", marker="{world}", summary=False)
    edited = UpdateComment(**place, issue="#1", comment="9", body="Hello", marker="{world}")
    for action in (opened, posted, edited):
        store.finish(store.begin("run", action), Receipt(id="9", issue="1"))
        store.finish(store.begin("run", action), "refused")
        store.begin("run", action)
    with store._engine.connect() as connection:
        kept = [row.action for row in connection.execute(select(schema.journal.c.action))]
    assert len(kept) == 9
    assert not [action for action in kept if "Hello" in action or "world" in action]
    assert len(store.texts_between(SOURCE, T0 - DAY, T0 + DAY)) == 4


def test_a_summary_once_posted_is_remembered(store: Store) -> None:
    store.save(SOURCE, Page(), T0)
    post = CreateComment(milestone=UID, project="p", project_key="k", issue="#1", body="B", marker="{}", summary=True)
    store.finish(store.begin("run", replace(post, summary=False)), Receipt(id="1"))
    store.finish(store.begin("run", post), "refused")
    assert store.milestones_with(OwnContent.SUMMARY) == frozenset()
    store.finish(store.begin("run", post), Receipt(id="1"))
    assert store.milestones_with(OwnContent.SUMMARY) == {UID}
    other = f"{SOURCE}/milestone/n"
    text = Marker(instance="i", kind=MarkerKind.SUMMARY, milestone=other).encode()
    store.save_observed({other: status_issue(comments=(replace(comment(MarkerKind.SUMMARY), marker=text),))}, T0)
    store.save_observed({other: status_issue()}, T0 + DAY)
    assert store.milestones_with(OwnContent.SUMMARY) == {UID, other}


def test_another_instances_texts_are_none_that_we_made(store: Store) -> None:
    text = Marker(instance="other", kind=MarkerKind.SUMMARY, milestone=UID).encode()
    update = BoardUpdate(id="1", status="on_track", body="B", created_at=T0, marker=text)
    boards = (Board(name="acme/7", updates=(update,)),)
    seen = status_issue(comments=(replace(comment(MarkerKind.SUMMARY), marker=text),), boards=boards)
    store.save(SOURCE, Page(), T0)
    store.save_observed({UID: seen}, T0, "ours")
    assert store.milestones_with(OwnContent.SUMMARY) == frozenset()
    assert store.places(OwnContent.BOARD) == {}
    store.save_observed({UID: seen}, T0, "other")
    assert store.milestones_with(OwnContent.SUMMARY) == {UID}
    assert store.places(OwnContent.BOARD) == {UID: frozenset({"acme/7"})}


def test_the_last_changes_are_those_of_the_pull(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1", key="#1", updated_at=T0), issue("2", key="#2"))), T0)
    assert store.last_changes(SOURCE, {("p", "#1"), ("other", "#1"), ("p", "#3")}) == {("p", "#1"): T0}
    assert store.last_changes(OTHER, {("p", "#1")}) == {}


def test_an_observation_belongs_to_the_source_with_the_longest_matching_address(store: Store) -> None:
    nested = f"{SOURCE}/team"
    for source in (SOURCE, nested, f"{SOURCE}-2"):
        store.save(source, Page(issues=(issue("1"),)), T0)
    seen = status_issue(marker=marker(MarkerKind.STATUS_ISSUE, f"{nested}/milestone/m"))
    store.save_observed({f"{nested}/milestone/m": seen, f"{SOURCE}/milestone/m": None}, T0)
    assert [store.status_issue_ids(source) for source in (nested, SOURCE)] == [{"1"}, frozenset()]


def test_what_was_begun_and_never_finished_is_known(store: Store) -> None:
    for source in (SOURCE, OTHER):
        store.save(source, Page(), T0)
    move = MoveLabel(milestone=UID, project="p", project_key="k", issue="#1", add="a", remove=("b",))
    elsewhere = replace(move, milestone=f"{OTHER}/milestone/m")
    first, second = store.begin("run", move), store.begin("run", elsewhere)
    third = store.begin("run", replace(move, add="c"))
    assert [(e.n, e.action, e.run, e.begun_at) for e in unfinished_writes(store, OTHER)] == [
        (second, elsewhere, "run", T0)
    ]
    assert [write.n for write in unfinished_writes(store, SOURCE)] == [first, third]
    store.finish(first, Receipt())
    store.finish(third, "The tracker refused")
    assert unfinished_writes(store, SOURCE) == []


def test_runs(store: Store) -> None:
    store.start_run("a", T0)
    store.start_run("b", T0 + DAY)
    store.finish_run("a", '{"milestones": 1}', T0 + DAY)
    assert [(r.id, r.started_at, r.finished_at, r.summary) for r in store.last_runs()] == [
        ("b", T0 + DAY, None, None),
        ("a", T0, T0 + DAY, '{"milestones": 1}'),
    ]
    assert [r.id for r in store.last_runs(1)] == ["b"]
