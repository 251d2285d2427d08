import numpy as np
import pytest
import xarray as xr
from scipy import stats

from ceas_physics.training.savings import first_crossing, paired_interval, savings, smoothed


def table(curves, tokens, flops_per_token):
    """Runs from loss curves f(tokens, seed) by condition."""
    seeds = np.arange(8)
    loss = np.array([[curve(tokens, seed) for seed in seeds] for curve in curves.values()])
    dims = ("condition", "seed", "tokens")
    coords = {"condition": list(curves), "seed": seeds, "tokens": tokens}
    flops = np.array(list(flops_per_token))[:, None, None] * np.broadcast_to(tokens, loss.shape)
    return xr.Dataset({"validation_loss": (dims, loss), "flops": (dims, flops)}, coords)


def power(speed, noise=0.0):
    """2 + (1e4/(speed t + 1e4))^(1/2), with noise of the seed that all conditions share and noise of their own."""

    def curve(tokens, seed):
        shared = 0.05 * np.random.default_rng(seed).standard_normal()
        own = noise * np.random.default_rng([seed, int(10_000 * speed)]).standard_normal(tokens.size)
        return 2.0 + shared + (1e4 / (speed * tokens + 1e4)) ** 0.5 + own

    return curve


TOKENS = np.linspace(0, 1e6, 201)


def test_a_run_twice_as_fast_saves_half_and_a_slow_one_is_censored():
    curves = {"standard": power(1.0), "fast": power(2.0), "slow": power(0.5)}
    result = savings(table(curves, TOKENS, (10.0, 15.0, 10.0)), "standard", (0.3, 0.8), width=1)
    np.testing.assert_array_equal(result.token_saving.sel(condition="standard"), 0.0)
    np.testing.assert_allclose(result.token_saving.sel(condition="fast"), 0.5, atol=1e-3)
    np.testing.assert_allclose(result.flops_saving.sel(condition="fast"), 1.0 - 1.5 / 2.0, atol=2e-3)
    np.testing.assert_allclose(result.token_saving.sel(condition="slow", target=0.3), -1.0, atol=1e-3)
    assert result.censored.sel(condition="slow", target=0.8).all()
    np.testing.assert_allclose(result.token_saving.sel(condition="slow", target=0.8), 1.0 - 1.0 / 0.8)
    assert not result.censored.sel(condition="fast").any()


def test_interval_covers_the_truth_under_noise_and_zero_for_an_equal():
    curves = {"standard": power(1.0, 0.002), "fast": power(1.25, 0.002), "equal": power(1.0001, 0.002)}
    result = savings(table(curves, TOKENS, (1.0, 1.0, 1.0)), "standard")
    for kind in ("token_saving_t", "token_saving_bootstrap"):
        low, high = result[kind].sel(condition="fast", target=0.8).transpose("bound")
        assert low < 0.2 < high
        assert high - low < 0.1
        low, high = result[kind].sel(condition="equal", target=0.8).transpose("bound")
        assert low < 0.0 < high


def test_interval_against_scipy():
    values = np.random.default_rng(3).normal(0.2, 0.1, (2, 12))
    array = xr.DataArray(values, dims=("condition", "seed"), name="x")
    result = paired_interval(array)
    expected = stats.ttest_1samp(values, 0.0, axis=1).confidence_interval(0.95)
    np.testing.assert_allclose(result.x_t.sel(bound="low"), expected.low)
    np.testing.assert_allclose(result.x_t.sel(bound="high"), expected.high)
    sample = stats.bootstrap((values[0],), np.mean, method="percentile", rng=np.random.default_rng(1), batch=1000)
    error = values[0].std() / np.sqrt(12)  # ends of two bootstraps of 10^4 agree within a few per cent of the error
    ends = result.x_bootstrap.isel(condition=0).values
    np.testing.assert_allclose(ends, sample.confidence_interval, atol=0.1 * error)
    assert np.isnan(paired_interval(array.isel(seed=[0])).x_t).all()


def test_coverage_of_the_t_interval_is_what_it_says():
    draws = np.random.default_rng(5).normal(0.0, 1.0, (500, 10))
    bounds = paired_interval(xr.DataArray(draws, dims=("condition", "seed"), name="x"))
    covered = int(((bounds.x_t.sel(bound="low") < 0) & (bounds.x_t.sel(bound="high") > 0)).sum())
    assert abs(covered - 475) < 5 * np.sqrt(500 * 0.95 * 0.05)
    boot = bounds.x_bootstrap
    assert (
        int(((boot.sel(bound="low") < 0) & (boot.sel(bound="high") > 0)).sum()) < covered
    )  # known: too narrow at n = 10


def test_smoothing_keeps_straight_lines_and_never_rises():
    line = np.linspace(3.0, 1.0, 20)
    np.testing.assert_allclose(smoothed(line), line)
    noisy = line + 0.1 * np.random.default_rng(0).standard_normal((4, 20))
    assert (np.diff(smoothed(noisy), axis=-1) <= 0).all()
    np.testing.assert_allclose(smoothed([3.0, 0.0, 3.0, 3.0, 3.0], 3), [3.0, 2.0, 2.0, 2.0, 2.0])


def test_crossing():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([3.0, 2.0, 1.0])
    assert first_crossing(x, y, 1.5) == pytest.approx(1.5)
    assert first_crossing(x, y, 3.5) == 0.0
    assert np.isnan(first_crossing(x, y, 0.9))
