"""Log-odds, held to scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from sync.odds import expit, logit

CHANCES = np.concatenate([np.linspace(0.0, 1.0, 1001), 10.0 ** np.arange(-300, 0), 1 - 10.0 ** np.arange(-15, 0)])
ODDS = np.concatenate([np.linspace(-40.0, 40.0, 1001), [-np.inf, -1e4, -700.0, 0.0, 700.0, 1e4, np.inf]])


def test_they_are_scipys() -> None:
    assert logit(CHANCES) == pytest.approx(special.logit(CHANCES), rel=1e-12, abs=1e-15)
    assert expit(ODDS) == pytest.approx(special.expit(ODDS), rel=1e-12, abs=1e-300)


def test_a_number_gives_a_number() -> None:
    assert float(logit(0.8)) == pytest.approx(np.log(4.0), rel=1e-15)
    assert float(expit(logit(0.8))) == pytest.approx(0.8, rel=1e-15)
    assert (logit(0.0), logit(1.0)) == (-np.inf, np.inf)
