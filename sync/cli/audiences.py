"""Audiences by name: `public`, those of the configuration, and one for each project."""

from __future__ import annotations

import typer

from config.settings import Settings
from sync.engine.engine import Engine
from sync.model.audience import OPERATOR, PUBLIC, Audience

__all__ = ["configured_audiences", "find_audience"]


def configured_audiences(settings: Settings) -> dict[str, Audience]:
    """The audiences of the configuration, by name."""
    return {name: Audience(name, audience.reads, audience.milestones) for name, audience in settings.audiences.items()}


def find_audience(name: str, settings: Settings, engine: Engine) -> Audience:
    """The audience with this name. The name "" is the audience of the people who run milesync.

    Raises `typer.BadParameter` for an unknown name, as an empty report would look like good news.
    """
    if not name:
        return OPERATOR
    configured = configured_audiences(settings)
    if name == PUBLIC or name in configured:
        return configured.get(name, Audience(PUBLIC))
    projects = sorted(
        f"{connection.name}:{project.key}"
        for connection in engine.connections
        for project in engine.store.projects(connection.source)
    )
    if name not in projects:
        raise typer.BadParameter(
            f"no audience {name!r}; known audiences: {', '.join([PUBLIC, *configured, *projects])}"
        )
    return Audience(name)
