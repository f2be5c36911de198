"""Find the people whom Jira names as responsible: leads of projects, and drivers of versions (Cloud)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from connectors.jira import api_types
from connectors.jira.normalize import person_of
from connectors.jira.session import OPTIONAL_ERRORS, Session
from connectors.shared.paths import path_of
from sync.model.tracker_data import Milestone, Person

__all__ = ["drivers_of", "owners_of", "with_lead"]

_PAGE, _USERS = 50, 200
"""Versions and users in one page."""


def owners_of(user: api_types.User | None) -> tuple[Person, ...]:
    """Return an account as an owner; nothing for a program, or an account that is switched off."""
    person = person_of(user) if user is not None and user.active else None
    return () if person is None or person.is_bot else (person,)


def with_lead(milestone: Milestone, lead: api_types.User | None) -> Milestone:
    """Return a milestone with the lead of its project as its owner, unless Jira names another."""
    return milestone if milestone.owners else structs.replace(milestone, owners=owners_of(lead))


def drivers_of(session: Session, project: api_types.Project) -> Mapping[str, api_types.User]:
    """Return the drivers of a project's unreleased versions by version id; read once a day, by one or two requests.

    Data Center has none. Nothing else fails where Jira does not say them.
    """
    if session.is_cloud and project.id not in session.drivers:
        try:
            session.drivers[project.id] = _read_drivers(session, project)
        except OPTIONAL_ERRORS:
            session.drivers[project.id] = {}
    return session.drivers.get(project.id, {})


def _read_drivers(session: Session, project: api_types.Project) -> dict[str, api_types.User]:
    drivers: dict[str, str] = {}
    query = {"expand": "driver", "status": "unreleased", "maxResults": _PAGE}
    guard, start = session.caller.guard(project.key), 0
    while True:
        page = session.read(
            api_types.VersionPage,
            path_of("project/{}/version", project.id),
            {**query, "startAt": start},
            project=project.key,
        )
        drivers |= {version.id: version.driver for version in page.values if version.driver}
        if page.isLast:
            break
        start += len(page.values)
        guard.check(len(page.values), tuple(version.id.encode() for version in page.values), start)
    users = _read_users(session, sorted(set(drivers.values())))
    return {version: users[account] for version, account in drivers.items() if account in users}


def _read_users(session: Session, accounts: Sequence[str]) -> dict[str, api_types.User]:
    users: dict[str, api_types.User] = {}
    for n in range(0, len(accounts), _USERS):
        query = {"accountId": accounts[n : n + _USERS], "maxResults": _USERS}
        users |= {user.id: user for user in session.read(api_types.UserPage, "user/bulk", query).values}
    return users
