"""Log-odds and distributions, held to scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from sync.forecast.stats import beta_prime_quantile, expit, log_gamma, logit, normal_score, normal_share, quantiles

CHANCES = np.concatenate([np.linspace(0.0, 1.0, 1001), 10.0 ** np.arange(-300, 0), 1 - 10.0 ** np.arange(-15, 0)])
ODDS = np.concatenate([np.linspace(-40.0, 40.0, 1001), [-np.inf, -1e4, -700.0, 0.0, 700.0, 1e4, np.inf]])


def test_they_are_scipys() -> None:
    assert logit(CHANCES) == pytest.approx(special.logit(CHANCES), rel=1e-12, abs=1e-15)
    assert expit(ODDS) == pytest.approx(special.expit(ODDS), rel=1e-12, abs=1e-300)


def test_a_number_gives_a_number() -> None:
    assert float(logit(0.8)) == pytest.approx(np.log(4.0), rel=1e-15)
    assert float(expit(logit(0.8))) == pytest.approx(0.8, rel=1e-15)
    assert (logit(0.0), logit(1.0)) == (-np.inf, np.inf)


def test_the_gamma_function_and_the_normal_are_scipys() -> None:
    x = 10.0 ** np.linspace(-8, 8, 400)
    assert log_gamma(x) == pytest.approx(special.gammaln(x), rel=1e-13, abs=1e-13)
    assert log_gamma(0.0) == np.inf
    p = np.linspace(0.0005, 0.9995, 999)
    assert normal_score(p) == pytest.approx(special.ndtri(p), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 1000])
def test_quantiles_are_numpys_to_the_last_bit(count: int) -> None:
    values = np.random.default_rng(count).lognormal(size=count)
    levels = np.concatenate([np.linspace(0, 1, 101), [0.85, 0.95, 1 - 1e-16]])
    assert quantiles(values, levels).tolist() == np.quantile(values, levels).tolist()
    assert float(quantiles(values, 0.85)) == np.quantile(values, 0.85)


@pytest.mark.parametrize("q", [0.5, 0.85, 0.95])
def test_the_beta_prime_is_scipys(q: float) -> None:
    sizes = 10.0 ** np.linspace(0, 3.5, 40)
    a, b = (v.ravel() for v in np.meshgrid(sizes, sizes))
    share = special.betaincinv(a, b, q)
    rest = special.betaincinv(b, a, 1 - q)  # 1 - share, exact where the share is nearly 1
    assert beta_prime_quantile(q, a, b) == pytest.approx(share / rest, rel=1e-10)


def test_a_beta_prime_of_nothing_is_nothing() -> None:
    assert beta_prime_quantile(0.5, np.zeros(0), np.zeros(0)).shape == (0,)


def test_the_normal_distribution_is_scipys() -> None:
    x = np.concatenate([np.linspace(-9.0, 9.0, 100_001), [-np.inf, -1e300, 0.0, 1e300, np.inf]])
    assert normal_share(x) == pytest.approx(special.ndtr(x), rel=0, abs=1e-10)
    assert (np.diff(normal_share(x[:-5])) >= 0).all()
