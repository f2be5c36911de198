"""Apply planned writes to one tracker: under its lease, with a journal entry around each, looked up when in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from sync.engine.result import AppliedAction, HeldBack, Result
from sync.engine.text_limit import HOUR, TextLimit
from sync.model.characters import one_line
from sync.pull.progress import Progress
from sync.store.lease import Lease
from sync.store.store import Store
from sync.telemetry.log import events as log
from sync.telemetry.traces import span
from sync.tracker.actions import Action, CreateStatusIssue, Lookup, OwnContent, Receipt, is_text, kind_of
from sync.tracker.connection import Connection
from sync.tracker.errors import ArchivedError, LimitedError, RefusedError, TrackerError, UncertainError
from sync.tracker.observed import Target

__all__ = ["Writer"]


@dataclass
class _Held:
    """The writes to one tracker that are held back for the rest of a run.

    ``milestones`` (uid) and ``connections`` (name) get no further writes, ``limited`` connections no further texts.
    Each is stored with the cause in words.
    """

    texts: TextLimit
    milestones: dict[str, str] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    limited: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Send the writes of a run. Threads share it, one thread per tracker."""

    store: Store
    instance: str
    clock: Callable[[], datetime]
    """The time in UTC."""
    run_id: str
    holder: str
    """The name of this process in leases."""
    progress: Progress
    render_picture: Callable[[str], bytes]
    """Render the burn-up of a milestone (uid) as PNG; b"" when it cannot be rendered."""
    written_id: Callable[[str], str]
    """Return the id of a milestone (uid) as people write it; "" for one that is not read."""
    record_failure: Callable[[Connection, str, Exception], None]
    """Record a failure of a connection's project (path)."""
    leftovers: list[str]
    """Refused optional writes, in words; the writer appends to it."""
    lease_terms: dict[str, int | None]
    """Term of the write lease by tracker (source) at the first observation; None: another run held the lease."""

    def apply(self, actions: Sequence[tuple[Connection, Action]]) -> Result:
        """Apply one tracker's writes under its lease.

        A failure ends the writes of its own milestone only; the next run completes them.
        """
        result = Result()
        lease = self._acquire(actions[0][0], result)
        if lease is None:
            return result
        try:
            self._apply_all(actions, lease, result)
            for connection in {connection.name: connection for connection, _ in actions}.values():
                milestones = {action.milestone for owner, action in actions if owner is connection}
                self._observe_written(connection, [w for w in result.written if w.action.milestone in milestones])
        finally:
            lease.release()
        return result

    def _acquire(self, connection: Connection, result: Result) -> Lease | None:
        """Acquire the tracker's lease. None, with the reason in ``result``, if another run writes or has written."""
        lease = self.store.acquire(connection.source, self.holder)
        if lease is None:
            _refuse(result, f"{connection.name}: another run is writing there")
            return None
        if self.lease_terms.get(lease.source, lease.term - 1) != lease.term - 1:
            lease.release()
            _refuse(result, f"{connection.name}: another run has written there since this plan was made")
            return None
        self.lease_terms[lease.source] = lease.term
        return lease

    def _apply_all(self, actions: Sequence[tuple[Connection, Action]], lease: Lease, result: Result) -> None:
        """Apply the writes in their order, until the lease is lost.

        A rate limit holds back all further writes of its connection, the limit of texts an hour the further texts.
        """
        held = _Held(self._text_limit(actions[0][0]))
        new_issues: dict[str, str] = {}
        for connection, planned in actions:
            if cause := self._hold_cause(connection, planned, held):
                result.held_back.append(HeldBack(planned, cause))
                continue
            action = planned
            if getattr(action, "issue", None) == "":
                action = msgspec.structs.replace(action, issue=new_issues[action.milestone])
            self.progress("apply", f"{connection.name}: {type(action).__name__}")
            needs_picture = kind_of(action).needs_picture
            picture = self.render_picture(action.milestone) if needs_picture else b""
            if needs_picture and not picture:
                held.milestones[action.milestone] = "the picture cannot be rendered"
                result.held_back.append(HeldBack(planned, held.milestones[action.milestone]))
                continue
            entry = self.store.begin(self.run_id, action)
            if not lease.check():  # immediately before the request: only the request itself can be late
                reason = f"{connection.name}: this run lost the write lease to another run"
                self.store.finish(entry, reason)
                _refuse(result, reason)
                return
            with span("write", action=type(action).__name__):
                receipt = self._send(connection, action, entry, picture, held)
            if receipt is None:
                result.held_back.append(HeldBack(planned, held.milestones[action.milestone]))
                continue
            result.written.append(AppliedAction(action, receipt))
            if isinstance(action, CreateStatusIssue):
                new_issues[action.milestone] = receipt.issue
            if is_text(action):
                held.texts.count(self.clock())
            if receipt.dropped:
                held.milestones[action.milestone] = self._record_dropped(connection, action, receipt)

    def _hold_cause(self, connection: Connection, action: Action, held: _Held) -> str:
        """Return why a write is held back in this run, in words; record the failure once. "" if it is not."""
        cause = held.connections.get(connection.name) or held.milestones.get(action.milestone)
        if cause:
            return cause
        obstacle = connection.write_obstacle()
        if obstacle is not None:
            held.connections[connection.name] = str(obstacle)
            self.record_failure(connection, "", obstacle)
            return str(obstacle)
        until = held.texts.wait_until(self.clock()) if is_text(action) else None
        if until is None:
            return ""
        if connection.name not in held.limited:
            detail = f"{held.texts.limit} new issues and comments an hour"
            error = LimitedError(connection.name, "", detail, until=until)
            held.limited[connection.name] = str(error)
            self.record_failure(connection, "", error)
        held.milestones[action.milestone] = held.limited[connection.name]
        return held.limited[connection.name]

    def _text_limit(self, connection: Connection) -> TextLimit:
        """Return the limit of texts an hour of a connection's tracker, with those of the last hour.

        A clock that has gone back has sent some of them in the next hour; what it sent later is too far off to count.
        """
        limit, now = connection.connector.capabilities.texts_an_hour, self.clock()
        sent = self.store.texts_between(connection.source, now - HOUR, now + HOUR) if limit else ()
        return TextLimit(limit, sent)

    def _record_dropped(self, connection: Connection, action: Action, receipt: Receipt) -> str:
        """Record that a new status issue lacks labels: the next run tries to add them. Return the failure in words."""
        detail = f"the labels {', '.join(receipt.dropped)} were left out; this token may not set labels"
        error = RefusedError(connection.name, action.project_key, detail)
        self._name_write(error, action)
        self.record_failure(connection, action.project_key, error)
        return str(error)

    def _send(self, connection: Connection, action: Action, entry: int, picture: bytes, held: _Held) -> Receipt | None:
        """Send one write and finish its journal entry. Return None when the write did not happen, or may not have.

        Then the milestone's further writes are held back, and after a rate limit that lasts longer than the connector
        may wait, those of the connection.
        """
        request = msgspec.structs.replace(action, content=picture) if kind_of(action).needs_picture else action
        try:
            receipt = connection.connector.apply(request)
        except UncertainError as error:
            self._name_write(error, action)
            found = self._look_up(connection, action)
            self.store.finish(entry, found or str(error))
            if found is None:
                held.milestones[action.milestone] = str(error)
                self.record_failure(connection, action.project_key, error)
            return found
        except TrackerError as error:
            if isinstance(error, ArchivedError):
                self.store.save_obstacles({action.milestone: str(error)}, self.clock())
            self._name_write(error, action)
            held.milestones[action.milestone] = str(error)
            if isinstance(error, LimitedError):
                held.connections[connection.name] = str(error)
            self.store.finish(entry, str(error))
            is_optional = isinstance(error, RefusedError) and kind_of(action).is_optional(action)
            is_known = isinstance(error, ArchivedError) and self.store.has_failed_like_this(
                entry, action.milestone, str(error)
            )
            if is_optional or is_known:
                self.leftovers.append(str(error))
            else:
                self.record_failure(connection, action.project_key, error)
            return None
        self.store.finish(entry, receipt)
        name = self.written_id(action.milestone) or f"a milestone of {action.project_key}"
        log.info("written", action=type(action).__name__, milestone=name, issue=receipt.issue)
        return receipt

    def _name_write(self, error: TrackerError, action: Action) -> None:
        """Name milestone and action in the error of a write."""
        _, words = kind_of(action).describe(action)
        name = self.written_id(action.milestone) or f"{error.connection}: a milestone of {action.project_key}"
        error.write = one_line(f"{name}: {words}")

    def _look_up(self, connection: Connection, action: Action) -> Receipt | None:
        """Observe whether a write whose answer was lost has happened. None: it did not, or it is not observable."""
        kind = kind_of(action)
        if not kind.is_observable:
            return None
        target = Target(
            milestone=action.milestone,
            project=action.project,
            project_key=action.project_key,
            issue=getattr(action, "issue", ""),
            instance=self.instance,
            boards=kind.boards(action),
            former=connection.former_uids(action.milestone),
        )
        try:
            observed = connection.observe([target])
        except TrackerError:
            return None
        lookup = Lookup(
            observed.issues.get(action.milestone),
            observed.labels.get(action.project, frozenset()),
            connection.connector.capabilities.labels_any_case,
        )
        return kind.find(action, lookup)

    def _observe_written(self, connection: Connection, written: Sequence[AppliedAction]) -> None:
        """Observe the status issues that were just written, so that the next run does not take our change for a
        person's.
        """
        last_writes = {write.action.milestone: write for write in written if kind_of(write.action).is_observable}
        if not last_writes:
            return
        boards = self.store.places(OwnContent.BOARD, last_writes.keys())
        targets = [
            Target(
                milestone=uid,
                project=write.action.project,
                project_key=write.action.project_key,
                issue=write.receipt.issue,
                boards=_boards(connection, write.action, boards.get(uid, ())),
                attaching=connection.attaches(write.action.project_key),
                ignored_accounts=connection.ignored_accounts,
            )
            for uid, write in last_writes.items()
        ]
        try:
            observed = connection.observe(targets)
        except TrackerError:
            return
        self.store.save_observed(observed.issues, self.clock(), self.instance)


def _refuse(result: Result, reason: str) -> None:
    result.lease_held = True
    result.refused.append(reason)


def _boards(connection: Connection, action: Action, posted: Iterable[str]) -> tuple[str, ...]:
    """Return the boards to observe: the configured one, and those on which we posted."""
    if not connection.connector.capabilities.boards:
        return ()
    return tuple(sorted({connection.optional_outputs_of(action.project_key).project_status, *posted} - {""}))
