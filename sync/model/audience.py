"""Who reads: what is made for an audience is made from what it may read, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.model.tracker_data import Project, alike

__all__ = ["EVERYBODY", "PUBLIC", "Audience"]

PUBLIC = "public"


@dataclass(frozen=True)
class Audience:
    """``public``, one that the configuration names, or the readers of one project as people write it (``gh:acme/app``).

    ``reads`` are the projects that a configured audience may read beside the public ones, ``follows`` the milestones
    that it is shown of them; in both, ``*`` stands for any text. Without a name it is whoever runs milesync: every
    configured project. Confidential items are for no audience.
    """

    name: str = ""
    reads: tuple[str, ...] | None = None
    follows: tuple[str, ...] = ("*",)

    def sees(self, connection: str, project: Project) -> bool:
        """Whether it may read a project of a connection, by its configured name."""
        written = f"{connection}:{project.key}"
        if self.name == PUBLIC:
            return project.public
        if self.reads is not None:
            return project.public or _any_alike(written, self.reads)
        return not self.name or self.name == written

    def shown(self, written: str) -> bool:
        """Whether it is shown a milestone, by its written id, provided that it may read it."""
        return _any_alike(written, self.follows)


def _any_alike(written: str, patterns: Iterable[str]) -> bool:
    return any(alike(written, pattern) for pattern in patterns)


EVERYBODY = Audience()
"""Everybody who may read all that is configured."""
