"""State of an item: the usual names, how names are compared, and the names of a team."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import Settings
from sync.model.item_state import REMOVED_RESOLUTIONS, REMOVED_STATES, ItemState, StateRules, fold_name
from sync.model.tracker_data import Issue, State, StatusCategory
from tests.history_rows import issue

USUAL = StateRules()


def closed(**fields: Any) -> Issue:
    return issue(state=State.CLOSED, category=StatusCategory.DONE, **fields)


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
    assert USUAL.state_of(closed(raw_state=name)) is ItemState.REMOVED
    assert USUAL.state_of(closed(raw_state="Closed", resolution=name)) is ItemState.REMOVED


@pytest.mark.parametrize(
    "name", ["Abgebrochen", "Annul\u00e9", "Cancelado", "Annullato", "Geannuleerd", "\u53d6\u6d88"]
)
def test_translations_remove_too(name: str) -> None:
    assert USUAL.state_of(closed(raw_state=name)) is ItemState.REMOVED


@pytest.mark.parametrize("resolution", ["not_planned", "duplicate", "moved", "Cannot Reproduce", "Not a Bug"])
def test_resolutions_of_the_trackers_remove(resolution: str) -> None:
    assert USUAL.state_of(closed(raw_state="closed", resolution=resolution)) is ItemState.REMOVED


@pytest.mark.parametrize(
    ("state", "resolution"),
    [("Done", ""), ("Done", "Done"), ("Closed", "Fixed"), ("closed", "completed"), ("Released", "Unresolved")],
)
def test_finished_work_is_not_removed(state: str, resolution: str) -> None:
    assert USUAL.state_of(closed(raw_state=state, resolution=resolution)) is ItemState.DONE


@pytest.mark.parametrize(
    ("raw_state", "resolution", "expected"),
    [
        ("Cancelled", "", ItemState.REMOVED),
        ("Cancelled", "Done", ItemState.REMOVED),
        ("Done", "Won't Do", ItemState.REMOVED),
        ("Done", "", ItemState.DONE),
    ],
)
def test_either_name_removes_a_closed_issue(raw_state: str, resolution: str, expected: ItemState) -> None:
    assert USUAL.state_of(closed(raw_state=raw_state, resolution=resolution)) is expected


@pytest.mark.parametrize("resolution", ["Won't Do", "Done", ""])
def test_a_usual_name_or_a_resolution_alone_never_finishes_an_open_issue(resolution: str) -> None:
    back = issue(raw_state="Rejected", resolution=resolution, category=StatusCategory.IN_PROGRESS)
    assert USUAL.state_of(back) is ItemState.STARTED
    assert USUAL.contradicts(back) is bool(resolution)


def test_the_configuration_has_no_list_of_its_own() -> None:
    assert rules() == USUAL


# --- a team's names ---------------------------------------------------------------------------------------------------


def rules(project: dict[str, Any] | None = None, **tables: Any) -> StateRules:
    """The rules of the project acme/app, through the configuration."""
    table: dict[str, Any] = {"type": "github", "projects": ["acme/*"], "token": {"env": "TOKEN"}, **tables}
    if project is not None:
        table["project"] = {"acme/app": project}
    settings = Settings.model_validate({"instance": "acme", "connections": {"gh": table}})
    return settings.state_rules_for("gh", "acme/app")


RELEASE = {
    "done": {"labels": ["Shipped"], "states": ["Ready for Release"], "resolutions": ["Cannot Reproduce"]},
    "removed": {"labels": ["out-of-scope"], "states": ["Parked"]},
    "started": {"labels": ["doing"], "states": ["Merged", "Rejected"]},
}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (issue(), ItemState.OPEN),
        (issue(category=StatusCategory.IN_PROGRESS), ItemState.STARTED),
        (issue(labels=("Doing",)), ItemState.STARTED),
        (issue(raw_state="Merged"), ItemState.STARTED),
        (issue(labels=("shipped!",)), ItemState.DONE),
        (issue(labels=("doing", "SHIPPED")), ItemState.DONE),
        (issue(raw_state="READY FOR RELEASE"), ItemState.DONE),
        (issue(raw_state="Parked"), ItemState.REMOVED),
        (issue(labels=("shipped", "[out-of-scope]")), ItemState.REMOVED),
        (issue(raw_state="Merged", labels=("shipped",)), ItemState.STARTED),
        (issue(raw_state="Merged", labels=("out-of-scope",)), ItemState.STARTED),
        (issue(raw_state="Ready for Release", labels=("out-of-scope",)), ItemState.REMOVED),
        (issue(raw_state="Ready for Release", resolution="Won't Do"), ItemState.DONE),
        (closed(raw_state="Done"), ItemState.DONE),
        (closed(raw_state="Done", labels=("doing",)), ItemState.DONE),
        (closed(raw_state="Done", labels=("out-of-scope",)), ItemState.REMOVED),
        (closed(raw_state="Done", resolution="Won't Do"), ItemState.REMOVED),
        (closed(raw_state="Done", resolution="cannot reproduce"), ItemState.DONE),
        (closed(raw_state="Merged", resolution="Done"), ItemState.STARTED),
        (closed(raw_state="Rejected"), ItemState.STARTED),
        (closed(raw_state="Cancelled"), ItemState.DONE),
    ],
)
def test_names_of_a_team(item: Issue, expected: ItemState) -> None:
    assert rules(**RELEASE).state_of(item) is expected


@pytest.mark.parametrize(
    ("item", "contradicts"),
    [
        (issue(), False),
        (issue(raw_state="In Progress", resolution="Done"), True),
        (issue(raw_state="In Progress", resolution="Unresolved"), False),
        (issue(raw_state="Merged", labels=("shipped",)), True),
        (issue(raw_state="Merged", labels=("out-of-scope",)), True),
        (issue(labels=("shipped",)), False),
        (issue(labels=("shipped", "out-of-scope")), True),
        (issue(labels=("shipped", "doing")), False),
        (issue(raw_state="Ready for Release", resolution="Won't Do"), True),
        (issue(raw_state="Ready for Release", resolution="Done"), False),
        (closed(raw_state="Done", resolution="Won't Do"), False),
        (closed(raw_state="Done", labels=("doing",)), False),
    ],
)
def test_state_labels_and_resolution_contradict_each_other(item: Issue, *, contradicts: bool) -> None:
    assert rules(**RELEASE).contradicts(item) is contradicts


def test_configured_names_of_removed_items_replace_the_usual_ones_of_their_list_only() -> None:
    own = rules(removed={"resolutions": ["Parked"]})
    assert own.state_of(closed(raw_state="Done", resolution="PARKED")) is ItemState.REMOVED
    assert own.state_of(closed(raw_state="Done", resolution="Won't Do")) is ItemState.DONE
    assert own.state_of(closed(raw_state="Cancelled", resolution="Done")) is ItemState.REMOVED


def test_an_empty_list_names_nothing() -> None:
    own = rules(removed={"resolutions": [], "states": []})
    assert own.state_of(closed(raw_state="Cancelled", resolution="Won't Do")) is ItemState.DONE


def test_a_project_replaces_single_tables_of_its_connection() -> None:
    own = rules({"done": {"labels": ["live"]}}, **RELEASE)
    assert own.state_of(issue(labels=("live",))) is ItemState.DONE
    assert own.state_of(issue(labels=("shipped",))) is ItemState.OPEN
    assert own.state_of(issue(labels=("out-of-scope",))) is ItemState.REMOVED


def test_an_issue_with_the_state_of_the_rules_keeps_its_names() -> None:
    shipped = issue(labels=("Shipped",), raw_state="opened")
    read = rules(**RELEASE).with_state(shipped)
    assert (read.state, read.category) == (State.CLOSED, StatusCategory.DONE)
    assert (read.labels, read.raw_state, read.closed_at) == (shipped.labels, "opened", None)
    plain = issue()
    assert USUAL.with_state(plain) is plain
