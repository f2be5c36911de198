"""What would fail, told before the first write: facts in, findings out; the facts come through the seams, by reading.

A finding that would fail under today's policy is an error; what only a wider policy would need is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from sync.model.policy import Policy
from sync.tracker.errors import AuthError, GoneError, LimitedError, MalformedError, TrackerError, UnreachableError
from sync.tracker.preflight import Examination, Examiner, Need
from sync.tracker.protocol import Connector

__all__ = ["ConnectionCheck", "DoctorFinding", "Level", "examined", "findings", "is_ok", "of_clock"]

CLOCK_WARNING, CLOCK_ERROR = timedelta(minutes=1), timedelta(minutes=10)
"""A GitHub App's signature is refused from one minute on; from ten, times of pulls and due dates are wrong too."""
EXPIRY = timedelta(days=14)
"""How long before its end a token is a warning."""
LOW = 0.1
"""Share of a rate limit that is little."""
SHOWN = 5
"""Projects that a line names before it only counts."""


class Level(StrEnum):
    """How bad a finding is; only an error makes the command fail."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class DoctorFinding(Struct, frozen=True, kw_only=True):
    """One line: ``area`` is ``configuration``, ``database``, ``metrics``, ``ping`` or a connection's name."""

    area: str
    level: Level
    words: str
    remedy: str = ""


class ConnectionCheck(Struct, frozen=True):
    """A connection to look at, with the policy of each of its projects."""

    name: str
    connector: Connector
    projects: Sequence[str]
    policy_of: Callable[[str], Policy]


def is_ok(findings: Iterable[DoctorFinding]) -> bool:
    """Whether nothing found would make a run fail."""
    return all(finding.level is not Level.ERROR for finding in findings)


def examined(patient: ConnectionCheck, now: Callable[[], datetime]) -> list[DoctorFinding]:
    """Examine a connection through the seam. `now` gives the time in UTC."""
    if not isinstance(patient.connector, Examiner):
        words = "this type of connector can't be examined"
        return [_finding(patient, Level.NOTE, words, "`milesync plan` shows what it reads, and writes nothing")]
    try:
        return list(findings(patient, patient.connector.examine(patient.projects), now()))
    except TrackerError as error:
        return [_finding(patient, Level.ERROR, str(error), _cure(error))]
    except Exception as error:  # noqa: BLE001 - a third party's connector must not hide what the others tell
        return [_finding(patient, Level.ERROR, f"the connector failed: {type(error).__name__}: {error}")]


def findings(patient: ConnectionCheck, told: Examination, now: datetime) -> Iterator[DoctorFinding]:
    """Everything to say about an examination, the good news first."""
    name = patient.name
    yield _finding(patient, Level.OK, _identity(told))
    yield _finding(patient, Level.OK, f"{told.server} through {told.sdk}")
    if told.ahead is not None:
        yield from of_clock(name, told.ahead)
    yield from _expiry(patient, told, now)
    yield from _budgets(patient, told)
    for project, error in told.failed.items():
        yield _finding(patient, Level.ERROR, str(error), _cure(error) or f"is {project!r} written as its tracker does?")
    yield from _rights(patient, told)
    for obstacle in told.obstacles:
        level = _level(patient, obstacle.project, obstacle.need)
        yield _finding(patient, level, f"{obstacle.project}: {obstacle.words}", obstacle.remedy)
    for trigger in told.triggers:
        where = f" on {trigger.project}" if trigger.project else ""
        yield _finding(patient, Level.NOTE, f"our writes would set off {trigger.words}{where}", "is that meant?")
    for what in dict.fromkeys(unread.what for unread in told.unread):
        where = _named([unread.project for unread in told.unread if unread.what == what and unread.project])
        yield _finding(patient, Level.NOTE, f"not to be seen: {what}{where}")


def of_clock(area: str, ahead: timedelta) -> Iterator[DoctorFinding]:
    """How far another clock is before ours."""
    off = abs(ahead)
    if off < CLOCK_WARNING:
        return
    words = f"its clock is {_length(off)} {'ahead of' if ahead > timedelta() else 'behind'} this machine's"
    level = Level.WARNING if off < CLOCK_ERROR else Level.ERROR
    yield DoctorFinding(area=area, level=level, words=words, remedy="set this machine's clock, by NTP for example")


def _finding(patient: ConnectionCheck, level: Level, words: str, remedy: str = "") -> DoctorFinding:
    return DoctorFinding(area=patient.name, level=level, words=words, remedy=remedy)


def _identity(told: Examination) -> str:
    scopes = f", scopes {', '.join(told.scopes) or 'none'}" if told.scopes is not None else ""
    return f"the token belongs to {told.account or 'an account without a name'}{scopes}"


def _expiry(patient: ConnectionCheck, told: Examination, now: datetime) -> Iterator[DoctorFinding]:
    if told.expires is None:
        return
    day, renew = f"{told.expires:%Y-%m-%d %H:%M} UTC", "make a new token and put it where the configuration says"
    if told.expires <= now:
        yield _finding(patient, Level.ERROR, f"the token ended on {day}", renew)
    elif told.expires - now < EXPIRY:
        yield _finding(patient, Level.WARNING, f"the token ends soon, on {day}", renew)
    else:
        yield _finding(patient, Level.OK, f"the token is good until {day}")


def _budgets(patient: ConnectionCheck, told: Examination) -> Iterator[DoctorFinding]:
    for budget in told.budgets:
        resets = f"; it is full again at {budget.resets:%H:%M} UTC" if budget.resets else ""
        words = f"rate limit {budget.name}: {budget.left} of {budget.limit} left"
        if budget.left == 0:
            yield _finding(patient, Level.ERROR, words + resets, "wait until then, or use an account of its own")
        elif budget.left < LOW * budget.limit:
            yield _finding(patient, Level.WARNING, words + resets, "who else uses this account?")
        else:
            yield _finding(patient, Level.OK, words)


def _rights(patient: ConnectionCheck, told: Examination) -> Iterator[DoctorFinding]:
    """Each missing right by name; those that are there, or not told, in one line each."""
    for right in told.rights:
        if right.held is False:
            level = _level(patient, right.project, right.need)
            where = f" on {right.project}" if right.project else ""
            words = f"missing: {right.name}{where}"
            if level is Level.WARNING:
                words += f' (needed for policy = "{right.need}")'
            yield _finding(patient, level, words, "give the token's account this right")
    for name in dict.fromkeys(right.name for right in told.rights if right.held is None):
        where = _named([right.project for right in told.rights if right.name == name and right.held is None])
        remedy = "look at the token's page; the first write would show"
        yield _finding(patient, Level.NOTE, f"not told: {name}{where}", remedy)
    for name in dict.fromkeys(right.name for right in told.rights if right.held):
        where = _named([right.project for right in told.rights if right.name == name and right.held and right.project])
        yield _finding(patient, Level.OK, f"has: {name}{where}")


def _level(patient: ConnectionCheck, project: str, need: Need) -> Level:
    """An error if today's policy needs it, of that project or, without one, of any."""
    if need is Need.READ:
        return Level.ERROR
    mine = [patient.policy_of(name) for name in ([project] if project else patient.projects)]
    order = list(Policy)
    return Level.ERROR if any(order.index(p) >= order.index(Policy(need)) for p in mine) else Level.WARNING


def _cure(error: TrackerError) -> str:
    match error:
        case AuthError():
            return "is the token whole, of this tracker, and not ended or revoked?"
        case GoneError():
            return "is the project's name right, and may the token's account see it?"
        case LimitedError():
            return "wait until then, or use an account of its own"
        case MalformedError():
            return "is url the address of the API (GitHub) or of the site (GitLab, Jira)?"
        case UnreachableError():
            return "is url right, and can this machine reach it? A proxy is taken from HTTPS_PROXY"
    return ""


def _named(projects: Sequence[str]) -> str:
    if not projects:
        return ""
    more = f" and {len(projects) - SHOWN} more" if len(projects) > SHOWN else ""
    return f" ({', '.join(projects[:SHOWN])}{more})"


def _length(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
