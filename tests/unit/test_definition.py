"""The definition's lint, each finding once alone, and the task list of a description."""

from __future__ import annotations

from datetime import date

import pytest

from sync.health.definition import DefinitionFacts, criteria, findings, shared_people
from sync.history.calendar import Calendar
from sync.model.definition import Criteria, Finding, FindingKind
from sync.model.membership import Counts
from sync.report.phrases import finding_sentence
from tests.golden.situations import issue, milestone

FRIDAY = date(2026, 12, 11)
GOOD = milestone(description="Ready when:\n- [x] load test\n- [ ] security review\n", due=FRIDAY)


def _kinds(**changes: object) -> list[FindingKind]:
    given: dict[str, object] = {
        "milestone": GOOD,
        "due": FRIDAY,
        "open_items": [issue(1), issue(2)],
        "counts": Counts(open=2),
        "owner": "Ada",
        **changes,
    }
    calendar = given.pop("calendar", Calendar())
    return [finding.kind for finding in findings(DefinitionFacts(**given), calendar)]  # type: ignore[arg-type]


def test_a_well_defined_milestone_has_no_findings() -> None:
    assert _kinds() == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"owner": ""}, FindingKind.NO_OWNER),
        ({"due": None}, FindingKind.NO_DUE_DATE),
        ({"milestone": milestone(description="- no box")}, FindingKind.NO_EXIT_CRITERIA),
        ({"counts": Counts(), "open_items": []}, FindingKind.NO_ITEMS),
        ({"counts": Counts(pull_requests=8), "open_items": []}, FindingKind.ONLY_PULL_REQUESTS),
        ({"counts": Counts(closed_pull_requests=8), "open_items": []}, FindingKind.ONLY_PULL_REQUESTS),
        ({"open_items": [issue(1, points=3.0), issue(2)]}, FindingKind.UNESTIMATED),
        ({"due": date(2026, 12, 12)}, FindingKind.DUE_DAY_OFF),
        ({"due": FRIDAY, "calendar": Calendar(off=[FRIDAY])}, FindingKind.DUE_DAY_OFF),
        ({"shared": [2]}, FindingKind.SAME_PEOPLE),
        ({"circular": 1}, FindingKind.CIRCULAR),
    ],
)
def test_each_finding_alone(changes: dict[str, object], kind: FindingKind) -> None:
    assert _kinds(**changes) == [kind]


def test_no_estimates_at_all_is_a_habit_and_one_of_many_no_finding() -> None:
    assert _kinds(open_items=[issue(n) for n in range(5)]) == []
    assert _kinds(open_items=[issue(0), *(issue(n, estimate=3600) for n in range(1, 9))]) == []


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
    assert criteria(text) == counted


def test_the_same_people_in_the_same_weeks() -> None:
    people = {"a": frozenset("123"), "b": frozenset("234"), "later": frozenset("123"), "other": frozenset("9")}
    weeks = (date(2026, 11, 1), date(2026, 11, 30))
    planned = {"a": weeks, "b": weeks, "other": weeks, "later": (date(2026, 12, 1), date(2026, 12, 30))}
    assert shared_people(people, planned) == {"a": {"b": 2}, "b": {"a": 2}}
    assert shared_people({"a": frozenset("1"), "b": frozenset("1")}, planned) == {}  # one person is not a team
    assert shared_people({"a": frozenset("12"), "b": frozenset("12")}, {"b": weeks}) == {}  # no dates, no overlap


def test_every_finding_has_a_sentence_without_names() -> None:
    values: dict[str, object] = {"count": 2, "of": 4, "others": 1, "due": date(2026, 12, 12), "open": 8, "closed": 0}
    for kind in FindingKind:
        words = finding_sentence(Finding(kind=kind, values=values))  # type: ignore[arg-type]
        assert words.endswith(".")
        assert "None" not in words
