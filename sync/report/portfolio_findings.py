"""Sentences of the findings about a portfolio, one for all texts, in each language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from sync.markup.document import Foreign, Line
from sync.model.portfolio_finding import PortfolioFinding, PortfolioFindingKind
from sync.model.tracker_data import ENDING_WITHOUT_CLOSING, MilestoneKind
from sync.report.language import ENGLISH, Language
from sync.report.phrases import ending_clause

__all__ = ["portfolio_finding_line", "portfolio_finding_rows", "portfolio_finding_words"]

MAX_IDS = 3
"""Maximum number of ids in a line; the others are counted."""


def portfolio_finding_line(finding: PortfolioFinding, language: Language = ENGLISH) -> Line:
    """Return the milestones or the project as foreign text, then the sentence: ``v2 (gh:acme/app#4): It was ...``."""
    ids: list[Any] = []
    for written in finding.ids[:MAX_IDS]:
        ids += [", " if ids else "", Foreign(written)]
    if len(finding.ids) > MAX_IDS:
        ids.append(language.say(" and {n} more", n=len(finding.ids) - MAX_IDS))
    subject = (Foreign(finding.title), " (", *ids, ")") if finding.title else tuple(ids)
    return (*subject, ": ", portfolio_finding_words(finding, language))


def portfolio_finding_words(finding: PortfolioFinding, language: Language = ENGLISH) -> str:
    """Return the sentence of a finding, without the milestone's title."""
    return _SENTENCES[finding.kind](finding, language)


def portfolio_finding_rows(findings: Iterable[PortfolioFinding]) -> list[dict[str, Any]]:
    """Return the findings as rows of a JSON document."""
    return [
        {
            "kind": finding.kind,
            "ids": list(finding.ids),
            "title": finding.title,
            **finding.values,
            "words": portfolio_finding_words(finding),
        }
        for finding in findings
    ]


def _number(finding: PortfolioFinding, name: str) -> int:
    value = finding.values[name]
    assert isinstance(value, int)
    return value


def _day(finding: PortfolioFinding, name: str, language: Language) -> str:
    value = finding.values[name]
    assert isinstance(value, date)
    return language.day(value)


def _forgotten(finding: PortfolioFinding, language: Language) -> str:
    say, kind = language.say, finding.milestone_kind
    advice = say("Give it a new date, or close it.")
    if kind is MilestoneKind.VERSION:
        advice = say("Give it a new date, or release it.")
    elif kind is MilestoneKind.SPRINT:
        advice = say("Give it a new date, or complete it.")
    elif kind in ENDING_WITHOUT_CLOSING:
        advice = say("Close what is open in it, or move it to a later date.")
    return say(
        "It was due on {due}, and nothing in it has changed since {since}. {advice}",
        due=_day(finding, "due", language),
        since=_day(finding, "since", language),
        advice=advice,
    )


def _finished(finding: PortfolioFinding, language: Language) -> str:
    return language.say(
        "Everything in it has been closed since {since}, but it is still open; {ending}.",
        since=_day(finding, "since", language),
        ending=ending_clause(finding.milestone_kind, language),
    )


def _same_title(finding: PortfolioFinding, language: Language) -> str:
    return language.many(
        "{n} running milestone has this title. Rename all but one.",
        "{n} running milestones have this title. Rename all but one.",
        _number(finding, "count"),
    )


def _bucket(finding: PortfolioFinding, language: Language) -> str:
    return language.many(
        "It has no due date, and has collected {n} issue since {since}. Give it a date, or split it.",
        "It has no due date, and has collected {n} issues since {since}. Give it a date, or split it.",
        _number(finding, "count"),
        since=_day(finding, "since", language),
    )


def _unplanned(finding: PortfolioFinding, language: Language) -> str:
    count, recent = _number(finding, "count"), _number(finding, "recent")
    if not recent:
        return language.many("{n} open issue is in no milestone.", "{n} open issues are in no milestone.", count)
    return language.many(
        "{n} open issue is in no milestone, and it changed in the last 14 days.",
        "{n} open issues are in no milestone; {recent} of them changed in the last 14 days.",
        count,
        recent=recent,
    )


_SENTENCES: Mapping[PortfolioFindingKind, Callable[[PortfolioFinding, Language], str]] = {
    PortfolioFindingKind.FORGOTTEN: _forgotten,
    PortfolioFindingKind.FINISHED: _finished,
    PortfolioFindingKind.SAME_TITLE: _same_title,
    PortfolioFindingKind.BUCKET: _bucket,
    PortfolioFindingKind.UNPLANNED: _unplanned,
}
