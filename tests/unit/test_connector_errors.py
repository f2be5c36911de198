"""Errors of the connectors: unsupported writes, copies for a project, unreadable answers, changed descriptions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.github import apply as github
from connectors.gitlab import apply as gitlab
from connectors.jira import apply as jira
from connectors.jira.session import for_project
from connectors.shared.descriptions import changed_description
from connectors.shared.responses import Response, decode_created
from sync.tracker.actions import Action, UpdateDescription
from sync.tracker.errors import BusyError, GoneError, LimitedError, RefusedError, UncertainError

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Rename(Action, frozen=True, kw_only=True, tag=True):
    """A kind of write that no connector supports."""


@pytest.mark.parametrize(
    ("writer", "tracker"), [(github.Writer, "GitHub"), (gitlab.Writer, "GitLab"), (jira.Writer, "Jira")]
)
def test_unsupported_action_is_refused(writer: Callable[[Any], Any], tracker: str) -> None:
    session = SimpleNamespace(name="c")
    with pytest.raises(
        RefusedError, match=f"c: acme/app: .*the {tracker} connector does not support the action Rename"
    ):
        writer(session).apply(Rename(milestone="m", project="1", project_key="acme/app"))


@pytest.mark.parametrize("kind", [BusyError, LimitedError])
def test_error_for_another_project_keeps_its_time(kind: type[BusyError | LimitedError]) -> None:
    error = for_project(kind("c", "", "HTTP 503", until=AT), "PAY")
    assert isinstance(error, kind)
    assert (error.connection, error.project, error.detail, error.until) == ("c", "PAY", "HTTP 503", AT)


def test_error_for_another_project_keeps_its_type() -> None:
    error = for_project(GoneError("c", "", "HTTP 404"), "PAY")
    assert (type(error), error.project, error.detail) == (GoneError, "PAY", "HTTP 404")


def test_unreadable_answer_to_a_creation_is_uncertain() -> None:
    with pytest.raises(UncertainError, match="HTML instead of JSON"):
        decode_created(Response(201, {}, b"<html>"), dict[str, str], "c", "acme/app")


def test_changed_description_is_refused() -> None:
    update = UpdateDescription(
        milestone="m",
        project="1",
        project_key="acme/app",
        key="1",
        native="1",
        url="",
        lines="On track",
        instance="i",
        was="0123456789abcdef",
    )
    with pytest.raises(RefusedError, match="somebody changed the description"):
        changed_description(None, update, "c")
