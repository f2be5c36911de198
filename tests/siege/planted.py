"""Faults to plant into the process of the commands: a siege that does not find them proves nothing."""

from __future__ import annotations

from unittest import mock

__all__ = ["forget_markers", "let_errors_through"]


def let_errors_through() -> None:
    """Let an answer that cannot be decoded raise an error that no code expects."""
    from sync.tracker import errors

    def fail(*_: object) -> None:
        raise KeyError("planted")

    mock.patch.object(errors.MalformedError, "__init__", fail).start()


def forget_markers() -> None:
    """Recognise no content of ours in a tracker."""
    from sync.tracker import marker

    mock.patch.object(marker, "find_marker", return_value="").start()
