"""Spin levels: exact optima, the distortion of normal weights, and redundancy curves with their control."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from ceas_physics import TransformerConfig, quantization, train
from ceas_physics.quantization import spin_levels, ternary
from ceas_physics.search import LookupTraining, measure

WEIGHTS = np.random.default_rng(0).standard_normal((24, 20)) ** 3  # heavy tails


def error(weights, levels):
    spins, scale = spin_levels(weights, levels)
    return np.sum((weights - scale * spins) ** 2)


def test_levels_are_evenly_spaced_spins():
    for levels, expected in {2: [-1, 1], 3: [-1, 0, 1], 4: [-3, -1, 1, 3], 5: [-2, -1, 0, 1, 2]}.items():
        weights = np.cbrt(WEIGHTS)  # normal
        spins, scale = spin_levels(weights, levels)
        assert np.unique(spins).tolist() == expected
        assert scale == pytest.approx(np.sum(weights * spins) / np.sum(spins**2))  # least squares


def test_two_and_three_levels_have_closed_forms():
    spins, scale = spin_levels(WEIGHTS, 2)
    assert scale == pytest.approx(np.abs(WEIGHTS).mean())
    np.testing.assert_array_equal(spins, np.sign(WEIGHTS))
    size = np.sort(np.abs(WEIGHTS).ravel())[::-1]
    best = np.max(np.cumsum(size) ** 2 / np.arange(1, size.size + 1))  # k largest kept: D = their mean
    assert error(WEIGHTS, 3) == pytest.approx(np.sum(WEIGHTS**2) - best)


@pytest.mark.parametrize("levels", [4, 5, 9])
def test_no_scale_of_a_fine_scan_does_better(levels):
    grid = np.linspace(0.01, np.abs(WEIGHTS).max(), 20_000)
    steps = np.arange(levels) - (levels - 1) / 2
    values = steps if levels % 2 else 2 * steps
    errors = [np.sum(np.min((np.abs(WEIGHTS.ravel()) - D * values[:, None]) ** 2, axis=0)) for D in grid]
    assert error(WEIGHTS, levels) <= min(errors) * (1 + 1e-12)


@pytest.mark.parametrize("levels", [2, 3, 4, 7])
def test_normal_weights_have_the_distortion_of_the_best_uniform_quantizer(levels):
    values = (np.arange(levels) - (levels - 1) / 2) * 1.0

    def distortion(step):
        edges = [-np.inf, *(step * (values[:-1] + values[1:]) / 2), np.inf]
        return sum(
            quad(lambda x, v=v: (x - v * step) ** 2 * norm.pdf(x), a, b)[0] for v, a, b in zip(values, edges, edges[1:])
        )

    exact = minimize_scalar(distortion, bounds=(0.2, 3.0), method="bounded").fun
    weights = np.random.default_rng(1).standard_normal((20, 2500))
    losses = np.array([error(row, levels) / row.size for row in weights])
    bias = 1.0 / 2500  # one fitted parameter: relative to the error of each row, under the standard error
    assert abs(losses.mean() * (1 + bias) - exact) < 4 * losses.std(ddof=1) / np.sqrt(len(losses))


def test_quantized_weights_stay():
    for levels in (2, 3, 4, 5, 17):
        spins, scale = spin_levels(WEIGHTS, levels)
        again, same = spin_levels(scale * spins, levels)
        assert same == pytest.approx(scale)
        np.testing.assert_array_equal(again, spins)
    assert spin_levels(np.zeros((2, 2)), 3)[1] == 0.0


def test_ternary_spins_have_the_asked_share_of_zeros():
    for fraction in (0.0, 0.25, 0.5, 1.0):
        spins, scale = ternary(WEIGHTS, fraction)
        assert np.mean(spins == 0) == fraction
        if fraction < 1.0:
            kept = np.abs(WEIGHTS[spins != 0])
            assert scale == pytest.approx(kept.mean())
            assert kept.min() >= np.abs(WEIGHTS[spins == 0]).max(initial=0.0)
    assert ternary(WEIGHTS, 1.0)[1] == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spin_levels(WEIGHTS, 1), "at least 2"),
        (lambda: spin_levels([np.nan], 2), "finite"),
        (lambda: ternary(WEIGHTS, 1.5), "between 0 and 1"),
        (lambda: quantization.lookup_redundancy(lookups(), 0.1), "one that was trained"),
    ],
)
def test_bad_input_says_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def lookups():
    return measure(None, LookupTraining((96,), 32, 5e-3), (4.0,), 4, 0, progress=False)


def test_lookup_heads_lose_less_by_their_smallest_weights_than_by_random_ones():
    data = lookups()
    curve = quantization.lookup_redundancy(data, 4.0)
    np.testing.assert_allclose(curve.accuracy_before, data.accuracy[-1, 0], atol=1e-3)
    kept = curve.accuracy_zero.sel(zero_fraction=0.0, scheme="values kept")
    np.testing.assert_array_equal(kept, curve.accuracy_before)
    np.testing.assert_array_equal(curve.accuracy_zero.sel(zero_fraction=0.0, scheme="spins"), curve.accuracy_levels[0])
    lead = curve.accuracy_zero.sel(scheme="values kept") - curve.accuracy_zero.sel(scheme="random")
    for fraction in (0.2, 0.4):
        here = lead.sel(zero_fraction=fraction)
        assert here.mean() > 4 * here.std(ddof=1) / 2
    table = quantization.summarize(curve)
    assert table.kept_levels.sel(levels=17) > table.kept_levels.sel(levels=2) + 4 * table.kept_levels_error.sel(
        levels=2
    )
    assert table.share_at_zero.sel(levels=2) == 0.0
    assert 0.3 < table.share_at_zero.sel(levels=3) < 0.6


def test_a_character_model_is_measured_as_it_was_in_training():
    config = TransformerConfig(1, 1, 8, 16, 8)
    text = "the quick brown fox jumps over the lazy dog. " * 60
    runs = [train(config, text, seed=seed, steps=40, progress=False) for seed in (0, 1)]
    curve = quantization.character_redundancy(runs, text)
    for run, loss in zip(runs, curve.loss_before):
        assert loss.mean().item() == pytest.approx(run.validation_loss[-1].item(), rel=1e-5)
    table = quantization.summarize(curve)
    assert table.kept_zero.sel(scheme="values kept", zero_fraction=0.0) == 1.0
    assert table.loss_change_levels.sel(levels=2) > table.loss_change_levels.sel(levels=17)
    alone = quantization.summarize(quantization.character_redundancy(runs[0], text))
    assert np.all(np.isfinite(alone.kept_levels_error))
    with pytest.raises(ValueError, match="not the text"):
        quantization.character_redundancy(runs, "another text")
