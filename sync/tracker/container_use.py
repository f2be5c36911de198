"""The kinds of containers that projects use, for `milesync init`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct, field

__all__ = ["ContainerUse", "SurveyingTracker"]


class ContainerUse(Struct, frozen=True, kw_only=True):
    """Number of open issues that are in containers of one kind.

    ``word`` is its word in the option ``containers``. ``options`` are the other options that this kind needs
    (``boards``).
    """

    word: str
    issues: int
    options: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class SurveyingTracker(Protocol):
    """A connector that finds which kinds of containers projects use."""

    def containers_in_use(self, projects: Sequence[str]) -> Sequence[ContainerUse]:
        """Count, in a sample of the open issues of these projects, those in each kind of container.

        The sample takes a few requests: a hundred issues of each of the first projects. A kind that cannot be
        read, without a licence or right, is left out. Raises a `TrackerError`.
        """
        ...
