"""Removal from scope: closures that take an item out of its milestone instead of finishing it. One definition for all.

Configured runs, `milesync check`, the back-test of the store and every page use `RemovalNames`. Names are compared
without case and without signs around them, and every apostrophe is the same: ``[Cancelled]`` is ``cancelled``.

State and resolution of an item may contradict each other. The state decides whether the item is closed; among closed
items either name is enough:

====================  ==========================  =========================  ==========================================
state                 resolution                  the item is                example
====================  ==========================  =========================  ==========================================
open                  none                        open                       To Do
open                  any                         open                       back In Progress, resolution not cleared
closed                none                        done                       Done in a workflow that sets no resolution
closed                any other                   done                       Done, Fixed
closed                `REMOVED_RESOLUTIONS`       removed                    Closed as Won't Do; GitHub "not planned"
`REMOVED_STATES`      none                        removed                    Cancelled on Jira Data Center
`REMOVED_STATES`      any                         removed                    Cancelled, where Jira Cloud sets Done
unknown to Jira       none                        open                       a status that was deleted since
unknown to Jira       any                         as its resolution is       the same, while it was resolved
====================  ==========================  =========================  ==========================================

A resolution is that of the last closure: an item that was closed as a duplicate, reopened and closed again as done is
done. An item that moves to another project leaves the milestone: GitHub and Jira take it out of the project, and GitLab
closes the original, to which the connector gives the resolution ``moved``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from msgspec import Struct

from sync.model.tracker_data import Issue, State

__all__ = ["REMOVED_RESOLUTIONS", "REMOVED_STATES", "RemovalNames", "fold_name"]

_SIGNS = re.compile(r"^[\W_]+|[\W_]+$")
_SPACES = re.compile(r"[\s_]+")
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u00b4`", "'" * 5)


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Return a name for comparison: without case, with plain apostrophes, one space between words, no signs around."""
    text = unicodedata.normalize("NFKC", name.translate(_APOSTROPHES)).casefold()
    return _SIGNS.sub("", _SPACES.sub(" ", text))


def _names(text: str) -> frozenset[str]:
    """Split a comma list of names."""
    return frozenset(fold_name(name) for name in text.split(","))


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
    "not planned, moved, cannot reproduce, can't reproduce, not reproducible, incomplete, not a bug, not our bug,"
    "needs more info, works as designed, working as designed, declined / canceled, not fixable,"
    "nicht reproduzierbar, kann nicht reproduziert werden, unvollständig, kein fehler,"
    "impossible à reproduire, non reproductible, incomplet, no se puede reproducir, no reproducible, incompleto,"
    "não reproduzível, não é possível reproduzir, non riproducibile, incompleta, niet reproduceerbaar, onvolledig,"
    "nie można odtworzyć, 再現不可, 再現できない, 无法重现, 재현 불가"
)
"""Resolutions (folded) that take an item out of scope."""


class RemovalNames(Struct, frozen=True):
    """Names (folded) of the resolutions and states that take a closed item out of scope."""

    resolutions: frozenset[str] = REMOVED_RESOLUTIONS
    states: frozenset[str] = REMOVED_STATES

    def include(self, issue: Issue) -> bool:
        """Return whether the issue is closed as removed from scope."""
        if issue.state is not State.CLOSED:
            return False
        return fold_name(issue.resolution) in self.resolutions or fold_name(issue.raw_state) in self.states
