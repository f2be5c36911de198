"""What an installation says about itself: `milesync.toml`, read and checked before anything else happens."""

from config.errors import ConfigurationError
from config.settings import Settings, load, schema

__all__ = ["ConfigurationError", "Settings", "load", "schema"]
