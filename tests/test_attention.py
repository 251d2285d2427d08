import math

import numpy as np
import pytest

from ceas_physics import attention

# n: x_c, peak / x_c, C at the peak, S(x_c) / ln n, Y2(x_c), C(x_c), Y2(2 x_c) of the random energy model, sigma = 1
REM_TABLE = {
    16: (2.3548, 0.909, 1.241, 0.521, 0.378, 1.229, 0.639),
    256: (3.3302, 0.769, 3.062, 0.410, 0.264, 2.744, 0.584),
    1024: (3.7233, 0.746, 4.200, 0.370, 0.243, 3.548, 0.579),
}
SELF_CONSISTENT = {16: 0.79, 64: 0.78, 256: 0.76, 1024: 0.75}
ROWS = {16: 40_000, 64: 2_000, 256: 4_000, 1024: 2_000}


def rem_rows(n, rows=None, seed=0):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,))).standard_normal((rows or ROWS[n], n))


def by_loops(scores, beta, visible):
    """H, C, Y2, sigma and Var of one row, straight from the definitions."""
    seen = [s for s, shown in zip(scores, visible) if shown and s > -math.inf]
    weights = [math.exp(beta * (s - max(seen))) for s in seen]
    p = [w / sum(weights) for w in weights]
    mean = sum(a * s for a, s in zip(p, seen))
    variance = sum(a * (s - mean) ** 2 for a, s in zip(p, seen))
    flat = sum(seen) / len(seen)
    sigma = math.sqrt(sum((s - flat) ** 2 for s in seen) / len(seen))
    return -sum(a * math.log(a) for a in p if a > 0), beta**2 * variance, sum(a * a for a in p), sigma, variance


def test_definitions_against_loops():
    rng = np.random.default_rng(1)
    scores = 3.0 * rng.standard_normal((2, 3, 7))
    scores[0, 1, 4] = -np.inf
    visible = rng.random((3, 7)) < 0.7
    visible[:, 0] = True
    beta = rng.random((2, 1))
    results = [
        attention.entropy(scores, beta, visible=visible),
        attention.specific_heat(scores, beta, visible=visible),
        attention.participation(scores, beta, visible=visible),
        attention.sigma_qk(scores, visible=visible),
        attention.score_variance(scores, beta, visible=visible),
    ]
    for i, j in np.ndindex(2, 3):
        expected = by_loops(scores[i, j], float(beta[i, 0]), visible[j])
        np.testing.assert_allclose([result[i, j] for result in results], expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(attention.n_eff(scores, beta, visible=visible), np.exp(results[0]))
    gap = beta * results[3] * np.sqrt(2 * results[0])
    np.testing.assert_allclose(attention.gap_score(scores, beta, visible=visible), gap)


def test_hidden_keys_change_nothing():
    scores = rem_rows(64, 5)
    more = np.concatenate([scores, np.full((5, 9), 1e6)], axis=-1)
    shown = np.arange(73) < 64
    for function in (attention.entropy, attention.specific_heat, attention.participation, attention.gap_score):
        np.testing.assert_allclose(function(more, 1.3, visible=shown), function(scores, 1.3), rtol=1e-12)
        masked = np.where(shown, more, -np.inf)
        np.testing.assert_allclose(function(masked, 1.3), function(scores, 1.3), rtol=1e-12)
    assert attention.pseudo_critical_beta(more, shown) == pytest.approx(
        attention.pseudo_critical_beta(scores), rel=1e-6
    )


def test_limits_of_beta():
    scores = np.array([[1.0, 2.0, 5.0, 5.0], [0.0, 1e3, -1e3, 3.0]])
    np.testing.assert_allclose(attention.entropy(scores, 0.0), math.log(4))
    for beta in (1e6, 1e200, 1e308):
        np.testing.assert_allclose(attention.entropy(scores, beta), [math.log(2), 0.0], atol=1e-12)
        np.testing.assert_allclose(attention.specific_heat(scores, beta), 0.0)
        np.testing.assert_allclose(attention.participation(scores, beta), [0.5, 1.0])
    assert attention.entropy(scores + 1e9, 0.7) == pytest.approx(attention.entropy(scores, 0.7), abs=1e-6)


def test_shapes():
    scores = rem_rows(64, 24).reshape(2, 3, 4, 64)
    assert attention.entropy(scores, np.ones((2, 3, 1))).shape == (2, 3, 4)
    assert attention.entropy(scores[0, 0, 0], np.linspace(0, 1, 5)).shape == (5,)
    assert attention.pseudo_critical_beta(scores).shape == (2, 3)
    assert attention.beta_star(scores, np.ones((2, 3)), kind="effective").shape == (2, 3)
    assert np.ndim(attention.beta_star(scores[0, 0, 0])) == 0
    one = attention.pseudo_critical_beta(scores[1, 2])
    assert attention.pseudo_critical_beta(scores)[1, 2] == pytest.approx(one, rel=1e-12)


def test_entropy_slope_is_minus_beta_variance():
    scores, step = rem_rows(64, 20), 1e-4
    visible = np.random.default_rng(2).random(scores.shape) < 0.8
    for beta in (0.05, 0.7, 2.0, 6.0):
        near = [attention.entropy(scores, beta + k * step, visible=visible) for k in (-2, -1, 1, 2)]
        slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
        exact = -beta * attention.score_variance(scores, beta, visible=visible)
        np.testing.assert_allclose(slope, exact, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("n", REM_TABLE)
def test_random_energy_model_table(n):
    """Both sides are sampled: the error is that of our rows, plus half of the last printed digit for the table."""
    x_c, position, height, entropy, participation, specific_heat, frozen = REM_TABLE[n]
    rows = rem_rows(n)
    measured = {
        "S": (attention.entropy(rows, x_c) / math.log(n), entropy),
        "Y2": (attention.participation(rows, x_c), participation),
        "C": (attention.specific_heat(rows, x_c), specific_heat),
        "Y2 frozen": (attention.participation(rows, 2 * x_c), frozen),
        "C peak": (attention.specific_heat(rows, position * x_c), height),
    }
    for name, (values, expected) in measured.items():
        error = math.hypot(values.std() / math.sqrt(len(values)), 0.001)
        assert abs(values.mean() - expected) < 4 * error, (name, values.mean(), expected, error)
    blocks = attention.pseudo_critical_beta(rows.reshape(10, -1, n)) / x_c
    error = math.hypot(blocks.std(ddof=1) / math.sqrt(10), 0.02 / x_c)
    assert abs(attention.pseudo_critical_beta(rows) / x_c - position) < 3 * error
    assert blocks.mean() < 1 - 5 * error / 3  # the peak is well below the freezing point: not the same number


def test_high_temperature_entropy_of_the_random_energy_model():
    n, x = 1024, 1.0
    values = attention.entropy(rem_rows(n), x)
    assert abs(values.mean() - (math.log(n) - x * x / 2)) < 4 * values.std() / math.sqrt(len(values)) + math.e / n


def test_peak_against_a_fine_scan():
    rows = rem_rows(256, 300) * 2.5
    peak = attention.specific_heat_peak(rows)
    betas = peak.beta_c * np.exp(np.linspace(-0.2, 0.2, 81))
    curve = np.array([attention.specific_heat(rows, beta).mean() for beta in betas])
    assert peak.height == pytest.approx(curve.max(), rel=1e-4)
    assert peak.beta_c == pytest.approx(betas[np.argmax(curve)], rel=0.006)  # the scan's step
    for edge in (peak.low, peak.high):
        assert attention.specific_heat(rows, edge).mean() == pytest.approx(peak.height / 2, rel=0.01)
    assert peak.low < peak.beta_c < peak.high


def test_peak_scales_as_one_over_the_scores():
    rows = rem_rows(64, 50)
    for scale in (1e-3, 7.0, 1e4):
        for function in (attention.pseudo_critical_beta, attention.beta_star):
            assert function(scale * rows) * scale == pytest.approx(function(rows), rel=1e-6)


@pytest.mark.parametrize("n", SELF_CONSISTENT)
def test_self_consistent_beta_of_single_rows(n):
    """Median over single rows of beta* in units of sqrt(2 ln n)/sigma_row; the table is printed to 0.01."""
    rows = rem_rows(n, 400 if n > 64 else 2_000)
    ratio = attention.beta_star(rows[:, None]) / attention.rem_beta(n, attention.sigma_qk(rows))
    error = 1.2533 * ratio.std() / math.sqrt(len(ratio))
    assert abs(np.median(ratio) - SELF_CONSISTENT[n]) < 0.005 + 4 * error


def test_self_consistent_beta_is_the_root():
    rows, visible = rem_rows(64, 64), attention.causal_mask(64)
    beta = attention.beta_star(rows, visible=visible)
    entropy = attention.head_mean(attention.entropy(rows, beta, visible=visible), rows, visible=visible)
    sigma = attention.head_mean(attention.sigma_qk(rows, visible=visible), rows, visible=visible)
    assert beta * sigma == pytest.approx(math.sqrt(2 * entropy), rel=1e-9)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.3])
def test_one_shot_beta_on_gaussian_rows(fraction):
    rows = rem_rows(1024, 1_000)
    beta_n = attention.rem_beta(1024, 1.0)
    beta = attention.beta_star(rows, fraction * beta_n, kind="effective") / beta_n
    assert beta == pytest.approx(math.sqrt(1 - fraction**2), abs=2e-3)
    assert attention.beta_star(rows, 50 * beta_n, kind="effective") < 0.2 * beta_n  # it collapses for a frozen head
    visible = attention.beta_star(rows, kind="visible") / beta_n
    assert visible == pytest.approx(1.0, abs=2e-3)


def test_planted_key_has_half_the_weight():
    n, sigma, s0 = 4096, 1.0, 9.0
    beta = attention.planted_half_weight_beta(s0, sigma, n)
    assert beta * s0 == pytest.approx(math.log(n) + beta**2 * sigma**2 / 2)
    background = rem_rows(n, 400)
    planted = np.concatenate([np.full((400, 1), s0), background], axis=-1)
    weight = 1.0 / np.exp(beta * (planted - s0)).sum(axis=-1)
    assert abs(weight.mean() - 0.5) < 5 * weight.std() / math.sqrt(len(weight)) + 1e-3
    with pytest.raises(ValueError, match="s0 must be at least"):
        attention.planted_half_weight_beta(2.0, 1.0, 4096)


def test_rows_with_few_keys_do_not_count():
    rows, visible = rem_rows(64, 64), attention.causal_mask(64)
    values = np.arange(64.0)
    assert attention.head_mean(values, rows, visible=visible) == pytest.approx(values[7:].mean())
    whole = attention.pseudo_critical_beta(rows, visible)
    assert whole == pytest.approx(attention.pseudo_critical_beta(rows[7:], visible[7:]), rel=1e-12)
    with pytest.raises(ValueError, match="8 visible keys, the most here is 7"):
        attention.pseudo_critical_beta(rows[:7], visible[:7])


def test_constant_scores_have_no_scale():
    scores = np.ones((3, 20))
    assert attention.beta_star(scores) == np.inf
    assert attention.pseudo_critical_beta(scores) == np.inf
    assert attention.specific_heat_peak(scores).height == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_scores(bad):
    scores = rem_rows(64, 2)
    scores[0, 3] = bad
    for function in (attention.pseudo_critical_beta, attention.beta_star, attention.sigma_qk):
        with pytest.raises(ValueError, match="scores must be finite"):
            function(scores)


def test_bad_arguments():
    scores = rem_rows(64, 2)
    for beta in (-0.3, np.nan, np.inf):
        with pytest.raises(ValueError, match="beta must be finite and >= 0, got"):
            attention.entropy(scores, beta)
    with pytest.raises(ValueError, match="at least one visible key"):
        attention.entropy(scores, 1.0, visible=np.zeros(64, dtype=bool))
    with pytest.raises(ValueError, match="needs the present beta"):
        attention.beta_star(scores, kind="effective")
    with pytest.raises(ValueError, match="kind must be"):
        attention.beta_star(scores, kind="annealed")
    for nothing in (1.0, np.zeros((3, 0)), scores + 1j, "scores"):
        with pytest.raises(ValueError, match="scores must be real, with at least one key"):
            attention.entropy(nothing, 1.0)
