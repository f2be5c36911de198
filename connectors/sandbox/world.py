"""World of the sandbox: projects, milestones, issues and their histories, in memory.

Each tracker's web application (`github`, `gitlab`, `jira`) renders this state in that tracker's format; the state
itself is neutral. Every change goes through a method here, which records it in the issue's history and moves
``updated``, as the real trackers do. Time comes from ``World.clock``.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from connectors.sandbox.world_data import (
    Answer,
    Board,
    BoardItem,
    Change,
    Column,
    Comment,
    Epic,
    Fault,
    File,
    Issue,
    Iteration,
    MergeRequest,
    Milestone,
    Project,
    Review,
    User,
)

__all__ = ["Tracker", "World"]


class Tracker:
    """One tracker: its projects, users, token and faults; the lock makes each request atomic."""

    def __init__(self, world: World, kind: str, token: str = "sandbox") -> None:  # noqa: S107  # any visitor may know it
        self.world, self.kind, self.token = world, kind, token
        self.url = ""
        self.version = ""
        """The version of the server (``3.14``), which may change while it is served: see
        `connectors.sandbox.versions`. Empty: the newest, on GitHub the service github.com."""
        self.lock = threading.RLock()
        self.projects: dict[str, Project] = {}
        self.users: dict[int, User] = {}
        self.boards: dict[str, Board] = {}
        """GitHub's project boards by owner and number: ``acme/7``; their scope is ``project``."""
        self.faults: list[Fault] = []
        self.log: deque[tuple[str, str, int]] = deque(maxlen=100_000)
        """(method, path with query, status) of each request, oldest first."""
        self.time_zone = "UTC"
        """The zone of the bot's profile, in which Jira reads times in a query."""
        self.ignores_properties = False
        """An older Jira: it takes a comment and leaves out the entity properties that come with it."""
        self.statuses: dict[str, str] = {}
        """Statuses beyond the usual ones: name -> key of its category (Jira: new, indeterminate, done; GitLab: done,
        canceled)."""
        self.transitions: dict[str, str] = {"To Do": "To Do", "In Progress": "In Progress", "Done": "Done"}
        """Jira: the transitions of the workflow, open to every status: name -> status."""
        self.scopes: tuple[str, ...] | None = {"github": ("repo",), "gitlab": ("api",)}.get(kind)
        """What the token may do; None: its kind has no scopes."""
        self.expires: datetime | None = None
        """When the token ends, where the tracker tells."""
        self.attaching = True
        """Whether attachments are switched on (Jira)."""
        self.premium = True
        """Whether the edition has weights, scoped labels, blocking links, iterations and epics (GitLab), or
        levels above epics (Jira)."""
        self.licence_ended = False
        """The edition has licensed features and no licence: GraphQL knows the fields, and lists nothing (GitLab)."""
        self.iterations: dict[int, Milestone] = {}
        self.epics: dict[int, Epic] = {}
        """GitLab: those of all groups, by id."""
        self.hidden_groups: set[str] = set()
        """GitLab: the groups that the bot may not read, although it may read projects in them."""
        self.work_time: tuple[float, float] | None = (8.0, 5.0)
        """Hours of a day and days of a week (Jira); None: time tracking is off."""
        self.always_validates = False
        """Jira Data Center: a query with an issue that does not exist is refused, whatever ``validateQuery`` says."""
        self.unsearchable: set[str] = set()
        """Jira: keys of projects that the list of projects shows and that a search refuses."""
        self.leaves_out_archived = False
        """Jira Data Center: the list of the versions of several projects leaves out archived ones."""
        self.hides_parent_links = False
        """Jira Data Center: a search returns null for each parent link."""
        self.renamed_statuses: dict[str, str] = {}
        """Jira: old names of statuses, which histories keep -> the present ones. The id stays."""
        self.moved: dict[str, str] = {}
        """Old path of a renamed project -> its new one (GitHub and GitLab answer 301)."""
        self.latency = 0.0
        self.page_limit: int | None = None
        """Maximum number of rows in a page, whatever a request asks for; None: the tracker's own."""
        self.alter: Callable[[str, str, Answer], Answer] | None = None
        """Changes each answer, by method and path with query, before it is sent; None: answers are sent as they are."""
        self.limit, self.used = 5000, 0
        self.bot = self.user("milesync-bot", "milesync", bot=True)

    def user(self, login: str, name: str = "", *, bot: bool = False) -> User:
        """Return the user of that login; create it if missing."""
        for known in self.users.values():
            if known.login == login:
                return known
        made = User(self.world.next_id(), login, name or login.title(), bot)
        self.users[made.id] = made
        return made

    def board(self, name: str, *, public: bool = False) -> Board:
        """Return the project board of that name (``acme/7``); create it if missing."""
        return self.boards.setdefault(name, Board(self.world.next_id(), public, updated=self.world.clock()))

    def column(self, board: Board, name: str, kind: str, iterations: list[Iteration] | None = None) -> Column:
        """Add a column to a board."""
        board.columns.append(Column(self.world.next_id(), name, kind, iterations or []))
        board.updated = self.world.clock()
        return board.columns[-1]

    def put_on_board(self, board: Board, project: Project | None = None, issue: Issue | None = None) -> BoardItem:
        """Add an issue to a board; a draft without one."""
        now = self.world.clock()
        board.items.append(BoardItem(self.world.next_id(), project, issue, now, now))
        board.updated = now
        return board.items[-1]

    def project(self, key: str, name: str = "", *, private: bool = False, created: datetime | None = None) -> Project:
        """Return the project of that key; create it if missing."""
        if key not in self.projects:
            now = created or self.world.clock()
            self.projects[key] = Project(self.world.next_id(), key, name or key, now, private)
        return self.projects[key]

    def rename(self, project: Project, key: str) -> None:
        """Rename a project; the old key redirects to it."""
        del self.projects[project.key]
        self.moved = {old: key if new == project.key else new for old, new in self.moved.items()} | {project.key: key}
        if self.kind == "github":
            for issue in (issue for known in self.projects.values() for issue in known.issues.values()):
                issue.parent = re.sub(rf"^{re.escape(project.key)}(?=-\d+$)", key, issue.parent)
        project.key = key
        self.projects[key] = project
        for issue in project.issues.values():
            issue.key = f"{key}-{issue.number}"

    def milestone(self, project: Project, title: str, *, at: datetime | None = None, **fields: Any) -> Milestone:
        """Add a milestone."""
        now = at or self.world.clock()
        number = max((known.number for known in project.milestones.values()), default=0) + 1
        made = Milestone(self.world.next_id(), number, title, now, now, **fields)
        project.milestones[made.id] = made
        return made

    def group_milestone(self, group: str, title: str, *, at: datetime | None = None, **fields: Any) -> Milestone:
        """Add a milestone to a GitLab group: for all projects below that path, including subgroups."""
        now = at or self.world.clock()
        known = {m.id for p in self.projects.values() for m in p.milestones.values() if m.group == group}
        made = Milestone(self.world.next_id(), len(known) + 1, title, now, now, group=group, **fields)
        for project in self.projects.values():
            if project.key.startswith(f"{group}/"):
                project.milestones[made.id] = made
        return made

    def close_milestone(self, project: Project, milestone: Milestone, at: datetime | None = None) -> None:
        """Close or release it."""
        milestone.closed = milestone.updated = at or self.world.clock()
        milestone.released = True
        project.updated = milestone.updated

    def issue(
        self,
        project: Project,
        title: str,
        author: User,
        *,
        at: datetime | None = None,
        number: int | None = None,
        **fields: Any,
    ) -> Issue:
        """Add an issue; fields are those of `Issue`. Creation in a milestone is no change in its history."""
        now = at or self.world.clock()
        number = number if number is not None else max(project.issues, default=0) + 1
        made = Issue(self.world.next_id(), number, title, author, now, now, **fields)
        made.key = made.key or f"{project.key}-{number}"
        project.issues[number] = made
        project.updated = now
        return made

    def merge_request(
        self, project: Project, title: str, author: User, *, at: datetime | None = None, **fields: Any
    ) -> MergeRequest:
        """Add a merge request (GitLab); fields are those of `MergeRequest`."""
        now = at or self.world.clock()
        number = max(project.merge_requests, default=0) + 1
        made = MergeRequest(self.world.next_id(), number, title, author, now, now, **fields)
        project.merge_requests[number] = made
        return made

    def merge(self, change: MergeRequest, actor: User, at: datetime | None = None) -> None:
        """Merge a merge request."""
        now = at or self.world.clock()
        self.change(change, "state", "open", "merged", actor, now, "")
        change.closed, change.merged = now, True

    def ask_for_review(self, change: MergeRequest, reviewer: User, actor: User, at: datetime | None = None) -> None:
        """Request a review, the first time or again. The time of the first request stays."""
        now = at or self.world.clock()
        self.change(change, "reviewer", None, reviewer.login, actor, now, "")
        for review in change.reviewers:
            if review.user is reviewer:
                review.state = "unreviewed"
                return
        change.reviewers.append(Review(reviewer, now))

    def answer_review(self, change: MergeRequest, reviewer: User, state: str, at: datetime | None = None) -> None:
        """Answer a request for a review: reviewed, requested_changes, approved or unapproved."""
        self.change(change, "review", None, state, reviewer, at, "")
        for review in change.reviewers:
            if review.user is reviewer:
                review.state = state

    def change(
        self, issue: Issue, field_: str, old: Any, new: Any, actor: User, at: datetime | None, title: str
    ) -> None:
        """Record a change in the issue's history and move its time of update."""
        now = at or self.world.clock()
        issue.changes.append(Change(self.world.next_id(), now, actor, field_, old, new, title))
        issue.updated = max(issue.updated, now)

    def move(
        self, project: Project, issue: Issue, milestones: list[int], actor: User, at: datetime | None = None
    ) -> None:
        """Set the issue's milestones; record each that it leaves or joins. A new order is no change."""
        for gone in [m for m in issue.milestones if m not in milestones]:
            known = project.milestones.get(gone)
            self.change(issue, "milestone", gone, None, actor, at, known.title if known else "")
        for added in [m for m in milestones if m not in issue.milestones]:
            self.change(issue, "milestone", None, added, actor, at, project.milestones[added].title)
        stays = [m for m in issue.milestones if m in milestones]
        issue.milestones = stays + [m for m in milestones if m not in stays]

    def close(
        self,
        issue: Issue,
        actor: User,
        at: datetime | None = None,
        *,
        status: str = "Done",
        resolution: str | None = "",
    ) -> None:
        """Close an issue (status Done on a board). ``resolution``: None, Jira sets none; empty, the usual one."""
        now = at or self.world.clock()
        self.change(issue, "status", issue.status, status, actor, now, "")
        issue.unresolved = resolution is None
        if resolution is not None:
            self.change(issue, "state", "open", "closed", actor, now, "")
        issue.closed, issue.status, issue.resolution = now, status, resolution or ""

    def reopen(self, issue: Issue, actor: User, at: datetime | None = None, *, status: str = "To Do") -> None:
        """Reopen an issue (status To Do on a board)."""
        now = at or self.world.clock()
        self.change(issue, "status", issue.status, status, actor, now, "")
        if not issue.unresolved:
            self.change(issue, "state", "closed", "open", actor, now, "")
        issue.closed, issue.status, issue.resolution, issue.unresolved = None, status, "", False

    def ask(self, pull: Issue, reviewer: User | str, actor: User, at: datetime | None = None) -> None:
        """Ask a user or a team (``acme/core``) to review a pull request of GitHub."""
        if reviewer not in pull.requested:
            pull.requested.append(reviewer)
        self.change(pull, "review", reviewer, "review_requested", actor, at, "")

    def withdraw(self, pull: Issue, reviewer: User | str, actor: User, at: datetime | None = None) -> None:
        """Withdraw the request for a review."""
        pull.requested.remove(reviewer)
        self.change(pull, "review", reviewer, "review_request_removed", actor, at, "")

    def review(self, pull: Issue, reviewer: User, state: str, at: datetime | None = None) -> None:
        """Review a pull request of GitHub: APPROVED, CHANGES_REQUESTED or COMMENTED. Requests to others stay."""
        if reviewer in pull.requested:
            pull.requested.remove(reviewer)
        if state != "COMMENTED":
            pull.reviews[reviewer.login] = state
        self.change(pull, "review", reviewer, "pull_request_review", reviewer, at, state)

    def set_draft(self, pull: Issue, draft: bool, actor: User, at: datetime | None = None) -> None:
        """Make a pull or merge request a draft, or ready for review."""
        pull.draft = draft
        self.change(pull, "review", None, "convert_to_draft" if draft else "ready_for_review", actor, at, "")

    def label(self, issue: Issue, add: list[str], remove: list[str], actor: User, at: datetime | None = None) -> None:
        """Add and remove labels on an issue."""
        for name in remove:
            if name in issue.labels:
                issue.labels.remove(name)
                self.change(issue, "label", name, None, actor, at, "")
        for name in add:
            if name not in issue.labels:
                issue.labels.append(name)
                self.change(issue, "label", None, name, actor, at, "")

    def rename_status(self, name: str, new: str) -> None:
        """Rename a Jira status that is not a usual one, as an administrator does: no issue is updated."""
        self.statuses = {new if known == name else known: category for known, category in self.statuses.items()}
        self.renamed_statuses[name] = new
        for issue in (issue for project in self.projects.values() for issue in project.issues.values()):
            issue.status = new if issue.status == name else issue.status

    def transfer(self, project: Project, issue: Issue, to: Project, actor: User) -> Issue:
        """Move an issue to another project, as each tracker does: GitHub creates a copy and deletes the old
        one, GitLab creates a copy and closes the old one, Jira changes the key. It is in no milestone there, on GitLab
        in the one of the same title, such as that of a group of both.
        """
        if self.kind == "gitlab":
            titles = {project.milestones[number].title for number in issue.milestones if number in project.milestones}
            kept = [number for number, milestone in to.milestones.items() if milestone.title in titles]
            made = self.issue(to, issue.title, issue.author, labels=list(issue.labels), milestones=kept[:1])
            self.close(issue, actor, resolution="moved")
            return made
        del project.issues[issue.number]
        if self.kind == "github":
            return self.issue(to, issue.title, issue.author)
        self.move(project, issue, [], actor)
        number = max(to.issues, default=0) + 1
        issue.number, issue.key, issue.sprints, issue.blocked_by = number, f"{to.key}-{number}", [], []
        issue.updated = max(issue.updated, self.world.clock())
        to.issues[number] = issue
        return issue

    def sprint(self, project: Project, title: str, start: date, due: date) -> Milestone:
        """Add a sprint to a Jira project's board."""
        now = self.world.clock()
        made = Milestone(self.world.next_id(), len(project.sprints) + 1, title, now, now, start=start, due=due)
        project.sprints[made.id] = made
        return made

    def plan(self, issue: Issue, sprint: Milestone | None, actor: User, at: datetime | None = None) -> None:
        """Put an issue into a sprint, or back into the backlog. It keeps closed sprints."""
        project = next(p for p in self.projects.values() if p.issues.get(issue.number) is issue)
        kept = [n for n in issue.sprints if n in project.sprints and project.sprints[n].closed is not None]
        wanted = [n for n in kept if sprint is None or n != sprint.id] + ([sprint.id] if sprint else [])
        if wanted != issue.sprints:
            self.change(issue, "sprint", tuple(issue.sprints), tuple(wanted), actor, at, "")
        issue.sprints = wanted

    def adopt(self, issue: Issue, parent: Issue | None, actor: User, at: datetime | None = None) -> None:
        """Give an issue a parent, such as its epic."""
        key = parent.key if parent else ""
        if key != issue.parent:
            self.change(issue, "parent", issue.parent, key, actor, at, "")
            if parent is not None and self.kind == "github":
                parent.updated = max(parent.updated, issue.updated)
        issue.parent = key

    def redate(self, issue: Issue, due: date | None, actor: User, at: datetime | None = None) -> None:
        """Move an issue's due date."""
        self.change(issue, "due", issue.due, due, actor, at, "")
        issue.due = due

    def block(self, project: Project, issue: Issue, blockers: list[int], at: datetime | None = None) -> None:
        """Set the issues (numbers of the same project) that block it; both ends of a link are updated."""
        for number in {*issue.blocked_by, *blockers} & project.issues.keys():
            if (number in issue.blocked_by) is not (number in blockers):
                for end in (issue, project.issues[number]):
                    end.updated = max(end.updated, at or self.world.clock())
        issue.blocked_by = list(blockers)

    def comment(self, issue: Issue, author: User, body: Any, at: datetime | None = None, **fields: Any) -> Comment:
        """Add a comment and move the issue's time of update, as the real trackers do."""
        now = at or self.world.clock()
        made = Comment(self.world.next_id(), author, body, now, now, **fields)
        issue.comments.append(made)
        issue.updated = max(issue.updated, now)
        return made

    def edit_comment(self, issue: Issue, comment: Comment, body: Any, at: datetime | None = None) -> None:
        """Rewrite a comment."""
        comment.body, comment.updated = body, at or self.world.clock()
        issue.updated = max(issue.updated, comment.updated)

    def attach(self, issue: Issue, name: str, content: bytes, author: User) -> File:
        """Attach a file and record it in the issue's history."""
        made = File(self.world.next_id(), name, author, self.world.clock(), content)
        issue.files.append(made)
        self.change(issue, "attachment", None, name, author, made.created, "")
        return made

    def detach(self, issue: Issue, file: File, actor: User) -> None:
        """Delete a file."""
        issue.files.remove(file)
        self.change(issue, "attachment", file.name, None, actor, None, "")

    def find_comment(self, comment_id: int) -> tuple[Project, Issue, Comment] | None:
        """Return a comment by id, with its issue and project."""
        for project in self.projects.values():
            for issue in project.issues.values():
                for comment in issue.comments:
                    if comment.id == comment_id:
                        return project, issue, comment
        return None

    def fault(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request, or None; counts it down."""
        for fault in self.faults:
            if fault.times > 0 and fault.match in f"{method} {path}":
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        """Logged requests that changed something: not GET or HEAD, not a search or query."""
        return [r for r in self.log if not self.reads(*r[:2])]

    @staticmethod
    def reads(method: str, path: str) -> bool:
        """Return True for a request that changes nothing; a GraphQL document is judged by its text."""
        reads = ("graphql", "/access_tokens", "/search", "bulkfetch", "approximate-count", "/comment/list")
        return method in ("GET", "HEAD") or any(word in path for word in reads)


class World:
    """World: all trackers, one clock, one counter of ids."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self._ids: Iterator[int] = itertools.count(1001)
        self.github = Tracker(self, "github")
        self.gitlab = Tracker(self, "gitlab")
        self.jira = Tracker(self, "jira")
        self.cloud = Tracker(self, "jira-cloud")

    def next_id(self) -> int:
        """Return an unused number of this world."""
        return next(self._ids)

    @property
    def trackers(self) -> tuple[Tracker, Tracker, Tracker, Tracker]:
        """All four dialects."""
        return self.github, self.gitlab, self.jira, self.cloud
