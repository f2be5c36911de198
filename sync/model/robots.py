"""Recognise accounts of programs and placeholders of deleted accounts: they do no work that people are thanked for.

Trackers mark only a part of such accounts (`Person.is_bot`), so names of widely used services are listed here.
"""

from __future__ import annotations

import re

from sync.model.tracker_data import Person

__all__ = ["is_robot"]

_SERVICES = frozenset(
    (
        "allcontributors",
        "automation-for-jira",
        "azure-pipelines",
        "bors",
        "circleci",
        "codecov",
        "copilot",
        "copilot-swe-agent",
        "dependabot",
        "dependabot-gitlab",
        "dependabot-preview",
        "github-actions",
        "greenkeeper",
        "imgbot",
        "jenkins",
        "jira-automation",
        "mergify",
        "milesync",
        "netlify",
        "opsgenie",
        "pre-commit-ci",
        "renovate",
        "renovate-bot",
        "renovatebot",
        "sonarcloud",
        "travis-ci",
        "web-flow",
        "whitesource-renovate",
    )
)
_PLACEHOLDERS = frozenset(("deleted-user", "former-user", "ghost", "ghost-user"))
_ROBOT = re.compile(r".*\[bot\]|.*[-_]bot|(project|group)_\d+_bot.*|service_account_.*", re.DOTALL)


def is_robot(person: Person) -> bool:
    """Return whether an account is a program's, or the placeholder of a deleted account.

    ``dependabot``, ``Renovate Bot`` and ``project_12_bot_3f`` are robots, the person ``Jan Bot`` is none.
    """
    return person.is_bot or any(_is_robot_name(name.casefold().strip()) for name in (person.name, person.login) if name)


def _is_robot_name(name: str) -> bool:
    word = name.replace(" ", "-")
    return word in _SERVICES or word in _PLACEHOLDERS or _ROBOT.fullmatch(name) is not None
