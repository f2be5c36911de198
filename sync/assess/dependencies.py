"""Find the dependencies between milestones: configured ones, and those of issues that block each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from sync.assess.issue_names import issue_names
from sync.assess.milestone import AssessedMilestone, AssessmentRules
from sync.forecast.dependencies import Dependency, dependency_from_links, without_cycles
from sync.model.errors import DependencyCycleError

__all__ = ["DependencyGraph", "Links", "find_dependencies"]

Milestones = Mapping[str, AssessedMilestone]
"""Milestones by uid."""

OpenItems = Mapping[str, Sequence[str]]
"""The uids of the open items of each milestone, by its uid."""


class Links(Struct, frozen=True):
    """Links between two milestones (uids): pairs of an open issue of ``before`` and one of ``after`` that it blocks."""

    before: str
    after: str
    issues: frozenset[tuple[str, str]]

    def dependency(self, open_before: Collection[str], open_after: Collection[str]) -> Dependency | None:
        """Return the dependency while these are the open items of both; None where no link holds.

        An issue that is in both milestones neither blocks nor waits.
        """
        held = [
            (blocker, item)
            for blocker, item in self.issues
            if blocker in open_before and blocker not in open_after and item in open_after and item not in open_before
        ]
        if not held:
            return None
        return dependency_from_links(
            self.before,
            self.after,
            blockers=len({blocker for blocker, _ in held}),
            of=len(open_before),
            blocked=len({item for _, item in held}),
            waiting_of=len(open_after),
        )


class DependencyGraph(Struct, frozen=True):
    """Dependencies between milestones (uids), without cycles. ``cycles``: uid -> number of cycles that it was in.

    ``links``: (before, after) -> the links between these milestones.
    """

    dependencies: tuple[Dependency, ...]
    cycles: Mapping[str, int]
    links: Mapping[tuple[str, str], Links]


def find_dependencies(
    milestones: Milestones, open_items: OpenItems, members: Mapping[str, Sequence[str]], rules: AssessmentRules
) -> DependencyGraph:
    """Find all dependencies; those of issues are ignored where they would close a cycle.

    ``members``: name of a joint milestone -> uids. Raises `DependencyCycleError`, with the ids as people write them, if
    the configured ones form a cycle.
    """
    configured_pairs = _configured(milestones, members, rules)
    configured = [Dependency(before=before, after=after) for before, after in configured_pairs if before != after]
    links = {(own.before, own.after): own for own in _links(milestones, open_items)}
    items = {uid: frozenset(open_items[uid]) for pair in links for uid in pair}
    found = (own.dependency(items[before], items[after]) for (before, after), own in links.items())
    linked = [own for own in found if own is not None and (own.before, own.after) not in configured_pairs]

    # public ones first: a private dependency must not decide which public one is ignored
    def is_public(dependency: Dependency) -> bool:
        return milestones[dependency.before].project.is_public and milestones[dependency.after].project.is_public

    try:
        public, public_cycles = without_cycles(configured, [own for own in linked if is_public(own)])
    except DependencyCycleError as error:
        raise DependencyCycleError([milestones[uid].written for uid in error.ids]) from None
    dependencies, other_cycles = without_cycles(public, [own for own in linked if not is_public(own)])
    cycles: dict[str, int] = defaultdict(int)
    for cycle in public_cycles:
        for uid in set(cycle.ids):
            cycles[uid] += 1
    for cycle in other_cycles:
        for uid in set(cycle.ids):
            cycles[uid] += not milestones[uid].project.is_public
    return DependencyGraph(tuple(dependencies), cycles, links)


def _configured(
    milestones: Milestones, members: Mapping[str, Sequence[str]], rules: AssessmentRules
) -> dict[tuple[str, str], None]:
    """Return the configured pairs (before, after) of uids, in their order; every member of a joint milestone counts."""
    uid_by_id = {milestone.written: uid for uid, milestone in milestones.items()}

    def uids(written: str) -> Sequence[str]:
        name = written.removeprefix("joint:")
        if name != written:
            return members.get(name, ())
        return (uid_by_id[written],) if written in uid_by_id else ()

    pairs = {(b, a) for before, after in rules.dependencies for b in uids(before) for a in uids(after)}
    return dict.fromkeys(sorted(pairs))


def _links(milestones: Milestones, open_items: OpenItems) -> Iterator[Links]:
    """Yield the links of each pair of milestones in which an open issue of one blocks an open issue of the other."""
    milestones_by_item: dict[str, list[str]] = defaultdict(list)
    item_by_name: dict[tuple[str, str, str], str] = {}
    for uid, items in open_items.items():
        milestone = milestones[uid]
        for item in items:
            milestones_by_item[item].append(uid)
            issue = milestone.issues[item]
            names = issue_names(milestone.connection.name, issue.project, issue.key, issue.url)
            item_by_name.update(dict.fromkeys(names, item))
    issues: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for item, uids in milestones_by_item.items():
        for after in uids:
            issue = milestones[after].issues[item]
            for word in issue.blocked_by:
                names = issue_names(milestones[after].connection.name, issue.project, word, word)
                blocker = next((item_by_name[name] for name in names if name in item_by_name), None)
                if blocker is not None:
                    for before in milestones_by_item[blocker]:
                        issues[before, after].add((blocker, item))
    for (before, after), pairs in sorted(issues.items()):
        if before != after:
            yield Links(before, after, frozenset(pairs))
