"""Each fault of requests on each of the four dialects: a passing fault is retried, a lasting one ends the pull cleanly.

The sandbox makes every fault, over HTTP, while many issues are read; once it is over, the next pull continues the
broken one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world_data import Fault
from connectors.shared import responses
from connectors.testing import FOREVER, Collected
from sync.tracker.errors import (
    AuthError,
    BusyError,
    LimitedError,
    MalformedError,
    RefusedError,
    TrackerError,
    UnreachableError,
)
from tests.contract.sandbox_side import SandboxSide

KINDS = ("github", "gitlab", "jira", "jira-cloud")
ISSUES = 230
LOGIN = {"location": "https://login.example.org/sso?return=here"}


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[SandboxSide]:
    made = SandboxSide.of(sandbox.world, request.param)
    made.add_milestone("1.0")
    for n in range(ISSUES):
        made.add_issue(f"item {n}", *["1.0"][: n % 40 == 0])
    made.pass_time(3600)
    yield made
    for connector in made.made:
        connector.close()


def pull(
    side: SandboxSide, so_far: Collected | None = None, *, timeout: int = 60
) -> tuple[Collected, list[TrackerError]]:
    """A pull by a new connector, and the errors with which it ended."""
    taken, connector = so_far or Collected(), side.connect(timeout=timeout)
    cursors = dict(taken.cursors)
    taken.pages, taken.complete, taken.failed = [], set(), {}
    try:
        for page in connector.pull([side.project], cursors):
            taken.add(page)
    except TrackerError as error:
        return taken, [error]
    return taken, list(taken.failed.values())


def limits(kind: str, until: datetime, seconds: int) -> dict[str, Fault]:
    """The ways in which a tracker says that it has had enough for so many seconds."""
    reset = str(int(until.timestamp()))
    named = {
        "429, seconds": Fault("status", status=429, headers={"retry-after": str(seconds)}),
        "429, a date": Fault("status", status=429, headers={"retry-after": format_datetime(until, usegmt=True)}),
    }
    if kind == "github":
        spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        named["403 primary"] = Fault("status", status=403, headers=spent, body='{"message": "API rate limit exceeded"}')
        secondary = '{"message": "You have exceeded a secondary rate limit. Please wait."}'
        named["403 secondary"] = Fault("status", status=403, headers={"retry-after": str(seconds)}, body=secondary)
        older = '{"message": "You have triggered an abuse detection mechanism."}'
        named["403 of an older server"] = Fault("status", status=403, headers={"retry-after": str(seconds)}, body=older)
        points = '{"data": null, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
        named["GraphQL points"] = Fault("status", "graphql", status=200, headers=spent, body=points)
    if kind == "gitlab":
        named["429, reset"] = Fault("status", status=429, headers={"ratelimit-reset": reset})
    if kind == "jira-cloud":
        told = {"retry-after": str(seconds), "ratelimit-reason": "jira-burst-based"}
        named["429 burst"] = Fault("status", status=429, headers=told)
        quota = {"x-ratelimit-reset": f"{until:%Y-%m-%dT%H:%M:%SZ}", "ratelimit-reason": "jira-quota-tenant-based"}
        named["429 quota"] = Fault("status", status=429, headers=quota)
    return named


# --- what passes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=500),
        Fault("status", status=502, times=2),
        Fault("status", status=503),
        Fault("status", status=504),
        Fault("status", status=503, headers={"retry-after": "7"}),
        Fault("html", status=502),
        Fault("refuse"),
        Fault("reset"),
        Fault("truncate", times=2),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status} {fault.times}",
)
def test_what_passes_is_not_noticed(side: SandboxSide, fault: Fault, after: int) -> None:
    if fault.kind == "html":
        fault = Fault("status", status=502, body="<html>502 Bad Gateway</html>")
    side.tracker.faults.append(Fault(fault.kind, "", fault.times, fault.status, dict(fault.headers), fault.body, after))
    before = side.now()
    taken, errors = pull(side)
    assert errors == []
    assert len(taken.titles()) == ISSUES
    if fault.headers and not (side.tracker.kind == "gitlab" and after):  # GitLab's GraphQL falls back to REST
        assert side.now() - before >= timedelta(seconds=7), "it asked for so much time"


def test_an_answer_that_takes_too_long_is_asked_for_again(side: SandboxSide) -> None:
    side.tracker.faults.append(Fault("slow", headers={"seconds": "3.5"}))
    before = side.now()
    taken, errors = pull(side, timeout=3)
    assert errors == []
    assert side.now() > before, "it was given up, and some time later asked again"
    assert len(taken.titles()) == ISSUES


def test_a_short_limit_is_waited_out_however_it_is_said(side: SandboxSide) -> None:
    for name, fault in limits(side.tracker.kind, side.now() + timedelta(seconds=20), 20).items():
        fault = limits(side.tracker.kind, side.now() + timedelta(seconds=20), 20)[name]
        side.tracker.faults[:] = [fault]
        before = side.now()
        taken, errors = pull(side)
        assert errors == [], name
        assert len(taken.titles()) == ISSUES, name
        assert side.now() - before >= timedelta(seconds=19), name


def test_a_limit_that_does_not_say_how_long_is_a_minute(side: SandboxSide) -> None:
    side.tracker.faults.append(Fault("status", status=429))
    before = side.now()
    taken, errors = pull(side)
    assert errors == []
    assert len(taken.titles()) == ISSUES
    assert timedelta(seconds=59) <= side.now() - before <= timedelta(seconds=90)


def test_no_more_requests_begin_in_a_minute_than_are_allowed(side: SandboxSide) -> None:
    side.options["requests_a_minute"] = 2
    before, asked = side.now(), side.requests()
    taken, errors = pull(side)
    assert errors == []
    assert len(taken.titles()) == ISSUES
    minutes = (side.requests() - asked - 1) // 2
    assert side.now() - before >= timedelta(minutes=minutes) > timedelta(0)


# --- what stays -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 4])
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault("status", status=500), (BusyError,)),
        (Fault("status", status=503, headers={"retry-after": "7200"}), (BusyError,)),
        (Fault("status", status=401), (AuthError,)),
        (Fault("status", status=403), (RefusedError,)),
        (Fault("status", status=302, headers=LOGIN), (MalformedError,)),
        (Fault("html"), (MalformedError,)),
        (Fault("garbage"), (MalformedError,)),
        (Fault("empty"), (MalformedError,)),
        (Fault("endless"), (MalformedError,)),
        (Fault("refuse"), (UnreachableError,)),
        (Fault("reset"), (UnreachableError,)),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else "",
)
def test_what_stays_ends_the_pull_and_the_next_one_goes_on(
    side: SandboxSide, fault: Fault, kinds: tuple[type[TrackerError], ...], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "LARGEST_BODY", 1 << 20)
    side.tracker.faults.append(Fault(fault.kind, "", FOREVER, fault.status, dict(fault.headers), fault.body, after))
    taken, errors = pull(side)
    if not (after and taken.complete):  # some dialects need no more requests than that
        assert errors
        assert all(isinstance(error, kinds) for error in errors), errors
        assert taken.complete == set()
    assert all(str(error).startswith("side") and side.secret not in str(error) for error in errors)
    side.tracker.faults.clear()
    side.pass_time(3 * 3600)
    taken, errors = pull(side, taken)
    assert errors == []
    assert len(taken.titles()) == ISSUES
    assert taken.complete


def test_a_long_limit_says_when_to_come_back_and_the_next_pull_goes_on(side: SandboxSide) -> None:
    for name in limits(side.tracker.kind, side.now(), 7200):
        until = side.now() + timedelta(hours=2)
        fault = limits(side.tracker.kind, until, 7200)[name]
        fault.times, fault.after = FOREVER, 2
        side.tracker.faults[:] = [fault]
        asked = side.requests()
        taken, errors = pull(side)
        [limited] = errors
        assert isinstance(limited, LimitedError), name
        assert limited.until is not None
        assert abs(limited.until - until) <= timedelta(seconds=5), name
        assert side.requests() - asked <= 2 + 4, "nothing more is sent than was under way"
        side.tracker.faults.clear()
        side.pass_time(7300)
        taken, errors = pull(side, taken)
        assert errors == [], name
        assert len(taken.titles()) == ISSUES, name


def test_an_expired_token_in_mid_run_ends_it_and_a_new_one_goes_on(side: SandboxSide) -> None:
    side.tracker.faults.append(Fault("status", status=401, times=FOREVER, after=3))
    taken, errors = pull(side)
    assert [type(error) for error in errors] == [AuthError]
    assert taken.complete == set()
    side.tracker.faults.clear()
    side.tracker.token = side.secret = "renewed-of-the-contract"
    taken, errors = pull(side, taken)
    assert errors == []
    assert len(taken.titles()) == ISSUES
