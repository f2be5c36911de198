"""Base of the tables that only the configuration has."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Table"]


class Table(BaseModel):
    """A table of the file: refuses unknown keys, is immutable, and repeats no value in an error.

    Its validator is built when it is first used alone, which the settings never do: a default is `model_construct()`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
