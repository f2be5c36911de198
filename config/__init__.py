"""Settings of an installation: `milesync.toml`, checked completely before the first request.

May import `sync.model`, whose tables of settings it reads. Only `sync.cli` imports this package.
"""

from config.errors import ConfigurationError
from config.settings import Settings, load, schema

__all__ = ["ConfigurationError", "Settings", "load", "schema"]
