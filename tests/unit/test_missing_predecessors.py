from __future__ import annotations

import pytest

from sync.assess.missing_predecessors import is_id_in_project


@pytest.mark.parametrize(
    ("written", "connection", "key"),
    [("gh:acme/app#1", "gh", "acme/app"), ("gl:acme/api%2.0", "gl", "acme/api"), ("jira:PAY/2.0", "jira", "PAY")],
)
def test_an_id_belongs_to_its_own_project(written: str, connection: str, key: str) -> None:
    assert is_id_in_project(written, connection, key)


@pytest.mark.parametrize(
    ("written", "connection", "key"),
    [
        ("gh:acme/app2#1", "gh", "acme/app"),
        ("ghe:acme/app#1", "gh", "acme/app"),
        ("gl:acme/app/sub%1", "gl", "acme/app"),
        ("jira:PAYROLL/2.0", "jira", "PAY"),
        ("joint:launch", "gh", "acme/app"),
    ],
)
def test_an_id_of_another_project_or_tracker_does_not(written: str, connection: str, key: str) -> None:
    assert not is_id_in_project(written, connection, key)
