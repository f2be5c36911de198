"""Findings beyond single milestones: each rule at its edge, and the words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from sync.cli.lines import line_text
from sync.health.portfolio_findings import OpenWork, RunningMilestone, portfolio_findings
from sync.model.membership import Counts
from sync.model.portfolio_finding import PortfolioFinding, PortfolioFindingKind
from sync.model.tracker_data import ENDING_WITHOUT_CLOSING, MilestoneKind
from sync.report.language import LANGUAGES, load_language
from sync.report.phrases import ending_clause
from sync.report.portfolio_findings import portfolio_finding_line, portfolio_finding_rows, portfolio_finding_words

TODAY = date(2026, 12, 1)


def days(n: int) -> date:
    return TODAY - timedelta(days=n)


def running(written: str = "gh:acme/app#1", **changes: Any) -> RunningMilestone:
    facts: dict[str, Any] = {
        "written": written,
        "other_ids": (),
        "project": "gh:acme/app",
        "title": written,
        "kind": MilestoneKind.MILESTONE,
        "today": TODAY,
        "due": TODAY + timedelta(days=9),
        "counts": Counts(open=3, closed=2),
        "first_join": days(20),
        "last_change": days(1),
    }
    return RunningMilestone(**facts | changes)


def kinds(*milestones: RunningMilestone, **work: OpenWork) -> list[PortfolioFindingKind]:
    return [finding.kind for finding in portfolio_findings(milestones, work)]


def test_a_milestone_in_order_has_no_finding() -> None:
    assert kinds(running()) == []


@pytest.mark.parametrize(
    ("due", "changed", "found"), [(14, 14, True), (13, 14, False), (14, 13, False), (400, 300, True)]
)
def test_forgotten_is_past_due_and_without_a_change(due: int, changed: int, found: bool) -> None:
    milestone = running(due=days(due), last_change=days(changed))
    assert kinds(milestone) == ([PortfolioFindingKind.FORGOTTEN] if found else [])


@pytest.mark.parametrize(
    ("counts", "changed", "found"),
    [
        (Counts(closed=4), 7, True),
        (Counts(closed=4), 6, False),
        (Counts(open=1, closed=4), 7, False),
        (Counts(closed=4, removed=4), 7, False),
        (Counts(closed=4, carried=1), 7, False),
        (Counts(closed=4, page=Counts(open=1, closed=4)), 7, False),
        (Counts(closed=4, page=Counts(closed=5)), 7, True),
    ],
)
def test_finished_needs_a_week_without_a_change_and_nothing_unfinished(
    counts: Counts, changed: int, found: bool
) -> None:
    milestone = running(counts=counts, last_change=days(changed))
    assert kinds(milestone) == ([PortfolioFindingKind.FINISHED] if found else [])


def test_a_finished_milestone_past_its_date_is_not_called_forgotten() -> None:
    milestone = running(due=days(60), counts=Counts(closed=4), last_change=days(30))
    assert kinds(milestone) == [PortfolioFindingKind.FINISHED]


@pytest.mark.parametrize(
    ("due", "first", "found"), [(None, 180, True), (None, 179, False), (TODAY, 900, False), (None, None, False)]
)
def test_a_bucket_has_no_date_and_never_ends(due: date | None, first: int | None, found: bool) -> None:
    milestone = running(due=due, first_join=None if first is None else days(first))
    assert kinds(milestone) == ([PortfolioFindingKind.BUCKET] if found else [])


def test_open_work_that_does_not_count_is_open_work() -> None:
    """The open pull requests of a milestone whose issues are all closed, where only issues count."""
    counts = Counts(closed=4, pull_requests=2, page=Counts(open=2, closed=4))
    assert kinds(running(due=days(60), counts=counts, last_change=days(30))) == [PortfolioFindingKind.FORGOTTEN]
    (bucket,) = portfolio_findings([running(due=None, counts=counts, first_join=days(200))], {})
    assert (bucket.kind, bucket.values["count"]) == (PortfolioFindingKind.BUCKET, counts.on_page.total)


def test_equal_titles_count_within_a_project_only() -> None:
    here, again = running("gh:acme/app#1", title="v2"), running("gh:acme/app#2", title=" V2 ")
    elsewhere = running("gh:acme/web#1", title="v2", project="gh:acme/web")
    (finding,) = portfolio_findings([here, again, elsewhere], {})
    assert finding.kind is PortfolioFindingKind.SAME_TITLE
    assert finding.ids == ("gh:acme/app#1", "gh:acme/app#2")


def test_a_title_of_project_and_group_is_found_once() -> None:
    group = running("gl:acme%2.0", title="2.0", project="gl:acme/web", other_ids=("gl:acme/api%2.0",))
    own = running("gl:acme/api%2.0", title="2.0", project="gl:acme/api")
    assert [finding.ids for finding in portfolio_findings([group, own], {})] == [("gl:acme%2.0", "gl:acme/api%2.0")]


def test_work_without_a_milestone_is_counted_by_project() -> None:
    work = {"gh:acme/app": OpenWork(12, 3), "gh:acme/web": OpenWork(0, 0)}
    (finding,) = portfolio_findings([], work)
    assert finding.ids == ("gh:acme/app",)
    assert finding.values == {"count": 12, "recent": 3}


@pytest.mark.parametrize("kind", MilestoneKind)
def test_only_a_milestone_that_people_close_is_finished_but_open(kind: MilestoneKind) -> None:
    """An iteration whose work is done early runs until its last day."""
    found = portfolio_findings([running(kind=kind, counts=Counts(closed=4), last_change=days(8))], {})
    assert [portfolio_finding_words(finding) for finding in found] == [
        f"Everything in it has been closed since 23 Nov 2026, but it is still open; {ending_clause(kind)}."
        for _ in range(kind not in ENDING_WITHOUT_CLOSING)
    ]


ADVICE = {
    MilestoneKind.MILESTONE: "Give it a new date, or close it.",
    MilestoneKind.VERSION: "Give it a new date, or release it.",
    MilestoneKind.SPRINT: "Give it a new date, or complete it.",
    MilestoneKind.TARGET_DATE: "Close what is open in it, or move it to a later date.",
}


@pytest.mark.parametrize("kind", ADVICE)
@pytest.mark.parametrize("name", LANGUAGES)
def test_what_to_do_about_a_forgotten_milestone_depends_on_its_kind(kind: MilestoneKind, name: str) -> None:
    (finding,) = portfolio_findings([running(kind=kind, due=days(20), last_change=days(20))], {})
    assert portfolio_finding_words(finding).endswith(f" {ADVICE[kind]}")
    language = load_language(name)
    assert portfolio_finding_words(finding, language).endswith(f" {language.say(ADVICE[kind])}")


@pytest.mark.parametrize("name", ["en", *(name for name in LANGUAGES if name != "en")])
@pytest.mark.parametrize("kind", PortfolioFindingKind)
def test_every_kind_has_a_sentence_in_every_language(kind: PortfolioFindingKind, name: str) -> None:
    values: dict[str, Any] = {"count": 2, "recent": 1, "due": days(30), "since": days(20)}
    finding = PortfolioFinding(kind=kind, ids=("gh:acme/app#1",), title="v2", values=values)
    words = portfolio_finding_words(finding, load_language(name))
    assert words.endswith(".")
    assert "{" not in words
    assert (words == portfolio_finding_words(finding)) == (name == "en")


def test_titles_are_shown_literally_and_long_lists_are_cut() -> None:
    finding = PortfolioFinding(
        kind=PortfolioFindingKind.SAME_TITLE,
        ids=tuple(f"gh:acme/app#{n}" for n in range(5)),
        title="v2\x1b[2J\n# no heading",
        values={"count": 5},
    )
    shown = line_text(portfolio_finding_line(finding), has_hyperlinks=False).plain
    assert shown == (
        "v2\ufffd[2J # no heading (gh:acme/app#0, gh:acme/app#1, gh:acme/app#2 and 2 more): "
        "5 running milestones have this title. Rename all but one."
    )


def test_rows_of_the_json_document_have_the_figures() -> None:
    (row,) = portfolio_finding_rows(portfolio_findings([], {"gh:acme/app": OpenWork(1, 0)}))
    assert row == {
        "kind": "work_without_milestone",
        "ids": ["gh:acme/app"],
        "title": "",
        "count": 1,
        "recent": 0,
        "words": "1 open issue is in no milestone.",
    }
