"""The doctor's finding for each fact, and its level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from sync.engine.doctor import (
    ConnectionCheck,
    DoctorFinding,
    Level,
    UnusedName,
    clock_findings,
    examine_connection,
    findings,
    is_ok,
    name_findings,
)
from sync.model.policy import Policy
from sync.tracker.errors import AuthError, GoneError, LimitedError, MalformedError, TrackerError, UnreachableError
from sync.tracker.preflight import (
    Examination,
    Limitation,
    Need,
    Obstacle,
    RequestBudget,
    Right,
    Trigger,
    Unread,
    unread_roles,
)
from sync.tracker.protocol import Connector

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Tracker:
    """A connector as far as it is needed here."""

    told: Examination | TrackerError
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def examine(self, projects: tuple[str, ...]) -> Examination:
        self.asked.append(projects)
        if isinstance(self.told, TrackerError):
            raise self.told
        return self.told


def patient(policy: Policy = Policy.PLAN, connector: object = None, **policies: Policy) -> ConnectionCheck:
    of: Callable[[str], Policy] = lambda project: policies.get(project.partition("/")[2], policy)  # noqa: E731
    return ConnectionCheck("gh", cast("Connector", connector), ("acme/app", "acme/web"), of)


def said(told: Examination, policy: Policy = Policy.PLAN, **policies: Policy) -> list[DoctorFinding]:
    return [finding for finding in findings(patient(policy, **policies), told, NOW) if finding.level is not Level.OK]


def words(found: list[DoctorFinding]) -> list[tuple[str, str]]:
    return [(str(finding.level), finding.words) for finding in found]


def right(name: str, need: Need, held: bool | None, project: str = "acme/app") -> Right:
    return Right(project=project, name=name, need=need, held=held)


@pytest.mark.parametrize(
    ("need", "policy", "level"),
    [
        (Need.READ, Policy.PLAN, Level.ERROR),
        (Need.UPDATE, Policy.PLAN, Level.WARNING),
        (Need.UPDATE, Policy.UPDATE, Level.ERROR),
        (Need.UPDATE, Policy.CREATE, Level.ERROR),
        (Need.CREATE, Policy.UPDATE, Level.WARNING),
        (Need.CREATE, Policy.CREATE, Level.ERROR),
    ],
)
def test_a_missing_right_is_an_error_when_the_policy_needs_it(need: Need, policy: Policy, level: Level) -> None:
    (found,) = said(Examination(rights=(right("Issues: write", need, held=False),)), policy)
    assert found.level is level
    assert found.words.startswith("missing: Issues: write on acme/app")
    assert ("needed for policy" in found.words) == (level is Level.WARNING)
    (found,) = said(Examination(obstacles=(Obstacle(project="acme/app", words="closed", need=need),)), policy)
    assert (found.level, found.words) == (level, "acme/app: closed")


def test_the_policy_that_counts_is_that_of_the_project() -> None:
    told = Examination(
        rights=(right("Issues: write", Need.UPDATE, held=False), right("Issues: write", Need.UPDATE, False, "acme/web"))
    )
    assert [finding.level for finding in said(told, app=Policy.CREATE)] == [Level.ERROR, Level.WARNING]


def test_a_right_of_the_token_itself_counts_for_the_widest_policy() -> None:
    told = Examination(rights=(right("the scope api", Need.UPDATE, held=False, project=""),))
    assert words(said(told, web=Policy.UPDATE)) == [("error", "missing: the scope api")]
    assert said(told)[0].level is Level.WARNING


def test_unknown_permissions_are_listed_in_one_line() -> None:
    told = Examination(rights=tuple(right("Issues: write", Need.UPDATE, None, f"acme/{n}") for n in range(8)))
    (found,) = said(told, Policy.CREATE)
    assert found.level is Level.NOTE
    assert found.words == "unknown: Issues: write (acme/0, acme/1, acme/2, acme/3, acme/4 and 3 more)"


@pytest.mark.parametrize(
    ("days", "level"),
    [(-1, "error"), (0, "error"), (13.9, "warning"), (14, None), (400, None)],
)
def test_the_end_of_a_token(days: float, level: str | None) -> None:
    found = said(Examination(expires=NOW + timedelta(days=days)))
    assert [str(finding.level) for finding in found] == ([level] if level else [])


@pytest.mark.parametrize(
    ("seconds", "level", "told"),
    [
        (0, None, ""),
        (59, None, ""),
        (-59, None, ""),
        (60, "warning", "1 minutes ahead of"),
        (-300, "warning", "5 minutes behind"),
        (-360, "error", "6 minutes behind"),
        (600, "error", "10 minutes ahead of"),
        (-7200, "error", "2 hours behind"),
    ],
)
def test_the_clock(seconds: int, level: str | None, told: str) -> None:
    found = list(clock_findings("gh", timedelta(seconds=seconds)))
    assert [str(finding.level) for finding in found] == ([level] if level else [])
    assert all(told in finding.words for finding in found)
    assert said(Examination(ahead=timedelta(seconds=seconds))) == found


@pytest.mark.parametrize(("left", "level"), [(0, "error"), (499, "warning"), (500, None), (5000, None)])
def test_a_rate_limit(left: int, level: str | None) -> None:
    resets = datetime(2026, 3, 2, 9, 40, tzinfo=UTC)
    found = said(Examination(budgets=(RequestBudget(name="REST", limit=5000, left=left, resets=resets),)))
    assert [str(finding.level) for finding in found] == ([level] if level else [])
    assert all("full again at 09:40 UTC" in finding.words for finding in found)


def test_a_loss_with_the_version_of_the_server_is_a_note_with_the_version_that_has_it() -> None:
    limitation = Limitation(words="this server has no issue types", remedy="from version 3.18 on")
    (found,) = said(Examination(limitations=(limitation,)))
    assert (found.level, found.words, found.remedy) == (Level.NOTE, limitation.words, limitation.remedy)


def test_what_would_be_set_off_and_what_cannot_be_seen_are_notes() -> None:
    told = Examination(
        triggers=(
            Trigger(project="acme/app", words="the webhook to example.org (issues)"),
            Trigger(project="", words="x"),
        ),
        unread=(
            Unread(project="acme/app", what="its webhooks"),
            Unread(project="acme/web", what="its webhooks"),
            unread_roles("acme/web", "give it the role Write"),
        ),
    )
    assert words(said(told, Policy.CREATE)) == [
        ("note", "writes by milesync would trigger the webhook to example.org (issues) on acme/app"),
        ("note", "writes by milesync would trigger x"),
        ("note", "not visible to the token: its webhooks (acme/app, acme/web)"),
        ("note", "not visible to the token: who has write access, so /milesync commands are ignored (acme/web)"),
    ]


@pytest.mark.parametrize("kind", [AuthError, GoneError, MalformedError, UnreachableError, LimitedError])
def test_an_error_of_the_connection_or_of_a_project_says_what_to_do(kind: type[TrackerError]) -> None:
    for told in (kind("gh", detail="HTTP 400"), Examination(failed={"acme/gone": kind("gh", "acme/gone")})):
        tracker = Tracker(told)
        found = [
            finding
            for finding in examine_connection(patient(connector=tracker), lambda: NOW)
            if finding.level is Level.ERROR
        ]
        assert len(found) == 1
        assert found[0].remedy
        assert not is_ok(found)
        assert tracker.asked == [("acme/app", "acme/web")]


def test_a_connector_that_breaks_is_an_error_of_its_own() -> None:
    (found,) = examine_connection(patient(connector=Tracker(cast("Examination", None))), lambda: NOW)
    assert found.level is Level.ERROR
    assert found.words.startswith("the connector failed: AttributeError")


def test_a_connector_that_cannot_examine_is_no_error() -> None:
    found = examine_connection(patient(connector=object()), lambda: NOW)
    assert words(found) == [("note", "this type of connector can't be examined")]
    assert is_ok(found)


def test_good_news_names_account_scopes_and_versions() -> None:
    told = Examination(
        account="bot",
        scopes=("repo",),
        server="GitHub",
        sdk="PyGithub 2",
        expires=NOW + timedelta(days=40),
        rights=(right("Issues: write", Need.UPDATE, held=True),),
    )
    every: list[Any] = [finding.words for finding in findings(patient(), told, NOW)]
    assert every == [
        "the token belongs to bot, scopes repo",
        "GitHub through PyGithub 2",
        "the token is valid until 2026-04-11 09:00 UTC",
        "has: Issues: write (acme/app)",
    ]


def test_a_name_that_no_issue_and_no_workflow_has_is_a_warning() -> None:
    used = frozenset({"shipped", "bug"})
    unused = (
        UnusedName("done.labels[0]", "labels", "Shippd", used),
        UnusedName("done.states[0]", "states", "Released", frozenset({"to do"})),
        UnusedName('project."acme/app".removed.states[1]', "states", "Parked", frozenset({"to do"})),
    )
    check = ConnectionCheck("gh", cast("Connector", None), (), lambda _: Policy.PLAN, unused)
    found = list(name_findings(check, ["[RELEASED]", "Done"]))
    assert [(finding.level, finding.area) for finding in found] == [(Level.WARNING, "gh")] * 2
    assert found[0].words == "done.labels[0]: no issue that was read has or had 'Shippd'"
    assert found[0].remedy == "is 'shipped' meant?"
    assert "removed.states[1]" in found[1].words
    assert found[1].remedy == "correct or delete it; a renamed one needs its new name"
