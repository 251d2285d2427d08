"""Autocorrelation times and R-hat: exactly solvable series, coverage of the errors, other packages."""

import json
import math
import warnings
from pathlib import Path

import emcee
import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

import analysis
from analysis.autocorrelation import autocovariance

REFERENCES = json.loads((Path(__file__).parent / "data" / "autocorrelation.json").read_text())


def ar1(a: float, shape: tuple[int, ...], rng) -> np.ndarray:
    """Stationary x_t = a x_{t-1} + noise along the last axis, unit variance, tau = (1 + a) / (1 - a)."""
    noise = rng.normal(size=shape) * np.sqrt(1 - a**2)
    noise[..., 0] /= np.sqrt(1 - a**2)
    return lfilter([1.0], [1.0, -a], noise, axis=-1)


def reference_series(a: float) -> np.ndarray:
    """The series that the other packages were given: see the source of the data file."""
    noise = np.random.default_rng(7).normal(size=20_000)
    noise *= np.sqrt(1 - a * a)
    noise[0] = REFERENCES["first"]
    return lfilter([1.0], [1.0, -a], noise)


@pytest.mark.parametrize(("a", "tau"), [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)])
@pytest.mark.parametrize("shape", [(200_000,), (20, 10_000)])
def test_tau_of_ar1(a, tau, shape):
    rng = np.random.default_rng(1)
    found = analysis.integrated_autocorrelation_time(ar1(a, shape, rng))
    # Madras-Sokal: var(tau) / tau^2 = 2 (2 M + 1) / n with the window M = 5 tau
    assert abs(found - tau) < 4 * tau * np.sqrt(2 * (10 * tau + 1) / np.prod(shape))
    assert analysis.effective_sample_size(np.ones(50)) == 50


def test_a_handful_of_draws_is_not_trusted_however_anticorrelated():
    with pytest.warns(analysis.ShortSeriesWarning, match="n = 8"):
        found = analysis.autocorrelation_time(np.random.default_rng(0).normal(size=8))
    assert found.tau < 0.16  # n / tau > 50
    assert not found.trusted


@pytest.mark.parametrize("window", ["sokal", "wolff"])
@pytest.mark.parametrize(("a", "n_draws"), [(-0.9, 10_000), (-0.5, 5_000), (0.0, 5_000), (0.5, 5_000), (0.9, 20_000)])
def test_error_of_tau_covers(a, n_draws, window):
    assert_covers(a, n_draws, window, n_runs=150)


@pytest.mark.validate
@pytest.mark.parametrize("window", ["sokal", "wolff"])
@pytest.mark.parametrize(
    ("a", "n_draws"), [(-0.9, 20_000), (0.0, 20_000), (0.5, 20_000), (0.9, 50_000), (0.99, 500_000)]
)
def test_error_of_tau_covers_over_many_runs(a, n_draws, window):
    assert_covers(a, n_draws, window, n_runs=500)


def assert_covers(a, n_draws, window, n_runs):
    """68 % intervals in the binomial's range of 55 .. 78 %; no bias above half an error; spread of z near 1."""
    rng = np.random.default_rng(11)
    runs = [analysis.autocorrelation_time(ar1(a, (2, n_draws), rng), window) for _ in range(n_runs)]
    z = np.array([(run.tau - (1 + a) / (1 - a)) / run.tau_error for run in runs])
    # A window chosen from the data cuts the sum early when rho fluctuates down: some per cent are lost, never more
    low, high = stats.binom.ppf([0.0005, 0.9995], n_runs, [0.60, 0.74]) / n_runs
    assert low < np.mean(np.abs(z) < 1) < high
    assert np.mean(np.abs(z) < 1.96) > stats.binom.ppf(0.0005, n_runs, 0.90) / n_runs
    assert abs(z.mean()) < 0.3 + 3.3 / np.sqrt(n_runs)


def test_anticorrelation_needs_the_long_window():
    x = ar1(-0.9, (4, 20_000), np.random.default_rng(12))
    found = analysis.autocorrelation_time(x)
    exact = 0.1 / 1.9
    assert abs(found.tau - exact) < 4 * found.tau_error
    assert found.tau_error < exact
    assert found.window > 20
    c = autocovariance(x)
    assert 1 + 2 * c[1] / c[0] < 0  # control: the window that counts negative rho as such closes at once, below zero


def test_exponential_time():
    rng = np.random.default_rng(13)
    fast, slow = ar1(0.5, (8, 50_000), rng), ar1(0.95, (8, 50_000), rng)
    exact = -1 / np.log(0.95)
    found = [analysis.autocorrelation_time(chain).tau_exponential for chain in slow]
    assert abs(np.mean(found) - exact) < 4 * np.std(found, ddof=1) / np.sqrt(8) + 0.05 * exact
    mixed = analysis.autocorrelation_time(2 * fast + slow)
    assert mixed.tau < 0.6 * exact  # the fast mode hides the slow one from tau ...
    assert abs(mixed.tau_exponential / exact - 1) < 0.3  # ... not from the decay
    assert analysis.autocorrelation_time(rng.normal(size=10_000)).tau_exponential == 0


def test_autocovariance_equals_plain_sums():
    rng = np.random.default_rng(2)
    for shape in ((3, 17), (1, 1000), (5, 300)):
        x = rng.normal(size=shape)
        d, n = x - x.mean(), shape[1]
        plain = [np.mean(d[:, : n - t] * d[:, t:]) for t in range(n)]
        np.testing.assert_allclose(autocovariance(x), plain, atol=1e-13)
        np.testing.assert_allclose(autocovariance(x, 16), plain[:16], atol=1e-13)


def test_autocovariance_of_long_chains_equals_plain_sums():
    x = np.random.default_rng(3).normal(size=(2, 150_001))  # more than one batch of segments
    d = x - x.mean()
    plain = [np.mean(d[:, : d.shape[1] - t] * d[:, t:]) for t in range(40)]
    np.testing.assert_allclose(autocovariance(x, 40), plain, atol=1e-12)


@pytest.mark.parametrize("a", [0.5, 0.9, 0.99])
def test_agrees_with_pyerrors_and_emcee(a):
    x = reference_series(a)
    expected = REFERENCES["ar1"][str(a)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", analysis.ShortSeriesWarning)
        wolff, sokal = analysis.autocorrelation_time(x, "wolff"), analysis.autocorrelation_time(x)
    assert wolff.window == expected["pyerrors_window"]
    assert math.isclose(wolff.tau, expected["pyerrors"] * (1 + 1 / x.size), rel_tol=1e-9)  # pyerrors: / (1 + 1 / n)
    assert math.isclose(wolff.tau_error, expected["pyerrors_error"], rel_tol=0.2)  # white-spectrum formula there
    assert math.isclose(emcee.autocorr.integrated_time(x, c=5, quiet=True)[0], expected["emcee"], rel_tol=1e-9)
    # emcee divides every lag by n, not by its own number of pairs: relative difference < window / n
    assert abs(sokal.tau / expected["emcee"] - 1) < sokal.window / x.size


def test_tau_sees_chains_that_settled_in_different_places():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(8, 1000))
    stuck = noise + 5 * np.arange(8)[:, np.newaxis]
    assert analysis.integrated_autocorrelation_time(noise) < 1.2
    assert analysis.integrated_autocorrelation_time(stuck) == 1000  # each chain counts once
    assert max(analysis.integrated_autocorrelation_time(chain) for chain in stuck) < 2  # control: one by one unseen


def test_short_series_say_so():
    rng = np.random.default_rng(4)
    with pytest.warns(analysis.ShortSeriesWarning, match=r"tau = .* draws, n = 300 \(1 chains of 300 draws\)"):
        found = analysis.autocorrelation_time(ar1(0.9, (300,), rng))
    assert not found.trusted
    with pytest.warns(analysis.ShortSeriesWarning, match="tau = 100 draws"):
        found = analysis.autocorrelation_time(rng.normal(size=(2, 100)) + np.array([[0.0], [20.0]]))
    assert found.tau_error == np.inf
    assert analysis.autocorrelation_time(ar1(0.5, (2000,), rng)).trusted
    assert analysis.autocorrelation_time(np.ones(100)).tau == 1


@pytest.mark.parametrize("series", [np.zeros((0,)), np.zeros((2, 2, 2)), [1.0, np.nan]])
def test_tau_refuses(series):
    with pytest.raises(ValueError, match="series must"):
        analysis.integrated_autocorrelation_time(series)


def test_window_refuses():
    with pytest.raises(ValueError, match="window must be one of sokal, wolff"):
        analysis.autocorrelation_time(np.arange(10.0), "geyer")


def test_r_hat_agrees_with_arviz():
    rng = np.random.default_rng(5)
    heavy = 0.02 * rng.standard_t(3, size=(4, 500)).cumsum(axis=1) + rng.standard_t(3, size=(4, 500))
    assert math.isclose(analysis.r_hat(heavy), REFERENCES["r_hat"]["heavy"], rel_tol=1e-8)
    noise = np.random.default_rng(6).normal(size=(4, 501))
    assert math.isclose(analysis.r_hat(noise), REFERENCES["r_hat"]["noise"], rel_tol=1e-12)


def test_r_hat_sees_places_widths_and_drifts():
    noise = np.random.default_rng(7).normal(size=(4, 1000))
    assert analysis.r_hat(noise) < 1.01
    assert analysis.r_hat(noise + np.array([0, 0, 0, 1])[:, np.newaxis]) > 1.05
    assert analysis.r_hat(noise * np.array([1, 1, 1, 3])[:, np.newaxis]) > 1.05
    assert analysis.r_hat(noise[0] + np.linspace(0, 2, 1000)) > 1.05
    assert analysis.r_hat(np.ones((2, 10))) == 1
    with pytest.raises(ValueError, match="at least 4 draws"):
        analysis.r_hat([1.0, 2.0, 3.0])
