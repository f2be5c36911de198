"""A configured connection: its connector, and the settings of its projects and milestones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from sync.model.counting import Counting, TrackerChanges
from sync.model.item_state import StateRules
from sync.model.policy import OptionalOutputs, Policy
from sync.tracker.clocks import MAX_CLOCK_DIFFERENCE, length_of
from sync.tracker.errors import ClockError, TrackerError
from sync.tracker.identity import TrackerIdentity, with_present_source
from sync.tracker.observed import Observed, Target, without_claims_of
from sync.tracker.protocol import ChangeTracker, Connector, TimedTracker

__all__ = ["Connection", "MilestoneOverrides"]


class MilestoneOverrides(Struct, frozen=True):
    """Settings of one milestone in the configuration; they outrank the tracker's data."""

    report_on: str = ""
    start: date | None = None
    owner: str = ""
    tolerance: float | None = None


def _plan_only(_project: str) -> Policy:
    return Policy.PLAN


def _policy_of_file(_project: str) -> str:
    return "policy"


def _no_optional_outputs(_project: str) -> OptionalOutputs:
    return OptionalOutputs()


def _as_on_page(_project: str) -> Counting | None:
    return None


def _usual_states(_project: str) -> StateRules:
    return StateRules()


def _every_title(_project: str, _title: str) -> bool:
    return True


class Connection(Struct, frozen=True):
    """A configured connection, ready to use.

    ``policy_of`` returns the policy of a project, ``policy_setting_of`` the setting that the policy comes from.
    ``admits`` returns whether a project's milestone with this title is managed, ``optional_outputs_of`` the optional
    writes of a project; projects are paths.
    ``labels`` are the labels of a new status issue, ``prefix`` is the first part of the status labels.
    ``closes_issues``: a status issue that milesync created is closed with its milestone, and reopened with it.
    ``zone`` decides where days end. ``ignored`` are issue types (lower case) that are no items, such as epics or
    sub-tasks. ``state_rules_of`` returns the rules for the state of a project's items.
    ``share`` is what other audiences may see of private milestones: ``none``, or ``aggregate`` (status, probability and
    dates). ``named`` holds the overrides by the milestone's written id without the connection's name: ``acme/app#12``.
    ``count_of`` returns the work that counts in the milestones of a project (path); None: as on the tracker's own page.
    Texts with our marker by ``ignored_accounts`` (logins, lower case) are no claims.
    ``formerly`` are earlier addresses of the tracker. ``identity`` is the tracker's identity as far as it is known; it
    is found when the store is open (`sync.pull.identify`).
    """

    name: str
    connector: Connector
    projects: tuple[str, ...]
    policy_of: Callable[[str], Policy] = _plan_only
    admits: Callable[[str, str], bool] = _every_title
    labels: tuple[str, ...] = ("milestone-status",)
    prefix: str = "health"
    closes_issues: bool = True
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    ignored: frozenset[str] = frozenset()
    tolerance: float = 0.0
    share: str = "none"
    named: Mapping[str, MilestoneOverrides] = field(default_factory=dict)
    optional_outputs_of: Callable[[str], OptionalOutputs] = _no_optional_outputs
    state_rules_of: Callable[[str], StateRules] = _usual_states
    count_of: Callable[[str], Counting | None] = _as_on_page
    formerly: tuple[str, ...] = ()
    ignored_accounts: frozenset[str] = frozenset()
    identity: TrackerIdentity = field(default_factory=TrackerIdentity)
    policy_setting_of: Callable[[str], str] = _policy_of_file

    @property
    def changes(self) -> TrackerChanges:
        """The tracker's word for a change, and how its own page of a milestone counts."""
        return self.connector.changes if isinstance(self.connector, ChangeTracker) else TrackerChanges()

    def counting(self, project: str) -> Counting:
        """Return the work that counts in the milestones of a project (path)."""
        return self.count_of(project) or self.changes.page

    @property
    def source(self) -> str:
        """The identity of the tracker in the store and in markers. The present address is not part of it."""
        return self.identity.source or self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that lead to the tracker, the oldest first: the former ones, then the present one."""
        return (*self.formerly, self.connector.base_url)

    def write_obstacle(self) -> TrackerError | None:
        """Return why nothing may be written now: an unknown address, or clocks that differ; None if writes may go on.

        The clock of the tracker is that of its last answer.
        """
        if self.identity.problem is not None:
            return self.identity.problem
        ahead = self.connector.clock_ahead if isinstance(self.connector, TimedTracker) else None
        if ahead is None or abs(ahead) <= MAX_CLOCK_DIFFERENCE:
            return None
        side = "ahead of" if ahead > timedelta() else "behind"
        limit = length_of(MAX_CLOCK_DIFFERENCE)
        words = f"the tracker's is {length_of(ahead)} {side} this machine's; {limit} are allowed"
        return ClockError(self.name, "", words)

    def former_uids(self, milestone: str) -> tuple[str, ...]:
        """Return the ids that markers of an earlier address have for a milestone (uid)."""
        own = len(self.source)
        return tuple(source + milestone[own:] for source in self.identity.other_names(self.addresses))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Observe through the connector. Markers of an earlier address get the tracker's identity of today."""
        observed = without_claims_of(self.connector.observe(targets), self.ignored_accounts)
        return with_present_source(observed, self.source, self.identity.other_names(self.addresses))

    def closes(self) -> bool:
        """Return whether status issues that milesync created are closed and reopened with their milestones."""
        return self.closes_issues and self.connector.capabilities.issue_state

    def attaches(self, project: str) -> bool:
        """Return whether a project asks for pictures and its tracker takes files."""
        return self.connector.capabilities.files and self.optional_outputs_of(project).picture
