"""State of an item: open, started, done or removed from scope. One definition for all.

Configured runs, `milesync check`, the back-test of the store and every page use `StateRules`: the names that a team
gave to its states, labels and resolutions, and the tracker's own meaning for everything else. Names are compared
without case and without signs around them, and every apostrophe is the same: ``[Cancelled]`` is ``cancelled``.

First it is decided whether the item is finished; the first line that applies decides:

============================================  ============
the item                                      is finished
============================================  ============
has a state of ``done`` or of ``removed``     yes
has a state of ``started``                    no
is closed in its tracker                      yes
has a label of ``done`` or of ``removed``     yes
any other                                     no
============================================  ============

So the state decides where it contradicts a label or a resolution, and a resolution alone finishes nothing: an item that
is back in progress with a resolution that was not cleared is open. Jira decides by the resolution only where it does
not know the category of a state (one that was deleted since). `StateRules.contradicts` finds the contradictions.

A finished item is **removed** where it has a state or a label of ``removed``, or is closed in its tracker and has one
of the usual names of a cancelled state or a resolution of ``removed``; else it is **done**. An unfinished item is
**started** where it has a state or a label of ``started`` or the tracker's category says so; else it is **open**.

====================  ==========================  ===============  =====================================================
state in the tracker  resolution                  the item is      example, without names of a team
====================  ==========================  ===============  =====================================================
open                  none                        open, started    To Do, In Progress
open                  any                         open, started    back In Progress, resolution not cleared
closed                none                        done             Done in a workflow that sets no resolution
closed                any other                   done             Done, Fixed
closed                `REMOVED_RESOLUTIONS`       removed          Closed as Won't Do; GitHub "not planned"; a merge
                                                                 request that was closed without a merge
`REMOVED_STATES`      none                        removed          Cancelled on Jira Data Center
`REMOVED_STATES`      any                         removed          Cancelled, where Jira Cloud sets Done
unknown to Jira       none                        open             a status that was deleted since
unknown to Jira       any                         as its           the same, while it was resolved
                                                  resolution is
====================  ==========================  ===============  =====================================================

A resolution is that of the last closure: an item that was closed as a duplicate, reopened and closed again as done is
done. An item that moves to another project leaves the milestone: GitHub and Jira take it out of the project, and GitLab
closes the original, to which the connector gives the resolution ``moved``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import lru_cache
from zlib import crc32

from msgspec import Struct, structs

from sync.model.counting import MOST
from sync.model.tracker_data import Issue, State, StatusCategory

__all__ = ["REMOVED_RESOLUTIONS", "REMOVED_STATES", "ItemState", "StateNames", "StateRules", "fold_name", "fold_names"]

_SIGNS = re.compile(r"^[\W_]+|[\W_]+$")
_SPACES = re.compile(r"[\s_]+")
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u00b4`", "'" * 5)


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Return a name for comparison: without case, with plain apostrophes, one space between words, no signs around."""
    text = unicodedata.normalize("NFKC", name.translate(_APOSTROPHES)).casefold()
    return _SIGNS.sub("", _SPACES.sub(" ", text))


def fold_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names for comparison, without those that have no letter or digit: an empty field has no name."""
    return frozenset(filter(None, map(fold_name, names)))


def _names(text: str) -> frozenset[str]:
    """Split a comma list of names."""
    return fold_names(text.split(","))


_CANCELLED = _names(
    # English, German, French
    "cancelled, canceled, abandoned, withdrawn, discarded, dropped, rejected, declined, denied, obsolete, invalid,"
    "won't do, wont do, will not do, won't fix, wont fix, wontfix, will not fix, not planned, not doing, not needed,"
    "duplicate, duplicated, out of scope, out of date,"
    "abgebrochen, storniert, abgelehnt, verworfen, zurückgezogen, hinfällig, obsolet, ungültig, duplikat,"
    "wird nicht behoben, wird nicht erledigt, wird nicht umgesetzt, wird nicht gemacht, nicht geplant,"
    "annulé, annulée, abandonné, abandonnée, rejeté, rejetée, refusé, refusée, obsolète, invalide, doublon,"
    "ne sera pas fait, ne sera pas corrigé, ne sera pas résolu, non planifié,"
    # Spanish, Portuguese, Italian
    "cancelado, cancelada, anulado, anulada, abandonado, abandonada, rechazado, rechazada, descartado, descartada,"
    "obsoleto, obsoleta, no válido, inválido, inválida, duplicado, duplicada, no se hará, no se corregirá,"
    "rejeitado, rejeitada, recusado, recusada, não será feito, não será corrigido,"
    "annullato, annullata, abbandonato, rifiutato, rifiutata, respinto, respinta, scartato, non valido, duplicato,"
    # Dutch, Nordic languages, Polish, Czech, Russian
    "geannuleerd, afgewezen, geweigerd, vervallen, ongeldig, duplicaat, wordt niet gedaan, wordt niet opgelost,"
    "avbruten, avvisad, dubblett, annulleret, annullert, afvist, avvist, avbrutt, peruutettu, hylätty,"
    "anulowane, anulowano, anulowany, odrzucone, odrzucono, porzucone, duplikat, nie zostanie zrobione,"
    "zrušeno, zrušený, zamítnuto, duplicitní, отменено, отменена, отменен, отклонено, отклонена, отклонен, дубликат,"
    # Japanese, Chinese, Korean
    "キャンセル, キャンセル済み, 中止, 却下, 重複, 対応しない, 修正しない,"
    "已取消, 取消, 已拒绝, 拒绝, 重复, 不予处理, 취소, 취소됨, 거부됨, 중복"
)
"""Names with this meaning as a state and as a resolution: GitHub's words, Jira's usual names, and translations."""

REMOVED_STATES = _CANCELLED
"""States (folded) of closed items that take an item out of scope, whatever its resolution is."""

REMOVED_RESOLUTIONS = _CANCELLED | _names(
    "not planned, moved, not merged, cannot reproduce, can't reproduce, not reproducible, incomplete, not a bug,"
    "not our bug, needs more info, works as designed, working as designed, declined / canceled, not fixable,"
    "nicht reproduzierbar, kann nicht reproduziert werden, unvollständig, kein fehler,"
    "impossible à reproduire, non reproductible, incomplet, no se puede reproducir, no reproducible, incompleto,"
    "não reproduzível, não é possível reproduzir, non riproducibile, incompleta, niet reproduceerbaar, onvolledig,"
    "nie można odtworzyć, 再現不可, 再現できない, 无法重现, 재현 불가"
)
"""Resolutions (folded) that take an item out of scope."""


_UNRESOLVED = _names(", unresolved, none, open, reopened") | {""}
"""Resolutions (folded) of sites that give open issues one, too."""


class ItemState(StrEnum):
    """State of an item. OPEN: not started. Open, started and done items are in scope."""

    OPEN = "open"
    STARTED = "started"
    DONE = "done"
    REMOVED = "removed"

    @property
    def is_finished(self) -> bool:
        """True if no work is left: done, or removed from scope."""
        return self in (ItemState.DONE, ItemState.REMOVED)


class StateNames(Struct, frozen=True):
    """Names (folded) of states, labels and resolutions with one meaning."""

    states: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    resolutions: frozenset[str] = frozenset()


_NO_NAMES = StateNames()


class StateRules(Struct, frozen=True, kw_only=True):
    """Names of one team for its done, removed and started items, and the usual names of cancelled ones.

    ``done``, ``removed`` and ``started`` outrank the tracker's own meaning. ``cancelled_states`` and the resolutions of
    ``removed`` take an item out of scope that is closed in its tracker.
    """

    done: StateNames = StateNames()
    removed: StateNames = StateNames(resolutions=REMOVED_RESOLUTIONS)
    started: StateNames = StateNames()
    cancelled_states: frozenset[str] = REMOVED_STATES

    @classmethod
    def named(
        cls,
        *,
        done: StateNames = _NO_NAMES,
        started: StateNames = _NO_NAMES,
        removed_states: Collection[str] | None = None,
        removed_labels: Collection[str] = (),
        removed_resolutions: Collection[str] | None = None,
    ) -> StateRules:
        """Return the rules for a team's names. None: the usual names of removed items without another meaning here."""
        states = REMOVED_STATES - done.states - started.states if removed_states is None else frozenset[str]()
        usual = REMOVED_RESOLUTIONS - done.resolutions
        removed = StateNames(
            states=frozenset(removed_states or ()),
            labels=frozenset(removed_labels),
            resolutions=usual if removed_resolutions is None else frozenset(removed_resolutions),
        )
        return cls(done=done, removed=removed, started=started, cancelled_states=states)

    def state_of(self, issue: Issue) -> ItemState:
        """Return the state of an issue as it is now."""
        state, labels = fold_name(issue.raw_state), fold_names(issue.labels)
        is_closed = issue.state is State.CLOSED
        if self.is_finished(is_closed=is_closed, state=state, labels=labels):
            is_cancelled = is_closed and (
                state in self.cancelled_states or fold_name(issue.resolution) in self.removed.resolutions
            )
            is_removed = is_cancelled or state in self.removed.states or bool(labels & self.removed.labels)
            return ItemState.REMOVED if is_removed else ItemState.DONE
        is_started = state in self.started.states or bool(labels & self.started.labels)
        return ItemState.STARTED if is_started or issue.category is StatusCategory.IN_PROGRESS else ItemState.OPEN

    def is_finished(self, *, is_closed: bool, state: str, labels: Collection[str]) -> bool:
        """Return whether an item is finished that is closed or open in its tracker and has these names (folded)."""
        if state in self.done.states or state in self.removed.states:
            return True
        if state in self.started.states:
            return False
        return is_closed or any(label in self.done.labels or label in self.removed.labels for label in labels)

    def contradicts(self, issue: Issue) -> bool:
        """Return whether state, labels and resolution of an issue contradict each other.

        It is unfinished and has a resolution or a label of a finished item, or it is done with a resolution of a
        removed item, or it has labels of both done and removed items.
        """
        labels, state = fold_names(issue.labels), self.state_of(issue)
        is_called_done, is_called_removed = (bool(labels & names.labels) for names in (self.done, self.removed))
        if not state.is_finished:
            is_resolved = fold_name(issue.resolution) not in _UNRESOLVED
            return is_resolved or is_called_done or is_called_removed
        is_cancelled = state is ItemState.DONE and fold_name(issue.resolution) in self.removed.resolutions
        return is_cancelled or (is_called_done and is_called_removed)

    def is_unlike_tracker(self, issue: Issue) -> bool:
        """Return whether the issue is finished by these rules and open in its tracker, or the other way round."""
        return self.have_names and self.state_of(issue).is_finished is not (issue.state is State.CLOSED)

    def with_state(self, issue: Issue) -> Issue:
        """Return the issue with the state and the category that it has by these rules; its names stay."""
        item_state = self.state_of(issue)
        state = State.CLOSED if item_state.is_finished else State.OPEN
        category = _CATEGORIES[item_state]
        if (state, category) == (issue.state, issue.category):
            return issue
        return structs.replace(issue, state=state, category=category)

    @property
    def text(self) -> str:
        """All names as one text, which is the same for the same rules."""
        lists = [
            sorted(names)
            for own in (self.done, self.removed, self.started)
            for names in (own.states, own.labels, own.resolutions)
        ]
        return repr([*lists, sorted(self.cancelled_states)])

    @property
    def number(self) -> int:
        """Number of these rules, 0 for the usual ones: figures by rules of different numbers are not comparable."""
        return 0 if self == StateRules() else 1 + crc32(self.text.encode()) % MOST

    @property
    def have_names(self) -> bool:
        """True if the past of states or labels decides when an item was finished."""
        return bool(self.recorded.states or self.recorded.labels)

    @property
    def recorded(self) -> StateNames:
        """The states and labels whose past decides when an item was finished."""
        return StateNames(
            states=self.done.states | self.removed.states | self.started.states,
            labels=self.done.labels | self.removed.labels,
        )


_CATEGORIES = {
    ItemState.OPEN: StatusCategory.TODO,
    ItemState.STARTED: StatusCategory.IN_PROGRESS,
    ItemState.DONE: StatusCategory.DONE,
    ItemState.REMOVED: StatusCategory.DONE,
}
