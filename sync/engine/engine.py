"""The order of steps, written here and nowhere else: pull, assess, observe, plan, apply.

Each step is one method and can be run alone. Connections are pulled side by side; one that fails delays nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import msgspec

from sync.assess.closing import new_closing_records
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.assess.portfolio import AssessedJointMilestone, Portfolio
from sync.assess.recovery import recover
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot, explain, history_of, scores
from sync.engine.apply import Writer
from sync.engine.desired import DesiredBuilder
from sync.engine.result import Result
from sync.forecast.track_record import StreamScore
from sync.history.ledger import Ledger
from sync.model.health import UnknownWhy
from sync.model.item_label import ItemLabel
from sync.model.policy import Policy
from sync.plan.desired import Plan
from sync.plan.desired import merge_plans as _plans
from sync.plan.item_labels_more import marked
from sync.plan.limits import Limits, over_limits
from sync.plan.reconcile import reconcile
from sync.pull.parallel import side_by_side
from sync.pull.progress import Progress, silent
from sync.pull.pull import Puller, Share, asked
from sync.report.burnup import drawn
from sync.report.page_links import Pages
from sync.store.store import Store
from sync.telemetry.traces import span
from sync.tracker.actions import Action, LabelItem, UpdateDescription
from sync.tracker.connection import Connection
from sync.tracker.errors import TrackerError
from sync.tracker.observed import Observed, StatusIssue, Target

__all__ = ["Engine"]

SWEEP = timedelta(days=1)
"""How long the last observation of a status issue stands when nothing tells that it changed."""


UNREAD = timedelta(days=1)
"""How long a project stays in view that no part of a round has read: nobody knows whether another one still will."""


@dataclass
class Engine:
    """The steps over a set of sources and one store. ``holder`` names this process in leases.

    With a ``part`` only its connections are asked; the history that is assessed from is always that of every source.
    """

    sources: Sequence[Connection]
    store: Store
    instance: str
    clock: Callable[[], datetime]
    rules: AssessmentRules
    limits: Limits
    run_id: str
    holder: str
    progress: Progress = silent
    part: Share | None = None
    pages: Pages | None = None
    """The report, where it is published: comments link to its pages."""
    puller: Puller | None = None
    """What reads the trackers, where it is there already; it has the same sources, store, clock and progress."""
    left: list[str] = field(default_factory=list)
    """What a tracker would not let us take away or close, and why."""
    whole: Portfolio | None = None
    """What was assessed last, with the joint milestones and what waits for what."""
    _answering: set[str] | None = None
    _looked: Observed = field(default_factory=Observed)
    _looked_at: set[str] = field(default_factory=set)
    """What was observed before the assessment, and of which milestones."""
    _over: list[tuple[str, list[ItemLabel]]] = field(default_factory=list)
    """Labels on items that may be forgotten, by tracker, since the matter of each is over."""
    _terms: dict[str, int | None] = field(default_factory=dict)
    """By source: how often the right to write there had been given when it was first observed; None: it was held."""

    def __post_init__(self) -> None:
        self._puller = self.puller or Puller(self.sources, self.store, self.clock, self.progress)
        self.failures = self._puller.failures
        self.desired = DesiredBuilder(self.store, self.instance, self.rules, self.pages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self._puller.close()

    @property
    def pulled(self) -> int:
        """Issues pulled so far."""
        return self._puller.pulled

    @property
    def went_through(self) -> bool:
        """Whether at least one project was read to the end."""
        return self._puller.went_through

    @property
    def requests(self) -> dict[str, int]:
        """Requests sent so far, by connection."""
        return self._puller.requests

    @property
    def asked(self) -> list[Connection]:
        """The sources whose trackers are asked."""
        return asked(self.sources, self.part)

    # --- pull ------------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Bring the store up to date, every connection at once."""
        self._puller.run(self.part)

    # --- assess ----------------------------------------------------------------------------------------------------

    @span("assess")
    def assess(self, at: datetime | None = None, *, keep: bool = True) -> list[AssessedMilestone]:
        """The health of every milestone; ``keep`` stores what is no replay (``at``), for hysteresis and scoring."""
        self.progress("assess")
        reading = self._reading(at)
        self.whole = build_portfolio(reading)
        if keep and at is None and self._recall(self.whole.milestones, reading.previous):
            self.whole = build_portfolio(self._reading(at))
        made = list(self.whole.milestones)
        if keep and at is None:
            mine = {source.name for source in self.asked}
            fresh = [
                milestone
                for milestone in made
                if milestone.current
                and milestone.source.name in mine
                and milestone.health.unknown is not UnknownWhy.STALE
            ]
            healths = [milestone.health for milestone in fresh] + [
                joint.health for joint in self.whole.joints if not joint.stale
            ]
            self.store.save_health(self.run_id, healths, {milestone.uid: milestone.stream for milestone in fresh})
            self.store.save_records(new_closing_records(self.store, fresh))
        return made

    def _recall(self, assessed: Sequence[AssessedMilestone], previous: Collection[str]) -> bool:
        """Look at the status issues of milestones that the store knows nothing said about, and take from our comments
        there what they alone remember. Whether there was anything.
        """
        seen = self.store.observed()
        new = [
            milestone
            for milestone in assessed
            if milestone.current and milestone.uid not in previous and milestone.uid not in seen
        ]
        new = [milestone for milestone in new if milestone.source.name in self._ready()]
        self._looked, self._looked_at = self.observe(new), {milestone.uid for milestone in new}
        found = {
            milestone.uid: recover(milestone, self._looked.issues.get(milestone.uid), self.instance)
            for milestone in new
        }
        for milestone in new:
            told = found[milestone.uid]
            if told is not None:
                self.store.note_due_dates(milestone.source.connector.source, milestone.milestone.id, told.dues)
        healths = [told.health for told in found.values() if told is not None]
        self.store.save_health(self.run_id, healths, {milestone.uid: milestone.stream for milestone in new})
        return bool(healths)

    def _reading(self, at: datetime | None) -> Snapshot:
        return Snapshot(self.store, self.sources, at or self.clock(), self.rules, replay=at is not None)

    @property
    def joints(self) -> tuple[AssessedJointMilestone, ...]:
        """The joint milestones as they were assessed last."""
        return self.whole.joints if self.whole else ()

    def history(self, at: datetime | None = None) -> Ledger:
        """What is known of every milestone that the sources admit, in columns."""
        return history_of(self.store, self.sources, at or self.clock(), self.rules)

    def track_record(self, at: datetime | None = None) -> dict[str, StreamScore]:
        """How the forecasts that were published here have fared, by stream."""
        return scores(self.store, self.sources, at or self.clock(), self.rules)

    def explain(self, written: str, at: datetime | None = None) -> dict[str, object] | None:
        """Every number behind one milestone, by its written id; None when there is no such milestone."""
        if written.startswith("joint:"):
            joints = build_portfolio(self._reading(at)).joints
            return next((joint.explain() for joint in joints if joint.written == written), None)
        found = explain(self.store, self.sources, at or self.clock(), self.rules, written, replay=at is not None)
        for record in self.store.records([found["container"]["id"]] if found else []).values():
            found = {**(found or {}), "closing": msgspec.to_builtins(record)}
        return found

    # --- plan ------------------------------------------------------------------------------------------------------

    @span("plan")
    def plan(self, assessed: Sequence[AssessedMilestone], *, fresh: bool = False) -> Plan:
        """What would be written. Status issues are observed afresh where the plan would write, where the pull shows
        a change, and once a day; ``fresh`` observes them all.
        """
        self.progress("plan", "")
        looked = set() if fresh else self._looked_at
        known = {} if fresh else {u: issue for u, issue in self._remembered(assessed).items() if u not in looked}
        managed = [milestone for milestone in assessed if milestone.current and milestone.source.name in self._ready()]
        seen = self.observe(
            [milestone for milestone in managed if milestone.uid not in known and milestone.uid not in looked]
        )
        seen = seen if fresh else _merged(self._looked, seen)
        plan = self._reconcile(managed, known, seen)
        told = [action for action in plan.actions if not isinstance(action, LabelItem | UpdateDescription)]
        touched = {action.milestone for action in told} - seen.issues.keys() - seen.failed.keys()
        again = [milestone for milestone in managed if milestone.uid in touched and milestone.uid in known]
        if again:
            more = self.observe(again)
            seen = _merged(seen, more)
            known = {uid: issue for uid, issue in known.items() if uid not in touched}
            plan = self._reconcile(managed, known, seen)
        return plan

    def _ready(self) -> set[str]:
        """The sources whose tracker told what it can do; some have to be asked, and may not answer."""
        if self._answering is None:
            self._answering = set()
            for source in self.asked:
                try:
                    source.connector.capabilities  # noqa: B018 - asking is the point
                except TrackerError as error:
                    if not any(failure.connection == source.name for failure in self.failures):
                        self._puller.failed(source, "", error)
                else:
                    self._answering.add(source.name)
        return self._answering

    def _remembered(self, assessed: Sequence[AssessedMilestone]) -> dict[str, StatusIssue | None]:
        """The observations that still stand; None: it had no status issue."""
        now, ours = self.clock(), {milestone.uid: milestone for milestone in assessed}
        found: dict[str, StatusIssue | None] = {}
        for uid, (issue, at) in self.store.observed().items():
            milestone = ours.get(uid)
            if milestone is None or now - at >= SWEEP:
                continue
            origin = milestone.source.connector.source
            if issue is not None and any(one.why for one in (*issue.boards, *([issue.files] if issue.files else ()))):
                continue  # what could not be used may be put right at any time
            if issue is None or not self.store.touched(origin, issue.issue, milestone.project.id, at):
                found[uid] = issue
        return found

    @span("observe")
    def observe(self, wanted: Sequence[AssessedMilestone]) -> Observed:
        """Read status issues afresh, connection by connection; a failure concerns its own milestones only."""
        shares = [
            (source, [milestone for milestone in wanted if milestone.source is source]) for source in self.sources
        ]
        seen = Observed()
        shares = [share for share in shares if share[1]]
        names = [source.name for source, _ in shares]
        for found in side_by_side(lambda share: self._observe_one(*share), shares, names):
            seen = _merged(seen, found)
        return seen

    def _observe_one(self, source: Connection, wanted: Sequence[AssessedMilestone]) -> Observed:
        self.progress("observe", f"{source.name}: {len(wanted)} status issues")
        self._terms.setdefault(source.connector.source, self.store.term(source.connector.source))
        told = self.store.boards()
        try:
            found = source.connector.observe(
                [self.target(milestone, told.get(milestone.uid, ())) for milestone in wanted]
            )
        except TrackerError as error:
            self._puller.failed(source, "", error)
            return Observed(failed={milestone.uid: error for milestone in wanted})
        for milestone in wanted:
            if milestone.uid not in found.failed:
                self.store.save_observed(milestone.uid, found.issues.get(milestone.uid), self.clock(), self.instance)
        return found

    def target(self, milestone: AssessedMilestone, told: Iterable[str]) -> Target:
        """What is observed of a milestone; ``told`` are the boards on which it has been posted."""
        known = self.store.observed().get(milestone.uid)
        issue = milestone.report_on or (known[0].issue if known and known[0] else "")
        boards = {milestone.source.also_of(milestone.project.key).project_status, *told} - {""}
        return Target(
            milestone=milestone.uid,
            project=milestone.project.id,
            project_key=milestone.project.key,
            issue=issue,
            instance=self.instance,
            boards=tuple(sorted(boards)) if milestone.source.connector.capabilities.boards else (),
            attaching=milestone.source.attaches(milestone.project.key),
        )

    def _reconcile(
        self, managed: Sequence[AssessedMilestone], known: Mapping[str, StatusIssue | None], seen: Observed
    ) -> Plan:
        stood = {uid: issue for uid, issue in known.items() if issue is not None}
        merged = _merged(Observed(issues=stood), seen)
        wanted = self.desired.build(managed, merged, self.store.posted(), self.clock())
        plan = reconcile(wanted, merged, instance=self.instance, now=self.clock())
        silent = {want.milestone for want in wanted if want.muted}
        silent |= {uid for uid, issue in merged.issues.items() if issue.closed}
        return _plans([plan, *self._marks(managed, silent, merged)])

    def _marks(self, managed: Sequence[AssessedMilestone], silent: Collection[str], seen: Observed) -> Iterator[Plan]:
        """What is written on the items, source by source."""
        self._over = []
        for source in self.sources:
            mine = [milestone for milestone in managed if milestone.source is source]
            if mine:
                origin = source.connector.source
                plan, over = marked(mine, self.store.marks(origin), silent=silent, known=seen.labels, now=self.clock())
                self._over.append((origin, over))
                yield plan

    # --- apply -----------------------------------------------------------------------------------------------------

    @span("apply")
    def apply_into(self, result: Result) -> None:
        """Do the result's planned writes, as far as the policies allow, noting each; a refusal ends it."""
        for origin, ended in self._over:
            self.store.forget_marks(origin, ended)
        by_uid = {milestone.uid: milestone for milestone in result.assessed}
        owner = {uid: milestone.source for uid, milestone in by_uid.items()}
        allowed = [
            action
            for action in result.plan.actions
            if owner[action.milestone].policy_of(action.project_key) is not Policy.PLAN
        ]
        over = over_limits(Plan(actions=tuple(allowed)), self.limits, len(result.assessed))
        if over:
            result.refused = [str(refusal) for refusal in over]
            return
        trackers: dict[str, list[tuple[Connection, Action]]] = {}
        for action in allowed:
            source = owner[action.milestone]
            trackers.setdefault(source.connector.source, []).append((source, action))
        writer = Writer(
            store=self.store,
            instance=self.instance,
            clock=self.clock,
            run_id=self.run_id,
            holder=self.holder,
            progress=self.progress,
            draw=lambda uid: drawn(by_uid[uid]),
            failed=self._puller.failed,
            left=self.left,
            terms=self._terms,
        )
        names = [actions[0][0].name for actions in trackers.values()]
        for share in side_by_side(writer.apply, list(trackers.values()), names):
            result.written += share.written
            result.refused += share.refused
            result.held |= share.held

    # --- run -------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Pull, assess, plan, apply."""
        with span("run", run=self.run_id):
            self.store.start_run(self.run_id, self.clock())
            self.pull()
            return self._write_back()

    def write_back(self) -> Result:
        """Assess, plan, apply: a run over what has been pulled."""
        with span("run", run=self.run_id):
            self.store.start_run(self.run_id, self.clock())
            if self.part is not None:
                for source in self.asked:
                    self.store.unwatch(source.name, source.connector.source, self.part.since - UNREAD)
            return self._write_back()

    def refresh(self) -> Result | None:
        """Run for those projects of a part's one connection of which was said that they may have changed.

        None when there are none. What is said meanwhile stays for the next time; so does all of it when this fails.
        """
        assert self.part is not None
        (source,) = self.asked
        said = self.store.dirty().get(source.name, {})
        known = tuple(project for project in source.projects if project in said)
        if not known:
            self.store.clean(source.name, said)
            return None
        self.part = replace(self.part, projects=known)
        result = self.run()
        if not self.failures and not result.held:
            self.store.clean(source.name, said)
        return result

    def _write_back(self) -> Result:
        assessed = self.assess()
        plan = self.plan(assessed)
        result = Result(assessed=assessed, plan=plan, failures=self.failures)
        self.apply_into(result)
        self.store.finish_run(self.run_id, result.summary())
        return result


def _merged(first: Observed, second: Observed) -> Observed:
    return Observed(
        issues={**first.issues, **second.issues},
        failed={**first.failed, **second.failed},
        labels={**first.labels, **second.labels},
        claims={**first.claims, **second.claims},
    )
