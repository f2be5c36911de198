"""Load the stored rows of one connection, limited to what an audience may read, as of one time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from msgspec import Struct, field
from msgspec.structs import replace

from sync.assess.membership_cache import ItemRules, load_memberships
from sync.assess.milestone_counts import milestone_counts
from sync.history import containers as containers_
from sync.history.counted_work import WorkTable
from sync.history.membership_table import MembershipTable
from sync.history.plan_clock import KnownPlan, plan_clock
from sync.model.audience import OPERATOR, Audience
from sync.model.counting import Counting
from sync.model.dates import end_of_day
from sync.model.item_label import undo_own_touches
from sync.model.item_state import ItemState
from sync.model.keys import whole_key
from sync.model.membership import Container, Counts, Membership
from sync.model.milestone_ids import MilestoneId, MilestoneIds, milestone_ids
from sync.model.team_words import NO_WORDS, TeamWords
from sync.model.tracker_data import DueDate, Issue, Milestone, MilestoneKind, Project, uid
from sync.model.work_time import WorkTime
from sync.store.store import Store
from sync.tracker.connection import Connection, MilestoneOverrides
from sync.tracker.team_words import team_words

__all__ = ["ConnectionRows", "LazyIssues", "load_rows"]


class ConnectionRows(Struct, frozen=True, dict=True):
    """Rows of one connection as of ``at`` (UTC). A value: `sync.assess.whatif` changes copies of it.

    ``projects`` are by native id; ``milestones``, ``issues`` and ``estimated`` (time of the last new estimate) by uid;
    ``due_dates`` by native milestone id, oldest first. ``memberships`` name milestones and issues by uid; they are as
    in the tracker, without the carry-over.
    ``words``: the team's words in the description of each milestone (uid) that has a description.
    ``known_plans``: the clock of each milestone (uid) whose date was moved, from its last assessment.
    ``removed``: the projects that no connection reads any more; their milestones are history only.
    ``recorded_joins``: the milestones (uid) into which the tracker recorded that an item joined.
    ``is_present``: ``at`` is the time of a run. The past has no numbers by the tracker's own counter.
    ``work_time``: that of the tracker; None: it has none. ``contradicting``: the items (uids) whose state contradicts
    their resolution or labels now. ``unlike``: the items (uids) that are finished by the rules of their project and
    open in their tracker now, or the other way round, with their state.
    ``work`` are the memberships of all work, issues and changes, counted or not. ``page_memberships`` are those that
    the tracker's own page counts; the same object as ``memberships`` where these are the same.
    """

    connection: Connection
    at: datetime
    projects: Mapping[str, Project]
    milestones: Mapping[str, Milestone]
    due_dates: Mapping[str, Sequence[DueDate]]
    work: WorkTable
    memberships: MembershipTable
    page_memberships: MembershipTable
    estimated: Mapping[str, datetime]
    issues: Mapping[str, Issue]
    words: Mapping[str, TeamWords] = field(default_factory=dict)
    known_plans: Mapping[str, KnownPlan] = field(default_factory=dict)
    recorded_joins: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    is_present: bool = True
    work_time: WorkTime | None = None
    contradicting: frozenset[str] = frozenset()
    unlike: Mapping[str, ItemState] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The base URL of the tracker."""
        return self.connection.source

    @cached_property
    def project_keys(self) -> Mapping[str, str]:
        """The key of each project, by native id."""
        return {project.id: project.key for project in self.projects.values()}

    @cached_property
    def read_milestones(self) -> Mapping[str, Milestone]:
        """The milestones of the projects that are read, by uid: those to assess."""
        return {name: own for name, own in self.milestones.items() if own.project not in self.removed}

    @cached_property
    def by_container(self) -> Mapping[str, Sequence[Membership]]:
        """The memberships of each milestone that has any, by uid, with the carry-over."""
        return self.counted_memberships.by_container()

    @cached_property
    def page_by_container(self) -> Mapping[str, Sequence[Membership]] | None:
        """The memberships of the tracker's own page with the carry-over; None if they are those of the items."""
        if self.page_memberships is self.memberships:
            return None
        return self.counted_page_memberships.by_container()

    @cached_property
    def counted_page_memberships(self) -> MembershipTable:
        """The memberships of the tracker's own page, with the carry-over."""
        if self.page_memberships is self.memberships:
            return self.counted_memberships
        return self.page_memberships.with_carry_over(self.containers.values())

    @cached_property
    def counted_memberships(self) -> MembershipTable:
        """The memberships with the carry-over: those that counts, outcomes and forecasts are made from."""
        return self.memberships.with_carry_over(self.containers.values())

    @cached_property
    def containers(self) -> Mapping[str, Container]:
        """Each milestone as a container, by uid."""
        containers = containers_.containers(
            self.milestones.values(),
            self.due_dates,
            self.projects,
            containers_.Joins(self.memberships.first_joins(), self.recorded_joins),
            source=self.source,
            zone=self.connection.zone,
            at=self.at,
        )
        return {container.id: self._with_counting(self._with_clock(container)) for container in containers}

    def _with_clock(self, container: Container) -> Container:
        """Return the container with the clock of its plan."""
        zone = self.connection.zone
        notes = self.due_dates.get(self.milestones[container.id].id, ())
        clock = plan_clock([note for note in notes if note.seen <= self.at], self.known_plans.get(container.id), zone)
        if clock is None:
            return container
        return replace(container, clock=clock, clock_due=end_of_day(clock.due, zone))

    def _with_counting(self, container: Container) -> Container:
        """Return the container with the work that counts in it, and the rules for the state of its items."""
        project = self.milestones[container.id].project
        counting, states = self._countings[project], self._state_rules[project]
        if (counting, states) == (container.counting, container.states):
            return container
        return replace(container, counting=counting, states=states)

    @cached_property
    def _countings(self) -> Mapping[str, Counting]:
        """The work that counts in the milestones of each project (native id)."""
        return _countings(self.connection, self.projects)

    @cached_property
    def _state_rules(self) -> Mapping[str, int]:
        """The number of the rules for the state of an item, by native project id."""
        return {project.id: self.connection.state_rules_of(project.key).number for project in self.projects.values()}

    def contradicting_in(self, milestone: str) -> tuple[str, ...]:
        """Return the items (uids) of a milestone (uid) now whose state contradicts their resolution or labels."""
        if not self.contradicting or not self.is_present:
            return ()
        return tuple(sorted(self.contradicting.intersection(self.present_items(milestone))))

    def present_items(self, milestone: str) -> set[str]:
        """Return the items (uids) that are in a milestone (uid) now."""
        own = self.by_container.get(milestone, ())
        return {row.item for row in own if row.left is None and row.reopened is None}

    @cached_property
    def open_items(self) -> Mapping[str, Sequence[str]]:
        """The uids of the open items of each milestone that has any, by uid."""
        return self.memberships.open_items(self.at)

    @cached_property
    def open_changes(self) -> Mapping[str, Sequence[str]]:
        """The uids of the open changes in each milestone that has any, counted or not, by uid."""
        return self.work.changes_of(self.work.table).open_items(self.at)

    def without(self, milestones: Collection[str], items: Collection[str]) -> ConnectionRows:
        """Return the rows in which these items leave these milestones (uids) now."""
        memberships = self.memberships.leave(milestones, items, self.at)
        is_same = self.page_memberships is self.memberships
        listed = memberships if is_same else self.page_memberships.leave(milestones, items, self.at)
        return replace(self, memberships=memberships, page_memberships=listed)

    @cached_property
    def counts(self) -> Mapping[str, Counts]:
        """The counts of each milestone, by uid."""
        return milestone_counts(self)

    @cached_property
    def ids(self) -> MilestoneIds:
        """The ids that people write."""
        return _ids(self.connection, self.projects, self.milestones.values())

    def id_of(self, milestone: Milestone) -> MilestoneId:
        """Return the id that people write."""
        return self.ids.by_uid[uid(self.source, "milestone", milestone.id)]

    def written(self, milestone: Milestone) -> str:
        """Return the text of the id that people write."""
        return self.id_of(milestone).written

    def project_of(self, milestone_uid: str) -> Project:
        """Return the project of a milestone. Raises KeyError."""
        return self.projects[self.milestones[milestone_uid].project]

    def prefetch_items(self, milestone_uids: Collection[str]) -> None:
        """Load the items of these milestones at once. The first look-up of another item loads those of all."""
        if isinstance(self.issues, LazyIssues):
            self.issues.prefetch(self.memberships.items_of(self.milestones.keys() & milestone_uids))

    def share_issues(self, known: Mapping[str, Issue] | None) -> None:
        """Hold the loaded issues of another snapshot of this connection instead of equal ones."""
        if isinstance(self.issues, LazyIssues) and isinstance(known, LazyIssues):
            self.issues.share(known)

    def tolerance_of(self, milestone_uid: str) -> float:
        """Return the share of a milestone that may be open when it counts as done.

        The configuration of the milestone comes first, then its description, then its connection. Raises KeyError.
        """
        configured = self.overrides(self.milestones[milestone_uid]).tolerance
        of_team = self.words.get(milestone_uid, NO_WORDS).tolerance
        return next(share for share in (configured, of_team, self.connection.tolerance) if share is not None)

    def overrides(self, milestone: Milestone) -> MilestoneOverrides:
        """Return what the configuration says about a milestone."""
        return self._overrides.get(self.id_of(milestone).uid, MilestoneOverrides())

    @cached_property
    def _overrides(self) -> Mapping[str, MilestoneOverrides]:
        return _overrides_by_uid(self.connection, self.ids)


def _ids(connection: Connection, projects: Mapping[str, Project], milestones: Iterable[Milestone]) -> MilestoneIds:
    return MilestoneIds(milestone_ids(connection.name, connection.source, milestones, projects))


def _overrides_by_uid(connection: Connection, ids: MilestoneIds) -> Mapping[str, MilestoneOverrides]:
    """Return what the configuration says about single milestones, by uid. Raises `AmbiguousIdError`."""
    found = {text: ids.find(f"{connection.name}:{text}") for text in connection.named}
    return {own.uid: connection.named[text] for text, own in found.items() if own is not None}


class LazyIssues(Mapping[str, Issue]):
    """Issues by uid, loaded when they are needed.

    Those of `prefetch` are loaded at once, those of `expect` together when one of them is looked up, and all others
    when one of these is.

    ``load`` returns the issues with these uids, or all of them for None.
    """

    def __init__(self, load: Callable[[Iterable[str] | None], Mapping[str, Issue]]) -> None:
        self._load = load
        self._known: LazyIssues | None = None
        self._issues: Mapping[str, Issue] = {}
        self._loaded: set[str] = set()
        self._expected: set[str] = set()
        self._is_complete = False

    def prefetch(self, uids: Iterable[str]) -> None:
        """Load the issues with these uids, where they are not loaded yet."""
        new = set(uids) - self._loaded
        if new and not self._is_complete:
            self._loaded |= new
            self._issues = {**self._issues, **self._shared(self._load(new))}

    def expect(self, uids: Iterable[str]) -> None:
        """Load the issues with these uids together, once one of them is looked up."""
        self._expected |= set(uids)

    def __getitem__(self, key: str) -> Issue:
        try:
            return self._issues[key]
        except KeyError:
            return self._with(key)[key]

    def __contains__(self, key: object) -> bool:
        return key in self._issues or key in self._with(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _with(self, key: object) -> Mapping[str, Issue]:
        """Return the issues with an issue that is not loaded yet, if it exists."""
        if key in self._expected:
            expected, self._expected = self._expected, set()
            self.prefetch(expected)
            if key in self._issues:
                return self._issues
        return self._all()

    def _all(self) -> Mapping[str, Issue]:
        if not self._is_complete:
            self._issues, self._is_complete = self._shared(self._load(None)), True
        return self._issues

    @property
    def loaded(self) -> Mapping[str, Issue]:
        """The issues that are loaded, by uid."""
        return self._issues

    def share(self, known: LazyIssues) -> None:
        """Hold the issues that ``known`` has loaded instead of equal ones: two sets of them take memory once."""
        self._known = known
        self._issues = self._shared(self._issues)

    def _shared(self, issues: Mapping[str, Issue]) -> Mapping[str, Issue]:
        if self._known is None:
            return issues
        known = self._known.loaded
        return {uid: known[uid] if known.get(uid) == issue else issue for uid, issue in issues.items()}


def load_rows(
    store: Store,
    connection: Connection,
    at: datetime,
    audience: Audience,
    reported: Collection[str],
    known_plans: Mapping[str, KnownPlan],
    removed: frozenset[str] = frozenset(),
) -> ConnectionRows:
    """Load the rows of a connection that an audience may read, as of ``at`` (UTC).

    Open items are loaded at once; all others of running and ``reported`` milestones (uids of those with a status issue)
    when one is needed; the rest when one of these is. ``known_plans`` and ``removed``: see `ConnectionRows`.
    """
    source = connection.source
    watched = store.watched_projects(connection.name, source) | removed
    projects = {
        project.id: project
        for project in store.projects(source)
        if project.id in watched and audience.may_read(connection.name, project)
    }
    if audience is not OPERATOR:
        watched = frozenset(projects)
    milestones = _load_milestones(store, connection, projects, at)
    words = {name: team_words(own.description) for name, own in milestones.items() if own.description}
    milestones |= _with_starts(connection, projects, milestones, words)
    rules = _item_rules(store, connection, projects.values())
    due_dates = _committed_dates(store.due_dates(source), milestones.values(), at)
    history = load_memberships(store, source, watched, at, rules, _hidden(projects, milestones.values()))
    work = WorkTable(history.memberships, history.closes)
    memberships, listed = _counted_and_listed(
        work, milestones, _countings(connection, projects), connection.changes.page
    )
    by_container = memberships.by_container()
    issues = LazyIssues(_loader(store, source, watched, projects, rules))
    rows = ConnectionRows(
        connection=connection,
        at=at,
        projects=projects,
        milestones={  # a milestone by rule exists only once it has had an item
            name: milestone
            for name, milestone in milestones.items()
            if milestone.kind is not MilestoneKind.RULE or name in by_container
        },
        due_dates=due_dates,
        work=work,
        memberships=memberships,
        page_memberships=listed,
        estimated=dict(history.estimated),
        issues=issues,
        words=words,
        known_plans=known_plans,
        recorded_joins=history.recorded,
        removed=removed,
        work_time=store.work_time(source),
        contradicting=history.contradicting,
        unlike=history.unlike,
    )
    _prepare(issues, rows, reported)
    return rows


def _hidden(projects: Mapping[str, Project], milestones: Iterable[Milestone]) -> Mapping[str, Collection[str]]:
    """Return by private project the public milestones: a comment that everybody reads must not count its items."""
    public = [own.id for own in milestones if projects[own.project].is_public]
    return {key: public for key, project in projects.items() if public and not project.is_public}


def _committed_dates(
    due_dates: Mapping[str, Sequence[DueDate]], milestones: Iterable[Milestone], at: datetime
) -> dict[str, Sequence[DueDate]]:
    """Return the due dates by milestone (native id), of a date that the tracker computes only the one known at ``at``.

    Such a date is no commitment: when it moves, nothing slips.
    """
    committed = dict(due_dates)
    for milestone in milestones:
        notes = [note for note in due_dates.get(milestone.id, ()) if note.seen <= at]
        if milestone.is_due_inherited and notes:
            committed[milestone.id] = (DueDate(notes[0].seen, notes[-1].due),)
    return committed


def _item_rules(store: Store, connection: Connection, projects: Iterable[Project]) -> ItemRules:
    """Return the rules for the issues of a connection."""
    return ItemRules(
        states={project.id: connection.state_rules_of(project.key) for project in projects},
        ignored=connection.ignored,
        status_issues=store.status_issue_ids(connection.source),
        own_labels=store.item_labels(connection.source),
    )


def _countings(connection: Connection, projects: Mapping[str, Project]) -> dict[str, Counting]:
    """Return the work that counts in the milestones of each project (native id)."""
    return {project.id: connection.counting(project.key) for project in projects.values()}


def _counted_and_listed(
    work: WorkTable, milestones: Mapping[str, Milestone], by_project: Mapping[str, Counting], page: Counting
) -> tuple[MembershipTable, MembershipTable]:
    """Return the memberships that count in each milestone (uid), and those of the tracker's own page.

    ``by_project``: the work that counts, by native project id.
    """
    countings = {name: by_project[milestone.project] for name, milestone in milestones.items()}
    listed = work.page_memberships({}, page)
    counted = listed if set(countings.values()) <= {page} else work.page_memberships(countings, page)
    return work.once(counted), listed


def _load_milestones(
    store: Store, connection: Connection, projects: Mapping[str, Project], at: datetime
) -> dict[str, Milestone]:
    """Load the milestones that the configuration admits, by uid.

    They are in the order of project and title, so that the ids of a tracker decide nothing.
    """
    source = connection.source
    stored = [milestone for _, milestone in store.milestones(source) if milestone.project in projects]
    milestones = {}
    for milestone in sorted(stored, key=lambda row: (projects[row.project].key, row.title, row.id)):
        project = projects[milestone.project]
        if milestone.created_at is not None and milestone.created_at > at:
            continue
        if milestone.kind is MilestoneKind.RULE or connection.admits(project.key, milestone.title):
            milestones[uid(source, "milestone", milestone.id)] = milestone
    return milestones


def _with_starts(
    connection: Connection,
    projects: Mapping[str, Project],
    milestones: Mapping[str, Milestone],
    words: Mapping[str, TeamWords],
) -> dict[str, Milestone]:
    """Return the milestones whose start the configuration gives, or else their description, with that start."""
    overrides = _overrides_by_uid(connection, _ids(connection, projects, milestones.values()))
    starts = {name: own.start for name, own in words.items()} | {
        name: own.start for name, own in overrides.items() if own.start is not None
    }
    return {name: replace(milestones[name], start=on) for name, on in starts.items() if on is not None}


def _loader(
    store: Store, source: str, watched: Collection[str], projects: Mapping[str, Project], rules: ItemRules
) -> Callable[[Iterable[str] | None], Mapping[str, Issue]]:
    def load(uids: Iterable[str] | None) -> Mapping[str, Issue]:
        prefix, issues = uid(source, "issue", ""), dict[str, Issue]()
        if uids is None:
            stored = store.issues(source, projects=watched)
        else:
            stored = store.issues(source, ids=[own.removeprefix(prefix) for own in uids])
        for issue in stored:
            if not rules.is_item(issue) or issue.id in rules.status_issues:
                continue
            project = projects.get(issue.project)
            named = _with_whole_keys(issue, project.key) if project else issue
            issues[prefix + issue.id] = rules.states_of(issue.project).with_state(named)
        return issues | undo_own_touches(issues, rules.own_labels, source)

    return load


def _with_whole_keys(issue: Issue, project: str) -> Issue:
    """Return an issue of a project (its key) with keys that mean one issue of the whole tracker.

    A milestone may hold issues of several projects.
    """
    blockers = tuple(whole_key(key, project) for key in issue.blocked_by)
    return replace(issue, key=whole_key(issue.key, project), blocked_by=blockers)


def _prepare(issues: LazyIssues, rows: ConnectionRows, reported: Collection[str]) -> None:
    """Load all open items and changes, and expect the other items of running and reported milestones."""
    issues.prefetch(item for own in (rows.open_items, rows.open_changes) for uids in own.values() for item in uids)
    shown = (own.id for own in rows.containers.values() if own.ended is None or own.id in reported)
    issues.expect(rows.memberships.items_of(shown))
