"""Identity of a tracker: the same after a change of its address. Pure.

===========================  ======================================================================================
tracker                      identity (``source``)
===========================  ======================================================================================
known to the store           the one that the store has, from the first address or from the tracker
returns an id (Jira Cloud)   that id, as an address that no change of the site's name changes
returns no id                the first of the addresses in the setting ``formerly``, else the present address
===========================  ======================================================================================

Stored rows and markers hold the identity. Markers that earlier versions wrote hold the address of their time; they are
read as markers of today's identity when the connection still lists that address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from sync.tracker.errors import TrackerError
from sync.tracker.marker import Marker
from sync.tracker.observed import BoardUpdate, Claim, Observed, OurComment, StatusIssue

__all__ = ["TrackerIdentity", "other_scheme", "place_of", "with_present_source"]

_DEFAULT_PORTS = {"http": 80, "https": 443}

_T = TypeVar("_T", StatusIssue, OurComment, Claim, BoardUpdate)


class TrackerIdentity(Struct):
    """The identity of a connection's tracker, found step by step.

    ``source`` is empty before the store was asked. ``aliases`` are its other names that the store knows. ``problem``:
    the tracker at the present address is not known to be this one, so nothing may be read or written.
    """

    source: str = ""
    aliases: tuple[str, ...] = ()
    problem: TrackerError | None = None

    def other_names(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Return the names that stored markers may have for the tracker, without the present one."""
        names = (*self.aliases, *addresses, other_scheme(addresses[-1]))
        source = self.source or addresses[0]
        return tuple(dict.fromkeys(name for name in names if name != source))


def place_of(address: str) -> str:
    """Return host, port and path of an address, to compare addresses: without scheme and default port, host in lower
    case. A name that is no URL stays as it is.
    """
    parts = urlsplit(address)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return address
    port = parts.port if parts.port not in (None, _DEFAULT_PORTS[parts.scheme]) else None
    return f"{parts.hostname}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def other_scheme(address: str) -> str:
    """Return the address with https in place of http, or the other way round."""
    scheme, separator, rest = address.partition("://")
    return f"{'http' if scheme == 'https' else 'https'}{separator}{rest}"


def with_present_source(observed: Observed, source: str, others: Sequence[str]) -> Observed:
    """Return the observation with markers that name the tracker by its present identity ``source``."""

    def marked(part: _T) -> _T:
        text = _present(part.marker, source, others)
        return part if text == part.marker else msgspec.structs.replace(part, marker=text)

    def all_marked(parts: Iterable[_T]) -> tuple[_T, ...]:
        return tuple(map(marked, parts))

    def issue_of(issue: StatusIssue) -> StatusIssue:
        boards = tuple(
            msgspec.structs.replace(board, updates=all_marked(board.updates), claims=all_marked(board.claims))
            for board in issue.boards
        )
        return msgspec.structs.replace(
            marked(issue), comments=all_marked(issue.comments), claims=all_marked(issue.claims), boards=boards
        )

    return msgspec.structs.replace(
        observed,
        issues={uid: issue_of(issue) for uid, issue in observed.issues.items()},
        claims={uid: marked(claim) for uid, claim in observed.claims.items()},
    )


def _present(text: str, source: str, others: Iterable[str]) -> str:
    """Return the text of a marker with the present identity, if it names the tracker by another name."""
    for other in others:
        if f'"{other}/milestone/' not in text:
            continue
        marker = Marker.decode(text)
        if marker is not None and marker.milestone.startswith(f"{other}/milestone/"):
            return msgspec.structs.replace(marker, milestone=source + marker.milestone[len(other) :]).encode()
    return text
