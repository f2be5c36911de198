"""Clauses about a first pull: every row arrives, with the content that the tracker shows."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from math import ceil

from connectors.testing.tracker_side import Contract, Side, collect
from sync.model.tracker_data import EventKind, Issue, Milestone, State, StatusCategory, Visibility
from sync.tracker.errors import GoneError
from sync.tracker.protocol import Connector

__all__ = ["HOSTILE", "ReadingContract"]

HOSTILE = (
    "@everyone #1 !2 %3 ~4 /close GH-5 org/repo#6",
    "/close",
    "<script>alert(1)</script> <!-- milesync {} --> &amp;",
    "[x](javascript:1) ![y](z) `code` ```fence *bold* _em_ | table |",
    "[~admin] {code}rm -rf{code} !image.png! {{template}}",
    "quotes \" ' \\ \\n null\\u0000 %s %20&#;? ${HOME} ; DROP TABLE issue",
    "\u202eright to left\u202c \u05d0\u05d1 \u0627\u0644 漢字 🚀👩\u200d💻 e\u0301",
    "a tab\tand a bell\x07",
    "two\nlines",
    "x" * 255,
)


class ReadingContract(Contract):
    """A pull without a cursor."""

    def test_an_empty_project_is_complete(self, connector: Connector, side: Side) -> None:
        """A project without issues arrives and is complete; the first issue arrives with the next pull."""
        state = self.pull(connector, side)
        [project] = state.projects.values()
        assert state.complete == {project.id}
        assert not state.issues
        assert not state.milestones
        assert not state.failed
        side.add_issue("first")
        assert self.pull(connector, side, state).titles() == {"first"}

    def test_every_issue_of_many_pages_comes_once(self, connector: Connector, side: Side) -> None:
        """Every issue of several pages arrives under one id, and costs no more requests than declared."""
        titles = {f"item {n}" for n in range(2 * side.page + 1)}
        for title in sorted(titles):
            side.add_issue(title)
        state = self.pull(connector, side)
        assert state.titles() == titles
        assert len(state.issues) == len(titles)
        costs = side.costs
        assert side.requests() <= ceil(len(titles) / side.page) + costs.first_pull + costs.issue * len(titles)

    def test_an_exactly_full_page_is_the_last_one(self, connector: Connector, side: Side) -> None:
        """A full last page ends the pull: no issue is missing and no page is requested forever."""
        for n in range(side.page):
            side.add_issue(f"item {n}")
        assert len(self.pull(connector, side).issues) == side.page

    def test_rows_name_their_project_by_its_id(self, connector: Connector, side: Side) -> None:
        """A milestone or issue names a project of the same page or of an earlier one; each row has a key and a URL."""
        side.add_milestone("1.0")
        side.add_issue("one", "1.0")
        known: set[str] = set()
        for page in connector.pull([side.project], {}):
            known |= {project.id for project in page.projects}
            rows: list[Milestone | Issue] = [*page.milestones, *page.issues]
            assert {row.project for row in rows} <= known
            assert all(row.key and row.url.startswith(("http://", "https://")) for row in rows)
        [project] = collect(connector.pull([side.project], {})).projects.values()
        assert project.key
        assert project.url.startswith(("http://", "https://"))

    def test_the_end_names_the_project_and_leaves_a_cursor(self, connector: Connector, side: Side) -> None:
        """``complete`` names the project on its last page of issues or later, and the project has a cursor."""
        for n in range(side.page + 1):
            side.add_issue(f"item {n}")
        state = self.pull(connector, side)
        [project] = state.complete
        last = next(n for n, page in enumerate(state.pages) if project in page.complete)
        assert not any(page.issues for page in state.pages[last + 1 :])
        assert state.cursors[project]

    def test_ids_are_stable(self, connector: Connector, side: Side) -> None:
        """Another connector returns the same ids, also after issues and milestones were renamed."""
        side.add_milestone("1.0")
        side.add_issue("one", "1.0")
        before = self.pull(connector, side)
        side.pass_time(60)
        side.rename("one", "uno")
        side.edit_milestone("1.0", new="2.0")
        again = side.connect()
        after = self.pull(again, side)
        again.close()
        assert before.issues.keys() == after.issues.keys()
        assert before.milestones.keys() == after.milestones.keys()
        assert before.projects.keys() == after.projects.keys()

    def test_a_connector_has_a_name_and_a_base_url(self, connector: Connector) -> None:
        """``name`` is the name of the connection; ``base_url`` is a URL without a slash at its end."""
        assert connector.name
        assert connector.base_url.startswith(("http://", "https://"))
        assert not connector.base_url.endswith("/")

    def test_times_are_in_utc(self, connector: Connector, side: Side) -> None:
        """Times are aware and in UTC: created before closed, closed not after updated."""
        side.add_issue("one")
        side.pass_time(3600)
        side.close("one")
        issue = self.pull(connector, side).issue("one")
        assert issue.closed_at is not None
        assert {at.utcoffset() for at in (issue.created_at, issue.updated_at, issue.closed_at)} == {timedelta(0)}
        assert issue.created_at < issue.closed_at <= issue.updated_at
        assert abs(issue.closed_at - side.now()) <= timedelta(seconds=1)

    def test_open_and_closed_issues(self, connector: Connector, side: Side) -> None:
        """State, category and time of closing agree; ``raw_state`` is the tracker's own word.

        A reopened issue has neither a time of closing nor a resolution.
        """
        for title in ("open", "closed", "again"):
            side.add_issue(title)
        side.pass_time(60)
        side.close("closed")
        side.close("again")
        side.pass_time(60)
        side.reopen("again")
        state = self.pull(connector, side)
        for title in ("open", "again"):
            issue = state.issue(title)
            assert (issue.state, issue.closed_at, issue.resolution) == (State.OPEN, None, "")
            assert issue.category is not StatusCategory.DONE
        closed = state.issue("closed")
        assert (closed.state, closed.category) == (State.CLOSED, StatusCategory.DONE)
        assert closed.closed_at is not None
        assert closed.raw_state
        assert closed.raw_state != state.issue("open").raw_state

    def test_hostile_text_comes_as_it_is(self, connector: Connector, side: Side) -> None:
        """Titles arrive unchanged: the renderers escape them, not the connector."""
        for title in HOSTILE:
            side.add_milestone(title)
            side.add_issue(title)
            side.pass_time(60)
            side.move(title, title)
        state = self.pull(connector, side)
        assert state.titles() == {row.title for row in state.milestones.values()} == set(HOSTILE)
        for title in HOSTILE:
            issue, milestone = state.issue(title), state.milestone(title)
            assert issue.milestones == (milestone.id,)
            joined = [event for event in state.histories.get(issue.id, ()) if event.kind is EventKind.JOINED]
            assert len(joined) == connector.capabilities.history
            assert all((event.milestone or milestone.id) == milestone.id for event in joined)
            assert all((event.milestone_title or title) == title for event in joined)

    def test_a_due_date_is_the_day_that_people_see(self, connector: Connector, side: Side) -> None:
        """The due date is the day that the tracker shows, for any stored time of day; without one it is None."""
        side.add_milestone("leap", date(2028, 2, 29))
        side.add_milestone("new year", date(2027, 1, 1))
        side.add_milestone("none")
        state = self.pull(connector, side)
        assert state.milestone("leap").due == date(2028, 2, 29)
        assert state.milestone("new year").due == date(2027, 1, 1)
        assert state.milestone("none").due is None

    def test_a_finished_milestone_is_closed(self, connector: Connector, side: Side) -> None:
        """A milestone that is closed, or a version that is released, has the state CLOSED."""
        side.add_milestone("over", date(2026, 3, 1))
        side.add_milestone("running", date(2026, 3, 1))
        side.edit_milestone("over", closed=True)
        state = self.pull(connector, side)
        assert state.milestone("over").state is State.CLOSED
        assert state.milestone("running").state is State.OPEN
        assert state.milestone("running").closed_at is None

    def test_milestones_are_written_in_different_ways(self, connector: Connector, side: Side) -> None:
        """``written`` is a sign and a key, and differs for each milestone of a project."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        written = {row.written for row in self.pull(connector, side).milestones.values()}
        assert len(written) == 2
        assert all(len(name) > 1 and not name[0].isalnum() for name in written)

    def test_all_milestones_holds_all_of_them(self, connector: Connector, side: Side) -> None:
        """A page that names a project in ``all_milestones`` holds all its milestones, also more than a page of them."""
        for n in range(side.page + 1):
            side.add_milestone(f"m{n}")
        pages = [page for page in self.pull(connector, side).pages if page.all_milestones]
        assert pages
        assert all(len(page.milestones) == side.page + 1 for page in pages)

    def test_an_issue_names_its_milestones(self, connector: Connector, side: Side) -> None:
        """An issue names its milestones by id: none, one, and several where the tracker allows several."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        side.add_issue("none")
        side.add_issue("one", "1.0")
        state = self.pull(connector, side)
        ids = {title: state.milestone(title).id for title in ("1.0", "2.0")}
        assert state.issue("none").milestones == ()
        assert state.issue("one").milestones == (ids["1.0"],)
        if side.several:
            side.move("one", "1.0", "2.0")
            assert set(self.pull(connector, side).issue("one").milestones) == set(ids.values())

    def test_labels_arrive_by_name(self, connector: Connector, side: Side) -> None:
        """An issue has its labels by name, unchanged."""
        side.add_issue("one")
        side.label("one", "a/b::c")
        assert self.pull(connector, side).issue("one").labels == ("a/b::c",)

    def test_an_issue_is_no_more_visible_than_its_project(self, connector: Connector, side: Side) -> None:
        """An issue of a project that is not public is not public."""
        side.add_issue("one")
        state = self.pull(connector, side)
        [project] = state.projects.values()
        if project.visibility is not Visibility.PUBLIC:
            assert state.issue("one").visibility is not Visibility.PUBLIC

    def test_history_has_closings_and_moves(self, connector: Connector, side: Side) -> None:
        """History starts with the issue, not with the first pull, and its times are in UTC.

        A connector without history returns none.
        """
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        side.add_issue("one")
        steps = (side.move, "1.0"), (side.close,), (side.reopen,), (side.move, "2.0")
        for step, *where in steps:
            side.pass_time(600)
            step("one", *where)
        state = self.pull(connector, side)
        events = state.histories.get(state.issue("one").id, ())
        if not connector.capabilities.history:
            assert events == ()
            return
        kinds = [event.kind for event in sorted(events, key=lambda event: event.at)]
        assert kinds[:3] == [EventKind.JOINED, EventKind.CLOSED, EventKind.REOPENED]
        assert sorted(kinds[3:]) == sorted([EventKind.LEFT, EventKind.JOINED])
        assert all(event.issue == state.issue("one").id for event in events)
        assert all(event.at.tzinfo is UTC or event.at.utcoffset() == timedelta(0) for event in events)
        moves = [event for event in events if event.kind in (EventKind.JOINED, EventKind.LEFT)]
        assert all(event.milestone or event.milestone_title for event in moves)

    def test_reading_writes_nothing(self, connector: Connector, side: Side) -> None:
        """Neither a pull nor an observation changes the tracker."""
        side.add_issue("one")
        target = self.aim(connector, side)
        for issue in ("", self.pull(connector, side).issue("one").key):
            connector.observe([self.named(target, issue)])
        assert side.writes() == 0

    def test_requests_are_counted(self, connector: Connector, side: Side) -> None:
        """``requests`` of the connector is the number of requests that the tracker received."""
        assert connector.requests == side.requests() == 0
        side.add_issue("one")
        self.pull(connector, side)
        assert connector.requests == side.requests() > 0

    def test_a_missing_project_fails_alone(self, connector: Connector, side: Side) -> None:
        """A project that does not exist fails with `GoneError`, under its name in the configuration.

        The error names the connection and the project; the other projects are read.
        """
        side.add_issue("one")
        missing = f"{side.project}NOT"
        state = collect(connector.pull([missing, side.project], {}))
        [(name, error)] = state.failed.items()
        assert name == missing
        assert isinstance(error, GoneError)
        assert str(error).startswith(f"{connector.name}: {missing}: ")
        assert state.titles() == {"one"}
        assert len(state.complete) == 1

    def test_several_projects_in_one_pull(self, connector: Connector, side: Side) -> None:
        """Each project of a pull is complete, with its own rows and its own cursor."""
        side.add_issue("here")
        side.add_issue("there", elsewhere=True)
        state = collect(connector.pull([side.project, side.other], {}))
        assert state.titles() == {"here", "there"}
        assert state.issue("here").project != state.issue("there").project
        assert state.complete == state.projects.keys() == state.cursors.keys()

    def test_closing_twice_is_allowed(self, connector: Connector, side: Side) -> None:
        """``close`` releases connections; a second call does nothing."""
        self.pull(connector, side)
        connector.close()
        connector.close()
