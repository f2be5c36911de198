"""Audience: the readers of a text, and what they may read. A text for an audience is made from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.model.tracker_data import Project, alike

__all__ = ["EVERYBODY", "PUBLIC", "Audience"]

PUBLIC = "public"
"""Name of the audience that anybody belongs to."""


@dataclass(frozen=True)
class Audience:
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

    def sees(self, connection: str, project: Project) -> bool:
        """Return whether the audience may read a project of a connection (by its configured name)."""
        written = f"{connection}:{project.key}"
        if self.name == PUBLIC:
            return project.public
        if self.reads is not None:
            return project.public or _any_alike(written, self.reads)
        return not self.name or self.name == written

    def shown(self, written: str) -> bool:
        """Return whether the audience gets a milestone (by its written id), provided that it may read it."""
        return _any_alike(written, self.follows)


def _any_alike(written: str, patterns: Iterable[str]) -> bool:
    return any(alike(written, pattern) for pattern in patterns)


EVERYBODY = Audience()
"""The operator, who may read every configured project."""
