"""The report's own rules: what changed in words, places on the timeline, what-if tables, charts, promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from sync.assess.milestone import AssessedMilestone
from sync.forecast.scoring import date_score
from sync.forecast.track_record import StreamScore
from sync.markup import render
from sync.model.health import Dates, Status, UnknownCause
from sync.model.tracker_data import Markup
from sync.report.burnup import render_png
from sync.report.facts import build_facts
from sync.report.page_links import page_name
from sync.report.summary import summary
from sync.report.track_record import NO_TRACK_RECORD, track_record_sentence
from sync.report.verdict import outage_words
from sync.site.build import build
from sync.site.calibration import given_dates
from sync.site.contents import Contents
from sync.site.portfolio import assessment_summary, change_words, date_range
from tests.golden.situations import facts, health
from tests.sample_site import JOINT, NOW, contents, installation, project, series, small

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def made() -> Iterator[Contents]:
    with installation({"gh": [series(project("acme/app"), running=3)]}, daily=False) as engine:
        yield contents(engine)


def test_a_page_keeps_its_name_when_the_milestone_is_renamed() -> None:
    assert page_name("https://tracker.example/milestone/7") == page_name("https://tracker.example/milestone/7")
    assert page_name("https://tracker.example/milestone/7") != page_name("https://tracker.example/milestone/8")


def test_changes_are_described_in_words_and_small_moves_are_not() -> None:
    now = health(Status.AT_RISK, 0.50, dates=Dates(p50=date(2026, 12, 10)))
    then = assessment_summary(now)
    assert change_words(then, now) == ()
    assert change_words(replace(then, probability=0.53), now) == ()
    assert change_words(replace(then, probability=0.60), now) == ("60% → 50%",)
    assert change_words(replace(then, status=Status.ON_TRACK), now) == ("on track → at risk",)
    assert change_words(replace(then, due=date(2026, 12, 1)), now) == ("due date 1 Dec 2026 → 12 Dec 2026",)
    assert change_words(replace(then, p50=date(2026, 12, 3)), now) == ("most likely 7 days later",)
    assert change_words(replace(then, p50=date(2026, 12, 9)), now) == ()
    assert change_words(None, now) == ("new",)


def test_figures_of_two_methods_are_not_compared() -> None:
    now = health(Status.AT_RISK, 0.50, dates=Dates(p50=date(2026, 12, 10)), method=2)
    then = replace(assessment_summary(now), method=1, probability=0.9, p50=date(2026, 12, 1), status=Status.ON_TRACK)
    assert change_words(then, now) == ()
    assert change_words(then, replace(now, previous_status=Status.ON_TRACK)) == ("on track → at risk",)
    assert change_words(replace(then, due=date(2026, 12, 1)), now) == ("due date 1 Dec 2026 → 12 Dec 2026",)


def test_the_timeline_holds_today_and_cuts_what_is_far_away() -> None:
    near = health(Status.AT_RISK, 0.5, dates=Dates(p50=date(2026, 12, 10), p95=date(2027, 1, 20)))
    far = replace(near, due=date(2031, 1, 1), baseline=date(2020, 1, 1))
    shown = date_range([near], TODAY)
    assert shown.first < TODAY < shown.last
    assert 0 < shown.place(TODAY) < shown.place(date(2026, 12, 10)) < shown.place(date(2027, 1, 20)) < 100
    wide = date_range([near, far], TODAY)
    assert (wide.last - wide.first).days < 230
    assert (wide.place(date(2031, 1, 1)), wide.place(date(2020, 1, 1))) == (100, 0)
    assert wide.outside(date(2031, 1, 1))
    assert not wide.outside(TODAY)


def test_what_if_agrees_with_the_verdict_and_with_the_levers(made: Contents) -> None:
    numbers = made.numbers({page.row.uid for page in made.pages})
    asked = [(page, table) for page in made.pages if (table := numbers[page.row.uid].what_if) is not None]
    assert len(asked) >= 2
    for page, table in asked:
        row, column = table.now
        assert (table.cuts[row], table.dates[column]) == (0, page.health.due)
        assert table.p[row][column] == page.health.probability
        moves = [lever for lever in page.health.levers if lever.kind.value == "move" and not lever.values["capacity"]]
        for lever in moves:
            there = table.dates.index(lever.values["to"])
            assert table.p[row][there] == pytest.approx(lever.probability, abs=0.02)


def test_what_if_never_contradicts_itself(made: Contents) -> None:
    numbers = made.numbers({page.row.uid for page in made.pages}).values()
    tables = [own.what_if for own in numbers if own.what_if is not None]
    for table in tables:
        assert all(a <= b for line in table.p for a, b in pairwise(line)), "a later date never hurts"
        assert all(b <= a for few, many in pairwise(table.p) for a, b in zip(few, many, strict=True)), (
            "more never helps"
        )
        assert all(0 < cell < 1 for line in table.p for cell in line)


@pytest.mark.parametrize("dates", [0, 9, 10, 40])
def test_page_and_comment_agree_on_the_track_record(made: Contents, tmp_path: Path, dates: int) -> None:
    page = next(page for page in made.pages if page.health.probability is not None)
    milestone = next(milestone for milestone in made.assessed if milestone.uid == page.row.uid)
    score = StreamScore(stream="s", dates=dates, held=dates, forecasts=dates, milestones=3, brier=0.271)
    words = track_record_sentence(score)
    comment = render(summary(build_facts(replace(milestone, score=score), now=made.at)), Markup.GITHUB, 65_000)
    reliability = dataclasses.replace(made.reliabilities[0], score=score)
    pages = (dataclasses.replace(page, score=score),)
    build(dataclasses.replace(made, pages=pages, reliabilities=(reliability,)), tmp_path, b"{}")
    calibration = (tmp_path / "calibration.html").read_text()
    for text in (comment, (tmp_path / page.row.page).read_text(), calibration):
        assert words in text
        assert ("0.271" in text) is (dates >= 10 and text is not comment)


def test_what_was_published_so_far_is_what_comments_say(made: Contents) -> None:
    assert {track_record_sentence(milestone.score) for milestone in made.assessed} == {NO_TRACK_RECORD}
    assert {track_record_sentence(page.score) for page in made.pages} == {NO_TRACK_RECORD}
    assert not made.has_track_record


def test_promises_count_what_was_done_by_the_date(made: Contents) -> None:
    (stream,) = made.reliabilities
    assert stream.due == 8
    assert 0 <= stream.first <= stream.kept <= 8
    ends = [milestone for milestone in made.assessed if milestone.health.status is Status.DONE]
    late = [
        milestone
        for milestone in ends
        if max(s.closed for s in milestone.memberships if s.closed).date() > (milestone.health.due or TODAY)
    ]
    assert stream.kept == 8 - len(late)


def test_published_dates_are_counted_by_how_far_ahead_they_were() -> None:
    ahead, held = np.array([3.0] * 10 + [20.0] * 2), np.array([1.0] * 8 + [0.0] * 4)
    scores = {"app/Release": StreamScore(stream="app/Release", p85=date_score(0.85, ahead, held, least=10))}
    (row,) = given_dates(scores)
    assert (row.stream, row.given) == ("app/Release", "85%")
    assert row.cells == ("8 of 12: 67%", "8 of 10: 80%", "0 of 2: too few", "–", "–")


def test_the_replay_says_how_many_forecasts_it_rests_on(made: Contents) -> None:
    replay = made.replay()
    assert replay.forecasts == sum(group.n for group in replay.bins) > 5
    assert replay.milestones <= 8


def test_a_picture_of_the_burn_up_is_a_png_for_what_cannot_draw(made: Contents) -> None:
    pytest.importorskip("resvg_py", reason="no PNG here: the extra `site`")
    milestone = next(milestone for milestone in made.assessed if milestone.is_running)
    drawn = render_png(milestone)
    assert drawn is not None
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])) == (1520, 600)
    assert drawn == render_png(milestone)
    assert render_png(replace_stays(milestone)) is None


def replace_stays(milestone: AssessedMilestone) -> AssessedMilestone:
    """The milestone as if it held nothing."""
    return replace(milestone, memberships=())


def test_the_portfolio_counts_the_milestones_whose_verdicts_an_outage_hides() -> None:
    with installation(small(), stale="gl", joints=(JOINT,)) as engine:
        (outage,) = contents(engine).stale
    assert outage.name == "gl:acme/api"
    assert outage.outage == (
        "has not been read completely since 21 Nov 2026, 06:30 UTC: 3 milestones as of 21 Nov 2026, 06:30 UTC."
    ), "two of its own and their joint milestone"


def test_an_outage_counts_kept_and_lost_verdicts_apart() -> None:
    since = NOW - timedelta(days=1)
    kept = [facts(health(Status.AT_RISK, 0.5, stale_since=since, at=NOW - timedelta(hours=n))) for n in (3, 2)]
    lost = facts(health(Status.UNKNOWN, None, stale_since=since, unknown=UnknownCause.STALE))
    failed = "has not been read completely since 21 Nov 2026, 06:30 UTC"
    assert outage_words(since, []) == f"{failed}."
    assert outage_words(since, [*kept, lost]) == (
        f"{failed}: 2 milestones as of 22 Nov 2026, 03:30 UTC or later, 1 milestone without a verdict."
    )
    assert outage_words(None, [lost]) == "has not been read completely yet: 1 milestone without a verdict."


def test_pages_show_the_owner_of_the_configuration_and_no_other(tmp_path: Path) -> None:
    with installation(small(), joints=(JOINT,), daily=False) as engine:
        made = contents(engine)
    owners = {row.written: row.owners for row in made.rows if row.owners}
    assert owners == {"gh:acme/app#10": ("Noor Hill",), "joint:Payments GA": ("Ada Fox",)}
    build(made, tmp_path, b"{}")
    for row in made.rows:
        text = (tmp_path / row.page).read_text() if row.page else ""
        assert not text or f"<dt>Owner</dt><dd>{_owner_cell(row.owners)}</dd>" in text


def _owner_cell(owners: tuple[str, ...]) -> str:
    return "".join(f"<bdi>{name}</bdi>" for name in owners) or "not set"
