"""Options of a connection of type ``github``: its table ``options`` in the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.github.session import READS_PER_MINUTE
from connectors.shared.deletion_sweep import DAYS
from sync.model.settings import ConnectorOptions, setting

__all__ = ["Options"]


@dataclass(frozen=True, kw_only=True)
class Options(ConnectorOptions):
    """Options of GitHub."""

    sweep_days: float = setting(DAYS, "days between two searches for deleted issues; 0: at each pull", ge=0)
    requests_a_minute: int = setting(READS_PER_MINUTE, "most requests that begin within a minute; 0: any number", ge=0)
