"""Digests: which changes count, when a digest is due, and its words."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from msgspec.structs import replace

from sync.digest.cadence import Cadence
from sync.digest.changes import ChangeKind, DigestChanges, MilestoneState, changes_since
from sync.digest.message import MAX_FINDINGS, compose, omitted_note
from sync.digest.phrases import Speaker
from sync.history.calendar import Calendar
from sync.markup.message import fit_message, html_message, text_message
from sync.model.digest import LastSent
from sync.model.health import Dates, LeverKind, Reason, ReasonKind, Status, UnknownCause
from sync.model.portfolio_finding import PortfolioFinding, PortfolioFindingKind
from sync.report.language import LANGUAGES, LOCALE, Language, Style, load_language
from tests import catalogue
from tests.digest_samples import DUE, NOW, STEADY, WAYS, everything, health, standing, steady

GOLDEN = Path(__file__).parents[1] / "golden" / "digest"
DAY = timedelta(days=1)


def told(
    milestone: MilestoneState, before: LastSent | None = STEADY, since: datetime | None = NOW - DAY
) -> tuple[ChangeKind, ...]:
    """The turns of one milestone; empty when there is no message."""
    made = changes_since([milestone], {milestone.uid: before} if before else {}, since, NOW)
    return made.entries[0].changes if made else ()


# --- what is news -----------------------------------------------------------------------------------------------------


def test_nothing_changed_is_no_news() -> None:
    assert changes_since([steady()], {"web": STEADY}, NOW - DAY, NOW) is None
    assert changes_since([], {}, None, NOW) is None


@pytest.mark.parametrize(
    ("milestone", "turns"),
    [
        (standing("web", health(Status.AT_RISK, 0.8)), (ChangeKind.STATUS,)),
        (steady(due=DUE + DAY), (ChangeKind.DUE,)),
        (steady(due=None), (ChangeKind.DUE,)),
        (steady(dates=Dates(p85=date(2026, 12, 16))), (ChangeKind.DATE,)),
        (steady(dates=Dates(p85=date(2026, 12, 15))), ()),
        (standing("web", health(Status.ON_TRACK, 0.7)), (ChangeKind.ODDS,)),
        (standing("web", health(Status.ON_TRACK, 0.72)), ()),
        (standing("web", health(Status.DONE)), (ChangeKind.DONE,)),
        (standing("web", health(Status.DONE), ended=NOW), (ChangeKind.DONE,)),
        (standing("web", health(Status.AT_RISK), ended=NOW), (ChangeKind.CLOSED,)),
    ],
)
def test_what_counts_as_a_change(milestone: MilestoneState, turns: tuple[ChangeKind, ...]) -> None:
    assert told(milestone) == turns


def test_an_ended_milestone_is_news_once() -> None:
    over = standing("web", health(Status.DONE), ended=NOW - timedelta(hours=1))
    assert told(over, LastSent(status=Status.DONE, ended=True)) == ()
    assert told(over, LastSent(status=Status.DONE)) == ()
    assert told(over, None) == (ChangeKind.DONE,)  # it came and went between two messages
    assert told(over, None, since=NOW) == ()
    assert told(over, None, since=None) == ()


def test_small_moves_add_up_until_they_are_news() -> None:
    first = changes_since([steady()], {}, None, NOW)
    assert first is not None
    record = first.sent
    for days in (3, 6):
        moved = steady(dates=Dates(p85=date(2026, 12, 9) + timedelta(days=days)))
        assert changes_since([moved], record, NOW, NOW) is None
    assert changes_since([steady(dates=Dates(p85=date(2026, 12, 17)))], record, NOW, NOW) is not None


def test_a_decision_is_news_once_a_week_and_listed_in_every_message() -> None:
    late = standing("late", health(Status.OFF_TRACK, 0.1, levers=WAYS))
    first = changes_since([late, steady()], {}, None, NOW)
    assert first is not None
    asked = first.sent
    assert changes_since([late, steady()], asked, NOW, NOW + 6 * DAY) is None
    again = changes_since([late, steady()], asked, NOW, NOW + 7 * DAY)
    assert again is not None
    assert [(e.state.uid, e.changes, e.needs_decision) for e in again.entries] == [("late", (), True)]
    changes = changes_since([late, steady(due=None)], asked, NOW, NOW + DAY)
    assert changes is not None
    assert [e.state.uid for e in changes.entries] == ["late", "web"]


def test_at_risk_needs_a_decision_only_where_there_is_a_way_out() -> None:
    made = changes_since(
        [standing("a", health(Status.AT_RISK)), standing("b", health(Status.AT_RISK, levers=WAYS))], {}, None, NOW
    )
    assert made is not None
    assert {e.state.uid: e.needs_decision for e in made.entries} == {"a": False, "b": True}


def test_missing_data_is_no_change_and_news_once_after_a_day() -> None:
    def blind(hours: int) -> MilestoneState:
        since = NOW - timedelta(hours=hours)
        return standing("web", health(Status.UNKNOWN, unknown=UnknownCause.STALE, stale_since=since))

    assert changes_since([blind(23)], {"web": STEADY}, NOW - DAY, NOW) is None
    made = changes_since([blind(24)], {"web": STEADY}, NOW - DAY, NOW)
    assert made is not None
    assert made.entries[0].changes == (ChangeKind.SILENT,)
    assert made.sent["web"] == replace(STEADY, silent=True)
    assert changes_since([blind(90)], made.sent, NOW, NOW) is None
    assert changes_since([steady()], made.sent, NOW, NOW) is None  # it is back, with the state that was sent
    assert changes_since([blind(90)], {}, None, NOW) is None  # without data there is no news


def test_the_first_digest_of_an_audience_shows_all_milestones() -> None:
    made = changes_since([steady(), steady("api")], {}, None, NOW)
    assert made is not None
    assert [e.changes for e in made.entries] == [(ChangeKind.NEW,), (ChangeKind.NEW,)]


# --- when -------------------------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
WORK = Calendar(country="DE")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T08:00", date(2026, 11, 23)),
        ("2026-11-23T23:59", date(2026, 11, 23)),
        ("2026-11-24T07:59", date(2026, 11, 23)),  # what Monday left untold
        ("2026-11-28T12:00", None),  # Saturday
        ("2026-12-25T12:00", None),
        ("2026-11-30T03:00", date(2026, 11, 27)),
        ("2026-03-29T12:00", None),
        ("2026-03-30T08:00", date(2026, 3, 30)),  # clocks went forward in the night before
    ],
)
def test_each_working_day_has_one_message(now: str, due: date | None) -> None:
    assert Cadence(WORK, BERLIN).due(local(now)) == due


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T08:00", date(2026, 11, 23)),
        ("2026-11-23T07:59", date(2026, 11, 16)),
        ("2026-11-27T18:00", date(2026, 11, 23)),
        ("2026-04-06T12:00", None),  # Easter Monday
        ("2026-04-07T12:00", date(2026, 4, 7)),
        ("2026-04-10T12:00", date(2026, 4, 7)),
    ],
)
def test_each_week_has_one_message(now: str, due: date | None) -> None:
    assert Cadence(WORK, BERLIN, weekday=1).due(local(now)) == due


@pytest.mark.parametrize(
    ("zone", "day", "at"),
    [
        ("America/New_York", date(2026, 11, 1), time(1, 45)),  # from 2:00 back to 1:00
        ("Australia/Lord_Howe", date(2027, 4, 4), time(1, 45)),  # from 2:00 back to 1:30
        ("Africa/Casablanca", date(2027, 2, 7), time(2, 30)),  # from 3:00 back to 2:00
        ("America/Havana", date(2026, 11, 1), time(0, 15)),  # from 1:00 back to midnight
        ("America/New_York", date(2027, 3, 14), time(2, 30)),  # from 2:00 to 3:00: no such time
    ],
)
def test_a_night_in_which_clocks_change_has_one_message(zone: str, day: date, at: time) -> None:
    """A message that is due stays due while a time on the clock comes again, and none is left out."""
    cadence = Cadence(Calendar.plain(), ZoneInfo(zone), at)
    begin = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    days = [cadence.due(begin + timedelta(minutes=5 * n)) for n in range(12 * 24)]
    assert [key for key, _ in groupby(days)] == [day - timedelta(days=1), day]


def test_a_calendar_without_work_sends_nothing() -> None:
    idle = Calendar(weekend=range(1, 8))
    assert Cadence(idle, BERLIN).due(NOW) is None
    assert Cadence(idle, BERLIN, weekday=5).due(NOW) is None
    assert Cadence(Calendar(weekend=(6, 7)), BERLIN, time(0), weekday=6).due(local("2026-11-27T00:00")) == date(
        2026, 11, 23
    )


# --- how it reads -----------------------------------------------------------------------------------------------------


def _news() -> DigestChanges:
    found, before = everything()
    made = changes_since(found, before, NOW - 3 * DAY, NOW)
    assert made is not None
    return made


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("style", ["numbers", "words"])
def test_it_reads_as_it_did_when_somebody_read_it(name: str, style: Style) -> None:
    written = compose(_news(), Speaker(load_language(name), style))
    text = f"{written.subject}\n\n{text_message(written.document)}\n"
    golden = GOLDEN / f"{name}-{style}.txt"
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8")


def test_what_lies_beyond_single_milestones_is_written() -> None:
    count = MAX_FINDINGS + 2
    findings = [
        PortfolioFinding(
            kind=PortfolioFindingKind.SAME_TITLE,
            ids=(f"gh:acme/{n}#1", "gl:acme/api%1"),
            title=f"Twin {n}",
            values={"count": 2},
        )
        for n in range(count)
    ]
    document = compose(_news(), Speaker(load_language("en")), findings).document
    for body in (text_message(document), html_message(document)):
        assert "beyond single milestones" in body.lower()
        assert [n for n in range(count) if f"Twin {n}" in body] == list(range(MAX_FINDINGS))
        assert "2 more findings of this kind." in body


def test_words_name_no_probability() -> None:
    for name in LANGUAGES:
        assert "%" not in text_message(compose(_news(), Speaker(load_language(name), "words")).document)
        assert "%" in text_message(compose(_news(), Speaker(load_language(name), "numbers")).document)


def test_as_html_titles_are_links_to_the_web_only() -> None:
    found = [
        standing("a", health(Status.ON_TRACK), url="javascript:alert(1)"),
        standing("b", health(Status.ON_TRACK), url="https://tracker.example/b"),
    ]
    made = changes_since(found, {}, None, NOW)
    assert made is not None
    page = html_message(compose(made, Speaker(load_language("en"))).document)
    assert page.count("<a ") == 1
    assert 'href="https://tracker.example/b"' in page
    assert "javascript" not in page


def test_what_does_not_fit_goes_by_whole_entries_the_lightest_first() -> None:
    speaker = Speaker(load_language("en"))
    document = compose(_news(), speaker).document
    whole = text_message(document)
    for limit in range(600, len(whole) + 1, 100):
        cut = fit_message(document, limit, text_message, lambda n: omitted_note(n, speaker))
        assert len(cut) <= limit
        assert "still overdue" in cut
        assert ("not shown here" in cut) == (cut != whole)
        assert all(line in whole for line in cut.splitlines() if "not shown here" not in line)


def test_every_reason_and_way_out_can_be_said_in_every_language() -> None:
    for name in LANGUAGES:
        for style in ("numbers", "words"):
            speaker = Speaker(load_language(name), "numbers" if style == "numbers" else "words")
            for kind in ReasonKind:
                for effect in (-1.0, 1.0):
                    for values in (
                        {},
                        {"count": 1, "days": 3, "added": 2, "hits": 1, "of": 4, "share": 0.1, "usual": 0.2},
                    ):
                        said = speaker.reason(
                            Reason(kind=kind, effect=effect, values=dict(values), items=("x",)), health(Status.AT_RISK)
                        )
                        assert said
                        assert not re.search(r"[{}]|\.$", said)
            for lever in LeverKind:
                assert speaker.way_out(replace(WAYS[0], kind=lever), health(Status.AT_RISK))


# --- translations -----------------------------------------------------------------------------------------------------


def _texts(found: Catalog) -> set[str]:
    return {f"{list(message.id)}: {list(message.string or ())}" for message in found if message.id}


def test_the_template_and_the_catalogues_are_those_of_the_code() -> None:
    again = "run: python -m tests.catalogue"
    assert catalogue.TEMPLATE.read_bytes() == catalogue.written(catalogue.template()), again
    for name in LANGUAGES[1:]:
        assert catalogue.place(name).read_bytes() == catalogue.written(catalogue.updated(name)), again
        with catalogue.place(name).with_suffix(".mo").open("rb") as file:
            assert _texts(read_mo(file)) == _texts(catalogue.translated(name)), again
    assert {path.name for path in LOCALE.iterdir() if path.is_dir()} == set(LANGUAGES[1:])


@pytest.mark.parametrize("name", LANGUAGES[1:])
def test_every_text_is_translated_and_fills_the_same_places(name: str) -> None:
    def places(text: str) -> set[str]:
        return set(re.findall(r"{(\w*)}", text))

    for message in catalogue.translated(name):
        if not message.id:
            continue
        english = (message.id,) if isinstance(message.id, str) else message.id
        ours = (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))
        assert all(ours), f"untranslated: {english[0]}"
        assert not message.fuzzy
        for form, text in zip(english, ours, strict=True):
            assert places(text) == places(form), text


def test_dates_read_as_they_are_written_there() -> None:
    assert load_language("en").day(date(2026, 3, 1)) == "1 Mar 2026"
    assert load_language("de").day(date(2026, 3, 1)) == "1. März 2026"
    assert [load_language("de").span(n) for n in (1, 9, 10, 59, 61)] == [
        "1 Tag",
        "9 Tage",
        "1 Woche",
        "8 Wochen",
        "2 Monate",
    ]
    assert isinstance(load_language("de"), Language)
    with pytest.raises(OSError, match="No translation file"):
        load_language("xx")


# --- another method of the forecast -----------------------------------------------------------------------------------


def recomputed(status: Status, p: float, **more: Any) -> MilestoneState:
    return standing("web", health(status, p, p85=date(2027, 3, 1), method=2, **more))


def test_what_only_the_method_changed_is_no_news() -> None:
    assert told(recomputed(Status.AT_RISK, 0.5)) == ()
    assert told(recomputed(Status.ON_TRACK, 0.7)) == ()
    assert told(recomputed(Status.DONE, 0.5)) == ()
    assert told(recomputed(Status.AT_RISK, 0.5, due=DUE + DAY)) == (ChangeKind.DUE,)
    assert told(recomputed(Status.AT_RISK, 0.5, previous_status=Status.ON_TRACK)) == (ChangeKind.STATUS,)


def test_a_decision_that_the_method_made_necessary_is_asked_for_a_week_later() -> None:
    off = recomputed(Status.OFF_TRACK, 0.1)
    assert changes_since([off], {"web": STEADY}, NOW - DAY, NOW + 6 * DAY) is None
    assert changes_since([off], {"web": STEADY}, NOW - DAY, NOW + 7 * DAY) is not None


def test_the_next_message_records_the_state_of_the_new_method() -> None:
    new = standing("new", health(Status.ON_TRACK, 0.9, method=2))
    made = changes_since([recomputed(Status.AT_RISK, 0.5), new], {"web": STEADY}, NOW - DAY, NOW)
    assert made is not None
    assert made.sent["web"] == LastSent(status=Status.AT_RISK, due=DUE, probability=0.5, p85=date(2027, 3, 1), method=2)
