"""Issues that a comment's readers may not see change no byte of what is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from sync.markup import render
from sync.model.joint import JointMilestone
from sync.model.policy import OptionalOutputs, Policy
from sync.model.tracker_data import Issue, Markup, Person, State, StatusCategory, Visibility
from sync.report.facts import build_facts
from sync.report.phrases import STATUS
from sync.report.summary import summary
from sync.tracker.actions import Attach
from sync.tracker.connection import Connection
from sync.tracker.protocol import Page
from tests.integration.test_engine import NOW, World, page
from tests.portfolio_world import NOW as RELATED_NOW
from tests.portfolio_world import PAST, combined_page, running
from tests.portfolio_world import World as Related
from tests.portfolio_world import page as page_of
from tests.proof import TIMEOUT, Record, full, tried

pytestmark = TIMEOUT
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
moments = st.integers(0, 19 * 24).map(lambda hours: NOW - timedelta(hours=hours))


@st.composite
def private(draw: st.DrawFn, number: int) -> Issue:
    """An issue of the milestone that its project's readers may not all see."""
    plain = page().issues[3]
    closed = draw(st.none() | moments)
    return msgspec.structs.replace(
        plain,
        id=f"p1-{number}",
        key=f"#{number}",
        title=draw(words),
        labels=tuple(draw(st.lists(words, max_size=2))),
        assignees=tuple(Person(name, name) for name in draw(st.lists(words, max_size=2))),
        state=State.CLOSED if closed else State.OPEN,
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        closed_at=closed,
        updated_at=closed or draw(moments),
        due=draw(st.none() | moments.map(lambda at: at.date())),
        estimate=draw(st.none() | st.integers(0, 10**6)),
        spent=draw(st.none() | st.integers(0, 10**6)),
        points=draw(st.none() | st.floats(0, 100)),
        blocked_by=tuple(draw(st.lists(words, max_size=2))),
        visibility=draw(st.sampled_from((Visibility.CONFIDENTIAL, Visibility.UNKNOWN))),
    )


privates = st.lists(st.integers(0, 6), unique=True, max_size=7).flatmap(
    lambda numbers: st.tuples(*(private(50 + n) for n in numbers))
)


def written(*stages: tuple[Issue, ...]) -> list[bytes]:
    """Every action of a run for each stage of the private issues, with all that is optional asked for."""
    world = World()
    world.connector.capabilities = msgspec.structs.replace(world.connector.capabilities, files=True)
    told = []
    connection = Connection(
        name="memory",
        connector=world.connector,
        projects=("acme/app",),
        policy_of=lambda _: Policy.CREATE,
        optional_outputs_of=lambda _: OptionalOutputs(item_labels=True, description=True, picture=True),
    )
    seen: dict[str, Any] = {}
    for hidden in stages:
        first = world.tracker.pages[0]
        seen |= {issue.id: issue for issue in hidden}
        public = tuple(issue for issue in first.issues if issue.visibility is Visibility.PROJECT)
        world.tracker.pages = [msgspec.structs.replace(first, issues=(*public, *seen.values()))]
        result = world.run(connection)
        assert result.failures == []
        told.append(msgspec.json.encode([action.action for action in result.written]))
        told.append(result.summary().encode())
        told += [action.content for action in world.tracker.writes if isinstance(action, Attach)]
        world.now += timedelta(hours=30)
    return told


TWO = st.lists(privates, min_size=2, max_size=2)
NOTHING = written((), ())
assert any(told.startswith(b"\x89PNG") for told in NOTHING)


@pytest.mark.proof
@pytest.mark.parametrize("part", range(full(4, 1)))
def test_what_readers_may_not_see_changes_no_byte(part: int, record_property: Record) -> None:
    def check(first: list[Any], other: list[Any]) -> None:
        assert written(*first) == NOTHING
        assert written(*other) == NOTHING

    record_property("private inputs", tried(check, TWO, TWO, cases=full(250, 10), part=part))


def test_the_same_change_to_a_visible_issue_changes_the_text() -> None:
    seen = msgspec.structs.replace(page().issues[3], id="p1-50", key="#50", title="Seen by all")
    assert written((seen,), ()) != written((), ())


# --- what a private source shares -------------------------------------------------------------------------------------

SHARED = JointMilestone(name="Payments GA", members=(running("app"), running("api")))
STATUSES = "|".join(
    re.escape(word) for name in STATUS.values() for word in (name, name.capitalize(), name.replace(" ", "-"))
)
FIGURES = re.compile(
    r"((on|by|only after) )?\*?\*?\d+ [A-Z][a-z][a-z] \d{4}\*?\*?|at a date nobody can tell yet"
    rf"|\d+%|\((\d+ days? (early|late)|on the due date)\)|\d+ days?|{STATUSES}"
    r"|[✅⚠️🛑⏰🏁📅❔]+"
)
"""Status, probability and dates, in words and signs."""
CONSTANT = re.compile(
    r"It also depends on work you may not have access to\. ?"
    r"|- \*\*Against it\*\*: a milestone that it depends on may be late(, which costs \d+ days? on average)?\."
    r"|All of it done: [^.]*\."
    r"|One member cannot be forecast, so neither can the joint milestone\."
    r"|\| Still open on .* \|"  # follows from the probability and the own issues
)
"""Sentences that come and go with these."""


def told(share: str, change: Callable[[Issue], Issue] = lambda issue: issue, **private: Any) -> str:
    """The comment of a milestone that waits for a private one, and is joined with it."""
    vault = page_of("api", **private)
    vault = msgspec.structs.replace(vault, issues=tuple(change(issue) for issue in vault.issues))
    world = Related(page_of("app"), vault, share=share)
    whole = world.whole(SHARED, dependencies=[(running("api"), running("app"))])
    (own,) = (milestone for milestone in whole.milestones if milestone.written == running("app"))
    return render(summary(build_facts(own, now=RELATED_NOW)), Markup.GITHUB, 65_000)


def bare(comment: str) -> list[str]:
    lines = CONSTANT.sub("", comment).splitlines()
    shorn = (" ".join(FIGURES.sub("", line).split()) for line in lines)
    bared = (line.replace(", likely in time", "").replace(" ;", ";").rstrip(" ,.:;*") for line in shorn)
    return sorted(filter(None, bared))


states = {"still_open": st.integers(0, 10), "due": st.none() | st.dates(date(2026, 3, 16), date(2026, 8, 1))}


@pytest.mark.proof
def test_what_shares_nothing_changes_no_byte(record_property: Record) -> None:
    def check(private: dict[str, Any]) -> None:
        assert told("none", **private) == told("none")

    record_property("private inputs", tried(check, st.fixed_dictionaries(states), cases=full(300, 8), part=1))


@pytest.mark.proof
def test_what_shares_aggregates_changes_status_probability_and_dates_only(record_property: Record) -> None:
    def check(private: dict[str, Any]) -> None:
        assert bare(told("aggregate", **private)) == bare(told("aggregate"))

    record_property(
        "private inputs",
        tried(check, st.fixed_dictionaries({**states, "late": st.booleans()}), cases=full(300, 8), part=2),
    )


@pytest.mark.proof
def test_what_shares_aggregates_shares_no_word(record_property: Record) -> None:
    def check(title: str, name: str, labels: list[str]) -> None:
        def renamed(issue: Issue) -> Issue:
            people = (Person(name, name),)
            return msgspec.structs.replace(issue, title=title, labels=tuple(labels), assignees=people)

        assert told("aggregate", renamed) == told("aggregate")

    record_property(
        "private inputs", tried(check, words, words, st.lists(words, max_size=2), cases=full(300, 8), part=3)
    )


def test_these_figures_do_change() -> None:
    assert told("aggregate", late=True, still_open=9) != told("aggregate")


# --- public and private milestones together ---------------------------------------------------------------------------

PEOPLE = [Person(name, name) for name in ("ada", "ben", "eve", "kim")]
KEYS = [f"acme/{project}#{10 * PAST + k}" for project in ("app", "lib", "vault", "safe") for k in (7, 8)]
LATE = (1, 2, 5)


running_issues = st.integers(10 * PAST, 10 * PAST + 9)
hidden = st.fixed_dictionaries(
    {
        **states,
        "late": st.just(LATE) | st.lists(st.integers(0, PAST - 1), unique=True),
        "earlier": st.just(PAST) | st.integers(0, PAST),
        "held": st.dictionaries(running_issues, st.sampled_from(PEOPLE)),
        "blocked": st.dictionaries(running_issues, st.sampled_from(KEYS)),
    }
)
"""A private project: how its earlier milestones fared, who works there, and what waits for what."""


def secret(project: str, *, earlier: int, held: dict[int, Person], blocked: dict[int, str], **given: Any) -> Page:
    """The project that shares this much; ``earlier``: number of its earlier milestones."""
    made = page_of(project, **given)
    issues = (
        msgspec.structs.replace(
            issue,
            assignees=(held[n],) if n in held else (),
            blocked_by=(blocked[n],) if n in blocked and not issue.closed_at else (),
        )
        for n, issue in enumerate(made.issues)
    )
    return msgspec.structs.replace(made, milestones=made.milestones[PAST - earlier :], issues=tuple(issues))


def busy(page: Page, **blocked_by: tuple[str, ...]) -> Page:
    """Its open issues with owners, and what these issues wait for."""
    issues = (
        msgspec.structs.replace(
            issue,
            assignees=() if issue.closed_at else (PEOPLE[n % 2],),
            blocked_by=blocked_by.get(issue.key.rpartition("#")[2], ()),
        )
        for n, issue in enumerate(page.issues)
    )
    return msgspec.structs.replace(page, issues=tuple(issues))


def published(vault: Page, safe: Page) -> list[str]:
    """Every comment on public milestones, with exact figures, with private ones in the same tracker and in another."""
    app = busy(page_of("app", visibility=Visibility.PUBLIC, late=LATE), **{"87": ("acme/lib#88", "acme/vault#87")})
    lib = busy(page_of("lib", visibility=Visibility.PUBLIC, late=LATE), **{"86": ("acme/safe#88",)})
    world = Related(combined_page(vault, app), lib, safe)
    vaulted, applied = running("vault"), running("app", at="vault")
    joints = (
        JointMilestone(name="Public", members=(applied, running("lib"))),
        JointMilestone(name="Mixed", members=(running("safe"), running("lib"), vaulted)),
    )
    whole = world.whole(*joints, dependencies=[(vaulted, applied)])
    seen = [milestone for milestone in whole.milestones if milestone.project.visibility is Visibility.PUBLIC]
    exact = msgspec.json.encode([(milestone.health, milestone.commitments) for milestone in seen]).decode()
    return [
        exact,
        *(render(summary(build_facts(milestone, now=RELATED_NOW)), Markup.GITHUB, 65_000) for milestone in seen),
    ]


PLAIN = published(page_of("vault"), page_of("safe"))


@pytest.mark.proof
def test_nothing_private_changes_a_byte_of_what_is_public(record_property: Record) -> None:
    def check(vault: dict[str, Any], safe: dict[str, Any]) -> None:
        assert published(secret("vault", **vault), secret("safe", **safe)) == PLAIN

    record_property("private inputs", tried(check, hidden, hidden, cases=full(1_000, 12), part=4))
