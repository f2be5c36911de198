from __future__ import annotations

import typing
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.markup import render
from sync.markup.document import Document, Lines, is_ours, visible_blocks
from sync.markup.terminal import terminal
from sync.model.health import (
    Dates,
    Leftover,
    Lever,
    LeverKind,
    Note,
    Override,
    Promise,
    Reason,
    ReasonKind,
    Status,
    UnknownCause,
    Usual,
)
from sync.model.inputs import Input, InputState
from sync.model.membership import Counts
from sync.model.tracker_data import DueDate, Markup, MilestoneKind
from sync.report.changes import Changes
from sync.report.facts import Facts, meaning
from sync.report.head import kind_word
from sync.report.levers import best_lever, lever_texts
from sync.report.phrases import STATUS, UNKNOWN, against, day, percent, plural, small
from sync.report.reasons import reason_sentence
from sync.report.summary import board_update, status_issue_body, status_issue_title, summary, transition
from tests.golden.situations import (
    DUE,
    NOW,
    SITUATIONS,
    at_risk,
    done,
    facts,
    health,
    issue,
    joint,
    milestone,
    on_track,
)


def titles(document: Document) -> list[str]:
    return [section.title.split(":")[0] for section in document.sections]


def text(document: Document) -> str:
    return terminal(document, width=10_000)


def test_the_summary_answers_in_its_order() -> None:
    assert titles(summary(at_risk())) == [
        "At risk",
        "",
        "",
        "",
        "Why 52%",
        "Other options (3)",
        "Since 16 Nov 2026",
        "All 6 issues that need someone",
        "Burn-up, budget, earlier forecasts",
        "Confidence",
        "",
    ]


def test_the_open_part_names_one_option_and_three_issues_that_need_someone() -> None:
    said = text(summary(at_risk()))
    assert said.count("Best option: ") == 1
    start = said.index("Needs someone now")
    assert said[start : said.index("26 of 42 done")].count("\n- ") == 3


def test_the_best_option_is_the_one_that_helps_most() -> None:
    def best(*odds: float | None) -> int:
        levers = tuple(Lever(kind=LeverKind.CUT, probability=p, values={"count": n}) for n, p in enumerate(odds))
        lever = best_lever(health(Status.OFF_TRACK, 0.2, levers=levers))
        assert lever is not None
        return levers.index(lever)

    assert best(0.33, 0.84, 0.40) == 1
    assert best(0.81, 0.84) == 0, "nearly the same: the order of the levers decides"
    assert best(None, 0.3) == 1
    assert best(None, None) == 0
    assert best_lever(health(Status.OFF_TRACK, 0.2)) is None


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_open_is_read_in_ten_seconds(situation: str) -> None:
    sections = summary(SITUATIONS[situation]()).sections
    assert sum(visible_blocks(section) for section in sections if not section.folded) <= 15


def test_the_fullest_comment_is_still_short() -> None:
    made = at_risk()
    note = Note(by="cleo", at=NOW, text="The vendor's API is back.")
    override = Override(status=Status.ON_TRACK, by="Ada", at=NOW)
    usual = Usual(share=0.2, probability=0.68, milestones=8, in_full=0, of=6, own=True)
    full = replace(
        made,
        health=replace(made.health, usual=usual, leftover=Leftover(usually=3, low=1, high=6), stale_since=NOW),
        note=note,
        override=override,
        aggregate=True,
        good_news="Good news: half of the work is done.",
        commitments=joint().commitments,
    )
    sections = summary(full).sections
    assert sum(visible_blocks(section) for section in sections if not section.folded) <= 15
    assert "Needs someone now" in text(summary(full))


def test_the_verdict_says_dates_against_due_date_and_baseline() -> None:
    said = text(summary(at_risk()))
    assert "At risk: 52% likely by 12 Dec 2026" in said
    assert rows(said)["Most likely done"] == "10 Dec 2026 (2 days early)"
    assert rows(said)["85% sure"] == "9 Jan 2027 (28 days late)"
    assert "The due date has moved 3 times (21 days later); originally 21 Nov 2026." in said


def test_the_verdict_is_compared_with_that_of_last_week() -> None:
    assert "52% likely by 12 Dec 2026 (64% last week)" in text(summary(replace(at_risk(), last_week=0.64)))


def rows(said: str) -> dict[str, str]:
    """Return the table of dates of a summary."""
    pairs = (line.split("  ", 1) for line in said.splitlines() if "  " in line)
    return {first.strip(): second.strip() for first, second in pairs}


def test_a_date_beyond_the_horizon_is_no_date() -> None:
    end = date(2027, 6, 1)
    none = health(Status.OFF_TRACK, 0.1, dates=Dates(horizon=end), leftover=Leftover(usually=3, low=1, high=6))
    said = rows(text(summary(facts(none))))
    assert said["Most likely done"] == "after 1 Jun 2027"
    assert said["Still open on 12 Dec 2026"] == "usually 3 of 16 (80% range: 1 to 6)"
    half = health(Status.AT_RISK, 0.5, dates=Dates(p50=date(2026, 12, 11), horizon=end))
    said = rows(text(summary(facts(half))))
    assert said["Most likely done"] == "11 Dec 2026 (1 day early)"
    assert said["85% sure"] == "no date by 1 Jun 2027"
    passed = health(Status.AT_RISK, 0.5, dates=Dates(p50=date(2026, 12, 11)))
    assert rows(text(summary(facts(passed))))["85% sure"] == "no date"


def test_an_undated_milestone_says_which_dates_it_can_promise_and_how_often_such_dates_held() -> None:
    until = Dates(horizon=date(2027, 6, 1), capacity=True)
    undated = health(Status.NO_DUE_DATE, None, due=None, unknown=UnknownCause.NO_DUE_DATE, dates=until)
    promise = Promise(p50=date(2026, 12, 11), p70=date(2026, 12, 18), held=83, of=100)
    said = rows(text(summary(facts(replace(undated, promise=promise)))))
    assert said["11 Dec 2026"] == "50%"
    assert said["18 Dec 2026"] == "70%"
    assert said["after 1 Jun 2027"] == "85%"
    whole = rows(text(summary(facts(replace(undated, promise=replace(promise, p85=date(2027, 1, 9)))))))
    assert whole["9 Jan 2027"] == "85%"
    record = "83 of the last 100 dates given with 85% certainty held."
    assert record in text(summary(facts(replace(undated, promise=promise))))
    assert "promise" not in text(summary(facts(replace(undated, promise=Promise()))))


@pytest.mark.parametrize("p", [0.0001, 0.004, 0.5, 0.997, 0.99999])
def test_a_likelihood_is_never_0_or_100(p: float) -> None:
    assert 1 <= int(percent(p).removesuffix("%")) <= 99


def test_words() -> None:
    assert plural(1, "issue") == "1 issue"
    assert plural(0, "issue") == "0 issues"
    assert day(date(2026, 2, 1)) == "1 Feb 2026"
    assert [against(DUE + timedelta(days=n), DUE) for n in (-1, 0, 2)] == [
        "1 day early",
        "on the due date",
        "2 days late",
    ]


@pytest.mark.parametrize("kind", list(ReasonKind))
@pytest.mark.parametrize("effect", [-0.5, 0.5])
def test_every_reason_has_its_sentence_with_and_without_figures(kind: ReasonKind, effect: float) -> None:
    figures = {"count": 3, "of": 16, "share": 0.0, "usual": 4.6, "added": 9, "added_week": 4, "hits": 1, "days": 17.3}
    whole = reason_sentence(Reason(kind=kind, effect=effect, values={**figures, "from": date(2026, 11, 1), "to": DUE}))
    bare = reason_sentence(Reason(kind=kind, effect=effect, items=("1",)))
    for sentence in (whole, bare):
        assert sentence.endswith(".")
        assert is_ours(sentence), sentence
    assert whole != bare


@pytest.mark.parametrize("kind", list(LeverKind))
def test_every_lever_has_its_sentence_with_and_without_figures(kind: LeverKind) -> None:
    figures = {"count": 7, "of": 19, "to": DUE, "needed": 5.8, "median": 3.5, "reached": 2, "weeks": 12}
    values = typing.cast("dict[str, typing.Any]", figures)
    for offer in (Lever(kind=kind, probability=0.81, values=values), Lever(kind=kind, probability=None)):
        act, effect = lever_texts(offer, date(2026, 12, 1))
        assert act
        assert is_ours(act)
        assert is_ours(effect)
        assert ("81% likely" in effect) is (offer.probability is not None)


def test_levers_count_and_date() -> None:
    cut = Lever(kind=LeverKind.CUT, probability=0.81, values={"count": 7, "of": 19})
    assert lever_texts(cut, DUE) == ("Take 7 of the 19 open issues out", "81% likely")
    move = Lever(kind=LeverKind.MOVE, probability=0.8, values={"to": date(2027, 1, 9), "capacity": True})
    effect = "80% likely if the team keeps its pace, 28 days later, based on recent throughput"
    assert lever_texts(move, DUE) == ("Move the due date to 9 Jan 2027", effect)


def test_every_status_and_every_cause_of_not_knowing_is_said() -> None:
    assert set(STATUS) == set(Status)
    assert set(UNKNOWN) == set(UnknownCause)
    assert all(is_ours(words) for words in (*STATUS.values(), *UNKNOWN.values()))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_word_of_ours_is_mistaken_for_foreign_text(situation: str) -> None:
    document = summary(SITUATIONS[situation]())
    for section in document.sections:
        assert is_ours(section.title), section.title
        for block in section.blocks:
            for line in getattr(block, "lines", ()):
                assert all(is_ours(part) for part in line if isinstance(part, str)), line


def test_what_changed_names_each_item_once_under_its_kind() -> None:
    said = text(summary(at_risk()))
    for line in ("Added #40", "Removed #28", "Closed #22", "Reopened #35"):
        assert said.count(f"- {line} ") == 1


def test_without_a_change_there_is_no_list_of_changes() -> None:
    quiet = replace(on_track(), changes=Changes(since=NOW), previous_forecast=None)
    for shown in (quiet, replace(quiet, changes=None)):
        assert not any(title.startswith("Since") for title in titles(summary(shown)))


def test_items_of_other_audiences_are_not_named() -> None:
    hidden = replace(at_risk(), items={}, changes=Changes(since=NOW, added=("40",), closed=("22",)))
    said = text(summary(hidden))
    assert "#40" not in said
    assert "#34" not in said
    assert "1 added" not in said
    assert "Needs someone" not in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blocked_by": ("acme/app#9",)}, "blocked by #9 (Lin)"),
        ({"assignees": ()}, "unassigned"),
        ({"due": date(2026, 11, 21)}, "was due on 21 Nov 2026 (Lin)"),
        ({"updated_at": NOW - timedelta(days=15)}, "no activity for 15 days (Lin)"),
    ],
)
def test_what_needs_attention(changes: dict[str, typing.Any], said: str) -> None:
    made = health(Status.AT_RISK, 0.5)
    assert f"- #5 {issue(5).title}: {said}\n" in text(summary(facts(made, (issue(5, **changes), issue(6)))))


def test_due_today_and_touched_14_days_ago_is_fine() -> None:
    fine = issue(5, due=NOW.date(), updated_at=NOW - timedelta(days=14))
    assert "Needs someone" not in text(summary(facts(health(Status.AT_RISK, 0.5), (fine,))))


@pytest.mark.parametrize("hour", [0, 11, 23])
def test_missing_activity_is_shown_from_the_beginning_of_a_day(hour: int) -> None:
    for idle, is_shown in ((14, False), (15, True)):
        touched = (NOW - timedelta(days=idle)).replace(hour=23 - hour)
        made = replace(health(Status.AT_RISK, 0.5), at=NOW.replace(hour=hour))
        said = text(summary(facts(made, (issue(5, updated_at=touched),))))
        assert (f"no activity for {idle} days" in said) is is_shown


def test_done_needs_no_decision() -> None:
    said = text(summary(done()))
    assert "Done on 9 Dec 2026" in said
    assert "3 days early" in said
    assert "Best option" not in said
    assert "/milesync" not in said


@pytest.mark.parametrize("kind", ["added", "removed", "closed", "reopened"])
def test_long_lists_are_folded_and_counted(kind: str) -> None:
    issues = tuple(issue(i) for i in range(100, 180))
    uids = tuple(item.id for item in issues)
    shown = replace(facts(health(Status.AT_RISK, 0.5), issues), changes=Changes(since=NOW, **{kind: uids}))
    document = summary(shown)
    assert f"{kind.capitalize()} 30 more" in text(document)
    title = f"Since 22 Nov 2026: 80 {kind}"
    assert next(section for section in document.sections if section.title == title).folded


def test_progress_is_whole_only_when_all_is_done() -> None:
    said = text(summary(facts(health(Status.AT_RISK, 0.5, counts=Counts(open=1, closed=999)))))
    assert "░ 999 of 1000 done." in said


def test_an_override_is_shown_next_to_the_computed_status() -> None:
    until, given = date(2027, 1, 5), NOW - timedelta(days=2)
    said = Override(status=Status.ON_TRACK, by="Ada", until=until, because="vendor ships", at=given)
    shown = text(summary(replace(at_risk(), override=said)))
    assert "At risk: 52%" in shown
    assert "Override by Ada, 20 Nov: on track until 5 Jan 2027 (vendor ships). The computed status is" in shown


def test_a_note_is_a_quotation_under_the_verdict_with_name_and_day_in_the_connections_zone() -> None:
    note = Note(by="cleo", at=datetime(2026, 11, 21, 23, 30, tzinfo=UTC), text="The vendor's API is back.")
    shown = replace(at_risk(), note=note, zone=ZoneInfo("Asia/Tokyo"))
    assert "\n> cleo, 22 Nov: The vendor's API is back.\n" in text(summary(shown))
    assert meaning(replace(shown, note=replace(note, at=note.at + timedelta(hours=1)))) == meaning(shown)
    assert meaning(replace(shown, note=replace(note, at=note.at + timedelta(days=1)))) != meaning(shown)


def test_commands_are_offered_only_where_they_are_read() -> None:
    assert "/milesync mute" in text(summary(at_risk()))
    without = text(summary(replace(at_risk(), commands=False)))
    assert "/milesync" not in without
    assert "Commands have no effect here" in without


# --- transition ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("before", list(Status))
def test_a_transition_has_at_most_three_lines(situation: str, before: Status) -> None:
    document = transition(SITUATIONS[situation](), before)
    (section,) = document.sections
    (block,) = section.blocks
    assert isinstance(block, Lines)
    assert 1 <= len(block.lines) <= 3
    assert render(document, Markup.GITHUB, 65_000).count("\n") <= 2


def test_a_transition_for_the_worse_says_what_hurts_and_what_to_do() -> None:
    assert text(transition(at_risk(), Status.ON_TRACK)).splitlines() == [
        "⚠️ At risk, was on track: Payments 2.0 is 52% likely to be done by 12 Dec 2026; most likely on 10 Dec 2026.",
        "Main reason: 9 issues added since the start (4 in the last 7 days); 5 would be usual by now.",
        "Best option: take 5 of the 16 open issues out (81% likely).",
    ]


def test_a_transition_for_the_better_says_what_helps() -> None:
    lines = text(transition(on_track(), Status.AT_RISK)).splitlines()
    assert lines[1] == "Main reason: 87% is done; earlier milestones had 71% done at this point."
    assert len(lines) == 2


def test_a_transition_says_once_that_there_is_no_verdict() -> None:
    for situation, build in SITUATIONS.items():
        assert text(transition(build(), Status.ON_TRACK)).lower().count("verdict") <= 1, situation
    stale = text(transition(SITUATIONS["source_down"](), Status.ON_TRACK))
    assert stale == (
        "❔ Not enough data, was on track: Payments 2.0 has no verdict: "
        "a source has not been read completely since 21 Nov 2026, 04:30 UTC."
    )
    undated = text(transition(SITUATIONS["no_due_date"](), Status.ON_TRACK))
    assert undated.endswith("Payments 2.0 has no due date, so no verdict: set a due date to get one.")


# --- status issue --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Payments 2.0", "Health of milestone: Payments 2.0"),
        ("@ada #1 !2 %3", "Health of milestone: @ ada # 1 ! 2 % 3"),
        ("a\r\n/close", "Health of milestone: a /close"),
        ("Milestone 12", "Health of Milestone 12"),
        ("https://evil.example", "Health of milestone: https: //evil.example"),
    ],
)
def test_titles_mention_no_person(title: str, shown: str) -> None:
    assert status_issue_title(milestone(title)) == shown


@pytest.mark.parametrize("commands", [True, False])
def test_the_footer_of_a_closed_status_issue_asks_for_nothing_but_its_reopening(commands: bool) -> None:
    facts = done()
    version = replace(facts.milestone, kind=MilestoneKind.VERSION)
    footer = text(summary(replace(facts, milestone=version, commands=commands, closes_issue=True))).split("Updated")[1]
    assert footer.endswith("This issue is closed with its version. Reopen it to keep it open.")
    assert "Close this issue" not in footer
    assert "Commands" not in footer


def test_a_milestone_without_issues_has_no_burn_up() -> None:
    facts = at_risk()
    empty = tuple(replace(point, done=0, scope=0) for point in facts.points)
    assert "Burn-up" in text(summary(facts))
    assert "Burn-up" not in text(summary(replace(facts, points=empty)))


def test_parts_of_a_forecast_name_the_series_that_they_come_from() -> None:
    facts = at_risk()
    alone = replace(facts.health, basis=replace(facts.health.basis, stream_finished=0))
    assert "earlier milestones at this point" in text(summary(facts))
    words = text(summary(replace(facts, health=alone))).split("Confidence")[1]
    assert "no earlier milestones of this series" in words
    assert "Compared with other series at this point" in words
    assert "Track record of this series" not in words


@pytest.mark.parametrize(
    ("kind", "title", "shown"),
    [
        (MilestoneKind.SPRINT, "Sprint 12", "Sprint 12"),
        (MilestoneKind.SPRINT, "SPRINT #12", "Sprint 12"),
        (MilestoneKind.EPIC, "Epic: new checkout", "Epic new checkout"),
        (MilestoneKind.VERSION, "Version 2.0", "Version 2.0"),
        (MilestoneKind.TARGET_DATE, "2026-12-15", "Target date 2026-12-15"),
        (MilestoneKind.ITERATION, "Sprint 12", "Iteration Sprint 12"),
        (MilestoneKind.SPRINT, "Sprinters 12", "Sprint Sprinters 12"),
        (MilestoneKind.SPRINT, "Sprint", "Sprint Sprint"),
    ],
)
def test_no_text_repeats_the_kind_with_which_the_title_begins(kind: MilestoneKind, title: str, shown: str) -> None:
    plain = at_risk()
    named = replace(plain, milestone=replace(plain.milestone, kind=kind, title=title))
    assert f"{shown} in acme/app" in text(summary(named)).replace(f" ({named.milestone.url})", "")
    assert f"{shown} in acme/app" in text(board_update(named, "https://acme.example/1"))
    body = text(status_issue_body(named.milestone, "acme/app"))
    assert f"the health of {small(shown)} in acme/app." in body
    is_repeated = small(shown) == f"{kind_word(kind)} {title}"
    assert status_issue_title(named.milestone).startswith(f"Health of {kind_word(kind)}:") == is_repeated


def test_only_a_complete_list_of_the_other_members_has_a_number() -> None:
    with_others = [commitment for commitment in joint().commitments if commitment.fellows]
    assert {commitment.hidden for commitment in with_others} == {False, True}
    for commitment in with_others:
        document = summary(replace(joint(), commitments=(commitment,)))
        (title,) = (section.title for section in document.sections if section.title.startswith("Joint milestone"))
        assert title == ("Joint milestone" if commitment.hidden else "Joint milestone: 1 other member")


def test_a_shortened_list_of_members_counts_those_that_are_left_out() -> None:
    (known,) = (commitment for commitment in joint().commitments if commitment.blind)
    known = replace(known, more_fellows=12, more_blind=3)
    shown = text(summary(replace(joint(), commitments=(replace(known, hidden=False),))))
    assert "Joint milestone: 14 other members" in shown
    assert "PAY/2.0, 3 more and another member cannot be forecast" in shown
    assert shown.index("acme/api%2.0") < shown.rindex("PAY/2.0") < shown.index("and 12 more")
    assert "other members" not in text(summary(replace(joint(), commitments=(known,))))


def test_the_status_issue_says_what_it_is() -> None:
    assert "This issue shows the health of milestone Payments 2.0 in acme/app." in text(
        status_issue_body(milestone(), "acme/app")
    )


def test_the_status_issue_says_that_it_is_closed_with_its_milestone_only_where_it_is() -> None:
    promise = "milesync closes it when the milestone has ended, and reopens it if the milestone runs again."
    assert promise in text(status_issue_body(milestone(), "acme/app", closes=True))
    assert "reopens" not in text(status_issue_body(milestone(), "acme/app"))


# --- meaning -------------------------------------------------------------------------------------------------------


def test_meaning_ignores_what_says_nothing_new() -> None:
    one = at_risk()
    later = one.health.at + timedelta(hours=5)
    pace = one.health.reasons[0]
    same = replace(
        one,
        health=replace(
            one.health,
            at=later,
            probability=0.5,
            reasons=(replace(pace, effect=-0.61, values={**pace.values, "usual": 4.7}), *one.health.reasons[1:]),
        ),
        sources=(replace(one.sources[0], at=later),),
        changes=None,
        calibration="Of 13 settled forecasts that said 60 to 80%, 10 came true.",
    )
    assert meaning(same) == meaning(one)
    assert render(summary(same), Markup.GITHUB, 65_000) != render(summary(one), Markup.GITHUB, 65_000)


def test_pull_requests_rewrite_no_comment_unless_they_are_the_first_or_the_last() -> None:
    def with_pull_requests(count: int) -> Facts:
        one = at_risk()
        return replace(one, health=replace(one.health, counts=replace(one.health.counts, pull_requests=count)))

    assert meaning(with_pull_requests(3)) == meaning(with_pull_requests(17)) != meaning(with_pull_requests(0))
    assert "17 open pull requests are not counted." in text(summary(with_pull_requests(17)))
    assert "not counted" not in text(summary(with_pull_requests(0)))


def _meanings() -> dict[str, Facts]:
    one = at_risk()
    made, (first, *rest) = one.health, one.open
    return {
        "status": replace(one, health=replace(made, status=Status.OFF_TRACK)),
        "due": replace(one, health=replace(made, due=date(2026, 12, 13))),
        "baseline": replace(one, health=replace(made, baseline=DUE)),
        "counts": replace(one, health=replace(made, counts=replace(made.counts, closed=made.counts.closed + 1))),
        "items": replace(one, open=tuple(rest)),
        "title of an item": replace(one, items={**one.items, first: replace(one.items[first], title="Else")}),
        "owner of an item": replace(one, items={**one.items, first: replace(one.items[first], assignees=())}),
        "estimate": replace(one, items={**one.items, first: replace(one.items[first], estimate=3600)}),
        "override": replace(one, override=Override(status=Status.ON_TRACK, by="Ada")),
        "day of the override": replace(one, override=Override(status=Status.ON_TRACK, by="Ada", at=NOW)),
        "commands": replace(one, commands=False),
        "note": replace(one, note=Note(by="Ada", at=NOW, text="a word")),
        "missing": replace(one, missing=(Input(connection="jira", project="PAY", state=InputState.STALE, since=NOW),)),
        "title": replace(one, milestone=milestone("Payments 2.1")),
    }


@pytest.mark.parametrize("what", _meanings())
def test_meaning_follows(what: str) -> None:
    assert meaning(_meanings()[what]) != meaning(at_risk())


def test_all_meanings_differ() -> None:
    assert len({meaning(facts) for facts in _meanings().values()}) == len(_meanings())


def test_moves_are_counted_from_what_was_seen() -> None:
    seen = [date(2026, 11, 21), date(2026, 11, 21), None, DUE]
    entries = tuple(DueDate(datetime(2026, 10, 1 + i, tzinfo=UTC), due) for i, due in enumerate(seen))
    made = health(Status.AT_RISK, 0.5, baseline=date(2026, 11, 21))
    said = text(summary(facts(made, due_dates=entries)))
    assert "The due date has moved once (21 days later); originally 21 Nov 2026." in said
