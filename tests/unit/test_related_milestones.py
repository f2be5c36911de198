"""Milestones are drawn together where relations connect them, and nothing private decides about public ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from sync.assess.related_milestones import RelatedMilestones
from sync.forecast.dependencies import Dependency

Relation = tuple[str, ...]


def _chains(relations: list[Relation]) -> list[set[str]]:
    """Merge relations that share a milestone, until none do."""
    groups = [set(own) for own in relations if own]
    while merged := next(((a, b) for a, b in combinations(groups, 2) if a & b), None):
        groups = [own for own in groups if own not in merged] + [merged[0] | merged[1]]
    return groups


def _random(rng: np.random.Generator) -> tuple[list[Relation], list[Relation], set[str], set[str]]:
    """Return joint milestones, dependencies, public milestones and shared ones, of ten."""
    uids = list("abcdefghij")
    joints = [tuple(rng.permutation(uids)[: rng.integers(0, 4)].tolist()) for _ in range(rng.integers(0, 4))]
    pairs = [tuple(rng.permutation(uids)[:2].tolist()) for _ in range(rng.integers(0, 5))]
    public = {uid for uid in uids if rng.random() < 0.5}
    return joints, pairs, public, {uid for uid in uids if uid not in public and rng.random() < 0.5}


def _related(joints: list[Relation], pairs: list[Relation], public: set[str], shared: set[str]) -> RelatedMilestones:
    return RelatedMilestones(joints, [Dependency(before=pair[0], after=pair[1]) for pair in pairs], public, shared)


def test_those_that_a_chain_of_relations_connects_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        joints, pairs, public, shared = _random(rng)
        related = _related(joints, pairs, public, shared)
        found = related.groups(related.uids)
        assert sorted(map(sorted, found)) == sorted(map(sorted, _chains([*joints, *pairs])))
        assert [uid for uid in related.uids if uid in found[0]] == found[0] if found else not related.uids


def test_what_a_figure_compares_is_correlated() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        joints, pairs, public, shared = _random(rng)
        related = _related(joints, pairs, public, shared)
        for group in related.groups(related.uids):
            apart = related.is_drawn_apart(group)
            assert np.array_equal(apart, apart.T)
            for own in (*joints, *pairs):
                places = [group.index(uid) for uid in own if uid in group]
                is_compared = own in joints or (public | shared).issuperset(own)
                assert not (is_compared and apart[np.ix_(places, places)].any())


@pytest.mark.parametrize("with_shared", [False, True])
def test_a_private_relation_changes_neither_order_nor_correlations_of_the_others(with_shared: bool) -> None:
    rng, changed = np.random.default_rng(3), 0
    for _ in range(300):
        joints, pairs, public, shared = _random(rng)
        known = public | shared if with_shared else public
        is_private = [not known.issuperset(pair) for pair in pairs]
        shown = [pair for pair, is_hidden in zip(pairs, is_private, strict=True) if not is_hidden]
        every, less = _related(joints, pairs, public, shared), _related(joints, shown, public, shared)
        first = [uid for uid in less.uids if uid in known]
        assert every.uids[: len(first)] == first
        changed += any(is_private) and bool(first)

        def correlated(related: RelatedMilestones, first: list[str] = first) -> set[frozenset[str]]:
            return {
                frozenset((a, b))
                for group in related.groups(first)
                for (i, a), (j, b) in combinations(enumerate(group), 2)
                if not related.is_drawn_apart(group)[i, j]
            }

        assert correlated(every) == correlated(less)
    assert changed > 50
