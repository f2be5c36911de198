"""Answers of `milesync mcp`: small documents for an assistant, with the figures of the commands' JSON documents.

Each answer names the command that prints the same figures. `sync.cli.answer_rows` makes their rows.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any

from sync.assess.explain import explain_in
from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone, Portfolio
from sync.assess.portfolio_findings import find_in_portfolio
from sync.assess.whatif import Scenario, UnknownError, whatif_in
from sync.cli.answer_rows import (
    FEW,
    FOREIGN_KEYS,
    MOST_ROWS,
    digest_row,
    finding_row,
    full_row,
    history_row,
    issue_row,
    lever_row,
    safe_text,
    score_row,
    short_row,
    text_parts,
    why_words,
    without,
)
from sync.cli.comparison import comparison_document, is_replanned
from sync.cli.digests import make_digests
from sync.cli.options import DEFAULT
from sync.cli.portfolio_cache import LoadedPortfolio, PortfolioCache
from sync.digest.send import PortfolioSource, SendOutcome
from sync.markup.document import clean, clean_id
from sync.model.audience import Audience
from sync.model.errors import PlainError
from sync.model.health import WORST_FIRST, Status
from sync.report.attention import flagged_issues
from sync.report.facts import build_facts
from sync.report.head import date_lines
from sync.report.levers import ranked_levers
from sync.report.portfolio_findings import portfolio_finding_rows
from sync.report.track_record import track_record_sentence
from sync.report.verdict import replan_sentence, verdict
from sync.report.verdict_facts import facts_of

__all__ = ["AssistantAnswers", "QuestionError"]


class QuestionError(PlainError):
    """A question that has no answer: an unknown milestone or issue, a wrong date, an audience without a digest."""


class AssistantAnswers:
    """The answers to one audience, by its name. Reads the database, asks no tracker and writes nothing.

    ``config`` is the configuration file that the commands in the answers name. A caller that holds ``lock`` during
    a question gets an answer of one state.
    """

    def __init__(self, cache: PortfolioCache, audience: str = "", config: Path = DEFAULT) -> None:
        self._cache, self._audience, self.lock = cache, audience, cache.lock
        self._options = () if config == DEFAULT else ("--config", str(config))

    # --- the questions ----------------------------------------------------------------------------------------------

    def portfolio(
        self,
        status: Sequence[str] = (),
        text: str = "",
        limit: int = 10,
        cursor: str = "",
        *,
        include_finished: bool = False,
    ) -> dict[str, Any]:
        """Return the milestones, worst first, at most ``limit`` of them from ``cursor`` on, and findings about all.

        ``text`` is a part of an id, a title or an owner.
        """
        statuses = [_status(name) for name in status]
        loaded = self._load()
        known = [milestone for milestone in _all(loaded) if include_finished or _is_current(milestone)]
        found = [
            milestone
            for milestone in known
            if (not statuses or milestone.health.status in statuses) and _contains(milestone, text)
        ]
        rows, following = _page(sorted(found, key=lambda milestone: facts_of(milestone).severity), limit, cursor)
        findings = find_in_portfolio(self._cache.engine.store, loaded.portfolio, loaded.audience)
        return {
            **self._origin(loaded, "status"),
            "count_by_status": Counter(milestone.health.status for milestone in known),
            "matches": len(found),
            "milestones": [short_row(milestone) for milestone in rows],
            "next_cursor": following,
            "findings": [finding_row(row) for row in portfolio_finding_rows(findings[:FEW])],
            "more_findings": max(0, len(findings) - FEW),
            **({} if known else {"note": _NOTHING}),
        }

    def milestone(self, written: str) -> dict[str, Any]:
        """Return all figures of a milestone, by its id. Raises `QuestionError`."""
        loaded = self._load()
        found = _find(loaded, written)
        facts = facts_of(found)
        row = full_row(found)
        return {
            **self._origin(loaded, "status"),
            "verdict": verdict(facts),
            "why": why_words(found),
            **{key: value for key, value in row.items() if key not in FOREIGN_KEYS},
            "tracker_text": safe_text({**{key: row[key] for key in FOREIGN_KEYS}, "url": facts.milestone.url}),
        }

    def explain(self, written: str) -> dict[str, Any]:
        """Return why a milestone has its health, what would help, and which issues need someone.

        Raises `QuestionError`.
        """
        loaded = self._load()
        found = _find(loaded, written)
        explanation = explain_in(loaded.portfolio, loaded.snapshot, self._cache.engine.store, found.written)
        assert explanation is not None
        numbers, health, row = explanation.numbers, found.health, full_row(found)
        answer = {
            **self._origin(loaded, "explain", found.written),
            "id": clean_id(found.written),
            "verdict": verdict(facts_of(found)),
            "why": why_words(found),
            **{key: row[key] for key in ("open", "closed", "carried", "reasons")},
            "levers": [lever_row(found, lever) for lever in ranked_levers(health)[:FEW]],
            "confidence": health.confidence,
        }
        if isinstance(found, AssessedJointMilestone):
            members = sorted(numbers["members"], key=_likelihood)
            return answer | {
                "members": [{**member, "id": clean_id(member["id"])} for member in members[:MOST_ROWS]],
                "missing": row["missing"],
            }
        facts = build_facts(found, now=health.at)
        return answer | {
            "lines": [text_parts(line) for line in date_lines(facts)],
            "needs_someone": [issue_row(facts, *flagged) for flagged in flagged_issues(facts)[:FEW]],
            "forecast": without(numbers["forecast"], "curve"),
            "history": history_row(numbers["history"]),
            "status": numbers["status"],
            "track_record": track_record_sentence(found.score),
        }

    def what_if(
        self, written: str, drop: Sequence[str] = (), due: str = "", days_off: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the health before and after changes, and the other milestones that they affect.

        Raises `QuestionError`.
        """
        loaded = self._load()
        found = _find(loaded, written)
        new_due = _date(due) if due else None
        scenario = Scenario(found.written, tuple(drop), new_due, tuple(map(_date, days_off)))
        try:
            answer = whatif_in(loaded.portfolio, loaded.snapshot, scenario)
        except UnknownError as error:
            raise QuestionError(str(error)) from None
        shown = {milestone.written for milestone in _all(loaded)}
        document = comparison_document(scenario, answer)
        others = [row for row in document["others"] if row["id"] in shown]
        words = [*(f"--drop={key}" for key in drop), *([f"--due={new_due}"] if new_due else [])]
        words += [f"--add-holiday={day}" for day in scenario.days_off]
        return {
            **self._origin(loaded, "whatif", found.written, *words),
            **document,
            "id": clean_id(found.written),
            "others": [{**row, "id": clean_id(row["id"])} for row in others[:FEW]],
            "more_others": max(0, len(others) - FEW),
            **({"note": replan_sentence()} if is_replanned(answer.after) else {}),
        }

    def digest(self, limit: int = FEW) -> dict[str, Any]:
        """Return the next message to the audience; for the people who run milesync, those to all audiences.

        Each part of a message has at most ``limit`` entries. Raises `QuestionError` without a digest.
        """
        loaded, engine, settings = self._load(), self._cache.engine, self._cache.settings
        known = [name for name, audience in settings.audiences.items() if audience.digest is not None]
        names = [name for name in known if self._audience in ("", name)]
        if not names:
            raise QuestionError(
                f"no digest is configured {'' if not self._audience else 'for this audience '}"
                "([audiences.NAME.digest]); ask for the portfolio instead"
            )
        source = _CachedSource(engine.store, engine.connections, engine.rules, engine.clock(), cache=self._cache)
        outcomes = make_digests(settings, names, source, engine.run_id, send=False)
        return {
            **self._origin(loaded, "digest"),
            "digests": [digest_row(outcome, limit) for outcome in _once_each(outcomes)],
        }

    def calibration(self, text: str = "", limit: int = 5, cursor: str = "") -> dict[str, Any]:
        """Return how good the forecasts of each series were, those with the most resolved forecasts first.

        ``text`` is a part of the name of a series.
        """
        loaded = self._load()
        known = loaded.snapshot.scores
        scores = [score for name, score in known.items() if text.casefold() in name.casefold()]
        scores.sort(key=lambda score: (-score.forecasts, -score.dates, score.stream))
        rows, following = _page(scores, limit, cursor)
        return {
            **self._origin(loaded, "status", "--calibration"),
            "matches": len(scores),
            "streams": [score_row(score) for score in rows],
            "next_cursor": following,
            **({} if known else {"note": "No forecast has been published yet, so there is nothing to score."}),
        }

    # --- parts of every answer --------------------------------------------------------------------------------------

    def _load(self) -> LoadedPortfolio:
        return self._cache.load(self._audience)

    def _origin(self, loaded: LoadedPortfolio, *command: str) -> dict[str, Any]:
        """Return the audience, the times of assessment and of the oldest data, and the command with the same figures.

        What no command shows to an audience is in its report.
        """
        words = [*command, "--json"]
        if self._audience:
            is_shown = command in (("status",), ("digest",))
            words = [*(words if is_shown else ("report", "--out", "report")), "--audience", self._audience]
        read = [milestone.read_at for milestone in loaded.milestones if milestone.read_at]
        return {
            "audience": self._audience or "everything that is configured",
            "assessed_at": loaded.snapshot.at,
            "oldest_data": min(read, default=None),
            "command": shlex.join(["milesync", *words, *self._options]),
            **({"configuration": _kept(self._cache.problem)} if self._cache.problem else {}),
        }


def _kept(problem: str) -> str:
    return f"The configuration file has changed and cannot be used, so the one before is in use: {clean(problem, 500)}"


_NOTHING = "The database has no milestone that runs and that this audience may read; `milesync run` reads the trackers."


@dataclass(frozen=True, kw_only=True)
class _CachedSource(PortfolioSource):
    """The source of digests that takes assessed portfolios from the cache."""

    cache: PortfolioCache

    def portfolio(self, audience: Audience) -> Portfolio:
        """Return everything that an audience may read."""
        return self.cache.load(audience.name).portfolio


def _once_each(outcomes: Iterable[SendOutcome]) -> Iterator[SendOutcome]:
    """Yield the first outcome of each audience: most channels get the same message."""
    for _, own in groupby(outcomes, key=lambda outcome: outcome.audience):
        yield next(own)


# --- finding milestones ----------------------------------------------------------------------------------------------


def _all(loaded: LoadedPortfolio) -> list[AnyMilestone]:
    return [*loaded.milestones, *loaded.joints]


def _is_current(milestone: AnyMilestone) -> bool:
    """Return whether `milesync status` shows it without ``--all``."""
    return isinstance(milestone, AssessedJointMilestone) or milestone.is_current


def _likelihood(member: Mapping[str, Any]) -> float:
    return 1.0 if member["probability"] is None else member["probability"]


def _contains(milestone: AnyMilestone, text: str) -> bool:
    if not text:
        return True
    facts = facts_of(milestone)
    return any(text.casefold() in part.casefold() for part in (facts.written, facts.milestone.title, *facts.owners))


def _find(loaded: LoadedPortfolio, written: str) -> AnyMilestone:
    """Return a milestone by its id, also as an answer shows it. Raises `QuestionError` that names similar ids."""
    known = {milestone.written: milestone for milestone in _all(loaded)}
    shown = {clean_id(own): own for own in known}
    found = known.get(loaded.snapshot.ids.canonical(shown.get(written, written)))
    if found is not None:
        return found
    titled = [
        shown_id
        for shown_id, own in shown.items()
        if written.casefold() in facts_of(known[own]).milestone.title.casefold()
    ]
    titled.sort(key=lambda shown_id: not _is_current(known[shown[shown_id]]))
    similar = dict.fromkeys([*titled[:FEW], *get_close_matches(written, shown, n=FEW, cutoff=0.6)])
    hint = f"; similar ids: {', '.join(list(similar)[:FEW])}" if similar else "; the tool `portfolio` lists the ids"
    raise QuestionError(f"no milestone {clean(written)!r} here{hint}")


_CURSOR = re.compile("[0-9]{1,9}")


def _page(rows: Sequence[Any], limit: int, cursor: str) -> tuple[Sequence[Any], str | None]:
    """Return the rows from the cursor on, and the next cursor; None after the last row. Raises `QuestionError`."""
    if cursor and not _CURSOR.fullmatch(cursor):
        raise QuestionError(f"{clean(cursor)!r} is no cursor; use `next_cursor` of the answer before")
    start, size = int(cursor or 0), max(1, min(limit, MOST_ROWS))
    end = start + size
    return rows[start:end], str(end) if end < len(rows) else None


def _status(name: str) -> Status:
    try:
        return Status(name)
    except ValueError:
        raise QuestionError(f"no status {clean(name)!r}; there are {', '.join(WORST_FIRST)}") from None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QuestionError(f"{clean(text)!r} is not a date such as 2026-03-15") from None
