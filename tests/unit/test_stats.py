"""Log-odds and distributions, held to scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from sync.forecast.stats import (
    beta_binomial,
    beta_prime_quantile,
    expit,
    log_gamma,
    logit,
    normal_score,
    normal_share,
    quantiles,
)

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


@pytest.mark.parametrize("scale", [12.0, 20.0])
@pytest.mark.parametrize("items", [1, 2, 9, 300, 600, 5000, 200_000])
def test_the_beta_binomial_is_the_sum_of_its_terms(items: int, scale: float) -> None:
    """Each term is a multiple of the one before; the sum of all is 1."""
    some = {0, 1, 2, 255, 256, 257, items // 5, items // 2, items // 2 + 1, items - 300, items - 2, items - 1, items}
    left = np.array(sorted(n for n in some if 0 <= n <= items))
    k = np.arange(items, dtype=np.longdouble)
    for share in (0.01, 0.1, 0.5, 0.9, 0.99):
        gone = np.longdouble(scale * share)
        terms = np.cumprod(np.append(1.0, (items - k) / (k + 1) * (k + scale - gone) / (items - k - 1 + gone)))
        expected = (np.cumsum(terms) / terms.sum())[left].astype(np.float64)
        size, gone_each = np.full(len(left), float(items)), np.full(len(left), float(gone))
        assert beta_binomial(size, left.astype(float), gone_each, scale) == pytest.approx(expected, rel=0, abs=1e-12)


def test_more_items_never_raise_the_beta_binomial_and_more_left_never_lower_it() -> None:
    items = np.arange(250.0, 1200.0)
    for share in (0.01, 0.3, 0.99):
        gone = np.full(items.shape, 12.0 * share)
        by_size = beta_binomial(items, np.minimum(257.0, items), gone, 12.0)
        assert (np.diff(by_size) <= 1e-14).all()
        by_left = beta_binomial(np.full(items.shape, 1300.0), items, gone, 12.0)
        assert (np.diff(by_left) >= -1e-14).all()


def test_the_beta_binomial_takes_arrays_in_any_layout() -> None:
    items = np.arange(1.0, 601.0).reshape(3, 20, 10)
    left, gone = np.floor(items / 3), np.full(items.shape, 3.0)
    for axes in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        turned = [column.transpose(axes) for column in (items, left, gone)]
        whole = beta_binomial(turned[0], turned[1], turned[2], 12.0)
        one_by_one = [
            float(beta_binomial(np.array([a]), np.array([b]), np.array([c]), 12.0)[0])
            for a, b, c in zip(*(column.ravel() for column in turned), strict=True)
        ]
        assert whole.ravel().tolist() == pytest.approx(one_by_one, rel=1e-13)
