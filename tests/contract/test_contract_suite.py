"""Our connectors pass the public suite over real HTTP, in each dialect of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sandbox.server import Sandbox
from connectors.testing import ConnectorContract, Side
from tests.contract.sandbox_side import SandboxSide


class OverSandbox(ConnectorContract):
    """A fresh side of one dialect for each test."""

    kind = ""

    @pytest.fixture
    def side(self, sandbox: Sandbox) -> Iterator[Side]:
        side = SandboxSide.of(sandbox.world, self.kind)
        yield side
        for connector in side.made:
            connector.close()


class TestGitHub(OverSandbox):
    kind = "github"


class TestGitLab(OverSandbox):
    kind = "gitlab"


class TestJiraDataCenter(OverSandbox):
    kind = "jira"


class TestJiraCloud(OverSandbox):
    kind = "jira-cloud"
