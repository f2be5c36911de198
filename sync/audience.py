"""Who reads: what is made for an audience is made from what it may read, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from sync.model import Project, Visibility

__all__ = ["EVERYBODY", "PUBLIC", "Audience"]

PUBLIC = "public"


@dataclass(frozen=True)
class Audience:
    """``public``, or the readers of one project as people write it (``gh:acme/app``).

    Without a name it is whoever runs milesync: every configured project. Confidential items are for no audience.
    """

    name: str = ""

    def sees(self, connection: str, project: Project) -> bool:
        """Whether it may read a project of a connection, by its configured name."""
        if self.name == PUBLIC:
            return project.visibility is Visibility.PUBLIC
        return not self.name or self.name == f"{connection}:{project.key}"


EVERYBODY = Audience()
"""Everybody who may read all that is configured."""
