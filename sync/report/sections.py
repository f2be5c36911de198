"""The sections of a summary below the verdict. Each function returns or yields its section, or none without content.

A section reads its facts from `Facts` only. To show a new fact, add it to `Facts` and to `meaning`, both in
`sync.report.facts`: a comment is written again only when its meaning changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sync.markup.document import Block, Bullets, Chart, Foreign, Inline, Item, Line, Lines, Section, Sign, Strong, Table
from sync.model.health import Lever, LeverKind
from sync.model.joint import Commitment, OtherMember
from sync.model.keys import short_key
from sync.model.tracker_data import Issue
from sync.report.facts import FOLDED, POINTS, SHOWN, Facts, Point, SourceFreshness
from sync.report.figures import done_percent, hours, overrun_percent
from sync.report.levers import lever_texts
from sync.report.phrases import STATUS, capital, day, finding_sentence, minute, percent, plural, small, sureness
from sync.report.reasons import reason_sentence
from sync.tracker.slash_commands import example_override

__all__ = [
    "certainty",
    "changes",
    "commitments",
    "decisions",
    "definition",
    "flagged_issues",
    "freshness",
    "how_to_override",
    "join_parts",
    "progress",
    "reasons",
]

STALE = timedelta(days=14)
"""Time without activity after which an open issue is flagged."""


def reasons(facts: Facts) -> Section | None:
    """Return the strongest reasons, strongest first."""
    lines: tuple[Line, ...] = tuple(
        (Strong("Helps" if reason.effect > 0 else "Hurts"), f": {small(reason_sentence(reason))}")
        for reason in facts.health.reasons[:SHOWN]
    )
    return Section(title="Why", blocks=(Bullets(lines),), weight=85) if lines else None


# --- what changed --------------------------------------------------------------------------------------------------


def changes(facts: Facts) -> Iterable[Section]:
    """Yield the changes since the last comment, naming the items; nothing before the first comment."""
    since_last = facts.changes
    if since_last is None:
        return
    kinds = (
        ("Added", since_last.added),
        ("Removed", since_last.removed),
        ("Reopened", since_last.reopened),
        ("Closed", since_last.closed),
        ("Estimated anew", since_last.estimated),
    )
    lines: list[Line] = list(_forecast_change(facts))
    rest: list[Line] = []
    unlisted = 0
    for word, uids in kinds:
        named = [facts.items[uid] for uid in uids if uid in facts.items]
        lines += [(Strong(word), " ", _item(facts, issue)) for issue in named[:SHOWN]]
        if len(named) > SHOWN:
            lines.append((Strong(word), f" {len(named) - SHOWN} more"))
            rest += [(Strong(word), " ", _item(facts, issue)) for issue in named[SHOWN:FOLDED]]
            unlisted += len(named) - SHOWN
    blocks: Block = Bullets(tuple(lines)) if lines else Lines((("No issue was added, removed, closed or reopened.",),))
    yield Section(title=f"What changed since {day(facts.day_of(since_last.since))}", blocks=(blocks,), weight=80)
    if rest:
        yield _folded(plural(unlisted, "more change"), rest, unlisted, weight=20)


def _folded(title: str, lines: Sequence[Line], of: int, weight: int) -> Section:
    """Return a folded list that states how many items it does not name."""
    unnamed: tuple[Line, ...] = ((f"and {of - len(lines)} not named here",),) if of > len(lines) else ()
    return Section(title=title, blocks=(Bullets((*lines, *unnamed)),), weight=weight, folded=True)


def _forecast_change(facts: Facts) -> Iterable[Line]:
    """Yield the forecast before and now, where it differs."""
    health = facts.health
    previous = facts.previous_forecast
    if previous is None:
        return
    parts = []
    if previous.due != health.due and previous.due is not None and health.due is not None:
        parts.append(f"due date {day(previous.due)} → {day(health.due)}")
    if previous.probability is not None and health.probability is not None:
        was, now = percent(previous.probability), percent(health.probability)
        parts += [f"likelihood {was} → {now}"] if was != now else []
    if previous.p50 and health.dates.p50 and previous.p50 != health.dates.p50:
        parts.append(f"most likely date {day(previous.p50)} → {day(health.dates.p50)}")
    if parts:
        yield (Strong("Forecast"), " ", ", ".join(parts))


def _item(facts: Facts, issue: Issue) -> Item:
    """Refer to an issue by its key without the project of the milestone."""
    return Item(short_key(issue.key, facts.project), issue.title, issue.url)


# --- what needs a decision -----------------------------------------------------------------------------------------


def decisions(facts: Facts) -> Iterable[Section]:
    """Yield ranked levers, then the flagged open issues with their owners."""
    if facts.health.status.is_over:
        return
    blocks: list[Block] = []
    if facts.health.levers:
        blocks.append(Bullets(tuple(_lever_line(facts, lever) for lever in facts.health.levers), numbered=True))
    flagged = flagged_issues(facts)
    if flagged:
        blocks += [Lines((_tally(flagged),))] if len(flagged) > 1 else []
        blocks.append(Bullets(tuple(_flagged_line(facts, issue, flags) for issue, flags in flagged[:SHOWN])))
    if blocks:
        yield Section(title="What needs a decision", blocks=tuple(blocks), weight=90)
    if len(flagged) > SHOWN:
        unlisted = len(flagged) - SHOWN
        rest = [_flagged_line(facts, issue, flags) for issue, flags in flagged[SHOWN:FOLDED]]
        title = f"{plural(unlisted, 'more issue')} that {'needs' if unlisted == 1 else 'need'} attention"
        yield _folded(title, rest, unlisted, weight=15)


def _lever_line(facts: Facts, lever: Lever) -> Line:
    act, effect = lever_texts(lever, facts.health.due)
    line: Line = (Strong(act), f": {effect}" if effect else "")
    named = [facts.items[uid] for uid in lever.items if uid in facts.items][:3]
    if not named or lever.kind is LeverKind.ASSIGN:
        return line
    keys = (Item(item.key, "", item.url) for item in (_item(facts, issue) for issue in named))
    return (*line, ". First candidates: ", *join_parts(keys))


def flagged_issues(facts: Facts) -> list[tuple[Issue, tuple[str, ...]]]:
    """Return open issues with their flags, those with the most flags first, then the longest untouched."""
    flagged = []
    for uid in facts.open:
        issue = facts.items.get(uid)
        flags = _flags(facts, issue) if issue is not None else ()
        if issue is not None and flags:
            flagged.append((issue, flags))
    return sorted(flagged, key=lambda pair: (-len(pair[1]), pair[0].updated_at, pair[0].id))


def _flags(facts: Facts, issue: Issue) -> tuple[str, ...]:
    tests = (
        ("blocked", bool(issue.blocked_by)),
        ("overdue", issue.due is not None and issue.due < facts.today),
        ("unassigned", not issue.assignees),
        ("untouched", facts.health.at - issue.updated_at > STALE),
    )
    return tuple(word for word, wrong in tests if wrong)


def _tally(flagged: Sequence[tuple[Issue, tuple[str, ...]]]) -> Line:
    words = ("blocked", "overdue", "unassigned", "untouched")
    counted = ((sum(word in flags for _, flags in flagged), word) for word in words)
    parts = [f"{count} {word}" + (" for 14 days" if word == "untouched" else "") for count, word in counted if count]
    verb = "needs" if len(flagged) == 1 else "need"
    return (f"{plural(len(flagged), 'open issue')} {verb} attention: {', '.join(parts)}.",)


def _flagged_line(facts: Facts, issue: Issue, flags: tuple[str, ...]) -> Line:
    line: list[Inline] = [Strong(capital(", ".join(flags))), " ", _item(facts, issue)]
    if issue.blocked_by:
        line += [", blocked by ", *join_parts(Foreign(short_key(key, facts.project)) for key in issue.blocked_by[:3])]
    if "overdue" in flags and issue.due:
        line.append(f", due on {day(issue.due)}")
    if "untouched" in flags:
        line.append(f", last touched {plural((facts.health.at - issue.updated_at).days, 'day')} ago")
    if issue.assignees:
        line += [", owner ", *join_parts(Foreign(person.name) for person in issue.assignees[:3])]
    return tuple(line)


# --- progress, certainty, freshness ---------------------------------------------------------------------------------


def progress(facts: Facts) -> Iterable[Section]:
    """Yield a bar, the counts, the budget where the tracker has one, and the burn-up."""
    counts = facts.health.counts
    if not counts.total:
        empty: Line = ("There is no issue in this milestone yet.",)
        yield Section(title="Progress", blocks=(Lines((empty,)),), weight=75)
        return
    share = done_percent(counts.done, counts.total)
    cells = counts.done * 20 // counts.total
    line = f"{'█' * cells}{'░' * (20 - cells)} {share}%: {counts.done} of {plural(counts.total, 'issue')} done"
    carried = f", {counts.carried} carried over" if counts.carried else ""
    lines: list[Line] = [(f"{line}, {counts.open} open{carried}.",)]
    if counts.added or counts.removed:
        week = f", {counts.added_week} of them in the last 7 days" if counts.added_week else ""
        out = f"; {counts.removed} taken out" if counts.removed else ""
        lines.append((f"{plural(counts.added, 'issue')} joined since the start{week}{out}.",))
    if facts.criteria.of:
        lines.append((f"{facts.criteria.met} of {plural(facts.criteria.of, 'exit criterion', 'exit criteria')} met.",))
    lines += _budget(facts)
    yield Section(title="Progress", blocks=(Lines(tuple(lines)),), weight=75)
    if len(facts.points) > 1:
        yield Section(title="Burn-up", blocks=(_burn_up(facts.points),), weight=30, folded=True)


def _budget(facts: Facts) -> Iterable[Line]:
    budget = facts.budget
    if budget is None or budget.estimate <= 0:
        return
    text = f"{_hours(budget.spent)} spent of {_hours(budget.estimate)} estimated"
    if budget.remaining is not None:
        overrun = overrun_percent(budget.spent + budget.remaining, budget.estimate)
        heading = "within the estimate" if overrun <= 0 else f"{overrun}% over the estimate"
        text += f", {_hours(budget.remaining)} still to do: {heading}"
    have = "has" if budget.items == 1 else "have"
    estimated = f" ({plural(budget.items, 'issue')} {have} one)" if budget.items else ""
    yield (Strong("Budget"), f": {text}{estimated}.")


def _hours(seconds: int) -> str:
    return f"{hours(seconds)} h"


def _burn_up(points: Sequence[Point]) -> Chart:
    """Draw at most `POINTS` points at even distances, with the first and the last one."""
    last = len(points) - 1
    steps = min(last, POINTS - 1)
    chosen = [points[round(i * last / steps)] for i in range(steps + 1)]
    labels = tuple(day(point.on).rsplit(" ", 1)[0] for point in chosen)
    title = "Issues done (bars) and in scope (line)"
    return Chart(title, labels, tuple(p.done for p in chosen), tuple(p.scope for p in chosen))


def commitments(facts: Facts) -> Iterable[Section]:
    """Yield the joint milestones of which this is a member, as far as the audience may see."""
    for commitment in facts.commitments:
        lines: list[Line] = [_commitment_line(commitment)]
        if commitment.p50 is not None or commitment.p85 is not None:
            p50 = f"most likely on {day(commitment.p50)}" if commitment.p50 else "at no date that is likely"
            p85 = f"with 85% certainty by {day(commitment.p85)}" if commitment.p85 else "at no date with 85% certainty"
            lines.append((f"All of it done {p50}, {p85}.",))
        if commitment.blind:
            lines.append(
                (*join_parts(map(_other_member, commitment.blind)), " cannot be forecast, so the whole cannot.")
            )
        if commitment.owner:
            lines.append(("Owner: ", Foreign(commitment.owner)))
        if commitment.hidden and commitment.status is not None:
            lines.append(("It also depends on work that is not shown here.",))
        blocks: list[Block] = [Lines(tuple(lines))]
        if commitment.fellows:
            blocks.append(
                Bullets(tuple((Sign(other.status), " ", _other_member(other)) for other in commitment.fellows))
            )
        yield Section(title="Part of a joint milestone", blocks=tuple(blocks), weight=78)


def _commitment_line(commitment: Commitment) -> Line:
    line: Line = ("Joint milestone ", Foreign(commitment.name))
    if commitment.due is not None:
        line = (*line, f", due on {day(commitment.due)}")
    if commitment.status is None:
        return (*line, ": its status is not shown, because it depends on work that is not shown here.")
    odds = f", {percent(commitment.probability)} likely in time" if commitment.probability is not None else ""
    return (*line, ": ", Sign(commitment.status), " ", Strong(STATUS[commitment.status]), f"{odds}.")


def _other_member(other: OtherMember | None) -> Inline:
    if other is None:
        return "one member"
    return Item(other.key, "" if other.title in other.key else other.title, other.url)


def definition(facts: Facts) -> Section | None:
    """Return the gaps in the definition; None without findings and for a milestone that is over."""
    if not facts.findings or facts.health.status.is_over:
        return None
    lines: tuple[Line, ...] = tuple((finding_sentence(finding),) for finding in facts.findings)
    count = plural(len(lines), "point")
    return Section(title=f"What its definition lacks: {count}", blocks=(Bullets(lines),), weight=45, folded=True)


def certainty(facts: Facts) -> Section | None:
    """Return how certain the forecast is, its parts, and how earlier forecasts did; None without a forecast.

    The hit rate of a stream under calibration has no parts.
    """
    health, basis = facts.health, facts.health.basis
    if health.probability is None or health.status.is_over:
        return None
    parts = (
        ("what earlier milestones still closed from this point on", basis.survival),
        ("how often they were on time", basis.reference),
        ("how many items they still closed", basis.closures),
    )
    shown = () if basis.calibrating else parts
    lines: list[Line] = [(f"From {words}: {percent(value)}",) for words, value in shown if value is not None]
    blocks: list[Block] = [Bullets(tuple(lines))] if lines else []
    tail: list[Line] = []
    if basis.calibrating:
        tail.append(("Forecasts of this series were lately worse than its own hit rate, which is shown instead.",))
    tail.append((facts.calibration,) if facts.calibration else ("Too few forecasts have been settled to score them.",))
    if facts.forecasts:
        tail.append(("What was forecast in the weeks before:",))
    blocks.append(Lines(tuple(tail)))
    if facts.forecasts:
        blocks.append(_earlier(facts))
    return Section(title=f"How sure we are: {sureness(health)}", blocks=tuple(blocks), weight=60, folded=True)


def _earlier(facts: Facts) -> Table:
    head = ("Forecast of", "Likelihood", "Most likely", "85% certain")
    return Table(
        head,
        tuple(
            (
                day(facts.day_of(forecast.at)),
                "none" if forecast.probability is None else percent(forecast.probability),
                "none" if forecast.p50 is None else day(forecast.p50),
                "none" if forecast.p85 is None else day(forecast.p85),
            )
            for forecast in facts.forecasts[-SHOWN:]
        ),
    )


def freshness(facts: Facts) -> Section | None:
    """Return when each source was last read; folded while every source answers."""
    if not facts.sources:
        return None
    stale = [source for source in facts.sources if source.stale_since is not None]
    of = plural(len(facts.sources), "source")
    verb = "is" if len(stale) == 1 else "are"
    words = f"{len(stale)} of {of} {verb} stale" if stale else f"assessed {minute(facts.health.at)}"
    lines: tuple[Line, ...] = tuple(
        _source_line(source) for source in sorted(facts.sources, key=lambda s: s.stale_since is None)
    )
    return Section(
        title=f"How fresh this is: {words}", blocks=(Bullets(lines),), weight=95 if stale else 50, folded=not stale
    )


def _source_line(source: SourceFreshness) -> Line:
    last = f"last read in full {minute(source.at)}" if source.at else "never read in full"
    if source.stale_since is None:
        return ("Source ", Foreign(source.name), f" was {last}")
    return (
        Strong("Stale"),
        " source ",
        Foreign(source.name),
        f" has failed since {minute(source.stale_since)}; it was {last}",
    )


def how_to_override(facts: Facts) -> Section:
    """Return how to override the status or mute milesync."""
    lines: list[Line] = []
    if facts.commands:
        if not facts.health.status.is_over:
            example = example_override(facts.health.status, facts.health.due, facts.today)
            lines.append(("You see it otherwise? Comment ", Foreign(example)))
        lines += [
            ("Add a word of your own: ", Foreign("/milesync note ...")),
            ("No more of this? Comment ", Foreign("/milesync mute"), "; to hear again, ", Foreign("/milesync unmute")),
        ]
    lines.append(("Close this issue and milesync keeps silent about it; what people delete stays deleted.",))
    return Section(title="How to override or mute", blocks=(Bullets(tuple(lines)),), weight=40, folded=True)


# --- words -----------------------------------------------------------------------------------------------------------


def join_parts(parts: Iterable[Inline]) -> Line:
    """Join the parts of a sentence: one, two and three."""
    *most, last = tuple(parts)
    line: list[Inline] = []
    for part in most:
        line += [", ", part] if line else [part]
    return (*line, " and ", last) if line else (last,)
