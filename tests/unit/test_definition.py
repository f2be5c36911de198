"""The definition's lint, each finding once alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from sync.assess.definition import DefinitionChecks
from sync.health.definition import DefinitionFacts, SharedPeople, description_finding, findings
from sync.health.shared_people import shared_people
from sync.history.calendar import Calendar
from sync.model.definition import Finding, FindingKind
from sync.model.health import Status
from sync.model.membership import Counts
from sync.model.team_words import NO_WORDS, FaultKind, WordFault, find_owners
from sync.model.tracker_data import MilestoneKind, Person
from sync.report.phrases import finding_sentence
from sync.tracker.team_words import team_words
from tests.golden.situations import issue

FRIDAY = date(2026, 12, 11)
GOOD = team_words("Ready when:\n- [x] load test\n- [ ] security review\n")


def _kinds(**changes: object) -> list[FindingKind]:
    given: dict[str, object] = {
        "words": GOOD,
        "due": FRIDAY,
        "open_items": [issue(1), issue(2)],
        "counts": Counts(open=2),
        "owners": find_owners("Ada", NO_WORDS, ()),
        **changes,
    }
    calendar = given.pop("calendar", Calendar())
    return [finding.kind for finding in findings(DefinitionFacts(**given), calendar)]  # type: ignore[arg-type]


def test_a_well_defined_milestone_has_no_findings() -> None:
    assert _kinds() == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"owners": find_owners("", NO_WORDS, ())}, FindingKind.NO_OWNER),
        ({"due": None}, FindingKind.NO_DUE_DATE),
        ({"words": team_words("- no box")}, FindingKind.NO_EXIT_CRITERIA),
        ({"words": team_words("- [ ] a\nStart: soon")}, FindingKind.DESCRIPTION_LINE),
        ({"counts": Counts(), "open_items": []}, FindingKind.NO_ITEMS),
        ({"counts": Counts(pull_requests=8), "open_items": []}, FindingKind.ONLY_PULL_REQUESTS),
        ({"counts": Counts(closed_pull_requests=8), "open_items": []}, FindingKind.ONLY_PULL_REQUESTS),
        ({"open_items": [issue(1, points=3.0), issue(2)]}, FindingKind.UNESTIMATED),
        ({"due": date(2026, 12, 12)}, FindingKind.DUE_DAY_OFF),
        ({"due": FRIDAY, "calendar": Calendar(off=[FRIDAY])}, FindingKind.DUE_DAY_OFF),
        ({"shared": SharedPeople(2, 1)}, FindingKind.SAME_PEOPLE),
        ({"circular": 1}, FindingKind.CIRCULAR),
        ({"contradicting": ["i1", "i2"]}, FindingKind.CONTRADICTION),
    ],
)
def test_each_finding_alone(changes: dict[str, object], kind: FindingKind) -> None:
    assert _kinds(**changes) == [kind]


def test_a_milestone_whose_issues_do_not_count_is_not_called_empty() -> None:
    assert _kinds(counts=Counts(page=Counts(open=5)), open_items=[]) == []


def test_no_estimates_at_all_is_a_habit_and_one_of_many_no_finding() -> None:
    assert _kinds(open_items=[issue(n) for n in range(5)]) == []
    assert _kinds(open_items=[issue(0), *(issue(n, estimate=3600) for n in range(1, 9))]) == []


def test_the_same_people_in_the_same_weeks() -> None:
    people = {"a": frozenset("123"), "b": frozenset("234"), "later": frozenset("123"), "other": frozenset("9")}
    weeks = (date(2026, 11, 1), date(2026, 11, 30))
    planned = {"a": weeks, "b": weeks, "other": weeks, "later": (date(2026, 12, 1), date(2026, 12, 30))}
    items = {name: frozenset((f"item of {name}",)) for name in people}
    assert shared_people(people, planned, items) == {"a": SharedPeople(2, 1), "b": SharedPeople(2, 1)}
    assert shared_people({"a": frozenset("1"), "b": frozenset("1")}, planned, items) == {}  # one person is not a team
    assert shared_people({"a": frozenset("12"), "b": frozenset("12")}, {"b": weeks}, items) == {}  # no dates


def test_two_plans_of_the_same_work_do_not_share_people() -> None:
    weeks = (date(2026, 11, 1), date(2026, 11, 30))
    people = dict.fromkeys(("version", "sprint", "elsewhere"), frozenset("123"))
    items = {"version": frozenset("pqr"), "sprint": frozenset("q"), "elsewhere": frozenset("x")}
    shared = shared_people(people, dict.fromkeys(people, weeks), items)
    assert shared == {
        "version": SharedPeople(3, 1),
        "sprint": SharedPeople(3, 1),
        "elsewhere": SharedPeople(3, 2),
    }


def test_people_are_compared_with_public_milestones_and_those_of_the_same_readers() -> None:
    weeks = (date(2026, 11, 1), date(2026, 11, 30))
    people = dict.fromkeys(("public", "mine", "mine too", "yours"), frozenset("12"))
    items = {name: frozenset((name,)) for name in people}
    readers = {"mine": "x/1", "mine too": "x/1", "yours": "x/2"}
    shared = shared_people(people, dict.fromkeys(people, weeks), items, readers)
    assert {name: own.others for name, own in shared.items()} == {"mine": 2, "mine too": 2, "yours": 1}


def _running(uid: str, start: date, due: date) -> Any:
    """Return a public milestone with the two issues of the same two people, as far as the checks look at it."""
    items = [replace(issue(n), assignees=(Person(str(n), f"P{n}"),)) for n in (1, 2)]
    return SimpleNamespace(
        uid=uid,
        is_running=True,
        health=SimpleNamespace(
            at=datetime(2026, 12, 1, tzinfo=UTC), start=start, due=due, status=Status.ON_TRACK, counts=Counts(open=2)
        ),
        connection=SimpleNamespace(name="gh", zone=ZoneInfo("UTC")),
        project=SimpleNamespace(id="app", is_public=True),
        milestone=SimpleNamespace(kind=MilestoneKind.MILESTONE),
        issues={f"{uid}/{n}": own for n, own in enumerate(items)},
        words=GOOD,
        owners=find_owners("Ada", NO_WORDS, ()),
        contradicting=(),
    )


def test_a_milestone_that_starts_after_its_due_date_shares_no_people() -> None:
    monday, tuesday, week_later = (FRIDAY + timedelta(days=days) for days in (3, 4, 7))
    plans = {"a": (monday, tuesday), "b": (monday, tuesday), "late": (week_later, FRIDAY)}
    milestones = {uid: _running(uid, *plan) for uid, plan in plans.items()}
    rules: Any = SimpleNamespace(calendar=Calendar(), reminder_rules=SimpleNamespace(over_committed=False))
    checks = DefinitionChecks(milestones, {uid: [*own.issues] for uid, own in milestones.items()}, {}, rules)
    found = {uid: [own.values["others"] for own in checks.findings(milestones[uid])] for uid in plans}
    assert found == {"a": [1], "b": [1], "late": []}


def _each_with_each(
    people: Mapping[str, frozenset[str]],
    planned: Mapping[str, tuple[date, date]],
    items: Mapping[str, frozenset[str]],
    readers: Mapping[str, str],
) -> dict[str, SharedPeople]:
    shared: dict[str, SharedPeople] = {}
    for name, own in people.items():
        counts = [
            len(own & people[other])
            for other in people
            if other != name
            and {name, other} <= planned.keys()
            and readers.get(other, "") in ("", readers.get(name, ""))
            and not items[name] & items[other]
            and planned[other][0] <= planned[name][1]
            and planned[name][0] <= planned[other][1]
            and len(own & people[other]) >= max(2, len(own) / 2)
        ]
        if counts:
            shared[name] = SharedPeople(max(counts), len(counts))
    return shared


def test_teams_share_the_people_of_each_milestone_with_each() -> None:
    rng, found = random.Random(6), 0
    for _ in range(300):
        names = [f"m{n}" for n in range(rng.randint(1, 14))]
        people = {name: frozenset(rng.choices("12345", k=rng.randint(0, 4))) for name in names}
        items = {name: frozenset(rng.choices(range(40), k=rng.randint(0, 4))) for name in names}
        first = {name: FRIDAY + timedelta(days=rng.randint(0, 20)) for name in names if rng.random() < 0.9}
        planned = {name: (day, day + timedelta(days=rng.randint(0, 9))) for name, day in first.items()}
        readers = {name: rng.choice("xy") for name in names if rng.random() < 0.6}
        plans = {name: frozenset(map(str, own)) for name, own in items.items()}
        shared = shared_people(people, planned, plans, readers)
        assert shared == _each_with_each(people, planned, plans, readers)
        found += len(shared)
    assert found > 300


@pytest.mark.parametrize("is_one_team", [True, False])
def test_milestones_that_share_people_with_all_others_take_calls_in_proportion_to_their_number(
    is_one_team: bool,
) -> None:
    calls = [_calls_for_shared_people(count, is_one_team) for count in (20, 40, 80)]
    assert calls[2] - calls[1] <= 2**1.15 * (calls[1] - calls[0])


def _calls_for_shared_people(count: int, is_one_team: bool) -> int:
    """Count the calls of functions while milestones are compared that two people share; or each has a third one."""
    calls = 0

    def profile(_: object, what: str, __: object) -> None:
        nonlocal calls
        calls += what in {"call", "c_call"}

    weeks = FRIDAY, FRIDAY + timedelta(days=9)
    people = {f"m{n}": frozenset("12" if is_one_team else ("1", "2", f"p{n}")) for n in range(count)}
    items = {name: frozenset((name,)) for name in people}
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        shared = shared_people(people, dict.fromkeys(people, weeks), items)
    finally:
        sys.setprofile(before)
    assert set(shared.values()) == {SharedPeople(2, count - 1)}
    return calls


@pytest.mark.parametrize("kind", MilestoneKind)
def test_a_timebox_has_no_place_for_owner_and_exit_criteria(kind: MilestoneKind) -> None:
    missing = {"owners": find_owners("", NO_WORDS, ()), "words": NO_WORDS}
    is_timebox = kind in (MilestoneKind.SPRINT, MilestoneKind.ITERATION, MilestoneKind.TARGET_DATE)
    expected = [] if is_timebox else [FindingKind.NO_OWNER, FindingKind.NO_EXIT_CRITERIA]
    assert _kinds(kind=kind, **missing) == expected


def test_every_finding_has_a_sentence_without_names() -> None:
    values: dict[str, object] = {"count": 2, "of": 4, "others": 1, "due": date(2026, 12, 12), "open": 8, "closed": 0}
    of_lines = [description_finding(WordFault(key="Start", kind=kind, line=3)) for kind in FaultKind]
    kinds = set(FindingKind) - {FindingKind.DESCRIPTION_LINE}
    for finding in (*of_lines, *(Finding(kind=kind, values=values) for kind in kinds)):  # type: ignore[arg-type]
        words = finding_sentence(finding)
        assert words.endswith(".")
        assert "None" not in words
