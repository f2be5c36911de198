"""PyGithub, imported without PyJWT and PyNaCl: they bring cryptography and a C library, 12 MB together.

PyJWT signs for a GitHub App only. PyNaCl encrypts secrets of repositories, which milesync never does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = [
    "Auth",
    "Github",
    "GithubException",
    "HTTPRequestsConnectionClass",
    "HTTPSRequestsConnectionClass",
    "InstallationAuthorization",
]


class _LateModule(ModuleType):
    """The module of this name, imported when its first attribute is read.

    A lazy module of ``importlib`` would not do: the import statement itself reads an attribute of it.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]  # else the import would return this module
        return getattr(import_module(self.__name__), name)


_LATE = ("jwt", "nacl.encoding", "nacl.public")

for _name in _LATE:
    sys.modules.setdefault(_name, _LateModule(_name))
try:
    import github
    import github.InstallationAuthorization
    import github.Requester
finally:
    for _name in _LATE:
        if isinstance(sys.modules.get(_name), _LateModule):
            del sys.modules[_name]

Auth = github.Auth
Github = github.Github
GithubException = github.GithubException
InstallationAuthorization = github.InstallationAuthorization.InstallationAuthorization
HTTPRequestsConnectionClass = github.Requester.HTTPRequestsConnectionClass
HTTPSRequestsConnectionClass = github.Requester.HTTPSRequestsConnectionClass
