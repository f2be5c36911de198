"""Errors of a tracker, sorted by what to do next.

The first line of a class's docstring is the message that people read.
"""

from __future__ import annotations

from datetime import datetime

from sync.model.characters import one_line
from sync.telemetry.redaction import error_words, exception_words

__all__ = [
    "SINGLE_FAULTS",
    "ArchivedError",
    "AuthError",
    "BusyError",
    "ClaimedError",
    "EndpointError",
    "GoneError",
    "LimitedError",
    "LostIssueError",
    "MalformedError",
    "RefusedError",
    "SharedTrackerError",
    "SwitchedOffError",
    "TrackerError",
    "UncertainError",
    "UnreachableError",
    "failure_words",
]


class TrackerError(Exception):
    """The tracker could not be used."""

    # ``write`` names the milestone and the action of a write that failed.
    # ``detail`` may quote the tracker, which may echo a token. It is redacted before the error is stored or shown.

    def __init__(self, connection: str, project: str = "", detail: str = "") -> None:
        self.connection = connection
        self.write = ""
        self.project = one_line(project)
        self.detail = error_words(detail)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line for people: the place, the problem, and the tracker's own words (never a secret or a body)."""
        where = self.write or (f"{self.connection}: {self.project}" if self.project else self.connection)
        until = getattr(self, "until", None)
        time = f"until {until:%Y-%m-%d %H:%M} UTC" if until else ""
        detail = f" ({'; '.join(filter(None, (self.detail, time)))})" if self.detail or time else ""
        return f"{where}: {(type(self).__doc__ or '').splitlines()[0]}{detail}"

    def __str__(self) -> str:
        return self.message


class UnreachableError(TrackerError):
    """The tracker did not answer; the next run tries again."""


class BusyError(UnreachableError):
    """The tracker answered with a temporary error; the next run tries again."""

    def __init__(self, connection: str, project: str = "", detail: str = "", until: datetime | None = None) -> None:
        self.until = until
        super().__init__(connection, project, detail)


class LimitedError(TrackerError):
    """The tracker's rate limit is spent; the next run after that time continues from here."""

    def __init__(self, connection: str, project: str = "", detail: str = "", until: datetime | None = None) -> None:
        self.until = until
        super().__init__(connection, project, detail)


class AuthError(TrackerError):
    """The tracker refused the token: check that it is correct, not expired, and has the rights named in the docs."""


class GoneError(TrackerError):
    """The project does not exist, or this token may not see it."""


class EndpointError(GoneError):
    """The server does not know this address of its API; check url, and that a proxy lets the whole API through."""


class SwitchedOffError(GoneError):
    """Issues are switched off in this project; switch them on, or remove the project from the configuration."""


class RefusedError(TrackerError):
    """The tracker refused the request; a person must check the reason."""


class ArchivedError(RefusedError):
    """The project is archived, so nothing can be written; remove it from the configuration, or unarchive it."""

    REMEDY = "remove it from the configuration, or unarchive it"


class MalformedError(TrackerError):
    """The tracker's answer does not match its API; is the URL that of the API?"""


class MovedError(TrackerError):
    """The address of the connection has changed; nothing is read or written until the tracker is known."""


class SharedTrackerError(TrackerError):
    """The address of the connection belongs to the tracker of another connection; nothing is read or written."""


class ClockError(TrackerError):
    """The clocks of this machine and of the tracker differ too much, so nothing is written there; correct one."""


class UncertainError(TrackerError):
    """The answer to a write was lost; milesync checks the tracker before it sends anything again."""


class ClaimedError(TrackerError):
    """Another account wrote a text with our marker; nothing is written there until a person decides."""


class LostIssueError(TrackerError):
    """A status issue that milesync opened is not found again: deleted, moved, or not visible to this token."""


class UnreadError(TrackerError):
    """Some rows of the tracker's answers cannot be read; the next run asks for them again."""


SINGLE_FAULTS = (ClaimedError, LostIssueError, UnreadError)
"""Errors of single rows and milestones: all others were read and written, and no early retry helps."""


def failure_words(connection: str, error: Exception) -> str:
    """Return the message of a failure of a connection. Any error but a `TrackerError` is shown without its text."""
    return str(error) if isinstance(error, TrackerError) else f"{connection}: {exception_words(error)}"
