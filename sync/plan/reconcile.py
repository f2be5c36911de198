"""From what should stand in the trackers and what does stand there to the writes between: pure, level-triggered.

``reconcile(desired, observed)`` looks at values only. After its actions have been applied it returns none:

===============================  ==========================================================================
what is observed                 what is planned
===============================  ==========================================================================
no status issue                  create it, its label and the summary (policy ``create``); else nothing
status issue closed by a person  nothing: that mutes the milestone; so does their ``/milesync mute``
no label, or a sibling of it     one delta that adds ours and removes the siblings
no summary                       post it; nothing when ours was there and a person deleted it
two summaries of ours            keep the older, delete the rest
summary with another meaning     rewrite it in place
same meaning, another body       rewrite it when the last rewriting is a day old, or when a person asks
summary that a person edited     leave it, until they ask for a rewriting
another account's text with our  make no second one: either the token has changed, which `milesync adopt` confirms,
marker, and none of ours         or it is a forgery
status differs from the one      a transition comment first, unless that very one stands there already; on a quiet day
that people were told            it waits, and the summary's marker keeps the old status until it is told
it is done, for the first time   the closing comment takes the place of that transition
issues ask for their owners      one reminder, rewritten in place; posted anew (the old one goes) at its cadence only,
                                 and taken away when nothing is asked any more
no update on the project board   post it where that is asked for; rewrite it in place (`sync.plan.board_status`)
no picture, or one that tells    attach it where that is asked for, then take the old one away; once a day at most
something else                   (`sync.plan.attachment`)
===============================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sync.model.health import Status
from sync.model.policy import Policy
from sync.plan.attachment import plan_attachment
from sync.plan.board_status import plan_board_update
from sync.plan.desired import LABELS, CommandCounts, Desired, Plan, Skipped, label_name, merge_plans
from sync.tracker.actions import (
    Action,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.managed_block import find_block
from sync.tracker.marker import Marker, MarkerKind, body_hash
from sync.tracker.observed import Claim, Observed, OurComment, StatusIssue

__all__ = [
    "LABELS",
    "CommandCounts",
    "Desired",
    "Marker",
    "MarkerKind",
    "Plan",
    "Policy",
    "Skipped",
    "claimed",
    "edited",
    "first_summary",
    "label_name",
    "merge_plans",
    "ours",
    "reconcile",
]

_TELLING = (MarkerKind.TRANSITION, MarkerKind.CLOSING)
"""What tells people a new status."""

QUIET = timedelta(days=1)
"""How old a summary must be before it is rewritten although its meaning is the same."""


def reconcile(desired: Iterable[Desired], observed: Observed, *, instance: str, now: datetime) -> Plan:
    """The writes that make ``observed`` what ``desired`` says. Pure: same values, same plan."""
    known: dict[str, set[str]] = {project: set(names) for project, names in observed.labels.items()}
    made = []
    for want in desired:
        if want.milestone in observed.failed:
            made.append(Plan(skipped=(Skipped(want.milestone, "its status issue could not be read"),)))
            continue
        have = _spelled(want, observed.issues.get(want.milestone))
        plan = _MilestonePlanner(want, have, instance, now).plan(observed.claims.get(want.milestone))
        why = _not_allowed(want, have) if plan.actions or plan.skipped else ""
        if why:
            plan = Plan(skipped=(Skipped(want.milestone, why),), people=plan.people)
        labels = tuple(_new_labels(want, plan.actions, known))
        made.append(msgspec.structs.replace(plan, actions=(*labels, *plan.actions)))
    return merge_plans(made)


def _not_allowed(want: Desired, have: StatusIssue | None) -> str:
    if have is None and not want.may_create:
        return "no status issue is made for it"
    if have is None and want.policy is Policy.UPDATE:
        return "it has no status issue, and the policy is to update only"
    if have is not None and have.closed:
        return "its status issue is closed, which mutes it"
    if want.muted:
        return "a person muted it"
    return ""


def _spelled(want: Desired, have: StatusIssue | None) -> StatusIssue | None:
    """What stands there with our labels as we write them, where case tells none apart in the tracker."""
    if have is None or not want.any_case:
        return have
    ours = {label.lower(): label for label in (want.label, *want.siblings, *want.issue_labels)}
    return msgspec.structs.replace(have, labels=tuple(ours.get(label.lower(), label) for label in have.labels))


def _same(name: str, other: str) -> bool:
    return name.replace("\r\n", "\n") == other


class _MilestonePlanner:
    """One milestone: what is wanted, what stands there, and the summary of ours that counts (the oldest)."""

    def __init__(self, want: Desired, have: StatusIssue | None, instance: str, now: datetime) -> None:
        self.want, self.have, self.instance, self.now = want, have, instance, now
        self.to: dict[str, Any] = {k: getattr(want, k) for k in ("milestone", "project", "project_key")}
        self.ours = ours(have.comments if have else (), instance, want.milestone)
        pairs = [pair for pair in self.ours if pair[1].kind is MarkerKind.SUMMARY]
        self.summaries = sorted(pairs, key=lambda pair: (pair[0].created_at, pair[0].id))
        self.last = self.summaries[0][1] if self.summaries else None
        self.told = self._told()
        self.turned = self.told is not None and self.told is not want.status and not want.stale
        self.edited = bool(self.summaries) and edited(self.summaries[0][0].body, self.summaries[0][1])
        self.kept = self.edited and not (want.refresh and want.refresh >= self.summaries[0][0].updated_at)

    def plan(self, claim: Claim | None) -> Plan:
        """The writes; ``claim`` is on a status issue that another account made."""
        want, skipped = self.want, ""
        if self.have is None:
            taken = claim is not None and claimed(claim, self.instance, want.milestone, MarkerKind.STATUS_ISSUE)
            actions = [] if want.stale or taken else list(self._first())
            skipped = ADOPT if taken else ""
        else:
            actions = list(self._next(self.have))
            if not self.summaries and not want.stale:
                claims, kind = self.have.claims, MarkerKind.SUMMARY
                taken = any(claimed(one, self.instance, want.milestone, kind) for one in claims)
                silent = taken or want.previous.summary
                actions += [] if silent else [self.post(self.have.issue), *self._reminders(self.have.issue)]
                skipped = ADOPT if taken else ""
            elif self.kept and self._must_rewrite():
                skipped = "a person edited its summary, which stays"
        if not want.stale and skipped != ADOPT:
            actions += [*self._describe(), *self._set_health(first=bool(actions) and self.have is None)]
            tell, unsaid = plan_board_update(want, self.have, self.instance)
            pictures, undone = plan_attachment(want, self.have, self.instance, self.now)
            actions += [*tell, *pictures]  # last, as what a tracker refuses ends its milestone's writes
            skipped = skipped or self._no_health() or unsaid or undone
        people = CommandCounts(
            understood=want.understood,
            ignored=want.ignored,
            muted=want.muted,
            edited=self.kept,
            waiting=self.turned and want.quiet,
        )
        return Plan(
            actions=tuple(actions),
            skipped=(Skipped(want.milestone, skipped),) if skipped else (),
            people=people,
        )

    def _describe(self) -> Iterator[Action]:
        """The lines in the milestone's own description. What a person edited or took out there stays so."""
        want, there = self.want, self.want.current_description
        if want.description is None or there is None:
            return
        old = find_block(there.text, self.instance)
        edited_by_hand = old is not None and old.edited(want.milestone)
        if edited_by_hand or (old is None and (want.previous.description or not want.description)):
            return
        old_lines, was = (there.text[old.start : old.end], old.mark) if old else ("", "")
        grown = len(there.text.encode()) + len(want.description.encode()) - len(old_lines.encode())
        if _same(old_lines, want.description) or grown > there.limit:
            return
        about = {"native": there.native, "key": there.key, "url": there.url}
        yield UpdateDescription(**self.to, **about, instance=self.instance, lines=want.description, was=was)

    def _set_health(self, *, first: bool) -> Iterator[Action]:
        """The tracker's own health status. What a person set, or took away after us, stays so."""
        want = self.want
        now = self.have.health if self.have else "" if first else None
        if want.health is not None and now is not None and now == (want.previous.health or "") != want.health:
            yield SetNativeHealth(**self.to, issue=self.have.issue if self.have else "", value=want.health)

    def _no_health(self) -> str:
        lacks = self.want.health and self.have is not None and self.have.health is None
        return "its tracker's licence knows no health status" if lacks else ""

    def _first(self) -> Iterator[Action]:
        want = self.want
        marker = Marker(instance=self.instance, kind=MarkerKind.STATUS_ISSUE, milestone=want.milestone).encode()
        title, body, labels = want.issue_title, want.issue_body, want.issue_labels
        yield CreateStatusIssue(**self.to, title=title, body=body, marker=marker, labels=labels)
        yield MoveLabel(**self.to, issue="", add=want.label)
        yield self.post("")
        yield from self._reminders("")

    def _next(self, have: StatusIssue) -> Iterator[Action]:
        """What changes where something stands already, but for a first summary."""
        want = self.want
        wrong = tuple(label for label in want.siblings if label in have.labels)
        if (want.label not in have.labels or wrong) and not want.stale:
            yield MoveLabel(**self.to, issue=have.issue, add=want.label, remove=wrong)
        for comment, marker in self.summaries[1:]:
            if not edited(comment.body, marker):
                yield DeleteComment(**self.to, issue=have.issue, comment=comment.id)
        if self.told is not None and self.turned and not want.quiet:
            yield from self._transition(have, self.told)
        if self.summaries and not self.kept and self._must_rewrite():
            comment, _ = self.summaries[0]
            marker_text = self._marker().encode()
            yield UpdateComment(**self.to, issue=have.issue, comment=comment.id, body=want.summary, marker=marker_text)
        if self.summaries and not want.stale:
            yield from self._reminders(have.issue)

    def post(self, issue: str) -> CreateComment:
        marker = self._marker().encode()
        return CreateComment(**self.to, issue=issue, body=self.want.summary, marker=marker, summary=True)

    def _transition(self, have: StatusIssue, before: Status) -> Iterator[Action]:
        want = self.want
        said = any(m.kind in _TELLING and m.status is want.status and m.since == want.since for _, m in self.ours)
        closes = want.status is Status.DONE and not any(m.kind is MarkerKind.CLOSING for _, m in self.ours)
        body = None if said else (want.closing if closes else None) or want.transition(before)
        if body is None:
            return
        marker = Marker(
            instance=self.instance,
            kind=MarkerKind.CLOSING if body == want.closing else MarkerKind.TRANSITION,
            milestone=want.milestone,
            status=want.status,
            since=want.since,
            body=body_hash(body),
        )
        yield CreateComment(**self.to, issue=have.issue, body=body, marker=marker.encode(), summary=False)

    @property
    def remind(self) -> bool:
        """Whether a reminder is to be posted now: somebody is to be asked, and the last time is long enough ago."""
        want, last = self.want, self._reminded()
        if want.reminder is None or want.quiet or want.stale:
            return False
        return last is None or (self.now.date() - last.date()).days >= want.remind_every

    def _reminded(self) -> datetime | None:
        """When owners were last reminded: both the summary and the reminder remember it, as people may delete one."""
        times = [m.written for _, m in self.ours if m.kind is MarkerKind.REMINDER]
        return max((at for at in (*times, self.last.reminded if self.last else None) if at), default=None)

    def _reminders(self, issue: str) -> Iterator[Action]:
        want = self.want
        pairs = [
            pair for pair in self.ours if pair[1].kind is MarkerKind.REMINDER and not edited(pair[0].body, pair[1])
        ]
        standing = sorted(pairs, key=lambda pair: (pair[0].created_at, pair[0].id))
        marker = Marker(
            instance=self.instance,
            kind=MarkerKind.REMINDER,
            milestone=want.milestone,
            body=body_hash(want.reminder or ""),
            written=self.now,
        )
        if self.remind and want.reminder is not None:
            yield CreateComment(**self.to, issue=issue, body=want.reminder, marker=marker.encode(), summary=False)
        elif want.reminder is not None and standing:
            comment, last = standing.pop()
            if last.body != marker.body:
                text = msgspec.structs.replace(marker, written=last.written).encode()
                yield UpdateComment(**self.to, issue=issue, comment=comment.id, body=want.reminder, marker=text)
        for comment, _ in standing:
            yield DeleteComment(**self.to, issue=issue, comment=comment.id, superseded=True)

    def _told(self) -> Status | None:
        """The status of which people were told last, by the summary or by a transition after it."""
        if self.last is None or self.last.status is None:
            return None
        written = self.last.written or self.summaries[0][0].created_at
        said = [(c.created_at, m.status) for c, m in self.ours if m.kind in _TELLING and m.status]
        return max([(written, self.last.status), *said], key=lambda pair: pair[0])[1]

    def _must_rewrite(self) -> bool:
        want, last = self.want, self.last
        if last is None or last.meaning != want.meaning or (self.turned and not want.quiet) or self.remind:
            return True
        if want.refresh is not None and (last.written is None or last.written < want.refresh):
            return True
        return last.body != body_hash(want.summary) and (last.written is None or self.now - last.written >= QUIET)

    def _marker(self) -> Marker:
        """The summary's. What is not told on a quiet day stays untold in it; what was told stays told where a source
        failed after that.
        """
        want, last, now = self.want, self.last, self.now
        waits = last is not None and ((self.turned and want.quiet) or want.stale)
        same = last is not None and last.meaning == want.meaning
        return Marker(
            instance=self.instance,
            kind=MarkerKind.SUMMARY,
            milestone=want.milestone,
            status=self.told if waits else want.status,
            since=last.since if last is not None and waits else want.since,
            baseline=want.baseline,
            probability=want.probability,
            p50=want.p50,
            due=want.due,
            previous_forecast=(last.previous_forecast if same else last.forecast) if last is not None else None,
            meaning=want.meaning,
            body=body_hash(want.summary),
            written=max(now, want.refresh or now),
            changed_at=last.changed_at if last is not None and same else now,
            previous_change_at=(last.previous_change_at if same else last.changed_at) if last is not None else None,
            reminded=now if self.remind else self._reminded(),
            replan=want.replan,
        )


def first_summary(want: Desired, have: StatusIssue, *, instance: str, now: datetime) -> CreateComment:
    """The action that posts a summary where none of ours stands."""
    return _MilestonePlanner(want, have, instance, now).post(have.issue)


ADOPT = "another account wrote what stands there with our marker; `milesync adopt` takes it over"


def ours(comments: Sequence[OurComment], instance: str, milestone: str) -> list[tuple[OurComment, Marker]]:
    """Comments of this instance about this milestone; their author was checked when they were observed."""
    read = ((c, Marker.decode(c.marker)) for c in comments)
    return [(c, m) for c, m in read if m is not None and m.instance == instance and m.milestone == milestone]


def edited(body: str, marker: Marker) -> bool:
    """Whether somebody else has changed the text since we wrote it."""
    return bool(marker.body) and marker.body != body_hash(body)


def claimed(claim: Claim, instance: str, milestone: str, kind: MarkerKind) -> bool:
    """Whether another account's text carries the marker of this very thing."""
    marker = Marker.decode(claim.marker)
    return marker is not None and (marker.instance, marker.milestone, marker.kind) == (instance, milestone, kind)


def _new_labels(want: Desired, todo: Sequence[Action], known: dict[str, set[str]]) -> Iterator[Action]:
    """The labels that these actions use and the project does not have, where a tracker needs them created."""
    if not want.needs_label:
        return
    have = known.setdefault(want.project, set())
    if want.any_case:
        have |= {label.lower() for label in have}
    used = [a.add for a in todo if isinstance(a, MoveLabel)]
    for a in todo:
        if isinstance(a, CreateStatusIssue):
            used += a.labels
    colour, description = LABELS[want.status]
    for label in used:
        if (label.lower() if want.any_case else label) not in have:
            have.add(label.lower() if want.any_case else label)
            ours = label == want.label
            yield CreateLabel(
                milestone=want.milestone,
                project=want.project,
                project_key=want.project_key,
                label=label,
                colour=colour if ours else "ededed",
                description=description if ours else "Carries a milestone's health",
            )


# --- limits and fingerprint ----------------------------------------------------------------------------------------
