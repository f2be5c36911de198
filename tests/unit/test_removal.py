"""Names that take an item out of scope: which, how they are compared, and where the definition is used."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import Settings
from sync.model.removal import REMOVED_RESOLUTIONS, REMOVED_STATES, RemovalNames, fold_name
from sync.model.tracker_data import Issue, State
from tests.unit.test_history import issue


def closed(**fields: Any) -> Issue:
    return issue(state=State.CLOSED, **fields)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Won\u2019t  Do", "won't do"),
        ("WON'T DO", "won't do"),
        ("not_planned", "not planned"),
        (" [Cancelled] ", "cancelled"),
        ("\u274c Canceled", "canceled"),
        ("ABGEBROCHEN", "abgebrochen"),
        ("Zru\u0161eno", "zru\u0161eno"),
        ("annule\u0301", "annul\u00e9"),
        ("\u30ad\u30e3\u30f3\u30bb\u30eb", "\u30ad\u30e3\u30f3\u30bb\u30eb"),
        ("", ""),
        ("---", ""),
    ],
)
def test_names_are_compared_without_case_and_signs(name: str, folded: str) -> None:
    assert fold_name(name) == folded


def test_every_name_is_folded() -> None:
    assert {fold_name(name) for name in REMOVED_RESOLUTIONS | REMOVED_STATES} == REMOVED_RESOLUTIONS | REMOVED_STATES
    assert "" not in REMOVED_RESOLUTIONS
    assert REMOVED_STATES < REMOVED_RESOLUTIONS


@pytest.mark.parametrize(
    "name",
    ["Cancelled", "Canceled", "Abandoned", "Won't do", "Won't Fix", "Rejected", "Declined", "Obsolete", "Duplicate"],
)
def test_usual_names_remove_as_a_state_and_as_a_resolution(name: str) -> None:
    assert RemovalNames().include(closed(raw_state=name))
    assert RemovalNames().include(closed(raw_state="Closed", resolution=name))


@pytest.mark.parametrize(
    "name", ["Abgebrochen", "Annul\u00e9", "Cancelado", "Annullato", "Geannuleerd", "\u53d6\u6d88"]
)
def test_translations_remove_too(name: str) -> None:
    assert RemovalNames().include(closed(raw_state=name))


@pytest.mark.parametrize("resolution", ["not_planned", "duplicate", "moved", "Cannot Reproduce", "Not a Bug"])
def test_resolutions_of_the_trackers_remove(resolution: str) -> None:
    assert RemovalNames().include(closed(raw_state="closed", resolution=resolution))


@pytest.mark.parametrize(
    ("state", "resolution"),
    [("Done", ""), ("Done", "Done"), ("Closed", "Fixed"), ("closed", "completed"), ("Released", "Unresolved")],
)
def test_finished_work_is_not_removed(state: str, resolution: str) -> None:
    assert not RemovalNames().include(closed(raw_state=state, resolution=resolution))


@pytest.mark.parametrize(
    ("raw_state", "resolution", "is_removed"),
    [
        ("Cancelled", "", True),
        ("Cancelled", "Done", True),
        ("Done", "Won't Do", True),
        ("Done", "", False),
    ],
)
def test_either_name_removes_a_closed_issue(raw_state: str, resolution: str, *, is_removed: bool) -> None:
    assert RemovalNames().include(closed(raw_state=raw_state, resolution=resolution)) is is_removed


@pytest.mark.parametrize("resolution", ["Won't Do", "Done", ""])
def test_an_open_issue_is_never_removed(resolution: str) -> None:
    assert not RemovalNames().include(issue(raw_state="Rejected", resolution=resolution))


def test_configured_resolutions_replace_the_resolutions_only() -> None:
    names = RemovalNames(resolutions=frozenset({fold_name("Parked")}))
    assert names.include(closed(raw_state="Done", resolution="PARKED"))
    assert not names.include(closed(raw_state="Done", resolution="Won't Do"))
    assert names.include(closed(raw_state="Cancelled", resolution="Done"))


def test_the_configuration_has_no_list_of_its_own() -> None:
    table = {"type": "github", "projects": ["acme/app"]}
    settings = Settings.model_validate({"instance": "acme", "connections": {"gh": table}})
    assert settings.connections["gh"].removed_resolutions is None
