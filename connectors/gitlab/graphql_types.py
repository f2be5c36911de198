"""Parts of GraphQL's answers that several queries share."""

from __future__ import annotations

from msgspec import Struct

from connectors.gitlab.normalize import visibility_of_project
from sync.model.tracker_data import Visibility

__all__ = ["PageInfo", "ProjectAccess"]


class PageInfo(Struct, rename="camel"):
    """Place of a page in its list."""

    has_next_page: bool


class _AccessLevel(Struct, rename="camel"):
    string_value: str | None = None


class ProjectAccess(Struct, kw_only=True, rename="camel"):
    """Fields of a project that say who may see it. Older servers lack the access levels."""

    visibility: str = ""
    issues_access_level: _AccessLevel | None = None
    merge_requests_access_level: _AccessLevel | None = None

    @property
    def known_visibility(self) -> Visibility | None:
        """The visibility, as by REST; None if an access level is not known."""
        levels = [self.issues_access_level, self.merge_requests_access_level]
        words = [level.string_value.lower() for level in levels if level is not None and level.string_value]
        return visibility_of_project(self.visibility, *words) if len(words) == len(levels) else None
