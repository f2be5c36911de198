"""Identity of a tracker, and the markers of an earlier address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.tracker.identity import place_of, with_present_source
from sync.tracker.marker import Marker, MarkerKind, claimed_target, is_of_other_address, status_issue_of
from sync.tracker.observed import Claim, Observed, OurComment, StatusIssue, Target

OLD, NEW = "https://git.example.org", "https://gitlab.example.org"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def marker(source: str, native: str = "7", kind: MarkerKind = MarkerKind.STATUS_ISSUE, instance: str = "acme") -> str:
    """Return the text of a marker."""
    return Marker(instance=instance, kind=kind, milestone=f"{source}/milestone/{native}").encode()


def target(*former: str) -> Target:
    """Return the target of milestone 7 at the present address."""
    uids = tuple(f"{source}/milestone/7" for source in former)
    return Target(milestone=f"{NEW}/milestone/7", project="1", project_key="a/b", instance="acme", former=uids)


@pytest.mark.parametrize(
    ("address", "other", "is_same"),
    [
        ("http://git.example.org", "https://git.example.org", True),
        ("https://Git.Example.org/", "https://git.example.org:443", True),
        ("http://git.example.org:80/git", "https://git.example.org/git/", True),
        ("https://git.example.org/git", "https://git.example.org", False),
        ("https://git.example.org:8443", "https://git.example.org", False),
        ("https://git.example.org", "https://gitlab.example.org", False),
        ("memory://tracker", "memory://tracker", True),
        ("memory://tracker", "memory://other", False),
    ],
)
def test_addresses_are_compared_without_scheme_and_default_port(address: str, other: str, is_same: bool) -> None:
    assert (place_of(address) == place_of(other)) is is_same


def test_a_status_issue_of_a_listed_address_is_ours() -> None:
    wanted = {target(OLD).milestone: target(OLD)}
    assert status_issue_of(marker(NEW), wanted) == target(OLD)
    assert status_issue_of(marker(OLD), wanted) == target(OLD)
    assert status_issue_of(marker(OLD, instance="other"), wanted) is None
    assert status_issue_of(marker(OLD, native="8"), wanted) is None


def test_a_status_issue_of_an_unknown_address_is_a_claim() -> None:
    wanted = {target().milestone: target()}
    assert status_issue_of(marker(OLD), wanted) is None
    assert claimed_target(marker(OLD), wanted) == target()
    assert claimed_target(marker(OLD, native="17"), wanted) is None
    assert claimed_target(marker(OLD, instance="other"), wanted) is None
    assert claimed_target(marker(OLD, kind=MarkerKind.SUMMARY), wanted) is None
    decoded = Marker.decode(marker(NEW))
    assert decoded is not None
    assert not is_of_other_address(decoded, target().milestone, "acme")


def test_an_observation_names_the_tracker_by_its_present_identity() -> None:
    texts = [marker(source, kind=MarkerKind.SUMMARY) for source in (OLD, NEW, "https://third.example.org")]
    comments = tuple(
        OurComment(id=str(n), marker=text, body="", created_at=NOW, updated_at=NOW) for n, text in enumerate(texts)
    )
    issue = StatusIssue(issue="1", url="", closed=False, labels=(), comments=comments, marker=marker(OLD))
    claim = Claim(id="2", author="eve", marker=marker(OLD), issue="2")
    seen = with_present_source(Observed(issues={"m": issue}, claims={"n": claim}), NEW, [OLD])
    present = marker(NEW, kind=MarkerKind.SUMMARY)
    assert [comment.marker for comment in seen.issues["m"].comments] == [present, present, texts[2]]
    assert seen.issues["m"].marker == marker(NEW)
    assert seen.claims["n"].marker == marker(NEW)
