"""Situations that a summary comment must describe well, built without any I/O. All data are made up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from sync.model.definition import Criteria, Finding, FindingKind
from sync.model.health import (
    Basis,
    Confidence,
    Dates,
    Health,
    Leftover,
    Lever,
    LeverKind,
    Note,
    Override,
    Promise,
    Reason,
    ReasonKind,
    Replan,
    Status,
    UnknownCause,
)
from sync.model.inputs import Input, InputState
from sync.model.joint import Commitment, FellowWords, OtherMember
from sync.model.membership import Counts
from sync.model.published import PublishedForecast, SummaryForecast
from sync.model.team_words import Decision, TeamWords
from sync.model.tracker_data import DueDate, Issue, Milestone, MilestoneKind, Person, State, StatusCategory
from sync.report.changes import Changes
from sync.report.facts import Budget, Facts, Point, SourceFreshness

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
DUE = date(2026, 12, 12)
TITLES = (
    "Refund a split payment",
    "Retry a declined card once",
    "Show the fee before the order is placed",
    "Move ledger exports to the new queue",
    "Payment page is empty in private windows",
    "Say which field of the address is wrong",
    "Rotate the signing keys without downtime",
    "Vendor sandbox answers with last year's format",
    "Round tax per line, not per order",
    "Explain a chargeback to the shop owner",
    "Keep the basket when the session ends",
    "Measure how long a settlement takes",
)
PEOPLE = (Person("1", "Ada"), Person("2", "Noor"), Person("3", "Lin"))


def issue(number: int, title: str = "", **changes: object) -> Issue:
    plain = Issue(
        id=str(number),
        project="1",
        key=f"acme/app#{number}",
        title=title or TITLES[number % len(TITLES)],
        url=f"https://github.com/acme/app/issues/{number}",
        state=State.OPEN,
        raw_state="open",
        category=StatusCategory.TODO,
        created_at=NOW - timedelta(days=60),
        updated_at=NOW - timedelta(days=3),
        assignees=(PEOPLE[number % 3],),
    )
    return replace(plain, **changes)


def milestone(title: str = "Payments 2.0", due: date | None = DUE, **changes: object) -> Milestone:
    plain = Milestone(
        id="7",
        project="1",
        kind=MilestoneKind.MILESTONE,
        key="12",
        written="#12",
        title=title,
        url="https://github.com/acme/app/milestone/12",
        state=State.OPEN,
        due=due,
    )
    return replace(plain, **changes)


def health(status: Status, probability: float | None, **changes: object) -> Health:
    plain = Health(
        container="7",
        at=NOW,
        status=status,
        band=status,
        since=NOW - timedelta(days=6),
        due=DUE,
        baseline=DUE,
        start=date(2026, 9, 14),
        probability=probability,
        counts=Counts(open=16, closed=28, removed=2, added=9, added_week=4),
        confidence=Confidence.MEDIUM,
        basis=Basis(
            stream="app",
            survival=0.48,
            reference=0.6,
            closures=0.51,
            stream_finished=6,
            kind_finished=14,
            closures_84d=71,
        ),
    )
    return replace(plain, **changes)


def burn_up(counts: Counts) -> tuple[Point, ...]:
    """Ten weeks that end at these counts, slowly at first."""
    start = counts.total - counts.added
    return tuple(
        Point(date(2026, 9, 20) + timedelta(days=7 * i), counts.done * i * i // 81, start + counts.added * i // 9)
        for i in range(10)
    )


def facts(made: Health, issues: tuple[Issue, ...] = (), **changes: object) -> Facts:
    plain = Facts(
        health=made,
        milestone=milestone(due=made.due),
        project="acme/app",
        items={item.id: item for item in issues},
        open=tuple(item.id for item in issues if item.state is State.OPEN),
        owners=("Ada",),
        due_dates=(DueDate(datetime(2026, 10, 1, tzinfo=UTC), made.baseline),),
        sources=(SourceFreshness(name="gh", at=NOW - timedelta(minutes=4)),),
        points=burn_up(made.counts),
        commands=True,
        closes_issue=True,
    )
    return replace(plain, **changes)


def at_risk() -> Facts:
    issues = (
        issue(31, blocked_by=("acme/vendor#4",), updated_at=NOW - timedelta(days=21)),
        issue(32, assignees=()),
        issue(33, due=date(2026, 11, 16)),
        issue(34, assignees=(), updated_at=NOW - timedelta(days=40)),
        issue(35),
        issue(36, updated_at=NOW - timedelta(days=16)),
        issue(37, assignees=()),
        issue(40),
        issue(41),
        issue(22, state=State.CLOSED),
        issue(23, state=State.CLOSED),
        issue(19, state=State.CLOSED),
        issue(28),
    )
    made = health(
        Status.AT_RISK,
        0.52,
        baseline=date(2026, 11, 21),
        dates=Dates(p50=date(2026, 12, 10), p85=date(2027, 1, 9), p95=date(2027, 2, 2)),
        reasons=(
            Reason(kind=ReasonKind.SCOPE_ADDED, effect=-0.6, values={"added": 9, "added_week": 4, "usual": 4.6}),
            Reason(
                kind=ReasonKind.STRAGGLERS,
                effect=-0.3,
                values={"count": 3, "of": 16, "usual": 2.4},
                items=("31", "34", "36"),
            ),
            Reason(kind=ReasonKind.HIT_RATE, effect=0.2, values={"hits": 4, "of": 6}),
        ),
        levers=(
            Lever(
                kind=LeverKind.CUT,
                probability=0.81,
                values={"count": 5, "of": 16},
                items=("34", "32", "37", "40", "41"),
            ),
            Lever(kind=LeverKind.MOVE, probability=0.8, values={"to": date(2027, 1, 2)}),
            Lever(kind=LeverKind.FREEZE, probability=0.63),
            Lever(
                kind=LeverKind.PACE, probability=None, values={"needed": 5.8, "median": 3.5, "reached": 2, "weeks": 12}
            ),
        ),
    )
    return facts(
        made,
        issues,
        due_dates=(
            DueDate(datetime(2026, 10, 1, tzinfo=UTC), date(2026, 11, 21)),
            DueDate(datetime(2026, 10, 20, tzinfo=UTC), date(2026, 11, 28)),
            DueDate(datetime(2026, 11, 2, tzinfo=UTC), date(2026, 12, 5)),
            DueDate(datetime(2026, 11, 16, tzinfo=UTC), DUE),
        ),
        changes=Changes(
            since=NOW - timedelta(days=6),
            added=("40", "41"),
            removed=("28",),
            closed=("22", "23", "19"),
            reopened=("35",),
            estimated=("36",),
        ),
        previous_forecast=SummaryForecast(probability=0.64, p50=date(2026, 12, 5), due=date(2026, 12, 5)),
        forecasts=(
            PublishedForecast(
                at=NOW - timedelta(days=20), probability=0.71, p50=date(2026, 12, 1), p85=date(2026, 12, 12)
            ),
            PublishedForecast(
                at=NOW - timedelta(days=13), probability=0.64, p50=date(2026, 12, 4), p85=date(2026, 12, 20)
            ),
            PublishedForecast(
                at=NOW - timedelta(days=6), probability=0.64, p50=date(2026, 12, 5), p85=date(2026, 12, 22)
            ),
        ),
        calibration="10 of 12 dates given with 85% certainty held.",
        budget=Budget(estimate=120 * 3600, spent=96 * 3600, remaining=40 * 3600, items=20),
    )


def on_track() -> Facts:
    made = health(
        Status.ON_TRACK,
        0.88,
        dates=Dates(p50=date(2026, 12, 3), p85=date(2026, 12, 11), p95=date(2026, 12, 19)),
        counts=Counts(open=6, closed=40, added=3),
        confidence=Confidence.HIGH,
        reasons=(
            Reason(kind=ReasonKind.PACE, effect=0.7, values={"share": 0.87, "usual": 0.71, "closed": 40}),
            Reason(kind=ReasonKind.HIT_RATE, effect=0.3, values={"hits": 11, "of": 13}),
        ),
        basis=Basis(stream="app", survival=0.9, reference=0.84, closures=0.86, stream_finished=13),
    )
    return facts(
        made,
        (issue(44), issue(45), issue(46, state=State.CLOSED)),
        changes=Changes(since=NOW - timedelta(days=7), closed=("46",)),
        previous_forecast=SummaryForecast(probability=0.84, p50=date(2026, 12, 4), due=DUE),
        forecasts=(PublishedForecast(at=NOW - timedelta(days=7), probability=0.84, p50=date(2026, 12, 4), due=DUE),),
    )


def off_track() -> Facts:
    made = health(
        Status.OFF_TRACK,
        0.002,
        dates=Dates(horizon=date(2027, 5, 20)),
        leftover=Leftover(usually=21, low=14, high=27),
        counts=Counts(open=38, closed=12, added=21, added_week=6),
        confidence=Confidence.LOW,
        basis=Basis(stream="app", survival=0.01, reference=0.2, stream_finished=2),
        reasons=(
            Reason(kind=ReasonKind.PACE, effect=-2.1, values={"share": 0.24, "usual": 0.66, "closed": 12}),
            Reason(kind=ReasonKind.SILENCE, effect=-0.8, values={"days": 17.3, "usual": 2.5}),
            Reason(kind=ReasonKind.UNASSIGNED, effect=-0.2, values={"count": 12, "of": 38, "usual": 7.6}),
        ),
        levers=(
            Lever(kind=LeverKind.MOVE, probability=0.31, values={"to": date(2027, 4, 23)}),
            Lever(kind=LeverKind.BOTH, probability=0.38, values={"count": 11, "of": 38, "to": date(2027, 3, 12)}),
            Lever(kind=LeverKind.ASSIGN, probability=None, values={"count": 12}),
        ),
    )
    return facts(made, tuple(issue(50 + i, assignees=()) for i in range(12)))


def overdue() -> Facts:
    made = health(
        Status.OVERDUE,
        0.03,
        due=date(2026, 11, 13),
        baseline=date(2026, 11, 13),
        dates=Dates(p50=date(2026, 11, 30), p85=date(2026, 12, 21)),
        counts=Counts(open=3, closed=39, added=2),
        reasons=(Reason(kind=ReasonKind.BLOCKED, effect=-0.4, items=("61",)),),
        levers=(Lever(kind=LeverKind.MOVE, probability=0.8, values={"to": date(2026, 12, 18)}),),
    )
    return facts(made, (issue(61, blocked_by=("acme/vendor#9",)), issue(62), issue(63)))


def done() -> Facts:
    made = health(Status.DONE, None, counts=Counts(open=0, closed=44, removed=2, added=8))
    ended = milestone(state=State.CLOSED, closed_at=datetime(2026, 12, 9, 15, tzinfo=UTC))
    return facts(replace(made, at=datetime(2026, 12, 10, 6, tzinfo=UTC)), milestone=ended)


def ended() -> Facts:
    """Five of twelve were done, the others were moved on in the last hours."""
    made = health(Status.ENDED, None, counts=Counts(carried=7, closed=6, removed=1))
    closed = milestone(state=State.CLOSED, closed_at=datetime(2026, 12, 9, 15, tzinfo=UTC))
    return facts(replace(made, at=datetime(2026, 12, 10, 6, tzinfo=UTC)), milestone=closed, points=())


def all_closed() -> Facts:
    """Everything is closed long before the due date."""
    made = health(
        Status.ON_TRACK, 0.66, counts=Counts(open=0, closed=4), expected_joins=16, reasons=(), levers=(), leftover=None
    )
    return facts(made, points=())


def empty_and_overdue() -> Facts:
    made = health(
        Status.OVERDUE,
        None,
        due=date(2026, 11, 13),
        baseline=None,
        counts=Counts(),
        dates=Dates(),
        reasons=(),
        levers=(),
    )
    return facts(made, points=())


def unknown() -> Facts:
    made = health(
        Status.UNKNOWN, None, unknown=UnknownCause.NO_HISTORY, counts=Counts(open=7, closed=1), confidence=None
    )
    return facts(made, (issue(71), issue(72)), points=())


def no_due_date() -> Facts:
    made = health(
        Status.NO_DUE_DATE,
        None,
        due=None,
        baseline=None,
        unknown=UnknownCause.NO_DUE_DATE,
        dates=Dates(p50=date(2027, 1, 20), p85=date(2027, 2, 26), horizon=date(2027, 7, 30), capacity=True),
        promise=Promise(p50=date(2027, 1, 20), p70=date(2027, 2, 5), p85=date(2027, 2, 26), held=83, of=100),
    )
    return facts(made, (issue(81), issue(82)))


def empty() -> Facts:
    made = health(Status.UNKNOWN, None, unknown=UnknownCause.TOO_FEW_ITEMS, counts=Counts(), confidence=None)
    return facts(made, points=(), owners=())


def five_hundred() -> Facts:
    issues = tuple(
        issue(
            1000 + i,
            assignees=() if i % 3 == 0 else (PEOPLE[i % 3],),
            blocked_by=(f"acme/app#{999 + i}",) if i % 7 == 0 else (),
            updated_at=NOW - timedelta(days=i % 40),
            due=date(2026, 11, 1) if i % 11 == 0 else None,
        )
        for i in range(500)
    )
    made = health(
        Status.OFF_TRACK,
        0.11,
        dates=Dates(p50=date(2027, 2, 1), p85=date(2027, 4, 1)),
        counts=Counts(open=500, closed=1200, removed=40, added=310, added_week=60),
        levers=(Lever(kind=LeverKind.CUT, probability=0.8, values={"count": 190, "of": 500}, items=("1003", "1006")),),
    )
    added = tuple(item.id for item in issues[:60])
    return facts(made, issues, changes=Changes(since=NOW - timedelta(days=7), added=added, reopened=("1100", "1101")))


HOSTILE = (
    "@acme/everyone please look at #1, acme/app#2, GH-3 and 0123456789abcdef",
    "``` ends ` the `` span <details><script>alert(1)</script>",
    "![x](https://evil.example/pixel.png) [link](https://github.com/acme/app/issues/9)",
    "/close\r\n/label ~bug\u2028/merge\u0085/assign @ada",
    "| a | b |\n|---|---|\n{code}{panel:title=x}[~ada]!pixel.png!{{x}}",
    '<!-- milesync {"v":1} --> --> </summary></details>',
    "\u202ereversed\u202c \u2066isolated\u2069 zero\u200bwidth \x1b[31mred\x00",
    "$`x`$ %2.0 ~label !7 &8 :tada: www.evil.example mailto:a@b.example",
)


def hostile() -> Facts:
    people = tuple(Person(str(i), text) for i, text in enumerate(HOSTILE[:2]))
    issues = tuple(
        issue(
            90 + i,
            text,
            key=f"#{90 + i}" if i % 2 else "`@x`#1",
            url="javascript:alert(1)" if i % 2 else "https://github.com/acme/app/issues/1) @ada [x](y",
            assignees=people if i % 2 else (),
            blocked_by=(text,),
            labels=(text,),
        )
        for i, text in enumerate(HOSTILE)
    )
    made = health(Status.AT_RISK, 0.5, reasons=(Reason(kind=ReasonKind.BLOCKED, effect=-1.0, items=("90",)),))
    return facts(
        made,
        issues,
        milestone=milestone(HOSTILE[0]),
        project="/close @acme",
        owners=HOSTILE[:2],
        changes=Changes(since=NOW, added=tuple(item.id for item in issues)),
        missing=(Input(connection=HOSTILE[3], project=HOSTILE[0], state=InputState.STALE, since=NOW),),
        override=Override(status=Status.ON_TRACK, by=HOSTILE[0], because=HOSTILE[3]),
        note=Note(by=HOSTILE[1], at=NOW, text=HOSTILE[2]),
        words=TeamWords(
            risks=HOSTILE[:4],
            decisions=tuple(
                Decision(text=text, by=date(2026, 11, 20 + i), owner=text) for i, text in enumerate(HOSTILE)
            ),
        ),
        fellow_words=(
            FellowWords(key=HOSTILE[2], decisions=(Decision(text=HOSTILE[4], owner=HOSTILE[5]),), risks=HOSTILE),
        ),
        commitments=(
            Commitment(
                name=HOSTILE[4],
                fellows=(OtherMember(key=HOSTILE[2], title=HOSTILE[6], status=Status.UNKNOWN),),
            ),
        ),
    )


def decision_overdue() -> Facts:
    """The team's words of the description: owner, tolerance, three decisions and three risks."""
    words = TeamWords(
        owners=("@ada", "@noor"),
        tolerance=0.1,
        risks=(
            "the vendor sandbox is not ready before December",
            "one person knows the ledger",
            "the audit may ask for a second review",
        ),
        decisions=(
            Decision(text="Which vendor settles the refunds?", by=date(2026, 11, 20), owner="@lin"),
            Decision(text="Do we support split payments in the first release?", by=date(2026, 12, 1), owner="@ada"),
            Decision(text="Who runs the hotline over the holidays?"),
        ),
    )
    return replace(at_risk(), owners=words.owners, words=words, tolerance=words.tolerance, changes=None)


def right_to_left() -> Facts:
    issues = (
        issue(101, "החזר תשלום מפוצל", assignees=()),
        issue(102, "عرض الرسوم قبل تأكيد الطلب (2)", blocked_by=("acme/app#101",)),
        issue(103, "Retry שוב once", assignees=(Person("9", "נועה"),), due=date(2026, 11, 20)),
    )
    made = health(
        Status.AT_RISK,
        0.58,
        dates=Dates(p50=date(2026, 12, 10), p85=date(2026, 12, 30)),
        reasons=(Reason(kind=ReasonKind.BLOCKED, effect=-0.5, items=("102",)),),
    )
    return facts(
        made,
        issues,
        milestone=milestone("תשלומים 2.0"),
        owners=("נועה", "ليلى"),
        changes=Changes(since=NOW - timedelta(days=2), added=("101", "103")),
    )


def source_down() -> Facts:
    made = health(
        Status.UNKNOWN, None, unknown=UnknownCause.STALE, stale_since=NOW - timedelta(hours=26), confidence=None
    )
    return facts(
        made,
        (issue(111), issue(112)),
        sources=(
            SourceFreshness(name="gh", at=NOW - timedelta(minutes=4)),
            SourceFreshness(name="payments-jira", at=NOW - timedelta(hours=26)),
        ),
        missing=(
            Input(
                connection="payments-jira",
                project="PAY",
                state=InputState.STALE,
                since=NOW - timedelta(hours=26),
                failure="HTTP 502",
            ),
        ),
    )


def overridden() -> Facts:
    given, because = NOW - timedelta(days=1), "the vendor ships on Monday"
    override = Override(status=Status.ON_TRACK, by="Ada", until=date(2026, 12, 5), because=because, at=given)
    note = Note(
        by="cleo", at=NOW - timedelta(days=3), text="The vendor's API is back; the retry work resumes on Monday."
    )
    return replace(at_risk(), override=override, note=note, aggregate=True)


def joint() -> Facts:
    """Part of two joint milestones: one whose members may be seen in part, one whose status may not be known."""
    known = Commitment(
        name="Payments GA",
        owner="@payments-lead",
        due=date(2026, 12, 19),
        status=Status.UNKNOWN,
        fellows=(
            OtherMember(
                key="acme/api%2.0",
                title="2.0",
                status=Status.ON_TRACK,
                url="https://gitlab.com/acme/api/-/milestones/4",
            ),
            OtherMember(
                key="PAY/2.0",
                title="2.0",
                status=Status.NO_DUE_DATE,
                url="https://acme.atlassian.net/projects/PAY/versions/1",
            ),
        ),
        blind=(OtherMember(key="PAY/2.0", title="2.0", status=Status.NO_DUE_DATE), None),
        hidden=True,
    )
    likely = Commitment(
        name="Ship it @all #1 | <b>now</b>",
        due=DUE,
        status=Status.AT_RISK,
        probability=0.41,
        p50=date(2026, 12, 14),
        p85=date(2027, 1, 12),
        fellows=(
            OtherMember(
                key="acme/web#3", title="Web 2.0", status=Status.AT_RISK, url="https://github.com/acme/web/milestone/3"
            ),
        ),
    )
    secret = Commitment(name="Autumn", due=date(2026, 12, 31), hidden=True)
    moved = Replan(at=NOW - timedelta(days=2), due=date(2026, 12, 1), done=20, open=20)
    made = health(Status.AT_RISK, 0.52, baseline=moved.due, replan=moved)
    return facts(
        made,
        (issue(44), issue(45)),
        due_dates=(
            DueDate(datetime(2026, 10, 1, tzinfo=UTC), date(2026, 12, 1)),
            DueDate(datetime(2026, 11, 20, tzinfo=UTC), DUE),
        ),
        commitments=(likely, known, secret),
        findings=(
            Finding(kind=FindingKind.NO_OWNER),
            Finding(kind=FindingKind.UNESTIMATED, values={"count": 9, "of": 16}),
            Finding(kind=FindingKind.DUE_DAY_OFF, values={"due": DUE}),
            Finding(kind=FindingKind.SAME_PEOPLE, values={"count": 2, "of": 3, "others": 1}),
        ),
        criteria=Criteria(2, 5),
    )


SITUATIONS = {
    made.__name__: made
    for made in (
        on_track,
        at_risk,
        off_track,
        overdue,
        done,
        ended,
        all_closed,
        empty_and_overdue,
        unknown,
        no_due_date,
        empty,
        five_hundred,
        hostile,
        right_to_left,
        decision_overdue,
        source_down,
        overridden,
        joint,
    )
}
