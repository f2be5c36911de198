"""The folded part of a summary: reasons, other options, changes, people, joint milestones, history, confidence.

Each function returns its section, or None without content. It reads its facts from `Facts` only. To show a new fact,
add it to `Facts` and to `meaning`, both in `sync.report.facts`: a comment is written again only when its meaning
changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.markup.document import (
    Block,
    Bullets,
    Chart,
    Foreign,
    Inline,
    Item,
    Line,
    Lines,
    Section,
    Sign,
    Strong,
    Table,
    join_parts,
)
from sync.model.definition import FindingKind
from sync.model.health import Reason, Status
from sync.model.joint import Commitment, FellowWords, OtherMember
from sync.model.tracker_data import Issue
from sync.report.attention import attention_line, flagged_issues, issue_item
from sync.report.counting import counted_in
from sync.report.facts import FOLDED, POINTS, SHOWN, Facts, Point
from sync.report.figures import hours, overrun_percent
from sync.report.head import ITEMS
from sync.report.language import ENGLISH, Language
from sync.report.levers import lever_texts, ranked_levers
from sync.report.phrases import (
    capital,
    day,
    finding_sentence,
    history_sentence,
    minute,
    percent,
    plural,
    small,
    sureness,
)
from sync.report.reasons import reason_sentence
from sync.report.reminder import owner_lines
from sync.report.team_words import SHOWN_DECISIONS, SHOWN_RISKS, decision_line, risk_line

__all__ = ["detail_sections", "reason_line"]


def detail_sections(facts: Facts) -> tuple[Section, ...]:
    """Return the folded sections in reading order."""
    sections = (
        _reasons(facts),
        _options(facts),
        _changes(facts),
        _people(facts),
        *(_commitment(facts, commitment) for commitment in facts.commitments),
        _team_words(facts),
        _contradictions(facts),
        _definition(facts),
        _burn_up(facts),
        _confidence(facts),
    )
    return tuple(section for section in sections if section is not None)


def _folded(title: str, *blocks: Block, weight: int) -> Section:
    return Section(title=title, blocks=blocks, weight=weight, folded=True)


def _reasons(facts: Facts) -> Section | None:
    """Return the strongest reasons, strongest first."""
    health = facts.health
    language = counted_in(health)
    lines = tuple(reason_line(reason, language) for reason in health.reasons[:SHOWN])
    has_odds = health.probability is not None and health.status is not Status.OVERDUE
    title = f"Why {percent(health.probability)}" if has_odds and health.probability is not None else "Why"
    return _folded(title, Bullets(lines), weight=85) if lines else None


def reason_line(reason: Reason, language: Language = ENGLISH) -> Line:
    """Return the reason, and whether it speaks for the milestone or against it."""
    side = Strong("In its favour" if reason.effect > 0 else "Against it")
    return (side, f": {small(reason_sentence(reason, language))}")


def _options(facts: Facts) -> Section | None:
    """Return the levers except the recommended one."""
    health, others = facts.health, ranked_levers(facts.health)[1:]
    if not others or health.status.is_over:
        return None
    lines: list[Line] = []
    for lever in others:
        act, effect = lever_texts(lever, health.due, counted_in(health))
        lines.append((Strong(act), f": {effect}" if effect else ""))
    return _folded(f"Other options ({len(lines)})", Bullets(tuple(lines)), weight=70)


# --- changes ---------------------------------------------------------------------------------------------------------


def _changes(facts: Facts) -> Section | None:
    """Return the changes since the comment that a reader knows, naming the items; None before the first comment."""
    changes, since = facts.changes, facts.changes_day
    if changes is None or since is None:
        return None
    kinds = (
        ("added", changes.added),
        ("removed", changes.removed),
        ("reopened", changes.reopened),
        ("closed", changes.closed),
        ("re-estimated", changes.estimated),
    )
    lines: list[Line] = list(_forecast_change(facts))
    counted = []
    for word, uids in kinds:
        named = [facts.items[uid] for uid in uids if uid in facts.items]
        counted += [f"{len(named)} {word}"] if named else []
        lines += [(Strong(word.capitalize()), " ", issue_item(facts.project, issue)) for issue in named[:FOLDED]]
        if len(named) > FOLDED:
            lines.append((Strong(word.capitalize()), f" {len(named) - FOLDED} more"))
    title = f"Since {day(since)}: {', '.join(counted) or 'the forecast changed'}"
    return _folded(title, Bullets(tuple(lines)), weight=65) if lines else None


def _forecast_change(facts: Facts) -> Iterator[Line]:
    """Yield the forecast before and now, where it differs."""
    health, previous = facts.health, facts.previous_forecast
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


# --- people ----------------------------------------------------------------------------------------------------------


def _people(facts: Facts) -> Section | None:
    """Return all issues that need someone, people with too much work, and issues without a reviewer."""
    flagged, noun = flagged_issues(facts), facts.health.counts.noun
    lines: list[Line] = []
    if len(flagged) > ITEMS:
        lines += [attention_line(facts, issue, flags) for issue, flags in flagged[:FOLDED]]
        lines += [(f"and {len(flagged) - FOLDED} more",)] if len(flagged) > FOLDED else []
    unreviewed = [facts.items[uid] for uid in facts.unreviewed if uid in facts.items]
    lines += owner_lines(facts.loads, [issue_item(facts.project, issue) for issue in unreviewed])
    if not lines:
        return None
    blocks: list[Block] = [Lines((_tally(flagged),))] if len(flagged) > ITEMS else []
    count = f"All {plural(len(flagged), noun)} that need someone" if len(flagged) > ITEMS else "People and reviews"
    return _folded(count, *blocks, Bullets(tuple(lines)), weight=55)


def _tally(flagged: Sequence[tuple[object, tuple[str, ...]]]) -> Line:
    words = {
        "blocked": "blocked",
        "overdue": "overdue",
        "unreviewed": "waiting for review",
        "unassigned": "unassigned",
        "untouched": "without activity",
    }
    counted = ((sum(flag in flags for _, flags in flagged), word) for flag, word in words.items())
    parts = [f"{count} {word}" for count, word in counted if count]
    return (f"{', '.join(parts)} for 14 days." if parts and "without" in parts[-1] else f"{', '.join(parts)}.",)


# --- joint milestones ------------------------------------------------------------------------------------------------


def _commitment(facts: Facts, commitment: Commitment) -> Section | None:
    """Return the dates, owner and other members of a joint milestone, as far as the audience may see."""
    lines: list[Line] = []
    if commitment.p50 is not None or commitment.p85 is not None:
        p50 = f"most likely on {day(commitment.p50)}" if commitment.p50 else "no most likely date"
        p85 = f"85% sure on {day(commitment.p85)}" if commitment.p85 else "no date is 85% sure"
        lines.append((f"All of it done: {p50}, {p85}.",))
    if commitment.blind:
        lines.append((*_blind_members(commitment), " cannot be forecast, so neither can the joint milestone."))
    if commitment.owner:
        lines.append(("Owner: ", Foreign(commitment.owner)))
    if commitment.hidden and commitment.status is not None:
        lines.append(("It also depends on work you may not have access to.",))
    blocks: list[Block] = [Lines(tuple(lines))] if lines else []
    if commitment.fellows:
        others: list[Line] = [(Sign(other.status), " ", _other_member(other)) for other in commitment.fellows]
        others += [(f"and {commitment.more_fellows} more",)] if commitment.more_fellows else []
        blocks.append(Bullets(tuple(others)))
        fellows = {fellow.key for fellow in commitment.fellows}
        if said := tuple(line for words in facts.fellow_words if words.key in fellows for line in _words_of(words)):
            blocks.append(Bullets(said))
    is_complete = commitment.fellows and not commitment.hidden  # a number would be smaller than the truth
    members = plural(len(commitment.fellows) + commitment.more_fellows, "other member")
    title = f"Joint milestone: {members}" if is_complete else "Joint milestone"
    return _folded(title, Lines(((Foreign(commitment.name),),)), *blocks, weight=78) if blocks else None


def _words_of(words: FellowWords) -> Iterator[Line]:
    """Yield the overdue decisions and the risks of another member, with its key."""
    for decision in words.decisions[:SHOWN_DECISIONS]:
        yield (Foreign(words.key), ": ", *decision_line(decision, is_overdue=True))
    if words.risks:
        yield (Foreign(words.key), ": ", *risk_line(words.risks))


def _team_words(facts: Facts) -> Section | None:
    """Return all decisions and risks of the description, where the open part has not all of them."""
    decisions, risks = facts.words.decisions, facts.words.risks
    is_all_shown = len(decisions) == len(facts.due_decisions) <= SHOWN_DECISIONS and len(risks) <= SHOWN_RISKS
    if is_all_shown:
        return None
    lines = [decision_line(decision, is_overdue=decision.is_overdue(facts.today)) for decision in decisions]
    lines += [risk_line((risk,)) for risk in risks]
    counted = [plural(len(decisions), "decision")] if decisions else []
    counted += [plural(len(risks), "risk")] if risks else []
    return _folded(f"In its description: {', '.join(counted)}", Bullets(tuple(lines)), weight=77)


def _blind_members(commitment: Commitment) -> Line:
    """Return the members that cannot be forecast: first the named ones, then those that the audience may not read."""
    named: list[Inline] = [_other_member(other) for other in commitment.blind if other is not None]
    more = [f"{commitment.more_blind} more"] if commitment.more_blind else []
    hidden = [] if None not in commitment.blind else ["another member" if named else "One member"]
    return join_parts((*named, *more, *hidden))


def _other_member(other: OtherMember) -> Inline:
    return Item(other.key, "" if other.title in other.key else other.title, other.url)


# --- definition, history, confidence ---------------------------------------------------------------------------------


def _definition(facts: Facts) -> Section | None:
    """Return the gaps in the definition; None without findings and for a milestone that is over."""
    gaps = [finding for finding in facts.findings if finding.kind is not FindingKind.CONTRADICTION]
    if not gaps or facts.health.status.is_over:
        return None
    lines: tuple[Line, ...] = tuple((finding_sentence(finding),) for finding in gaps)
    return _folded(f"Missing from its definition: {len(lines)}", Bullets(lines), weight=45)


def _contradictions(facts: Facts) -> Section | None:
    """Return the items whose state contradicts their resolution or labels; None without any."""
    found = next((finding for finding in facts.findings if finding.kind is FindingKind.CONTRADICTION), None)
    issues = [facts.items[uid] for uid in found.items if uid in facts.items] if found is not None else []
    if found is None or not issues:
        return None
    lines: list[Line] = [(issue_item(facts.project, issue), ": ", *_names(issue)) for issue in issues[:FOLDED]]
    lines += [(f"and {len(issues) - FOLDED} more",)] if len(issues) > FOLDED else []
    count = plural(len(issues), "issue")
    heading = (finding_sentence(found),)
    return _folded(f"States that contradict themselves: {count}", Lines((heading,)), Bullets(tuple(lines)), weight=50)


def _names(issue: Issue) -> Line:
    """Return the state of an issue with its resolution and labels, as they are called in the tracker."""
    resolution: Line = (", resolution ", Foreign(issue.resolution)) if issue.resolution else ()
    labels: Line = (", labels ", *join_parts(map(Foreign, sorted(issue.labels)))) if issue.labels else ()
    return (Foreign(issue.raw_state), *resolution, *labels)


def _burn_up(facts: Facts) -> Section | None:
    """Return the burn-up, the budget where the tracker has one, and earlier forecasts."""
    budget = tuple(_budget(facts))
    has_scope = len(facts.points) > 1 and any(point.scope for point in facts.points)
    blocks: list[Block] = [_chart(facts.points, facts.health.counts.on_page.noun)] if has_scope else []
    blocks += [Lines(budget)] if budget else []
    names = ["burn-up"] if has_scope else []
    names += ["budget"] if budget else []
    if facts.forecasts and not facts.health.status.is_over:
        blocks.append(_earlier(facts))
        names.append("earlier forecasts")
    title = ", ".join(names)
    return _folded(title[:1].upper() + title[1:], *blocks, weight=30) if blocks else None


def _chart(points: Sequence[Point], noun: str) -> Chart:
    """Draw at most `POINTS` points at even distances, with the first and the last one."""
    last = len(points) - 1
    steps = min(last, POINTS - 1)
    chosen = [points[round(i * last / steps)] for i in range(steps + 1)]
    labels = tuple(day(point.on).rsplit(" ", 1)[0] for point in chosen)
    unit = f"{capital(noun)}s"
    title = f"{unit} done (bars) and in scope (line)"
    return Chart(title, labels, tuple(p.done for p in chosen), tuple(p.scope for p in chosen), unit)


def _budget(facts: Facts) -> Iterator[Line]:
    budget = facts.budget
    if budget is None or budget.estimate <= 0:
        return
    text = f"{_hours(budget.spent)} spent of {_hours(budget.estimate)} estimated"
    if budget.remaining is not None:
        overrun = overrun_percent(budget.spent + budget.remaining, budget.estimate)
        heading = "within the estimate" if overrun <= 0 else f"{overrun}% over the estimate"
        text += f", {_hours(budget.remaining)} still to do: {heading}"
    have = "has" if budget.items == 1 else "have"
    estimated = f" ({plural(budget.items, 'issue')} {have} an estimate)" if budget.items else ""
    yield (Strong("Budget"), f": {text}{estimated}.")


def _hours(seconds: int) -> str:
    return f"{hours(seconds)} h"


def _earlier(facts: Facts) -> Table:
    head = ("Forecast of", "Likelihood", "Most likely", "85% sure")
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


def _confidence(facts: Facts) -> Section | None:
    """Return how certain the forecast is, its parts, its track record, and when the sources were read.

    The hit rate of a stream under calibration has no parts.
    """
    health, basis = facts.health, facts.health.basis
    if health.probability is None or health.status.is_over:
        return None
    has_own = basis.stream_finished > 0
    parts = (
        (f"Compared with {'earlier milestones' if has_own else 'other series'} at this point", basis.survival),
        (f"Track record of {'this series' if has_own else 'other series'}", basis.reference),
        (f"Items that {'earlier milestones' if has_own else 'other series'} still closed", basis.closures),
    )
    lines: list[Line] = [
        (f"{words}: {percent(value)}",) for words, value in parts if value is not None and not basis.calibrating
    ]
    if basis.calibrating:
        lines.append(("Recent forecasts of this series were worse than its own hit rate, which is shown instead.",))
    lines.append((facts.calibration,))
    if facts.known_from is not None:
        lines.append((history_sentence(facts.milestone.kind, facts.known_from),))
    lines += [
        ("Source ", Foreign(source.name), f" last read in full on {minute(source.at)}")
        for source in facts.sources
        if source.at is not None
    ]
    return _folded(f"Confidence: {sureness(health)}", Bullets(tuple(lines)), weight=60)
