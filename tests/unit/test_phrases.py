"""Each kind of reason, lever, finding, cause and status has its phrase in every language; a new kind fails here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import product

import pytest
from msgspec.structs import replace

from sync.digest.changes import ChangeEntry, ChangeKind, MilestoneState
from sync.digest.phrases import Speaker
from sync.health.definition import description_finding
from sync.model.closing import ClosingRecord, ReviewQuestion, ReviewQuestionKind
from sync.model.counting import ChangeWord
from sync.model.definition import Finding, FindingKind
from sync.model.digest import LastSent
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
    UnknownCause,
    Usual,
)
from sync.model.membership import Counts
from sync.model.team_words import FaultKind, WordFault
from sync.model.tracker_data import ENDING_WITHOUT_CLOSING, DueDate, Milestone, MilestoneKind, State
from sync.report.counting import counting_sentences
from sync.report.language import ENGLISH, LANGUAGES, Language, Style, load_language
from sync.report.leftover import leftover_range, outlook_sentences
from sync.report.levers import lever_clause, lever_texts
from sync.report.phrases import (
    against,
    capital,
    date_or_end,
    end_sentence,
    fact_sentence,
    finding_sentence,
    history_sentence,
    outcome,
    promise_sentences,
    status_words,
    sureness,
    unknown_sentence,
)
from sync.report.questions import question_line
from sync.report.reasons import reason_clause, reason_sentence
from sync.report.verdict import due_moved, forecast_moved, likelihood, moves_sentence, verdict
from sync.report.verdict_facts import VerdictFacts
from tests.digest_samples import milestone

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)
TODAY, DUE = AT.date(), date(2026, 12, 12)
GERMAN = load_language("de")
STYLES: tuple[Style, ...] = ("numbers", "words")
COUNTS = (0, 1, 2, 9)

Phrase = Callable[[Language], str]


def health(status: Status = Status.AT_RISK, **fields: object) -> Health:
    plain = {"container": "m", "at": AT, "since": AT, "status": status, "band": status, "due": DUE}
    return Health(**plain | fields)  # type: ignore[arg-type]


# --- one entry for each kind ------------------------------------------------------------------------------------------


def reason_values(kind: ReasonKind) -> Iterator[dict[str, object]]:
    yield {}
    for n in COUNTS:
        yield {"count": n, "of": 12, "days": n, "usual": 3.5, "added": n, "added_week": n, "share": n / 9, "hits": n}
        yield {"count": n, "of": n, "days": n, "usual": n, "added": n, "share": n / 9, "closed": n, "hits": n}
        yield {"days": n, "from": DUE, "to": DUE + timedelta(days=n), "last": 3, "before": 6, "usual": 7, "of": n}


@pytest.mark.parametrize("kind", ReasonKind)
def test_reason_has_its_phrase(kind: ReasonKind) -> None:
    for values, effect, style in product(reason_values(kind), (-1.0, 1.0), STYLES):
        reason = Reason(kind=kind, effect=effect, values=dict(values))  # type: ignore[arg-type]
        check(partial(reason_clause, reason, style=style), clause=True)
        check(partial(reason_sentence, reason, style=style), sentence=True)


@pytest.mark.parametrize("kind", LeverKind)
def test_lever_has_its_phrase(kind: LeverKind) -> None:
    pace = {"needed": 2.5, "median": 1.5, "weeks": 12, "capacity": 1}
    for n, p, values in product((1, 2, 9), (None, 0.61), ({}, {"of": 9, "to": DUE}, pace | {"reached": 0})):
        lever = Lever(kind=kind, probability=p, values={"count": n, **values})  # type: ignore[dict-item]
        for style in STYLES:
            check(partial(lever_clause, lever, style=style), clause=True)
        for language in (ENGLISH, GERMAN):
            act, effect = lever_texts(lever, TODAY, language)
            assert act == capital(act)
            assert p is None or language.percent(p) in effect


@pytest.mark.parametrize("cause", UnknownCause)
def test_cause_of_a_missing_verdict_has_its_phrase(cause: UnknownCause) -> None:
    check(partial(unknown_sentence, cause), sentence=True)


@pytest.mark.parametrize("kind", FaultKind)
def test_fault_of_a_line_has_its_phrase(kind: FaultKind) -> None:
    finding = description_finding(WordFault(key="Start", kind=kind, line=3))
    check(partial(finding_sentence, finding), sentence=True)


@pytest.mark.parametrize("kind", sorted(set(FindingKind) - {FindingKind.DESCRIPTION_LINE}))
def test_finding_has_its_phrase(kind: FindingKind) -> None:
    for count, others in product((1, 2), (1, 2)):
        finding = Finding(
            kind=kind, values={"count": count, "of": 5, "others": others, "due": DUE, "open": 1, "closed": 0}
        )
        check(partial(finding_sentence, finding), sentence=True)


@pytest.mark.parametrize("status", Status)
def test_status_has_its_name_and_its_verdict(status: Status) -> None:
    check(partial(status_words, status), clause=True)
    for due in (DUE, TODAY - timedelta(days=1), TODAY - timedelta(days=3), None):
        for counts, cause in (
            (Counts(open=3, closed=2), None),
            (Counts(), UnknownCause.STALE),
            (Counts(closed=2), None),
            (Counts(closed=2, pull_requests=10), None),
            (Counts(open=3, closed=2, pull_requests=1), None),
            (Counts(pull_requests=8), None),
            (Counts(closed_pull_requests=8), None),
        ):
            shown = health(status, due=due, probability=0.521, counts=counts, unknown=cause)
            for last_week in (None, 0.4):
                check(partial(_verdict, shown, last_week))


@pytest.mark.parametrize("kind", ChangeKind)
def test_change_in_a_digest_has_its_phrase(kind: ChangeKind) -> None:
    before = None if kind is ChangeKind.NEW else LastSent(status=Status.ON_TRACK, due=TODAY, probability=0.9, p85=TODAY)
    now = health(probability=0.3, dates=Dates(p85=DUE))
    entry = ChangeEntry(
        state=MilestoneState(uid="m", milestone=milestone("m"), health=now),
        before=before,
        changes=(kind,),
        needs_decision=False,
    )
    for style in STYLES:
        check(partial(_entry_verdict, entry, style=style))
        if kind in (ChangeKind.DUE, ChangeKind.DATE, ChangeKind.ODDS):
            check(partial(_entry_changes, entry, style=style), sentence=True)


def _verdict(shown: Health, last_week: float | None, language: Language) -> str:
    over = Milestone(
        id="1",
        project="p",
        kind=MilestoneKind.MILESTONE,
        key="1",
        written="#1",
        title="m",
        url="",
        state=State.CLOSED,
        closed_at=AT,
    )
    return verdict(VerdictFacts(health=shown, milestone=over), last_week, language)


def _entry_verdict(entry: ChangeEntry, language: Language, style: Style) -> str:
    return Speaker(language, style).verdict(entry)


def _entry_changes(entry: ChangeEntry, language: Language, style: Style) -> str:
    return " ".join(Speaker(language, style).changes(entry))


@pytest.mark.parametrize("kind", ReviewQuestionKind)
def test_review_question_has_its_phrase(kind: ReviewQuestionKind) -> None:
    moves = (DueDate(AT, TODAY), DueDate(AT, DUE))
    for count, days, slips, carried in product((0, 1, 2), (0, 1, 12), ((), moves), (0, 3)):
        record = ClosingRecord(
            container="m", at=AT, title="m", done=TODAY, slips=slips, counts=Counts(closed=5, carried=carried)
        )
        question = ReviewQuestion(
            kind=kind, count=count, of=5 * count, days=days, probability=0.8, day=TODAY - timedelta(days=days)
        )
        check(partial(_question, record, question))


def _question(record: ClosingRecord, question: ReviewQuestion, language: Language) -> str:
    text = "".join(str(part) for part in question_line(record, question, language))
    assert text.endswith("?")
    return text


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("style", ["numbers", "words"])
def test_end_with_open_work_is_neither_early_nor_late(name: str, style: Style) -> None:
    language = load_language(name)
    said = [end_sentence(days, is_done=False, language=language, style=style) for days in (-40, -1, 0, 1, 40)]
    assert len(set(said)) == 5
    assert not {"early", "late"} & set(" ".join(said).rstrip(".").split())


@pytest.mark.parametrize("grade", Confidence)
@pytest.mark.parametrize("milestones", [0, 1, 2])
def test_confidence_has_its_phrase(grade: Confidence, milestones: int) -> None:
    check(partial(sureness, health(confidence=grade, basis=Basis(stream_finished=milestones))))


# --- phrases with numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-20, -2, -1, 0, 1, 2, 20])
def test_moved_dates_have_their_phrases(days: int) -> None:
    other = DUE + timedelta(days=days)
    for style in STYLES:
        check(partial(against, other, DUE, style=style), clause=True)
        check(partial(due_moved, DUE, other, style=style), sentence=True)
        check(partial(forecast_moved, days or 1, style=style), sentence=True)
    for moves in (1, 2, 3):
        check(partial(moves_sentence, moves, DUE, other), sentence=True)
    check(partial(due_moved, None, other), sentence=True)
    check(partial(due_moved, DUE, None), sentence=True)


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.7, 0.95])
def test_likelihood_has_its_phrase(p: float) -> None:
    for style in STYLES:
        check(partial(likelihood, p, DUE, style=style), clause=True)
    assert not re.search(r"%|\d\d %", likelihood(p, DUE, ENGLISH, "words"))


@pytest.mark.parametrize("usually", [0, 1, 3])
@pytest.mark.parametrize(("still_open", "in_full", "finished"), [(1, 0, 8), (4, 1, 8), (9, 0, 30), (9, 1, 30)])
def test_leftover_has_its_phrases(usually: int, still_open: int, in_full: int, finished: int) -> None:
    shown = health(
        leftover=Leftover(usually=usually, low=0, high=4),
        usual=Usual(share=0.18, probability=0.62, milestones=8, in_full=in_full, of=8, own=True),
        counts=Counts(open=still_open),
        basis=Basis(stream_finished=finished),
    )
    for name in LANGUAGES:
        assert len(outlook_sentences(shown, load_language(name))) == 3
    check(lambda language: " ".join(outlook_sentences(shown, language)), sentence=True)
    assert shown.leftover is not None
    leftover = shown.leftover
    check(partial(leftover_range, leftover))


def test_promises_and_outcomes_have_their_phrases() -> None:
    horizon = Dates(horizon=DUE)
    for promise in (Promise(p50=DUE, p70=DUE, p85=DUE, held=9, of=11), Promise(p50=DUE, held=0, of=1), Promise()):
        for dates in (horizon, Dates()):
            check(partial(_promise, health(Status.NO_DUE_DATE, promise=promise, dates=dates)), sentence=True)
    for counts in (Counts(open=1, closed=1), Counts(closed=5, removed=2, carried=7, open=1)):
        check(partial(outcome, counts))
    for joins in (None, 1, 2):
        shown = health(Status.ON_TRACK, counts=Counts(closed=3), expected_joins=joins)
        for kind in MilestoneKind:
            check(partial(fact_sentence, shown, kind), sentence=True)
    check(partial(date_or_end, None, DUE))


@pytest.mark.parametrize("pull_requests", [1, 10])
def test_pull_requests_have_their_phrases(pull_requests: int) -> None:
    counts = Counts(closed=3, pull_requests=pull_requests)
    for shown in (counts, Counts(pull_requests=pull_requests), Counts(closed_pull_requests=pull_requests)):
        on_track = health(Status.ON_TRACK, counts=shown)
        check(partial(fact_sentence, on_track, MilestoneKind.MILESTONE), sentence=True)
    for word in ChangeWord:
        check(partial(_counting, replace(counts, word=word)), sentence=True)


OPEN_PULL_REQUESTS = {
    Counts(closed=2, pull_requests=10): "All its issues are closed; 10 pull requests are still open.",
    Counts(closed=2, pull_requests=1): "All its issues are closed; 1 pull request is still open.",
    Counts(closed=2): "All its issues are closed; close the milestone to end it.",
    Counts(pull_requests=8): "Only pull requests: 8 open.",
    Counts(closed_pull_requests=8): "Only pull requests: all closed.",
    Counts(open=1, closed=2, pull_requests=8): "",
}


@pytest.mark.parametrize("counts", OPEN_PULL_REQUESTS)
def test_closed_issues_end_no_milestone_while_pull_requests_are_open(counts: Counts) -> None:
    shown = health(Status.ON_TRACK, probability=0.9, counts=counts, expected_joins=None)
    assert fact_sentence(shown, MilestoneKind.MILESTONE) == OPEN_PULL_REQUESTS[counts]


ENDINGS = {
    MilestoneKind.MILESTONE: "close the milestone to end it",
    MilestoneKind.VERSION: "release the version to end it",
    MilestoneKind.SPRINT: "complete the sprint to end it",
    MilestoneKind.EPIC: "close the epic to end it",
    MilestoneKind.PARENT: "close the parent issue to end it",
    MilestoneKind.ITERATION: "it ends with its last day",
    MilestoneKind.TARGET_DATE: "it ends when its date has passed",
    MilestoneKind.RULE: "it ends when its due date has passed",
    MilestoneKind.JOINT: "it ends with its last member",
}


@pytest.mark.parametrize("kind", MilestoneKind)
def test_a_fact_says_what_ends_a_milestone_of_its_kind(kind: MilestoneKind) -> None:
    finished = health(Status.ON_TRACK, probability=0.9, counts=Counts(closed=2))
    more = replace(finished, expected_joins=3)
    assert fact_sentence(finished, kind) == f"All its issues are closed; {ENDINGS[kind]}."
    usual = f"All its issues are closed, but 3 more are usually added later; {ENDINGS[kind]}."
    assert fact_sentence(more, kind) == usual
    late = health(Status.ON_TRACK, counts=Counts(open=1, closed=11))
    within = "11 of 12 done: 1 open issue is within the tolerance"
    expected = f"{within}." if kind in ENDING_WITHOUT_CLOSING else f"{within}; {ENDINGS[kind]}."
    assert fact_sentence(late, kind) == expected, "its date has passed, and has not ended it"


@pytest.mark.parametrize("kind", [MilestoneKind.ITERATION, MilestoneKind.TARGET_DATE])
def test_the_beginning_of_a_history_has_its_phrase(kind: MilestoneKind) -> None:
    check(partial(history_sentence, kind, TODAY), sentence=True)


def test_open_issues_within_the_tolerance_are_a_fact_after_the_due_date() -> None:
    shown = health(Status.ON_TRACK, probability=None, counts=Counts(open=1, closed=11), expected_joins=None)
    assert fact_sentence(shown, MilestoneKind.MILESTONE)
    assert _verdict(shown, None, load_language("en")) == "On track: 11 of 12 done"
    likely = health(Status.ON_TRACK, probability=0.9, counts=Counts(open=1, closed=11))
    assert fact_sentence(likely, MilestoneKind.MILESTONE) == ""


def test_overdue_names_the_pull_requests() -> None:
    def heading(counts: Counts) -> str:
        overdue = health(Status.OVERDUE, due=TODAY - timedelta(days=3), counts=counts)
        return _verdict(overdue, None, load_language("en"))

    assert heading(Counts(closed=2, pull_requests=10)) == "Overdue by 3 days: 10 pull requests open"
    assert (
        heading(Counts(open=1, closed=2, pull_requests=1))
        == "Overdue by 3 days: 1 of 3 issues open, 1 pull request open"
    )
    assert heading(Counts(pull_requests=10)) == "Overdue by 3 days: 10 pull requests open"
    assert heading(Counts(closed_pull_requests=10)) == "Overdue by 3 days: only pull requests, all closed"
    assert heading(Counts()) == "Overdue by 3 days: it has no issues"


def _counting(counts: Counts, language: Language) -> str:
    return " ".join(counting_sentences(counts, language))


def _promise(shown: Health, language: Language) -> str:
    return " ".join(promise_sentences(shown, language) or ())


def check(phrase: Phrase, *, clause: bool = False, sentence: bool = False) -> None:
    """Assert that the phrase is complete in each language, and that only English is in English."""
    english = phrase(ENGLISH)
    for name in LANGUAGES:
        text = phrase(load_language(name))
        assert text
        assert not re.search(r"[{}]|\bNone (?!of)|  |\.\.", text), text
        assert (text == english) == (name == "en"), text
        if clause:
            assert not text.endswith("."), text
        if sentence:
            assert text == capital(text), text
            assert text.endswith("."), text
    assert not re.search(r"\b1 (\w+ )?(issues|days|weeks|milestones|are)\b", english), english
    assert not re.search(r"\d %|[:,] [+-]\d+ days", english), english
