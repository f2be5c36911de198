"""The team's words in a description: keys, marks, languages, lists, faults, and who owns a milestone."""

from __future__ import annotations

from datetime import date

import pytest

from sync.model.definition import Criteria
from sync.model.team_words import (
    NO_WORDS,
    Decision,
    FaultKind,
    OwnerOrigin,
    Owners,
    TeamWords,
    due_decisions,
    find_owners,
    overdue_decisions,
)
from sync.model.tracker_data import Person
from sync.tracker.managed_block import wrap_block
from sync.tracker.team_words import MAX_TEXT_LENGTH, MAX_VALUES, team_words

DAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    "line",
    [
        "Owner: @ada",
        "owner : @ada",
        "OWNER:@ada",
        "- Owner: @ada",
        "* *Owner:* @ada",
        "**Owner:** @ada",
        "**Owner**: @ada",
        "**Owner: @ada**",
        "__Owner__: `@ada`",
        "> Owner: @ada",
        "1. Owner: @ada",
        "## Owner: @ada",
        "h3. Owner: @ada",
        '"Owner: @ada"',
        "„Owner: @ada“",
        "- [ ] Owner: @ada",
        "- [x] Owner: @ada",
        "\u200fOwner: @ada\u200e",
        "Owner： @ada",
        "Verantwortlich: @ada",
        "Owners:\n- @ada",
        "Owner:\n\n* @ada\n* [x] unrelated",
        "Owner: [@ada](https://tracker.example/ada)",
        "Owner: [~ada]",
        "Owner: [~accountid:ada]",
    ],
)
def test_marks_around_a_line_do_not_matter(line: str) -> None:
    assert team_words(f"About it.\n\n{line}\n\nMore about it.").owners == ("@ada",)


def test_several_owners_are_in_one_line_or_in_several() -> None:
    assert team_words("Owner: Ada Fox (PM)").owners == ("Ada Fox (PM)",)
    assert team_words("Owner: @ada, Noor & Lin\nOwner: @ada and Max Berg").owners == ("@ada", "Noor", "Lin", "Max Berg")


@pytest.mark.parametrize(
    "text",
    [
        "The owner: @ada",
        "Restart: 2026-11-02",
        "Owner of this is @ada",
        "Startup: now",
        "`Owner`",
        "```\nOwner: @ada\n```",
        "~~~\nOwner: @ada\n```\nRisk: x\n~~~",
        "{code}\nOwner: @ada\n{code}",
        "<!-- Owner: @ada -->",
        "<!--\nStart: 2026-11-02\nRisk: x\n-->",
        "- [x] Risk: over",
        "~~Decision needed: which vendor? by 2026-12-01~~",
        "Risks: none",
        "Risk: -",
        "Decision: we take the first vendor",
        "Start: http://tracker.example" if False else "Starting: 2026-11-02",
    ],
)
def test_other_text_is_no_word_of_the_team(text: str) -> None:
    words = team_words(text)
    assert words == TeamWords(criteria=words.criteria)


@pytest.mark.parametrize("value", ["2026-11-02", "2026-11-02 (kick-off)", "2.11.2026", "`2026-11-02`", "02.11.2026,"])
@pytest.mark.parametrize("key", ["Start", "Start date", "Beginn"])
def test_a_start_is_a_day(key: str, value: str) -> None:
    assert team_words(f"{key}: {value}").start == DAY


@pytest.mark.parametrize(
    "value", ["soon", "", "11/02/2026", "2026-13-02", "0001-01-01", "2026-11", "9999-12-31", "٢٠٢٦-١١-٠٢"]
)
def test_an_unreadable_start_is_a_fault(value: str) -> None:
    words = team_words(f"\nStart: {value}")
    assert words.start is None
    assert [(fault.key, fault.kind, fault.line) for fault in words.faults] == [("Start", FaultKind.NO_DATE, 2)]


@pytest.mark.parametrize(
    ("value", "share"), [("10 %", 0.1), ("0%", 0.0), ("20 percent of the issues", 0.2), ("5 Prozent", 0.05)]
)
def test_a_tolerance_is_a_whole_percentage(value: str, share: float) -> None:
    assert team_words(f"Toleranz: {value}").tolerance == share


@pytest.mark.parametrize("value", ["30%", "21 %", "-5%", "0.1", "2.5%", "ten", "10", "1000%"])
def test_another_tolerance_is_a_fault(value: str) -> None:
    words = team_words(f"Tolerance: {value}")
    assert words.tolerance is None
    assert [fault.kind for fault in words.faults] == [FaultKind.NO_SHARE]


@pytest.mark.parametrize(
    ("line", "decision"),
    [
        ("Which vendor? by 2026-12-01 from @lin", Decision(text="Which vendor?", by=date(2026, 12, 1), owner="@lin")),
        (
            "Which vendor? (by 2026-12-01, from Lin Wu)",
            Decision(text="Which vendor?", by=date(2026, 12, 1), owner="Lin Wu"),
        ),
        ("Which vendor? from @lin by 2026-12-01.", Decision(text="Which vendor?", by=date(2026, 12, 1), owner="@lin")),
        ("Which vendor? from @lin", Decision(text="Which vendor?", owner="@lin")),
        ("move from A to B by 2026-12-01", Decision(text="move from A to B", by=date(2026, 12, 1))),
        ("pay by card or by bank?", Decision(text="pay by card or by bank?")),
        ("by 2026-12-01", Decision(text="by 2026-12-01", by=date(2026, 12, 1))),
        ("ship by 2026-12-01 or by 2026-12-09", Decision(text="ship by 2026-12-01 or", by=date(2026, 12, 9))),
        (
            "**Which** vendor?\n  The second is dearer, by 2026-12-01",
            Decision(text="**Which** vendor? The second is dearer", by=date(2026, 12, 1)),
        ),
    ],
)
def test_a_decision_has_a_day_and_a_person(line: str, decision: Decision) -> None:
    words = team_words(f"Decision needed: {line}\nNot part of it.")
    assert words.decisions == (decision,)
    assert words.faults == ()


def test_german_words_mean_the_same() -> None:
    text = "Entscheidung nötig: Wer testet? bis zum 1.12.2026 von @lin\nRisiken:\n- Lieferant\n"
    for form in (text, text.replace("ö", "o\u0308"), text.upper().replace("@LIN", "@lin")):
        words = team_words(form)
        assert [(decision.by, decision.owner) for decision in words.decisions] == [(date(2026, 12, 1), "@lin")]
        assert len(words.risks) == 1


@pytest.mark.parametrize("line", ["by 2026-13-01 from @lin", "by 12/01", "bis 31.2.2026", "by 2026-11-31"])
def test_a_decision_with_an_unreadable_day_is_listed_and_a_fault(line: str) -> None:
    words = team_words(f"Decision needed: which? {line}")
    assert [decision.by for decision in words.decisions] == [None]
    assert [fault.kind for fault in words.faults] == [FaultKind.NO_DATE]


def test_lists_below_a_key_or_a_heading_hold_its_values() -> None:
    text = """## Risks
- vendor
  - details of it
- ~~over~~
- audit,
  again

## Decisions needed

1. which? by 2026-12-01
2. who?

Exit criteria:
- [ ] load test
- [x] review
- [ ] Risk: a task that is no criterion
"""
    words = team_words(text)
    assert words.risks == ("vendor", "audit, again", "a task that is no criterion")
    assert [decision.text for decision in words.decisions] == ["which?", "who?"]
    assert words.criteria == Criteria(1, 2)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", Criteria(0, 0)),
        ("- [ ] a\n* [x] b\n  + [X] c\n1. [ ] d\n2) [x] e", Criteria(3, 5)),
        ("- [x]\n-[x] a\n- [y] b\n[x] c", Criteria(0, 0)),
        ("```\n- [x] shown, not meant\n```\n- [ ] meant", Criteria(0, 1)),
        ("~~~\n```\n- [x] inside\n~~~\n- [x] outside", Criteria(1, 1)),
        ("- [x] a\r\n- [ ] b\r\n", Criteria(1, 2)),
    ],
)
def test_exit_criteria_are_counted(text: str, counted: Criteria) -> None:
    assert team_words(text).criteria == counted


@pytest.mark.parametrize("plain", [True, False])
def test_our_own_block_is_not_read(plain: bool) -> None:
    for instance in ("acme", "other"):
        block = wrap_block("Owner: Ada\nRisk: ours", "uid", instance, plain=plain)
        words = team_words(f"Owner: @lin\n\n{block}\nRisk: theirs")
        assert (words.owners, words.risks) == (("@lin",), ("theirs",))
    assert team_words(block.rpartition("\n")[0]).risks == ("ours",), "without its end it is no block"


def test_the_first_of_two_values_counts_and_the_other_is_a_fault() -> None:
    words = team_words(
        "Start: 2026-11-02\nStart: 2026-11-02\nStart: 2026-12-02\nTolerance: 5%\nTolerance: 6%\nOwner: tbd"
    )
    assert (words.start, words.tolerance, words.owners) == (DAY, 0.05, ())
    assert [(fault.key, fault.kind, fault.line) for fault in words.faults] == [
        ("Start", FaultKind.REPEATED, 3),
        ("Tolerance", FaultKind.REPEATED, 5),
        ("Owner", FaultKind.EMPTY, 6),
    ]


def test_numbers_and_lengths_are_limited() -> None:
    words = team_words("\n".join(f"Risk: {n} {'x' * 5000}" for n in range(10_000)))
    assert len(words.risks) == MAX_VALUES == len(words.faults)
    assert {fault.kind for fault in words.faults} == {FaultKind.TOO_MANY}
    assert max(map(len, words.risks)) == MAX_TEXT_LENGTH


def test_the_configuration_outranks_the_description_and_that_the_tracker() -> None:
    words, people = TeamWords(owners=("@lin", "Noor")), (Person("1", "Ada"), Person("2", "", "max"))
    assert find_owners("@lead", words, people) == Owners(("@lead",), OwnerOrigin.CONFIGURATION)
    assert find_owners("", words, people) == Owners(("@lin", "Noor"), OwnerOrigin.DESCRIPTION)
    assert find_owners("", NO_WORDS, people) == Owners(("Ada", "max"), OwnerOrigin.TRACKER)
    assert find_owners("", NO_WORDS, ()) == Owners()


def test_a_program_is_no_owner() -> None:
    assert find_owners("", NO_WORDS, (Person("1", "Copilot", is_bot=True), Person("2", "dependabot"))) == Owners()


def test_a_decision_is_overdue_after_its_day() -> None:
    first, second, third = (Decision(text=str(day), by=day) for day in (DAY, date(2026, 11, 16), date(2026, 11, 18)))
    decisions = (first, second, third, Decision(text="open"))
    assert overdue_decisions(decisions, DAY) == ()
    assert due_decisions(decisions, DAY) == (first, second)
    assert overdue_decisions(decisions, date(2026, 11, 3)) == (first,)
