"""Settings of an installation: `milesync.toml`, checked completely before the first request.

May import `sync.model`, whose tables of settings it reads. Only `sync.cli` imports this package.
"""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Before pydantic is imported. It would read the metadata of all installed packages, a tenth of the time to import this
# package, and a plugin of another package would see each value of the settings.

from config.errors import ConfigurationError
from config.settings import Settings, load, schema

__all__ = ["ConfigurationError", "Settings", "load", "schema"]
