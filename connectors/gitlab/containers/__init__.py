"""GitLab's kinds of containers, in the order of the option ``containers``; the first one is the default."""

from __future__ import annotations

from connectors.gitlab.containers.epics import Epics
from connectors.gitlab.containers.iterations import Iterations
from connectors.gitlab.containers.kind import LicensedContainers
from connectors.gitlab.containers.milestones import Milestones

__all__ = ["GROUP_KINDS", "WORDS"]

GROUP_KINDS: tuple[type[LicensedContainers], ...] = (Iterations, Epics)
"""The kinds whose containers belong to groups and need a licence."""

WORDS = (Milestones.word, *(kind.word for kind in GROUP_KINDS))
"""Values of the option ``containers``."""
