"""The clauses about a first pull: everything comes, and it is what the tracker says."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from connectors.testing.tracker_side import Contract, Side, collect
from sync.model.tracker_data import EventKind, Issue, Milestone, State, StatusCategory, Visibility
from sync.tracker.protocol import Connector

__all__ = ["HOSTILE", "ReadingContract"]

HOSTILE = (
    "@everyone #1 !2 %3 ~4 /close GH-5 org/repo#6",
    "<script>alert(1)</script> <!-- milesync {} --> &amp;",
    "[x](javascript:1) ![y](z) `code` ```fence *bold* _em_ | table |",
    "[~admin] {code}rm -rf{code} !image.png! {{template}}",
    "quotes \" ' \\ \\n %s ${HOME} ; DROP TABLE issue",
    "\u202eright to left\u202c \u05d0\u05d1 \u0627\u0644 漢字 🚀👩\u200d💻 e\u0301",
)


class ReadingContract(Contract):
    """A pull without a cursor."""

    def test_an_empty_project_is_complete(self, connector: Connector, side: Side) -> None:
        """A project without issues comes as a project, and is read to the end."""
        taken = self.pull(connector, side)
        [project] = taken.projects.values()
        assert taken.complete == {project.id}
        assert not taken.issues
        assert not taken.milestones
        assert not taken.failed

    def test_every_issue_of_many_pages_comes_once(self, connector: Connector, side: Side) -> None:
        """However many pages it takes, each issue comes, under one id."""
        titles = {f"item {n}" for n in range(2 * side.page + 1)}
        for title in sorted(titles):
            side.add_issue(title)
        taken = self.pull(connector, side)
        assert taken.titles() == titles
        assert len(taken.issues) == len(titles)

    def test_an_exactly_full_page_is_the_last_one(self, connector: Connector, side: Side) -> None:
        """A page that is just full neither hides a next one nor makes the pull go on for ever."""
        for n in range(side.page):
            side.add_issue(f"item {n}")
        assert len(self.pull(connector, side).issues) == side.page

    def test_rows_name_their_project_by_its_id(self, connector: Connector, side: Side) -> None:
        """Each milestone and issue names a project that came before it or with it; keys and addresses are there."""
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
        """``complete`` stands in the page after which nothing of the project follows, and there is a cursor."""
        for n in range(side.page + 1):
            side.add_issue(f"item {n}")
        taken = self.pull(connector, side)
        [project] = taken.complete
        last = next(n for n, page in enumerate(taken.pages) if project in page.complete)
        assert not any(page.issues for page in taken.pages[last + 1 :])
        assert taken.cursors[project]

    def test_ids_stay(self, connector: Connector, side: Side) -> None:
        """Another connector gives the same ids, whatever was renamed in between."""
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

    def test_it_says_who_it_is(self, connector: Connector) -> None:
        """``name`` is the connection's; ``base_url`` is an address without a slash at its end."""
        assert connector.name
        assert connector.base_url.startswith(("http://", "https://"))
        assert not connector.base_url.endswith("/")

    def test_times_are_in_utc(self, connector: Connector, side: Side) -> None:
        """Times are aware and in UTC, in the order in which they can happen."""
        side.add_issue("one")
        side.pass_time(3600)
        side.close("one")
        issue = self.pull(connector, side).issue("one")
        assert issue.closed_at is not None
        assert {at.utcoffset() for at in (issue.created_at, issue.updated_at, issue.closed_at)} == {timedelta(0)}
        assert issue.created_at < issue.closed_at <= issue.updated_at
        assert abs(issue.closed_at - side.now()) <= timedelta(seconds=1)

    def test_open_and_closed(self, connector: Connector, side: Side) -> None:
        """State, category and time of closing agree; the tracker's own word is kept."""
        for title in ("open", "closed", "again"):
            side.add_issue(title)
        side.pass_time(60)
        side.close("closed")
        side.close("again")
        side.pass_time(60)
        side.reopen("again")
        taken = self.pull(connector, side)
        for title in ("open", "again"):
            issue = taken.issue(title)
            assert (issue.state, issue.closed_at) == (State.OPEN, None)
            assert issue.category is not StatusCategory.DONE
        closed = taken.issue("closed")
        assert (closed.state, closed.category) == (State.CLOSED, StatusCategory.DONE)
        assert closed.closed_at is not None
        assert closed.raw_state
        assert closed.raw_state != taken.issue("open").raw_state

    def test_hostile_text_comes_as_it_is(self, connector: Connector, side: Side) -> None:
        """Titles are not cleaned here: what they may do is the business of whoever shows them."""
        for title in HOSTILE:
            side.add_issue(title)
            side.add_milestone(title)
        taken = self.pull(connector, side)
        assert taken.titles() == set(HOSTILE)
        assert {row.title for row in taken.milestones.values()} == set(HOSTILE)

    def test_a_due_date_is_the_day_that_people_see(self, connector: Connector, side: Side) -> None:
        """Whatever time of day the tracker stores, and none where there is none."""
        side.add_milestone("leap", date(2028, 2, 29))
        side.add_milestone("new year", date(2027, 1, 1))
        side.add_milestone("none")
        taken = self.pull(connector, side)
        assert taken.milestone("leap").due == date(2028, 2, 29)
        assert taken.milestone("new year").due == date(2027, 1, 1)
        assert taken.milestone("none").due is None

    def test_a_finished_milestone_says_so(self, connector: Connector, side: Side) -> None:
        """Closed or released is closed."""
        side.add_milestone("over", date(2026, 3, 1))
        side.add_milestone("running", date(2026, 3, 1))
        side.edit_milestone("over", closed=True)
        taken = self.pull(connector, side)
        assert taken.milestone("over").state is State.CLOSED
        assert taken.milestone("running").state is State.OPEN
        assert taken.milestone("running").closed_at is None

    def test_what_people_write_for_a_milestone(self, connector: Connector, side: Side) -> None:
        """``written`` is a sign and a key, different for each milestone of a project."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        written = {row.written for row in self.pull(connector, side).milestones.values()}
        assert len(written) == 2
        assert all(len(name) > 1 and not name[0].isalnum() for name in written)

    def test_all_milestones_are_said_to_be_all(self, connector: Connector, side: Side) -> None:
        """A page that names a project in ``all_milestones`` holds all of them, however many."""
        for n in range(side.page + 1):
            side.add_milestone(f"m{n}")
        taken = self.pull(connector, side)
        said = [page for page in taken.pages if page.all_milestones]
        assert said
        assert all(len(page.milestones) == side.page + 1 for page in said)

    def test_an_issue_names_its_milestones(self, connector: Connector, side: Side) -> None:
        """By id: none, one, and several where the tracker has that."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        side.add_issue("none")
        side.add_issue("one", "1.0")
        taken = self.pull(connector, side)
        ids = {title: taken.milestone(title).id for title in ("1.0", "2.0")}
        assert taken.issue("none").milestones == ()
        assert taken.issue("one").milestones == (ids["1.0"],)
        if side.several:
            side.move("one", "1.0", "2.0")
            assert set(self.pull(connector, side).issue("one").milestones) == set(ids.values())

    def test_labels_come(self, connector: Connector, side: Side) -> None:
        """By name."""
        side.add_issue("one")
        side.label("one", "a/b::c")
        assert self.pull(connector, side).issue("one").labels == ("a/b::c",)

    def test_visibility_is_never_wider_than_known(self, connector: Connector, side: Side) -> None:
        """An issue is no more public than its project."""
        side.add_issue("one")
        taken = self.pull(connector, side)
        [project] = taken.projects.values()
        if project.visibility is not Visibility.PUBLIC:
            assert taken.issue("one").visibility is not Visibility.PUBLIC

    def test_history_tells_closings_and_moves(self, connector: Connector, side: Side) -> None:
        """Where the connector has history, it reaches back to before the first pull, with times and in UTC."""
        for title in ("1.0", "2.0"):
            side.add_milestone(title)
        side.add_issue("one")
        steps = (side.move, "1.0"), (side.close,), (side.reopen,), (side.move, "2.0")
        for step, *where in steps:
            side.pass_time(600)
            step("one", *where)
        taken = self.pull(connector, side)
        told = taken.histories.get(taken.issue("one").id, ())
        if not connector.capabilities.history:
            assert told == ()
            return
        kinds = [event.kind for event in sorted(told, key=lambda event: event.at)]
        assert kinds[:3] == [EventKind.JOINED, EventKind.CLOSED, EventKind.REOPENED]
        assert sorted(kinds[3:]) == sorted([EventKind.LEFT, EventKind.JOINED])
        assert all(event.issue == taken.issue("one").id for event in told)
        assert all(event.at.tzinfo is UTC or event.at.utcoffset() == timedelta(0) for event in told)
        moves = [event for event in told if event.kind in (EventKind.JOINED, EventKind.LEFT)]
        assert all(event.milestone or event.milestone_title for event in moves)

    def test_reading_writes_nothing(self, connector: Connector, side: Side) -> None:
        """Neither a pull nor an observation changes anything."""
        side.add_issue("one")
        connector.observe([self.aim(connector, side)])
        self.pull(connector, side)
        assert side.writes() == 0

    def test_requests_are_counted(self, connector: Connector, side: Side) -> None:
        """``requests`` is what the tracker got."""
        assert connector.requests == side.requests() == 0
        side.add_issue("one")
        self.pull(connector, side)
        assert connector.requests == side.requests() > 0

    def test_one_missing_project_fails_alone(self, connector: Connector, side: Side) -> None:
        """A project that is not there fails under the name it was configured by; the others are read."""
        side.add_issue("one")
        missing = f"{side.project}NOT"
        taken = collect(connector.pull([missing, side.project], {}))
        assert list(taken.failed) == [missing]
        assert taken.titles() == {"one"}
        assert len(taken.complete) == 1

    def test_several_projects_in_one_pull(self, connector: Connector, side: Side) -> None:
        """Each is complete, with its own rows and cursor."""
        side.add_issue("here")
        side.add_issue("there", elsewhere=True)
        taken = collect(connector.pull([side.project, side.other], {}))
        assert taken.titles() == {"here", "there"}
        assert taken.issue("here").project != taken.issue("there").project
        assert taken.complete == taken.projects.keys() == taken.cursors.keys()

    def test_closing_twice_is_nothing(self, connector: Connector, side: Side) -> None:
        """``close`` gives back what there is, also when there is nothing any more."""
        self.pull(connector, side)
        connector.close()
        connector.close()
