"""What every table of the configuration has in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Table"]


class Table(BaseModel):
    """A table of the file: no unknown keys, unchangeable, and silent about its values when one is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
