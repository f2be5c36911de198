"""Milestones are drawn together where relations connect them, and nothing private decides about public ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from sync.assess.related_milestones import RelatedMilestones
from sync.forecast.dependencies import Dependency

Relation = tuple[str, ...]


def _chains(relations: list[Relation]) -> list[set[str]]:
    """Merge relations that share a milestone, until none do."""
    groups = [set(own) for own in relations if own]
    while merged := next(((a, b) for a, b in combinations(groups, 2) if a & b), None):
        groups = [own for own in groups if own not in merged] + [merged[0] | merged[1]]
    return groups


def _random(rng: np.random.Generator) -> tuple[list[Relation], list[Relation], set[str]]:
    """Return joint milestones, dependencies and public milestones, of ten."""
    uids = list("abcdefghij")
    joints = [tuple(rng.permutation(uids)[: rng.integers(0, 4)].tolist()) for _ in range(rng.integers(0, 4))]
    pairs = [tuple(rng.permutation(uids)[:2].tolist()) for _ in range(rng.integers(0, 5))]
    return joints, pairs, {uid for uid in uids if rng.random() < 0.7}


def _related(joints: list[Relation], pairs: list[Relation], public: set[str]) -> RelatedMilestones:
    return RelatedMilestones(joints, [Dependency(before=pair[0], after=pair[1]) for pair in pairs], public)


def test_those_that_a_chain_of_relations_connects_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        joints, pairs, public = _random(rng)
        related = _related(joints, pairs, public)
        found = related.groups(related.uids)
        assert sorted(map(sorted, found)) == sorted(map(sorted, _chains([*joints, *pairs])))
        assert [uid for uid in related.uids if uid in found[0]] == found[0] if found else not related.uids


def test_what_a_figure_of_public_milestones_compares_is_correlated() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        joints, pairs, public = _random(rng)
        related = _related(joints, pairs, public)
        for group in related.groups(related.uids):
            apart = related.is_drawn_apart(group)
            assert np.array_equal(apart, apart.T)
            for own in (*joints, *pairs):
                places = [group.index(uid) for uid in own if uid in group]
                is_public = own in joints or public.issuperset(own)
                assert not (is_public and apart[np.ix_(places, places)].any())


def test_a_private_relation_changes_neither_order_nor_correlations_of_the_public_ones() -> None:
    rng, changed = np.random.default_rng(3), 0
    for _ in range(300):
        joints, pairs, public = _random(rng)
        is_private = [not public.issuperset(pair) for pair in pairs]
        shown = [pair for pair, is_hidden in zip(pairs, is_private, strict=True) if not is_hidden]
        every, less = _related(joints, pairs, public), _related(joints, shown, public)
        first = [uid for uid in less.uids if uid in public]
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
