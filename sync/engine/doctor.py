"""Check connections before the first write: an examination by the connector in, findings out. Reads only.

A problem that would fail under today's policy is an error; a right that only a wider policy needs is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

from sync.health.definition import description_finding
from sync.health.usual import is_never_done
from sync.markup.document import clean
from sync.model.health import Health
from sync.model.item_state import fold_name, fold_names
from sync.model.milestone_ids import plain_id
from sync.model.policy import Policy
from sync.model.tracker_data import Milestone, Project, State
from sync.report.leftover import usual_sentence
from sync.report.phrases import finding_sentence, small, unlisted_words
from sync.store.unlisted_milestones import UnlistedMilestone
from sync.telemetry.redaction import exception_words
from sync.tracker.clocks import MAX_CLOCK_DIFFERENCE, length_of
from sync.tracker.errors import (
    AuthError,
    EndpointError,
    GoneError,
    LimitedError,
    MalformedError,
    TrackerError,
    UnreachableError,
)
from sync.tracker.preflight import Examination, Examiner, Need
from sync.tracker.protocol import Connector
from sync.tracker.team_words import team_words

__all__ = [
    "ConnectionCheck",
    "DoctorFinding",
    "Level",
    "UnusedName",
    "clock_findings",
    "description_findings",
    "examine_connection",
    "findings",
    "is_ok",
    "name_findings",
    "series_findings",
]

CLOCK_WARNING = timedelta(minutes=1)
"""GitHub refuses an App's signature from one minute on; above `MAX_CLOCK_DIFFERENCE`, nothing is written."""
EXPIRY = timedelta(days=14)
"""Time before the expiry of a token at which it becomes a warning."""
LOW = 0.1
"""Share of a rate limit below which the rest is a warning."""
CHECK_AGAIN = "correct what the tracker names, then run `milesync doctor` again"
SHOWN = 5
"""Maximum number of projects that a line names; the others are counted."""


class Level(StrEnum):
    """Severity of a finding; only an error makes the command fail."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class DoctorFinding(Struct, frozen=True, kw_only=True):
    """One line.

    ``area`` is ``configuration``, ``database``, ``forecast``, ``metrics``, ``ping`` or a connection's name. ``setting``
    is the key of the connection's table that an error is about: ``url``, ``token`` or ``projects``; empty if unknown.
    """

    area: str
    level: Level
    words: str
    remedy: str = ""
    setting: str = ""


class UnusedName(Struct, frozen=True):
    """A configured name of a state, label or resolution that no stored issue has. ``kind`` is the list that it is in.

    ``key`` is its place in the connection's table; ``used`` are the names (folded) that issues have instead.
    """

    key: str
    kind: str
    name: str
    used: Collection[str]


class ConnectionCheck(Struct, frozen=True):
    """A connection to check, with the policy of each of its projects."""

    name: str
    connector: Connector
    projects: Sequence[str]
    policy_of: Callable[[str], Policy]
    unused_names: Sequence[UnusedName] = ()


def is_ok(findings: Iterable[DoctorFinding]) -> bool:
    """Return whether no finding is an error."""
    return all(finding.level is not Level.ERROR for finding in findings)


def examine_connection(connection: ConnectionCheck, now: Callable[[], datetime]) -> list[DoctorFinding]:
    """Return the findings of a connection. `now` gives the time in UTC."""
    if not isinstance(connection.connector, Examiner):
        words = "this type of connector can't be examined"
        return [_finding(connection, Level.NOTE, words, "`milesync plan` shows what it reads, and writes nothing")]
    try:
        return list(findings(connection, connection.connector.examine(connection.projects), now()))
    except TrackerError as error:
        return [_finding(connection, Level.ERROR, str(error), _remedy(error) or CHECK_AGAIN, _setting(error))]
    except Exception as error:  # noqa: BLE001 - a third party's connector must not hide the findings of others
        words = f"the connector failed: {exception_words(error)}"
        return [_finding(connection, Level.ERROR, words, "report it to the authors of the connector")]


def findings(connection: ConnectionCheck, report: Examination, now: datetime) -> Iterator[DoctorFinding]:
    """Yield the findings of an examination at ``now`` (UTC), the good ones first."""
    name = connection.name
    yield _finding(connection, Level.OK, _identity(report))
    yield _finding(connection, Level.OK, f"{report.server} through {report.sdk}")
    for limitation in report.limitations:
        yield _finding(connection, Level.NOTE, limitation.words, limitation.remedy)
    if report.ahead is not None:
        yield from clock_findings(name, report.ahead)
    yield from _expiry(connection, report, now)
    yield from _budgets(connection, report)
    for project, error in report.failed.items():
        yield _finding(
            connection,
            Level.ERROR,
            str(error),
            _remedy(error) or f"check that {project!r} is written as in the tracker",
            _setting(error) if isinstance(error, AuthError) else "projects",
        )
    yield from _rights(connection, report)
    for obstacle in report.obstacles:
        level = Level.WARNING if obstacle.is_optional else _level(connection, obstacle.project, obstacle.need)
        remedy = obstacle.remedy or "correct it in the tracker, or leave the project out"
        yield _finding(connection, level, f"{obstacle.project}: {obstacle.words}", remedy, "projects")
    for trigger in report.triggers:
        where = f" on {trigger.project}" if trigger.project else ""
        yield _finding(
            connection,
            Level.NOTE,
            f"writes by milesync would trigger {trigger.words}{where}",
            "check that this is intended",
        )
    yield from name_findings(connection, report.states)
    for what, remedy in dict.fromkeys((unread.what, unread.remedy) for unread in report.unread):
        where = _named([unread.project for unread in report.unread if unread.what == what and unread.project])
        yield _finding(connection, Level.NOTE, f"not visible to the token: {what}{where}", remedy)


def clock_findings(area: str, ahead: timedelta) -> Iterator[DoctorFinding]:
    """Yield a finding when another clock differs too much; ``ahead`` is its difference from this machine's clock."""
    off = abs(ahead)
    if off < CLOCK_WARNING:
        return
    words = f"its clock is {length_of(off)} {'ahead of' if ahead > timedelta() else 'behind'} this machine's"
    level = Level.WARNING if off <= MAX_CLOCK_DIFFERENCE else Level.ERROR
    yield DoctorFinding(area=area, level=level, words=words, remedy="set this machine's clock, by NTP for example")


def name_findings(connection: ConnectionCheck, states: Collection[str]) -> Iterator[DoctorFinding]:
    """Yield a warning for each configured name that no issue and no workflow (``states``) has."""
    known = fold_names(states)
    for unused in connection.unused_names:
        if unused.kind == "states" and fold_name(unused.name) in known:
            continue
        near = get_close_matches(fold_name(unused.name), {*unused.used, *(known if unused.kind == "states" else ())}, 1)
        words = f"{unused.key}: no issue that was read has or had {unused.name!r}"
        remedy = f"is {near[0]!r} meant?" if near else "correct or delete it; a renamed one needs its new name"
        yield _finding(connection, Level.WARNING, words, remedy)


def series_findings(healths: Iterable[Health]) -> Iterator[DoctorFinding]:
    """Yield a note for each series of which no milestone was ever done within its tolerance, by its last health."""
    latest: dict[str, Health] = {}
    for health in sorted(healths, key=lambda health: health.at):
        if health.usual is not None:
            latest[health.basis.stream] = health
    for stream, health in sorted(latest.items()):
        words = usual_sentence(health)
        if words is not None and is_never_done(health.usual):
            remedy = "if the team plans for that, set `tolerance` in [rules] or for its connection"
            yield DoctorFinding(area="forecast", level=Level.NOTE, words=f"{stream}: {small(words)}", remedy=remedy)


def unlisted_findings(milestones: Iterable[UnlistedMilestone]) -> Iterator[DoctorFinding]:
    """Yield a warning for each milestone that issues refer to and that no list of its tracker named."""
    for milestone in milestones:
        words = f"{milestone.project_key}: {unlisted_words(milestone.issues)}"
        remedy = "check in the tracker whether the token's account may see that milestone"
        yield DoctorFinding(area="milestones", level=Level.WARNING, words=words, remedy=remedy)


def description_findings(milestones: Iterable[tuple[Project, Milestone]]) -> Iterator[DoctorFinding]:
    """Yield a note for each line in the description of an open milestone that has a key and no readable value."""
    for project, milestone in milestones:
        for fault in team_words(milestone.description).faults if milestone.state is State.OPEN else ():
            finding = description_finding(fault)
            words = f"{clean(plain_id(milestone, project))}: {small(finding_sentence(finding))}"
            remedy = "docs/how-to/team-words.md has the form of each line"
            yield DoctorFinding(area="milestones", level=Level.NOTE, words=words, remedy=remedy)


def _finding(
    connection: ConnectionCheck, level: Level, words: str, remedy: str = "", setting: str = ""
) -> DoctorFinding:
    return DoctorFinding(area=connection.name, level=level, words=words, remedy=remedy, setting=setting)


def _identity(report: Examination) -> str:
    scopes = f", scopes {', '.join(report.scopes) or 'none'}" if report.scopes is not None else ""
    return f"the token belongs to {report.account or 'an account without a name'}{scopes}"


def _expiry(connection: ConnectionCheck, report: Examination, now: datetime) -> Iterator[DoctorFinding]:
    if report.expires is None:
        return
    day, renew = (
        f"{report.expires:%Y-%m-%d %H:%M} UTC",
        "create a new token and store it where the configuration says",
    )
    if report.expires <= now:
        yield _finding(connection, Level.ERROR, f"the token expired on {day}", renew, "token")
    elif report.expires - now < EXPIRY:
        yield _finding(connection, Level.WARNING, f"the token expires soon, on {day}", renew)
    else:
        yield _finding(connection, Level.OK, f"the token is valid until {day}")


def _budgets(connection: ConnectionCheck, report: Examination) -> Iterator[DoctorFinding]:
    for budget in report.budgets:
        resets = f"; it is full again at {budget.resets:%H:%M} UTC" if budget.resets else ""
        words = f"rate limit {budget.name}: {budget.left} of {budget.limit} left"
        if budget.left == 0:
            yield _finding(
                connection, Level.ERROR, words + resets, "wait until then, or give milesync an account of its own"
            )
        elif budget.left < LOW * budget.limit:
            yield _finding(connection, Level.WARNING, words + resets, "check what else uses this account")
        else:
            yield _finding(connection, Level.OK, words)


def _rights(connection: ConnectionCheck, report: Examination) -> Iterator[DoctorFinding]:
    """Yield each missing right, then the unknown ones and the existing ones, one line for each name."""
    for right in report.rights:
        if right.held is False:
            level = _level(connection, right.project, right.need)
            where = f" on {right.project}" if right.project else ""
            words = f"missing: {right.name}{where}"
            if level is Level.WARNING:
                words += f' (needed for policy = "{right.need}")'
            yield _finding(connection, level, words, "give the token's account this right", "token")
    for name in dict.fromkeys(right.name for right in report.rights if right.held is None):
        where = _named([right.project for right in report.rights if right.name == name and right.held is None])
        remedy = "check the rights on the token's page in the tracker"
        yield _finding(connection, Level.NOTE, f"unknown: {name}{where}", remedy)
    for name in dict.fromkeys(right.name for right in report.rights if right.held):
        where = _named(
            [right.project for right in report.rights if right.name == name and right.held and right.project]
        )
        yield _finding(connection, Level.OK, f"has: {name}{where}")


def _level(connection: ConnectionCheck, project: str, need: Need) -> Level:
    """Return ERROR if the policy of the project (empty: of any project) needs the right, else WARNING."""
    if need is Need.READ:
        return Level.ERROR
    mine = [connection.policy_of(name) for name in ([project] if project else connection.projects)]
    order = list(Policy)
    return Level.ERROR if any(order.index(p) >= order.index(Policy(need)) for p in mine) else Level.WARNING


def _remedy(error: TrackerError) -> str:
    match error:
        case AuthError():
            return "check that the token is complete, belongs to this tracker, and is not expired or revoked"
        case EndpointError():
            return "check url; a proxy in front of the server has to let REST and GraphQL through"
        case GoneError():
            return "check the project's name, and that the token's account may see the project"
        case LimitedError():
            return "wait until then, or give milesync an account of its own"
        case MalformedError():
            return "check that url is the address of the API (GitHub) or of the site (GitLab, Jira)"
        case UnreachableError():
            return "check url, and that this machine can reach it; HTTPS_PROXY may name a proxy"
    return ""


def _setting(error: TrackerError) -> str:
    """Return the key of the connection's table that is probably wrong."""
    match error:
        case AuthError():
            return "token"
        case EndpointError() | MalformedError() | UnreachableError():
            return "url"
        case GoneError():
            return "projects"
    return ""


def _named(projects: Sequence[str]) -> str:
    if not projects:
        return ""
    more = f" and {len(projects) - SHOWN} more" if len(projects) > SHOWN else ""
    return f" ({', '.join(projects[:SHOWN])}{more})"
