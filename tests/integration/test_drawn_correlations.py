"""Completion moments are drawn with the estimated correlation, however many milestones have relations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from sync.assess.paths import CompletionPaths
from sync.forecast.joint import PATHS, seed
from sync.forecast.stats import normal_score
from sync.forecast.stream_correlation import StreamCorrelation
from tests.growth_world import Size, World

PAIRS = 24


def contradictory(_: StreamCorrelation, streams: Sequence[str]) -> NDArray[np.float64]:
    """Return a strong correlation for each pair of streams that knows nothing of the others."""
    matrix = np.eye(len(streams))
    for i, stream in enumerate(streams):
        for j, other in enumerate(streams[:i]):
            matrix[i, j] = matrix[j, i] = 0.8 if seed("/".join(sorted((stream, other)))) % 2 else -0.8
    return matrix


def test_milestones_that_wait_are_drawn_with_their_own_correlation(tmp_path: Path) -> None:
    """Each of many pairs of dependent milestones follows its correlation, though it contradicts those of the others."""
    made: list[CompletionPaths] = []
    build = CompletionPaths.__init__

    def noted(self: CompletionPaths, *given: object) -> None:
        build(self, *given)  # type: ignore[arg-type]
        made.append(self)

    world = World(Size(projects=2 * PAIRS, milestones=1, past=6, dependencies=PAIRS), tmp_path)
    with (
        mock.patch.object(CompletionPaths, "__init__", noted),
        mock.patch.object(StreamCorrelation, "matrix", contradictory),
        world.engine() as engine,
    ):
        engine.pull()
        engine.assess()
        (paths,) = made
        pairs = [(own.before, own.after) for own in paths.graph.dependencies]
        normal = {uid: normal_score((ranks + 0.5) / PATHS) for uid, ranks in paths.ranks.items()}
        drawn = [float(np.mean(normal[before] * normal[after])) for before, after in pairs]
        estimated = [paths.correlation(pair)[0, 1] for pair in pairs]
    world.store.close()
    assert len(drawn) == PAIRS
    assert set(estimated) == {0.8, -0.8}
    assert np.allclose(drawn, estimated, atol=0.04)
