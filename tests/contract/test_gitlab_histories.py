"""GitLab's histories: what joined, left, closed and blocked when, in few requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from connectors.sandbox.gitlab import app as gitlab_app
from connectors.sandbox.gitlab import graphql as gitlab_graphql
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue, Milestone, Project
from sync.model.tracker_data import Person
from tests.contract.gitlab_shop import team
from tests.contract.gitlab_side import Clock, Mirror, Side, failing, kinds, requests_of, served


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made
        assert made.tracker.writes == []


def edit(rng: Random, tracker: Tracker, project: Project, stones: list[Milestone], clock: Clock) -> None:
    """One change by somebody, sometimes at the very instant of the last."""
    ada, at = tracker.user("ada"), clock.forward(seconds=rng.choice((0, 1, 30, 4000)))
    issue = project.issues[rng.randint(1, len(project.issues))]
    match rng.randint(0, 6):
        case 0:
            tracker.issue(project, "New", ada, at=at, milestones=rng.choice(([], [stones[0].id])))
        case 1:
            tracker.move(project, issue, rng.choice(([], [stones[1].id], [stones[2].id])), ada, at)
        case 2 if issue.closed is None:
            tracker.close(issue, ada, at)
        case 3 if issue.closed is not None:
            tracker.reopen(issue, ada, at)
        case 4:
            tracker.comment(issue, ada, "Hm.", at)
        case 5:
            tracker.close_milestone(project, rng.choice(stones), at)
        case _:
            tracker.label(issue, [f"l{rng.randint(0, 9)}"], list(issue.labels), ada, at)


class TestHistory:
    def test_to_day_one(self, side: Side) -> None:
        tracker, project, first = team(side)
        second = tracker.milestone(project, "2.1")
        ada = tracker.user("ada", "Ada Fox")
        made = tracker.issue(project, "Wanders", ada, milestones=[first.id])
        born = side.clock.now
        tracker.move(project, made, [second.id], ada, side.clock.forward(days=1))
        tracker.close(made, ada, side.clock.forward(days=1))
        tracker.reopen(made, ada, side.clock.forward(days=1))
        tracker.move(project, made, [], ada, side.clock.forward(days=1))
        tracker.move(project, made, [second.id], ada, side.clock.forward(days=1))
        told = Mirror().pull(side.connect(), "acme/web/shop").histories[str(made.id)]
        assert kinds(told) == [
            ("joined", "2.0"),
            ("left", "2.0"),
            ("joined", "2.1"),
            ("closed", ""),
            ("reopened", ""),
            ("left", "2.1"),
            ("joined", "2.1"),
        ]
        assert [(event.at - born).days for event in told] == [0, 1, 1, 2, 3, 4, 5]
        assert told[0].milestone == str(first.id)
        assert {event.actor for event in told} == {Person(str(ada.id), "Ada Fox")}

    def test_issues_that_left_every_milestone_have_a_history_too(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        made = tracker.issue(project, "Cut", tracker.user("ada"), milestones=[milestone.id])
        tracker.move(project, made, [], tracker.user("ada"), side.clock.forward(days=1))
        for history, events in (("full", 2), ("members", 0), ("none", 0)):
            got = Mirror().pull(side.connect(history=history), "acme/web/shop")
            assert len(got.histories.get(str(made.id), ())) == events

    def test_requests_are_bounded(self, side: Side) -> None:
        tracker = side.tracker
        tracker.premium = False
        side.filled("acme/app", 60)
        connector = side.connect()
        assert requests_of(connector, Mirror(), "acme/app") == 3, "no milestone, no history"
        project = tracker.project("acme/app")
        milestone = tracker.milestone(project, "1", at=side.clock.forward(days=1))
        assert requests_of(connector, Mirror(), "acme/app") == 4, "merge requests; nothing was touched since"
        for number in range(1, 11):
            tracker.move(project, project.issues[number], [milestone.id], tracker.user("ada"), side.clock.now)
        tracker.comment(project.issues[11], tracker.user("ada"), "Not in it", side.clock.now)
        assert requests_of(connector, Mirror(), "acme/app") == 4 + 1
        tracker.faults.append(failing("/api/graphql", 404))
        by_rest = side.connect()
        assert requests_of(by_rest, Mirror(), "acme/app") == 4 + 1 + 1 + 10 + 1, "what was reopened, and one for each"
        assert requests_of(by_rest, Mirror(), "acme/app") == 4 + 1 + 10 + 1, "what was refused is not asked again"

    @pytest.mark.parametrize("events", [200, 403])
    def test_without_graphql_an_issue_takes_one_request(self, side: Side, events: int) -> None:
        tracker, clock = side.tracker, side.clock
        tracker.premium = False
        project, ada = side.filled("acme/app", 150), tracker.user("ada")
        first, second = (tracker.milestone(project, name, at=project.created) for name in ("1.0", "2.0"))
        for number, issue in project.issues.items():
            if number > 20:
                tracker.move(project, issue, [first.id], ada, clock.forward(minutes=1))
            if number > 60:
                tracker.close(issue, tracker.user("ben"), clock.forward(minutes=1))
            if number > 140:
                tracker.reopen(issue, ada, clock.forward(minutes=1))
                tracker.move(project, issue, [second.id], ada, clock.forward(minutes=1))
        whole = Mirror().pull(side.connect(), "acme/app")
        tracker.faults.append(failing("/api/graphql", 403))
        if events == 403:
            tracker.faults.append(failing("/events?", 403))
        got = Mirror()
        used = requests_of(side.connect(concurrency=1), got, "acme/app")
        each = 130 + 10 if events == 200 else 2 * 130
        assert used == 3 + 2 + each + 1 + 1, "twenty were never touched"
        assert (got.issues, got.histories) == (whole.issues, whole.histories)

    @pytest.mark.parametrize(("before", "now"), [("none", "full"), ("members", "full"), ("full", "none")])
    def test_another_option_for_histories_reads_the_project_again(self, side: Side, before: str, now: str) -> None:
        tracker, project, milestone = team(side)
        left = tracker.issue(project, "Left", tracker.user("ada"), milestones=[milestone.id])
        tracker.move(project, left, [], tracker.user("ada"), side.clock.forward(minutes=1))
        side.clock.forward(hours=1)
        keys = ["acme/web/shop", tracker.project("acme/other").key]
        got = Mirror().pull(side.connect(history=before), *keys)
        whole, again = Mirror().pull(side.connect(history=now), *keys), Mirror(cursors=got.cursors)
        again.pull(side.connect(history=now), *keys)
        assert (again.issues, again.histories) == (whole.issues, whole.histories)
        assert requests_of(side.connect(history=now), again, *keys) == 1, "once"

    def test_status_issues_of_ours_are_not_asked_about(self, side: Side) -> None:
        tracker, project, _ = team(side)
        body = 'Health\n\n<!-- milesync {"kind":"status_issue","milestone":"x"} -->'
        tracker.issue(project, "Health of 2.0", tracker.bot, body=body, labels=["milestone-status"])
        connector = side.connect(status_labels=["milestone-status"])
        assert requests_of(connector, Mirror(), "acme/web/shop") == 4

    def test_an_issue_that_vanishes_meanwhile_is_gone(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        kept = tracker.issue(project, "Kept", tracker.user("ada"), milestones=[milestone.id])
        lost = tracker.issue(project, "Lost", tracker.user("ada"), milestones=[milestone.id])
        pages = iter(side.connect(concurrency=1).pull(["acme/web/shop"], {}))
        tracker.faults += [failing("/api/graphql", 404), failing(f"/issues/{lost.number}", 404)]
        got = Mirror()
        for page in pages:
            got.take(page)
            assert page.gone == {str(lost.id)}
        assert list(got.issues) == [str(kept.id)]
        assert got.failed == {}

    def test_an_issue_whose_events_could_not_be_read_is_read_with_the_next_pull(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        made = tracker.issue(project, "Fault", tracker.user("ada"), milestones=[milestone.id])
        events = failing("resource_milestone_events", 200, times=1, body='[{"created_at": "x"}]')
        tracker.faults += [failing("/api/graphql", 404), events]
        got, connector = Mirror(), side.connect()
        assert got.pull(connector, "acme/web/shop").issues == {}
        assert list(got.pull(connector, "acme/web/shop").issues) == [str(made.id)]

    def test_an_instance_without_these_events_still_gives_its_issues(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        made = tracker.issue(project, "Old", tracker.user("ada"), milestones=[milestone.id])
        tracker.faults += [failing("/api/graphql", 404), failing("resource_milestone_events", 404)]
        got = Mirror().pull(side.connect(), "acme/web/shop")
        assert got.histories == {str(made.id): ()}
        assert list(got.issues) == [str(made.id)]


class TestHistoryTogether:
    """Histories by GraphQL: many issues in a request, the same events, and REST for uncertain events."""

    @pytest.mark.parametrize("seed", range(4))
    def test_graphql_gives_the_same_events_as_rest(self, side: Side, seed: int) -> None:
        rng, tracker, clock = Random(seed), side.tracker, side.clock
        project = side.filled("acme/web/app", 130)
        stones = [tracker.milestone(project, f'm"{n}', at=clock.now) for n in range(2)]
        stones.append(tracker.group_milestone("acme/web", "Launch"))
        for _ in range(300):
            edit(rng, tracker, project, stones, clock)
        together = side.connect()
        got = Mirror()
        assert requests_of(together, got, "acme/web/app") <= 4 + 2 + 4
        assert sum(map(len, got.histories.values())) > 30
        tracker.faults.append(failing("/api/graphql", 403))
        assert Mirror().pull(side.connect(), "acme/web/app").histories == got.histories

    def test_what_is_too_heavy_is_halved(self, side: Side) -> None:
        project, milestone = side.filled("acme/app", 40), side.tracker.milestone(side.tracker.project("acme/app"), "1")
        for issue in project.issues.values():
            side.tracker.move(project, issue, [milestone.id], side.tracker.user("ada"), side.clock.now)
        side.tracker.faults.append(failing("/api/graphql", 502, times=1))
        connector, got = side.connect(), Mirror()
        assert requests_of(connector, got, "acme/app") == 4 + 1 + 2
        assert [kinds(events) for events in got.histories.values()] == [[("joined", "1")]] * 40
        assert side.slept == []

    def test_the_size_that_gitlab_can_answer_is_kept(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        """Few queries are sent in vain, however many issues follow."""
        project, milestone = side.filled("acme/app", 400), side.tracker.milestone(side.tracker.project("acme/app"), "1")
        for issue in project.issues.values():
            side.tracker.move(project, issue, [milestone.id], side.tracker.user("ada"), side.clock.now)
        refused: list[int] = []

        def heavy(view: Any, asked: Any) -> Any:
            number = len(asked["variables"]["numbers"])
            if number > 20:
                refused.append(number)
                raise TimeoutError
            return gitlab_graphql.answer(view, asked)

        monkeypatch.setattr(gitlab_app, "answer", heavy)
        got = Mirror().pull(side.connect(concurrency=1), "acme/app")
        assert [kinds(events) for events in got.histories.values()] == [[("joined", "1")]] * 400
        assert refused[:3] == [100, 50, 25]
        assert len(refused) <= 6
        assert not any("resource_milestone_events" in path for _, path, _ in side.tracker.log)

    def test_a_query_that_is_too_complex_is_halved_once_for_each_server(
        self, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project, milestone = side.filled("acme/app", 400), side.tracker.milestone(side.tracker.project("acme/app"), "1")
        for issue in project.issues.values():
            side.tracker.move(project, issue, [milestone.id], side.tracker.user("ada"), side.clock.now)
        asked_for: list[int] = []

        def complex_(view: Any, asked: Any) -> Any:
            asked_for.append(len(asked["variables"]["numbers"]))
            if asked_for[-1] > 50:
                return {"errors": [{"message": "Query has complexity of 330, which exceeds max complexity of 250"}]}
            return gitlab_graphql.answer(view, asked)

        monkeypatch.setattr(gitlab_app, "answer", complex_)
        connector = side.connect(concurrency=1)
        got = Mirror().pull(connector, "acme/app")
        assert [kinds(events) for events in got.histories.values()] == [[("joined", "1")]] * 400
        Mirror().pull(connector, "acme/app")
        assert asked_for == [100] + [50] * 16
        assert not any("resource_milestone_events" in path for _, path, _ in side.tracker.log)

    @pytest.mark.parametrize("issues", [15, 120])
    def test_a_query_that_is_too_complex_for_any_number_of_issues_is_not_sent_again(
        self, side: Side, issues: int
    ) -> None:
        project, milestone = (
            side.filled("acme/app", issues),
            side.tracker.milestone(side.tracker.project("acme/app"), "1"),
        )
        for issue in project.issues.values():
            side.tracker.move(project, issue, [milestone.id], side.tracker.user("ada"), side.clock.now)
        body = '{"errors": [{"message": "Query has complexity of 330, which exceeds max complexity of 250"}]}'
        side.tracker.faults.append(failing("/api/graphql", 200, body=body))
        got = Mirror().pull(side.connect(concurrency=1), "acme/app")
        assert [kinds(events) for events in got.histories.values()] == [[("joined", "1")]] * issues
        assert sum("graphql" in path for _, path, _ in side.tracker.log) == (1 if issues < 20 else 4)

    def test_a_query_that_stays_too_heavy_is_split_into_single_issues(self, side: Side) -> None:
        project, milestone = side.filled("acme/app", 12), side.tracker.milestone(side.tracker.project("acme/app"), "1")
        for issue in project.issues.values():
            side.tracker.move(project, issue, [milestone.id], side.tracker.user("ada"), side.clock.now)
        side.tracker.faults.append(failing("/api/graphql", 504))
        got = Mirror().pull(side.connect(), "acme/app")
        assert [kinds(events) for events in got.histories.values()] == [[("joined", "1")]] * 12

    def test_a_milestone_that_is_not_known_any_more(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        lost = tracker.milestone(project, "Dropped")
        ada = tracker.user("ada")
        made = tracker.issue(project, "Moved", ada, milestones=[lost.id])
        tracker.move(project, made, [milestone.id], ada, side.clock.forward(days=1))
        del project.milestones[lost.id]
        got = Mirror().pull(side.connect(), "acme/web/shop")
        assert ("joined", "2.0") in kinds(got.histories[str(made.id)])
        assert any("resource_milestone_events" in path for _, path, _ in tracker.log)

    def test_a_long_thread_is_read_to_its_end(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        ada = tracker.user("ada")
        made = tracker.issue(project, "Argued about", ada, milestones=[milestone.id])
        for n in range(60):
            tracker.label(made, [f"l{n}"], [f"l{n - 1}"], ada, side.clock.forward(minutes=1))
            tracker.close(made, ada, side.clock.forward(minutes=1))
            tracker.reopen(made, ada, side.clock.forward(minutes=1))
        events = Mirror().pull(side.connect(), "acme/web/shop").histories[str(made.id)]
        assert len(events) == 1 + 120

    def test_a_thread_that_may_not_be_read_is_not_taken_for_an_empty_one(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        made = tracker.issue(project, "Silent", tracker.user("ada"), milestones=[milestone.id])
        item = {"iid": str(made.number), "widgets": [{}, {"discussions": {"nodes": [], "pageInfo": {}}}]}
        body = json.dumps({"data": {"project": {"workItems": {"nodes": [item, None]}}}})
        tracker.faults.append(failing("/api/graphql", 200, body=body))
        got = Mirror().pull(side.connect(), "acme/web/shop")
        assert kinds(got.histories[str(made.id)]) == [("joined", "2.0")]

    def test_a_server_of_another_version_is_asked_once(self, side: Side) -> None:
        tracker, project, milestone = team(side)
        for n in range(3):
            tracker.issue(project, f"Issue {n}", tracker.user("ada"), milestones=[milestone.id])
        body = '{"errors": [{"message": "Field \'workItems\' doesn\'t exist on type \'Project\'"}]}'
        tracker.faults.append(failing("/api/graphql", 200, body=body))
        connector = side.connect()
        got = Mirror().pull(connector, "acme/web/shop")
        assert len(got.histories) == 3
        before = sum("graphql" in path for _, path, _ in tracker.log)
        Mirror().pull(connector, "acme/web/shop")
        assert sum("graphql" in path for _, path, _ in tracker.log) == before == 1


class TestBlockers:
    """Open issues that block an open issue: GraphQL returns their number, REST their names."""

    @staticmethod
    def chain(side: Side) -> tuple[Project, list[Issue]]:
        """The third of four issues waits for the first, which is open, and for the second, which is not."""
        project = side.filled("acme/web/shop", 4)
        issues = list(project.issues.values())
        side.tracker.close(issues[1], issues[1].author, side.clock.forward(minutes=1))
        side.tracker.block(project, issues[2], [1, 2], side.clock.forward(minutes=1))
        return project, issues

    def test_only_what_is_open_blocks(self, side: Side) -> None:
        _, issues = self.chain(side)
        got, connector = Mirror(), side.connect()
        assert requests_of(connector, got, "acme/web/shop") == 3 + 1 + 1
        assert {row.key: row.blocked_by for row in got.issues.values() if row.blocked_by} == {
            "acme/web/shop#3": ("acme/web/shop#1",)
        }
        assert got.issues[str(issues[2].id)].title == "Issue 3"

    def test_by_rest_alone_it_is_the_same(self, side: Side) -> None:
        self.chain(side)
        got = Mirror().pull(side.connect(), "acme/web/shop")
        side.tracker.faults.append(failing("/api/graphql", 403))
        assert Mirror().pull(side.connect(), "acme/web/shop").issues == got.issues

    @pytest.mark.parametrize(
        "problem",
        [
            "No such type WorkItemWidgetLinkedItems, so it can't be a fragment condition",
            "Field 'blockedByCount' doesn't exist on type 'WorkItemWidgetLinkedItems'",
        ],
    )
    def test_where_graphql_counts_no_blockers_it_still_gives_histories(self, side: Side, problem: str) -> None:
        project, issues = self.chain(side)
        milestone = side.tracker.milestone(project, "2.0", at=side.clock.now)
        made = side.tracker.issue(project, "New", issues[0].author, milestones=[milestone.id])
        want = Mirror().pull(side.connect(), "acme/web/shop")
        body = json.dumps({"errors": [{"message": problem}]})
        side.tracker.faults.append(failing("/api/graphql", 200, body=body, times=1))
        connector, before = side.connect(), len(side.tracker.log)
        got = Mirror().pull(connector, "acme/web/shop")
        asked = [path for _, path, _ in list(side.tracker.log)[before:]]
        assert (got.issues, got.histories) == (want.issues, want.histories)
        assert str(made.id) in got.histories
        assert sum("graphql" in path for path in asked) == 2
        assert not any("resource_" in path for path in asked)
        side.clock.forward(days=8)
        before = len(side.tracker.log)
        got.pull(connector, "acme/web/shop")
        asked = [path for _, path, _ in list(side.tracker.log)[before:]]
        assert got.issues == want.issues
        assert not any("graphql" in path for path in asked)  # a sweep asks for the counts alone

    def test_without_a_licence_nothing_is_asked(self, side: Side) -> None:
        self.chain(side)
        side.tracker.premium = False
        got, connector = Mirror(), side.connect()
        assert requests_of(connector, got, "acme/web/shop") == 3
        assert not any(row.blocked_by for row in got.issues.values())

    def test_when_the_blocker_closes_the_blocked_one_says_so(self, side: Side) -> None:
        project, issues = self.chain(side)
        got, connector = Mirror().pull(side.connect(), "acme/web/shop"), side.connect()
        side.clock.forward(hours=1)
        side.tracker.close(issues[0], issues[0].author, side.clock.now)
        assert requests_of(connector, got, "acme/web/shop") <= 3 + 4
        assert got.issues[str(issues[2].id)].blocked_by == ()
        side.tracker.reopen(issues[1], issues[1].author, side.clock.forward(hours=1))
        assert got.pull(connector, "acme/web/shop").issues[str(issues[2].id)].blocked_by == ("acme/web/shop#2",)
        side.tracker.block(project, issues[2], [], side.clock.forward(hours=1))
        assert got.pull(connector, "acme/web/shop").issues[str(issues[2].id)].blocked_by == ()

    def test_a_sweep_keeps_them(self, side: Side) -> None:
        _, issues = self.chain(side)
        got = Mirror().pull(side.connect(), "acme/web/shop")
        side.clock.forward(days=8)
        got.pull(side.connect(), "acme/web/shop")
        assert got.issues[str(issues[2].id)].blocked_by == ("acme/web/shop#1",)

    @pytest.mark.parametrize("status", [403, 404])
    def test_links_that_may_not_be_read_are_none(self, side: Side, status: int) -> None:
        self.chain(side)
        side.tracker.faults.append(failing("/links", status))
        got = Mirror().pull(side.connect(), "acme/web/shop")
        assert got.complete
        assert not any(row.blocked_by for row in got.issues.values())
