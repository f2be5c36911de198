from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.model.health import Note, Override, Status
from sync.tracker.observed import CommandComment
from sync.tracker.slash_commands import (
    MAX_COMMAND_LENGTH,
    MAX_COMMANDS,
    NOTE_DURATION,
    CommandName,
    NoteCommand,
    StatusOverride,
    command_lines,
    evaluate_commands,
    example_override,
    parse,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def said(text: str, *, at: datetime = NOW, may_write: bool = True, name: str = "Ada", id_: str = "1") -> CommandComment:
    return CommandComment(id=id_, author=name.lower(), name=name, may_write=may_write, at=at, text=text)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/milesync mute", CommandName.MUTE),
        ("/milesync  Unmute ", CommandName.UNMUTE),
        ("/milesync\trefresh", CommandName.REFRESH),
        ("/milesync note The vendor's API  is back", NoteCommand("The vendor's API is back")),
        ("/milesync NOTE\tnote", NoteCommand("note")),
        ("/milesync note", NoteCommand()),
        ("/milesync note  ", NoteCommand()),
        ("/milesync note mute", NoteCommand("mute")),
        ("/milesync at-risk", StatusOverride(Status.AT_RISK)),
        ("/milesync On-Track until 2026-12-05", StatusOverride(Status.ON_TRACK, date(2026, 12, 5))),
        ("/milesync off-track because it slipped", StatusOverride(Status.OFF_TRACK, None, "it slipped")),
        (
            "/milesync at-risk until 2026-12-05 because vendor  slipped",
            StatusOverride(Status.AT_RISK, date(2026, 12, 5), "vendor slipped"),
        ),
        (
            "/milesync at-risk because we wait until 2026-12-05",
            StatusOverride(Status.AT_RISK, None, "we wait until 2026-12-05"),
        ),
    ],
)
def test_what_is_understood(line: str, meant: object) -> None:
    assert parse(line) == meant


@pytest.mark.parametrize(
    "line",
    [
        "/milesync",
        "/milesync ",
        "/milesyncmute",
        "/milesync-mute",
        " /milesync mute",
        "milesync mute",
        "/Milesync mute",
        "/milesync mute now",
        "/milesync notes",
        "/milesync note: x",
        "/milesync mute because of noise",
        "/milesync done",
        "/milesync at risk",
        "/milesync at-risk until tomorrow",
        "/milesync at-risk until 2026-02-30",
        "/milesync at-risk until 2026-12-05T10:00",
        "/milesync at-risk until ٢٠٢٦-12-05",
        "/milesync at-risk until 2026-12-05 vendor slipped",
        "/milesync at-risk because",
        "/milesync at-risk at-risk",
        "/milesync at-risk; mute",
    ],
)
def test_what_is_not(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("/milesync mute", "/milesync mute"),
        ("Hello\r\n/milesync mute\r\nbye", "/milesync mute"),
        ("/milesync mute\n/milesync refresh", "/milesync mute\n/milesync refresh"),
        ("> /milesync mute", ""),
        ("- /milesync mute", ""),
        ("    /milesync mute", ""),
        ("`/milesync mute`", ""),
        ("```\n/milesync mute\n```", ""),
        ("````\n```\n/milesync mute\n````\n/milesync refresh", "/milesync refresh"),
        ("~~~text\n/milesync mute\n```\n", ""),
        ("<!--\n/milesync mute\n-->", ""),
        ("<!-- never closed\n/milesync mute", ""),
        ("<!-- x -->/milesync mute", ""),
        ("> words of another\n/milesync mute", ""),
        ("> words of another\nand more\n/milesync mute\n\n/milesync refresh", "/milesync refresh"),
        ("> > deep\n/milesync mute", ""),
        (">\n/milesync mute", "/milesync mute"),
        ("> words\n\n/milesync mute", "/milesync mute"),
        ("<pre>\n/milesync mute\n</pre>", ""),
        ("<PRE>\n\n/milesync mute\n\n</PRE>\n\n/milesync refresh", "/milesync refresh"),
        ("<pre><code>\n\n/milesync mute", ""),
        ("so: <code>\n/milesync mute\n</code>", ""),
        ("<code class='x'>\n\n/milesync mute\n\n</code>", ""),
        ("<blockquote>\n\n/milesync mute\n\n</blockquote>", ""),
        ("words <!--\n/milesync mute\n-->\n/milesync refresh", "/milesync refresh"),
        ("<div>\n/milesync mute\n</div>", ""),
        ("<details>\n<summary>x</summary>\n\n/milesync mute\n</details>", "/milesync mute"),
        ("use `<pre>` here\n/milesync mute", "/milesync mute"),
        ("so: `code\n/milesync mute\n` end\n/milesync refresh", "/milesync refresh"),
        ("so: ``code ` of\n/milesync mute\nlines``", ""),
        ("it`s\n/milesync mute", "/milesync mute"),
        ("it`s\n\n/milesync mute\n\nthe team`s", "/milesync mute"),
        (">>>\n/milesync mute\n>>>\n/milesync refresh", "/milesync refresh"),
        ("words\n>>>\n/milesync mute", ""),
        ("he said <q>\n/milesync mute\n</q>", ""),
        ("so: <del>\n/milesync mute\n</del>", ""),
        ("```\n<pre>\n```\n/milesync mute", "/milesync mute"),
        ("``` never closed\n/milesync mute", ""),
        ("> ```\n> /milesync mute\n> ```", ""),
        ("> ```\n/milesync mute", "/milesync mute"),
        ("- ```\n  /milesync mute\n  ```", ""),
        ("a\n\n    /milesync mute", ""),
        ("\t/milesync mute", ""),
        ("| a |\n|---|\n/milesync mute", ""),
        ("/milesync mute\n--\nAda", "/milesync mute"),
        ("- a point\n/milesync mute", "/milesync mute"),
        ("[x]: https://a.example\n/milesync mute", "/milesync mute"),
        ("one\u2028/milesync mute", ""),
        ("one\x0b/milesync mute", ""),
        ("talk of /milesync mute", ""),
        ("", ""),
    ],
)
def test_which_lines_are_commands(text: str, lines: str) -> None:
    assert command_lines(text) == lines


def test_a_comment_full_of_commands_is_cut() -> None:
    lines = command_lines("/milesync mute " + "x" * 10_000 + "\n" + "/milesync mute\n" * 1_000).splitlines()
    assert len(lines) == MAX_COMMANDS
    assert max(map(len, lines)) == MAX_COMMAND_LENGTH


def test_nothing_was_said() -> None:
    found = evaluate_commands([], NOW)
    assert (found.override, found.muted, found.refresh, found.understood, found.ignored) == (None, False, None, 0, 0)


def test_a_judgement_is_shown_with_whose_it_is_and_ends_with_its_day() -> None:
    asked = [said("/milesync at-risk until 2026-12-05 because vendor slipped")]
    shown = Override(status=Status.AT_RISK, by="Ada", until=date(2026, 12, 5), because="vendor slipped", at=NOW)
    assert evaluate_commands(asked, datetime(2026, 12, 5, 23, 59, tzinfo=UTC)).override == shown
    assert evaluate_commands(asked, datetime(2026, 12, 6, tzinfo=UTC)).override is None
    assert evaluate_commands(asked, datetime(2026, 12, 5, 23, 59, tzinfo=UTC), ZoneInfo("Asia/Tokyo")).override is None


def test_without_a_day_it_ends_after_two_weeks() -> None:
    asked = [said("/milesync on-track")]
    found = evaluate_commands(asked, NOW + timedelta(days=14)).override
    assert found is not None
    assert found.until == date(2026, 12, 4)
    assert evaluate_commands(asked, NOW + timedelta(days=15)).override is None


def test_the_last_word_counts_and_an_earlier_one_does_not_come_back() -> None:
    asked = [
        said("/milesync off-track until 2026-11-25", at=NOW + timedelta(hours=1), id_="2"),
        said("/milesync on-track until 2026-12-31", at=NOW),
    ]
    found = evaluate_commands(asked, NOW + timedelta(hours=2)).override
    assert found is not None
    assert found.status is Status.OFF_TRACK
    assert evaluate_commands(asked, NOW + timedelta(days=10)).override is None


def test_mute_and_unmute_in_turn() -> None:
    mute, unmute = said("/milesync mute"), said("/milesync unmute", at=NOW + timedelta(minutes=1), id_="2")
    assert evaluate_commands([mute], NOW).muted
    assert not evaluate_commands([unmute, mute], NOW).muted
    assert evaluate_commands([said("/milesync unmute\n/milesync mute")], NOW).muted


def test_when_a_refresh_was_asked_for_last() -> None:
    asked = [said("/milesync refresh"), said("/milesync refresh", at=NOW + timedelta(hours=1), id_="2")]
    assert evaluate_commands(asked, NOW).refresh == NOW + timedelta(hours=1)


def test_commands_of_those_who_may_not_write_are_ignored_and_counted() -> None:
    asked = [
        said("/milesync mute", may_write=False, name="Eve"),
        said("/milesync at-risk\n/milesync nonsense"),
    ]
    found = evaluate_commands(asked, NOW)
    assert (found.muted, found.understood, found.ignored) == (False, 1, 2)
    assert found.override is not None
    assert found.override.by == "Ada"


def test_the_last_note_is_shown_with_its_author_and_time() -> None:
    comments = [
        said("/milesync note second\n/milesync note third", at=NOW + timedelta(hours=1), name="Ben", id_="2"),
        said("/milesync note first"),
        said("/milesync note not allowed", at=NOW + timedelta(hours=2), may_write=False, name="Eve", id_="3"),
    ]
    state = evaluate_commands(comments, NOW + timedelta(hours=3))
    assert state.note == Note(by="Ben", at=NOW + timedelta(hours=1), text="third")
    assert (state.understood, state.ignored) == (3, 1)


def test_a_note_without_text_removes_the_note() -> None:
    comments = [said("/milesync note first"), said("/milesync note", at=NOW + timedelta(hours=1), id_="2")]
    assert evaluate_commands(comments, NOW + timedelta(hours=2)).note is None
    assert evaluate_commands(comments[:1], NOW + timedelta(hours=2)).note is not None


def test_a_note_ends_after_thirty_days_and_an_earlier_one_does_not_return() -> None:
    comments = [said("/milesync note a word")]
    assert evaluate_commands(comments, NOW + NOTE_DURATION).note is not None
    assert evaluate_commands(comments, NOW + NOTE_DURATION + timedelta(seconds=1)).note is None


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("due", [None, date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 25), date(2027, 3, 1)])
def test_the_example_sets_another_status_until_a_day_that_makes_sense(status: Status, due: date | None) -> None:
    today = NOW.date()
    command = parse(example_override(status, due, today))
    assert isinstance(command, StatusOverride)
    assert command.status is not status
    assert command.until is not None
    assert today <= command.until <= today + timedelta(days=14)
    assert due is None or due < today or command.until <= due
