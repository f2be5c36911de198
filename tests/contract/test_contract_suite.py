"""Our connectors pass the public suite over real HTTP, in each dialect of the sandbox and on servers of each age.

A server that an organisation runs itself comes in three ages: the newest, the oldest that its maker supports, and the
oldest that milesync works with.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sandbox.server import Sandbox
from connectors.testing import ConnectorContract, Side
from tests.contract.sandbox_side import SandboxSide
from tests.proof import full

NEWEST = ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a class on each of its versions."""
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", metafunc.cls.versions)


class OverSandbox(ConnectorContract):
    """A fresh side of one dialect and version for each test."""

    kind = ""
    versions: tuple[str, ...] = (NEWEST,)

    @pytest.fixture
    def side(self, sandbox: Sandbox, version: str) -> Iterator[Side]:
        side = SandboxSide.of(sandbox.world, self.kind, version)
        yield side
        for connector in side.made:
            connector.close()


class TestGitHub(OverSandbox):
    kind = "github"


class TestEnterpriseServer(OverSandbox):
    kind = "github"
    versions = full(("3.22", "3.19", "3.14"), ("3.14",))


class TestGitLab(OverSandbox):
    kind = "gitlab"
    versions = full((NEWEST, "19.4", "15.0"), (NEWEST, "15.0"))


class TestJiraDataCenter(OverSandbox):
    kind = "jira"
    versions = full((NEWEST, "10.3", "8.20"), (NEWEST, "8.20"))


class TestJiraCloud(OverSandbox):
    kind = "jira-cloud"
