"""Audience: the readers of a text, and what they may read. A text for an audience is made from nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from sync.model.tracker_data import Project, matches_pattern

__all__ = ["OPERATOR", "PUBLIC", "Audience"]

PUBLIC = "public"
"""Name of the audience that anybody belongs to."""


class Audience(Struct, frozen=True):
    """The readers of a text.

    ============  ==================================================================================================
    ``name``      readers
    ============  ==================================================================================================
    ``public``    anybody: public projects
    configured    ``reads`` are the projects that they may read in addition to the public ones, ``follows`` the
                  milestones of these that they get; in both, ``*`` matches any text
    gh:acme/app   the readers of one project, by its written id
    empty         the operator: every configured project
    ============  ==================================================================================================

    Confidential items are for no audience.
    """

    name: str = ""
    reads: tuple[str, ...] | None = None
    follows: tuple[str, ...] = ("*",)

    def may_read(self, connection: str, project: Project) -> bool:
        """Return whether the audience may read a project of a connection (by its configured name)."""
        written = f"{connection}:{project.key}"
        if self.name == PUBLIC:
            return project.is_public
        if self.reads is not None:
            return project.is_public or _matches_any(written, self.reads)
        return not self.name or self.name == written

    def is_shown(self, *ids: str) -> bool:
        """Return whether the audience gets a milestone with these ids, provided that it may read it."""
        return any(_matches_any(written, self.follows) for written in ids)


def _matches_any(written: str, patterns: Iterable[str]) -> bool:
    return any(matches_pattern(written, pattern) for pattern in patterns)


OPERATOR = Audience()
"""The operator, who may read every configured project."""
