"""Status issues, comments and markers by milesync in a tracker of the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from connectors.sandbox.world import Tracker
from sync.tracker.marker import Marker, MarkerKind, find_marker
from tests.fault.fault_scripts import TELLING

__all__ = ["check", "markers"]


def markers(tracker: Tracker) -> list[Marker]:
    """The markers of all texts of ours, thread by thread, oldest first."""
    found = []
    for project in tracker.projects.values():
        for issue in project.issues.values():
            texts = [(issue.author, issue.body, issue.properties)]
            texts += [(comment.author, comment.body, comment.properties) for comment in issue.comments]
            for author, body, properties in texts:
                if author is tracker.bot:
                    marker = Marker.decode(properties.get("milesync", {}).get("marker") or find_marker(str(body)))
                    assert marker is not None, (body, properties)
                    found.append(marker)
    return found


def check(tracker: Tracker, milestones: int) -> Sequence[Marker]:
    """Check one status issue and one up-to-date summary for each milestone; return the transitions."""
    found = markers(tracker)
    for kind in (MarkerKind.STATUS_ISSUE, MarkerKind.SUMMARY):
        named = [marker.milestone for marker in found if marker.kind is kind]
        assert len(named) == len(set(named)) == milestones, f"{kind}: {named}"
    transitions = [marker for marker in found if marker.kind in TELLING]
    closed = [marker.milestone for marker in transitions if marker.kind is MarkerKind.CLOSING]
    assert len(closed) == len(set(closed)), f"closed twice: {closed}"
    for summary in (marker for marker in found if marker.kind is MarkerKind.SUMMARY):
        said = [marker.status for marker in transitions if marker.milestone == summary.milestone]
        assert all(status is not other for status, other in pairwise(said)), f"told twice: {said}"
        assert not said or said[-1] is summary.status
    return transitions
