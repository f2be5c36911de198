"""Writes to one tracker: under its lease, each between its two lines in the journal, and looked up when in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog

from sync.engine.result import AppliedAction, Result
from sync.pull.progress import Progress
from sync.store.store import Store
from sync.telemetry.traces import span
from sync.tracker.actions import (
    Action,
    Attach,
    CreateLabel,
    CreateStatusIssue,
    Detach,
    LabelItem,
    MoveLabel,
    PostBoardUpdate,
    Receipt,
    SetNativeHealth,
    UpdateDescription,
    is_optional,
)
from sync.tracker.attachment import AttachmentName
from sync.tracker.connection import Connection
from sync.tracker.errors import RefusedError, TrackerError, UncertainError
from sync.tracker.marker import Marker
from sync.tracker.observed import StatusIssue, Target

__all__ = ["Writer"]

log = structlog.get_logger("milesync")


@dataclass(frozen=True, kw_only=True)
class Writer:
    """What the writes of a run share. ``holder`` names this process in leases.

    ``draw`` makes the picture (PNG) of a milestone (uid), or nothing. ``failed`` is told of what went wrong; ``left``
    takes what a tracker would not let us take away or close, and why; ``terms`` has, by source, how often the right to
    write there had been given when it was first observed; None where a run had it just then.
    """

    store: Store
    instance: str
    clock: Callable[[], datetime]
    run_id: str
    holder: str
    progress: Progress
    draw: Callable[[str], bytes]
    failed: Callable[[Connection, str, Exception], None]
    left: list[str]
    terms: dict[str, int | None]

    def apply(self, actions: Sequence[tuple[Connection, Action]]) -> Result:
        """One tracker's writes, under its lease. What fails ends its own milestone's, and the next run converges."""
        result = Result()
        first = actions[0][0]
        lease = self.store.acquire(first.connector.base_url, self.holder)
        if lease is None:
            result.lease_held = True
            result.refused.append(f"{first.name}: another run is writing there")
            return result
        if self.terms.get(lease.source, lease.term - 1) != lease.term - 1:
            lease.release()
            result.lease_held = True
            result.refused.append(f"{first.name}: another run has written there since this plan was made")
            return result
        self.terms[lease.source] = lease.term
        given_up: set[str] = set()
        created: dict[str, str] = {}
        try:
            for source, planned in actions:
                if planned.milestone in given_up:
                    continue
                action = planned
                if getattr(action, "issue", None) == "":
                    action = msgspec.structs.replace(action, issue=created[action.milestone])
                self.progress("apply", f"{source.name}: {type(action).__name__}")
                content = self.draw(action.milestone) if isinstance(action, Attach) else b""
                if isinstance(action, Attach) and not content:
                    given_up.add(action.milestone)
                    continue
                entry = self.store.begin(self.run_id, action)
                if not lease.check():  # last of all, so that nothing but the request can be late
                    lost = f"{source.name}: the right to write there was lost to another run"
                    self.store.finish(entry, lost)
                    result.lease_held = True
                    result.refused.append(lost)
                    break
                with span("write", action=type(action).__name__):
                    receipt = self._send(source, action, entry, content)
                if receipt is None:
                    given_up.add(action.milestone)
                    continue
                if isinstance(action, CreateStatusIssue):
                    created[action.milestone] = receipt.issue
                result.written.append(AppliedAction(action, receipt))
            for source in {source.name: source for source, _ in actions}.values():
                mine = {action.milestone for owner, action in actions if owner is source}
                self._remember(source, [w for w in result.written if w.action.milestone in mine])
        finally:
            lease.release()
        return result

    def _send(self, source: Connection, action: Action, entry: int, content: bytes = b"") -> Receipt | None:
        """One write, and the second of its two lines in the journal; None when it surely or possibly did not happen."""
        whole = msgspec.structs.replace(action, content=content) if isinstance(action, Attach) else action
        try:
            receipt = source.connector.apply(whole)
        except UncertainError as error:
            found = self._look_up(source, action)
            self.store.finish(entry, found or str(error))
            if found is None:
                self.failed(source, action.project_key, error)
            return found
        except TrackerError as error:
            self.store.finish(entry, str(error))
            if isinstance(error, RefusedError) and is_optional(action):
                self.left.append(str(error))
            else:
                self.failed(source, action.project_key, error)
            return None
        self.store.finish(entry, receipt)
        log.info("written", action=type(action).__name__, milestone=action.milestone, issue=receipt.issue)
        return receipt

    def _look_up(self, source: Connection, action: Action) -> Receipt | None:
        """After a lost answer: what stands there now? None when it surely or possibly does not."""
        if isinstance(action, LabelItem | UpdateDescription):
            return None
        issue = getattr(action, "issue", "")
        target = Target(
            milestone=action.milestone,
            project=action.project,
            project_key=action.project_key,
            issue=issue,
            instance=self.instance,
            boards=(action.board,) if isinstance(action, PostBoardUpdate) else (),
        )
        try:
            observed = source.connector.observe([target])
        except TrackerError:
            return None
        fold = str.lower if source.connector.capabilities.labels_any_case else str
        if isinstance(action, CreateLabel):
            there = fold(action.label) in map(fold, observed.labels.get(action.project, ()))
            return Receipt(id=action.label) if there else None
        seen = observed.issues.get(action.milestone)
        if isinstance(action, SetNativeHealth):
            return Receipt(issue=seen.issue) if seen and seen.health == action.value else None
        if seen is None or isinstance(action, CreateStatusIssue):
            return Receipt(issue=seen.issue) if seen else None
        if isinstance(action, PostBoardUpdate):
            return _told(action, seen)
        if isinstance(action, Attach | Detach):
            return _filed(action, seen)
        if isinstance(action, MoveLabel):
            labels = set(map(fold, seen.labels))
            moved = fold(action.add) in labels and labels.isdisjoint(map(fold, action.remove))
            return Receipt(issue=seen.issue) if moved else None
        wanted = Marker.decode(getattr(action, "marker", ""))
        same = [c for c in seen.comments if wanted is not None and Marker.decode(c.marker) == wanted]
        return Receipt(id=same[0].id, issue=seen.issue) if same else None

    def _remember(self, source: Connection, written: Sequence[AppliedAction]) -> None:
        """Observe what was just written, so that our own change is not taken for somebody's."""
        touched = {w.action.milestone: w for w in written if not isinstance(w.action, LabelItem | UpdateDescription)}
        told = self.store.boards()
        targets = [
            Target(
                milestone=uid,
                project=w.action.project,
                project_key=w.action.project_key,
                issue=w.receipt.issue,
                boards=_boards(source, w.action, told.get(uid, ())),
                attaching=source.attaches(w.action.project_key),
            )
            for uid, w in touched.items()
        ]
        if not targets:
            return
        try:
            seen = source.connector.observe(targets)
        except TrackerError:
            return
        for uid, issue in seen.issues.items():
            self.store.save_observed(uid, issue, self.clock(), self.instance)


def _boards(source: Connection, action: Action, told: Iterable[str]) -> tuple[str, ...]:
    if not source.connector.capabilities.boards:
        return ()
    return tuple(sorted({source.optional_outputs_of(action.project_key).project_status, *told} - {""}))


def _told(action: PostBoardUpdate, seen: StatusIssue) -> Receipt | None:
    """Whether a board shows what was to stand there, or no longer what was to go."""
    board = next((one for one in seen.boards if one.name == action.board and not one.why), None)
    if board is None:
        return None
    if not action.body:
        gone = all(update.id != action.update for update in (*board.updates, *board.claims))
        return Receipt(id=action.update, issue=seen.issue) if gone else None
    same = [update for update in board.updates if update.marker == action.marker]
    return Receipt(id=same[0].id, issue=seen.issue) if same else None


def _filed(action: Attach | Detach, seen: StatusIssue) -> Receipt | None:
    """Whether a file is there that was to come, or is not that was to go."""
    ours = seen.files.ours if seen.files else ()
    if isinstance(action, Detach):
        return (
            Receipt(id=action.file, issue=seen.issue) if all(attached.id != action.file for attached in ours) else None
        )
    same = [attached for attached in ours if AttachmentName.read(attached.name) == AttachmentName.read(action.name)]
    return Receipt(id=same[-1].id, issue=seen.issue) if same else None
