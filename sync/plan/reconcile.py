"""Compare the desired state of the trackers with the observed state, and plan the writes in between. Pure.

``reconcile(desired, observed)`` looks at values only. After its actions have been applied it returns none:

===============================  ==========================================================================
observed                         planned
===============================  ==========================================================================
no status issue                  create the issue with its labels, and the summary (policy ``create``); else nothing
a person closed the issue        nothing: that mutes the milestone; ``/milesync mute`` does the same
an issue that milesync created   close it when the milestone has ended, and reopen it when the milestone runs again
                                 (`sync.plan.issue_state`)
no label, or a sibling of it     one delta that adds our label and removes the siblings
no summary                       post the summary; nothing if a person deleted it
no data, last verdict kept       nothing
two summaries of ours            keep the older one, delete the others
summary with another meaning     rewrite it in place
same meaning, another text       rewrite it on a new day of the connection, unless the milestone is over, or if a
                                 person asks for it
summary that a person edited     keep it, until a person asks for a rewriting
another account's text with our  post nothing: either the token has changed, which `milesync adopt` confirms,
marker, and none of ours         or the text is a forgery
status differs from the          post a transition comment first, unless there is one already; on a quiet day
announced one                    wait, and keep the old status in the summary's marker
done for the first time          post the closing comment in place of the transition comment
issues need their owners         one reminder (`sync.plan.reminders`)
optional writes                  description, native health, board update, picture (`sync.plan.optional_writes`)
===============================  ==========================================================================

A summary whose marker has another method than the desired state was written by a version that computed otherwise. Its
texts and label are edited in place, with one line about the change; nothing is announced and no reminder is posted.
`sync.plan.limits.spread_rewriting` spreads such writes, and those of a new day, over several runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from sync.model.health import Status
from sync.model.policy import Policy
from sync.plan.board_status import ADOPT as ADOPT_UPDATE
from sync.plan.board_status import claimed_updates
from sync.plan.desired import LABELS, CommandCounts, Desired, Plan, Skipped, merge_plans
from sync.plan.inputs import PlannerInput
from sync.plan.issue_state import closes_issue, is_muted, with_issue_state
from sync.plan.optional_writes import plan_optional_writes
from sync.plan.reminders import is_reminder_due, last_reminder, plan_reminder
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    PostBoardUpdate,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.marker import Marker, MarkerKind, body_hash, is_claim, is_edited, is_of_other_address
from sync.tracker.observed import Claim, Observed, StatusIssue

__all__ = ["ADOPT", "first_summary", "reconcile"]

_ANNOUNCEMENTS = (MarkerKind.TRANSITION, MarkerKind.CLOSING)
"""The comments that announce a new status."""

_REWRITES = (UpdateComment, UpdateDescription, PostBoardUpdate)
"""The writes of a milestone whose texts are only refreshed."""

MOVED = "our texts there name the tracker by another address, {address}"

ADOPT = "another account wrote a text with our marker there; `milesync adopt` takes it over"


def reconcile(desired: Iterable[Desired], observed: Observed, *, instance: str, now: datetime) -> Plan:
    """Return the writes that bring ``observed`` to ``desired``. Pure: same values, same plan. ``now`` is in UTC."""
    known: dict[str, set[str]] = {project: set(names) for project, names in observed.labels.items()}
    plans = []
    for want in desired:
        if want.milestone in observed.failed:
            why = "its status issue could not be read"
            plans.append(Plan(skipped=(Skipped(want.milestone, why),), undecided=(want.milestone,)))
            continue
        if want.keeps_verdict:
            plans.append(Plan(undecided=(want.milestone,)))
            continue
        issue = _with_our_spelling(want, observed.issues.get(want.milestone))
        state = PlannerInput(want, issue, instance, now)
        plan = _MilestonePlanner(state).plan(observed.claims.get(want.milestone))
        why = _not_allowed(state) if plan.actions or plan.skipped else ""
        if why:
            plan = _without_writes(plan, state, why)
        labels = tuple(_new_labels(want, plan.actions, known))
        plans.append(msgspec.structs.replace(plan, actions=(*labels, *plan.actions)))
    return merge_plans(plans)


def first_summary(state: PlannerInput) -> CreateComment:
    """Return the action that posts the first summary on an existing status issue."""
    return _MilestonePlanner(state).post()


def _without_writes(plan: Plan, state: PlannerInput, why: str) -> Plan:
    """Return the plan of a milestone on which nothing may be written, with the reason ``why``.

    What only a person can clear stays in it, unless the milestone gets no status issue in any case.
    """
    want = state.desired
    if state.issue is None and not want.may_create:
        return Plan(skipped=(Skipped(want.milestone, why),), people=plan.people)
    obstacles = tuple(skipped for skipped in plan.skipped if skipped.place or skipped.address)
    skipped = obstacles or (Skipped(want.milestone, why),)
    people = msgspec.structs.replace(plan.people, muted=is_muted(state))
    return msgspec.structs.replace(plan, actions=(), recomputed=(), refreshed=(), skipped=skipped, people=people)


def _not_allowed(state: PlannerInput) -> str:
    """Return the reason why nothing may be written; empty if writes are allowed."""
    want, issue = state.desired, state.issue
    if issue is None and not want.may_create:
        if want.due is None:
            return "no status issue is opened for a milestone without a due date"
        return "no status issue is opened for a closed milestone"
    if issue is None and want.policy is Policy.UPDATE:
        return "it has no status issue, and the policy is to update only"
    if want.muted:
        return "a person muted it"
    if is_muted(state):
        return "its status issue is closed, which mutes it"
    return ""


def _with_our_spelling(want: Desired, issue: StatusIssue | None) -> StatusIssue | None:
    """Return the issue with our labels in our spelling, if the tracker ignores the case of labels."""
    if issue is None or not want.any_case:
        return issue
    ours = {label.lower(): label for label in (want.label, *want.siblings, *want.issue_labels)}
    return msgspec.structs.replace(issue, labels=tuple(ours.get(label.lower(), label) for label in issue.labels))


class _MilestonePlanner:
    """Plan the writes for one milestone. Of several summaries of ours, the oldest one counts."""

    def __init__(self, state: PlannerInput) -> None:
        self.state, self.want, self.address = state, state.desired, state.address
        want = state.desired
        self.comments = state.comments()
        pairs = [pair for pair in self.comments if pair[1].kind is MarkerKind.SUMMARY]
        self.summaries = sorted(pairs, key=lambda pair: (pair[0].created_at, pair[0].id))
        self.last = self.summaries[0][1] if self.summaries else None
        self.announced_status = self._announced_status()
        self.edited_by_person = bool(self.summaries) and self._is_edited_since_refresh()
        self.is_recomputed = self._is_recomputed()
        has_changed = self.announced_status is not None and self.announced_status is not want.status
        self.status_changed = has_changed and not want.stale and not self.is_recomputed
        self.is_reminder_due = is_reminder_due(state, self.last)

    def plan(self, claim: Claim | None) -> Plan:
        """Return the plan; ``claim`` is a status issue that another account created with our marker."""
        want, issue = self.want, self.state.issue
        address = self._other_address(claim)
        if address:
            return Plan(skipped=(Skipped(want.milestone, MOVED.format(address=address), address),))
        actions, skipped = self._plan_first(claim) if issue is None else self._plan_existing(issue)
        if not want.stale and skipped != ADOPT:
            is_new = issue is None and bool(actions)
            optional, reason = plan_optional_writes(msgspec.structs.replace(self.state, is_new=is_new))
            actions += optional  # last, since a refusal ends the writes of the milestone
            skipped = skipped or reason
            actions, reason = with_issue_state(self.state, actions)
            skipped = skipped or reason
        people = CommandCounts(
            understood=want.understood,
            ignored=want.ignored,
            muted=want.muted,
            edited=self.edited_by_person,
            waiting=self.status_changed and want.quiet,
        )
        return Plan(
            actions=tuple(actions),
            recomputed=(want.milestone,) if self.is_recomputed and actions else (),
            refreshed=(want.milestone,) if actions and self._is_refresh_only(actions) else (),
            skipped=(self._skipped(skipped, claim),) if skipped else (),
            without_issue=(want.milestone,) if any(isinstance(a, CreateStatusIssue) for a in actions) else (),
            undecided=(want.milestone,) if want.stale else (),
            people=people,
        )

    def _other_address(self, claim: Claim | None) -> str:
        """Return the address in texts of ours that name the milestone at another address of the tracker.

        Empty without such texts, or next to a summary of the present address.
        """
        if self.summaries:
            return ""
        issue, milestone = self.state.issue, self.want.milestone
        texts = [comment.marker for comment in issue.comments] if issue else [claim.marker] if claim else []
        markers = filter(None, map(Marker.decode, texts))
        others = [marker for marker in markers if is_of_other_address(marker, milestone, self.state.instance)]
        return others[0].milestone.rpartition("/milestone/")[0] if others else ""

    def _skipped(self, why: str, claim: Claim | None) -> Skipped:
        """Return the reason why something is not written, with the account that claims it, if one does."""
        uid, instance, issue = self.want.milestone, self.state.instance, self.state.issue
        if why == ADOPT and issue is None and claim is not None:
            return Skipped(uid, why, claimed_by=claim.author, place=claim.issue)
        place = issue.issue if issue else ""
        if why == ADOPT and issue is not None:
            authors = [c.author for c in issue.claims if is_claim(c, instance, uid, MarkerKind.SUMMARY)]
            return Skipped(uid, why, claimed_by=authors[0], place=place)
        if why == ADOPT_UPDATE and issue is not None:
            return Skipped(uid, why, claimed_by=claimed_updates(issue, uid, instance)[0].author, place=place)
        return Skipped(uid, why)

    # --- status issue and label -------------------------------------------------------------------------------------

    def _plan_first(self, claim: Claim | None) -> tuple[list[Action], str]:
        """Return the writes for a milestone without a status issue, and the reason if it gets none."""
        want, instance = self.want, self.state.instance
        if claim is not None and is_claim(claim, instance, want.milestone, MarkerKind.STATUS_ISSUE):
            return [], ADOPT
        if want.stale:
            return [], ""
        marker = Marker(instance=instance, kind=MarkerKind.STATUS_ISSUE, milestone=want.milestone).encode()
        title, body = want.issue_title, want.issue_body
        labels = tuple(dict.fromkeys((want.label, *want.issue_labels)))
        return [
            CreateStatusIssue(**self.address, title=title, body=body, marker=marker, labels=labels),
            self.post(),
            *plan_reminder(self.state, self.last),
        ], ""

    def _plan_existing(self, issue: StatusIssue) -> tuple[list[Action], str]:
        """Return the writes for a milestone with a status issue, and the reason for a write that is left out."""
        want = self.want
        actions = list(self._changes(issue))
        if self.summaries or want.stale:
            keeps_edited = self.edited_by_person and self._must_rewrite()
            return actions, "a person edited its summary, which stays" if keeps_edited else ""
        claims = [is_claim(claim, self.state.instance, want.milestone, MarkerKind.SUMMARY) for claim in issue.claims]
        if any(claims):
            return actions, ADOPT
        if not want.previous.summary:
            actions += [self.post(), *plan_reminder(self.state, self.last)]
        return actions, ""

    def _changes(self, issue: StatusIssue) -> Iterator[Action]:
        """Yield the changes on an existing status issue, except a first summary."""
        want = self.want
        wrong = tuple(label for label in want.siblings if label in issue.labels)
        if (want.label not in issue.labels or wrong) and not want.stale:
            yield MoveLabel(**self.address, issue=issue.issue, add=want.label, remove=wrong)
        for comment, marker in self.summaries[1:]:
            if not is_edited(comment.body, marker):
                yield DeleteComment(**self.address, issue=issue.issue, comment=comment.id)
        if self.announced_status is not None and self.status_changed and not want.quiet:
            yield from self._announcement(issue, self.announced_status)
        if self.summaries and not self.edited_by_person and self._must_rewrite():
            comment, _ = self.summaries[0]
            text = self._summary_marker().encode()
            yield UpdateComment(**self.address, issue=issue.issue, comment=comment.id, body=want.summary, marker=text)
        if self.summaries and not want.stale:
            yield from plan_reminder(self.state, self.last)

    # --- announced status -------------------------------------------------------------------------------------------

    def _announced_status(self) -> Status | None:
        """Return the status of the last summary or later announcement; None if there is none."""
        if self.last is None or self.last.status is None:
            return None
        return self._last_announcement(self.last).status

    def _last_announcement(self, summary: Marker) -> Marker:
        """Return the marker of the last announcement, or that of the ``summary`` if it is later."""
        announced = [(summary.written or self.summaries[0][0].created_at, summary)]
        announced += [
            (comment.created_at, marker)
            for comment, marker in self.comments
            if marker.kind in _ANNOUNCEMENTS and marker.status
        ]
        return max(announced, key=lambda pair: pair[0])[1]

    def _is_recomputed(self) -> bool:
        """Return whether another method gave the status that was announced last.

        The marker of a summary that a person edited cannot be rewritten. Then a transition within the new method is
        announced, and the announcement carries the new method.
        """
        if self.last is None or self.want.stale:
            return False
        if self.edited_by_person:
            return self._last_announcement(self.last).method != self.want.method and not self.want.is_transition
        return self.last.method != self.want.method

    def _announcement(self, issue: StatusIssue, before: Status) -> Iterator[CreateComment]:
        """Yield the transition or closing comment, unless the same status was announced already."""
        want, markers = self.want, [marker for _, marker in self.comments]
        if any(m.kind in _ANNOUNCEMENTS and m.status is want.status and m.since == want.since for m in markers):
            return
        is_first_end = want.status.is_over and all(m.kind is not MarkerKind.CLOSING for m in markers)
        body = (want.closing if is_first_end else None) or want.transition(before)
        if body is None:
            return
        marker = Marker(
            instance=self.state.instance,
            kind=MarkerKind.CLOSING if body == want.closing else MarkerKind.TRANSITION,
            milestone=want.milestone,
            status=want.status,
            since=want.since,
            body=body_hash(body),
            method=want.method,
            closes=closes_issue(self.state, before),
        )
        yield CreateComment(**self.address, issue=issue.issue, body=body, marker=marker.encode(), summary=False)

    # --- summary ----------------------------------------------------------------------------------------------------

    def post(self) -> CreateComment:
        """Return the action that posts the summary."""
        issue, marker = self.state.issue.issue if self.state.issue else "", self._summary_marker().encode()
        return CreateComment(**self.address, issue=issue, body=self.want.summary, marker=marker, summary=True)

    def _is_edited_since_refresh(self) -> bool:
        """Return whether a person has edited the summary, and not asked for a rewriting since."""
        comment, marker = self.summaries[0]
        refresh = self.want.refresh
        return is_edited(comment.body, marker) and not (refresh and refresh >= comment.updated_at)

    def _must_rewrite(self) -> bool:
        want, last = self.want, self.last
        is_announced = self.status_changed and not want.quiet
        if last is None or last.meaning != want.meaning or is_announced or self.is_reminder_due or self.is_recomputed:
            return True
        if want.refresh is not None and (last.written is None or last.written < want.refresh):
            return True
        return last.body != body_hash(want.summary) and self._is_new_day(last) and not want.status.is_over

    def _is_new_day(self, last: Marker) -> bool:
        """Return whether the summary was last written on an earlier day in the zone of the connection."""
        return last.written is None or self.state.day_of(last.written) < self.state.today

    def _is_refresh_only(self, actions: Sequence[Action]) -> bool:
        """Return whether all the writes rewrite our texts in place, for the first time on a new day."""
        is_new_day = self.last is not None and self._is_new_day(self.last)
        return is_new_day and not self.status_changed and all(isinstance(action, _REWRITES) for action in actions)

    def _summary_marker(self) -> Marker:
        """Return the marker of the summary.

        A status that is not announced yet, on a quiet day or with stale data, is not in the marker either. With stale
        data the method stays, too.
        """
        want, last, now = self.want, self.last, self.state.now
        waits = last is not None and ((self.status_changed and want.quiet) or want.stale)
        return Marker(
            instance=self.state.instance,
            kind=MarkerKind.SUMMARY,
            milestone=want.milestone,
            status=self.announced_status if waits else want.status,
            since=last.since if last is not None and waits else want.since,
            baseline=want.baseline,
            probability=want.probability,
            p50=want.p50,
            p70=want.p70,
            p85=want.p85,
            p95=want.p95,
            dated=want.dated,
            due=want.due,
            changes_since=want.changes_since,
            previous_forecast=want.previous_forecast,
            meaning=want.meaning,
            body=body_hash(want.summary),
            written=max(now, want.refresh or now),
            reminded=now if self.is_reminder_due else last_reminder(self.state, last),
            replan=want.replan,
            clock=want.clock,
            method=last.method if last is not None and want.stale else want.method,
            method_changed_at=want.method_changed_at,
            prefix=want.prefix,
        )


def _new_labels(want: Desired, actions: Sequence[Action], known: dict[str, set[str]]) -> Iterator[CreateLabel]:
    """Yield the labels to create: those that the actions use and the project does not have.

    ``known`` are the labels of each project (native id); the new ones are added.
    """
    if not want.needs_label:
        return
    fold = str.lower if want.any_case else str
    have = known.setdefault(want.project, set())
    have |= set(map(fold, have))
    used = [action.add for action in actions if isinstance(action, MoveLabel)]
    for action in actions:
        if isinstance(action, CreateStatusIssue):
            used += action.labels
    colour, description = LABELS[want.status]
    for label in used:
        if fold(label) in have:
            continue
        have.add(fold(label))
        is_status_label = label == want.label
        yield CreateLabel(
            milestone=want.milestone,
            project=want.project,
            project_key=want.project_key,
            label=label,
            colour=colour if is_status_label else "ededed",
            description=description if is_status_label else "Carries a milestone's health",
        )
