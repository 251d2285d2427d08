"""Rows of independent normal scores: the exact averages against direct sampling, identities and their limits."""

import math
from itertools import pairwise

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.heads.random_energy import planted_weight, rem_averages, rem_peak

# Place of the sampled peak of C in units of sqrt(2 ln n), from the project's specification; 0.02 is its stated error.
TABLE = {16: 0.91, 256: 0.77, 1024: 0.745, 65536: 0.745}
POINTS = [(16, 1.2), (16, 2.3548), (64, 0.8), (256, 2.6), (1024, 3.7)]


def rows(n, count, seed=11):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,))).standard_normal((count, n))


@pytest.mark.parametrize(("n", "beta"), POINTS)
def test_exact_averages_are_those_of_sampled_rows(n, beta):
    scores = rows(n, 2**20 // n)
    exact = rem_averages(n, beta)
    measured = {
        "entropy": attention.entropy(scores, beta),
        "participation": attention.participation(scores, beta),
        "specific_heat": attention.specific_heat(scores, beta),
        "log_z": np.log(np.exp(beta * scores).sum(axis=-1)),
    }
    for name, values in measured.items():
        z = (values.mean() - exact[name].item()) / (values.std(ddof=1) / math.sqrt(len(values)))
        assert abs(z) < 4, (name, z)


def test_the_leading_order_formulas_would_not_pass():
    """Control: at n = 16 the infinite-n entropy is dozens of errors from the rows, the exact one is not."""
    values = attention.entropy(rows(16, 2**16), 1.2)
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - (math.log(16) - 1.2**2 / 2)) > 20 * error


@pytest.mark.parametrize(("n", "beta"), [(2, 1.5), (16, 1.0), (256, 2.5), (1e6, 5.0), (1e30, 6.0)])
def test_specific_heat_is_minus_the_slope_of_the_entropy(n, beta):
    """Control: C by partial integration and the slope of H by finite differences meet on different integrals."""
    step = 2e-3 * beta
    entropy = rem_averages(n, beta + step * np.array([-2, -1, 1, 2])).entropy.values
    slope = (entropy[0] - 8 * entropy[1] + 8 * entropy[2] - entropy[3]) / (12 * step)
    assert -beta * slope == pytest.approx(rem_averages(n, beta).specific_heat.item(), rel=1e-8)


def test_log_z_slope_is_the_mean_score():
    beta, step = 1.7, 1e-3
    near = rem_averages(64, beta + step * np.array([-2, -1, 1, 2])).log_z.values
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
    assert slope == pytest.approx(beta * (1 - rem_averages(64, beta).participation.item()), rel=1e-10)


def test_two_scores_by_an_integral_over_their_difference():
    """n = 2: H, C and Y2 depend on s_1 - s_2, which is N(0, 2)."""
    gap = np.linspace(-14, 14, 4001)
    weight = np.exp(-gap * gap / 4) / math.sqrt(4 * math.pi) * (gap[1] - gap[0])
    scores = np.stack([gap, np.zeros_like(gap)], axis=-1)
    exact = rem_averages(2, 2.0)
    for name, function in (
        ("entropy", attention.entropy), ("participation", attention.participation),
        ("specific_heat", attention.specific_heat),
    ):  # fmt: skip
        assert exact[name].item() == pytest.approx(weight @ function(scores, 2.0), rel=1e-10)


def test_peak_positions_against_the_sampled_table():
    """All within its error; exact are 0.9015, 0.7637, 0.7429, 0.7290, and the rows of the next test agree."""
    for n, place in TABLE.items():
        assert rem_peak(n).place / math.sqrt(2 * math.log(n)) == pytest.approx(place, abs=0.02)


@pytest.mark.parametrize("n", [16, 256])
def test_peak_positions_against_rows(n):
    blocks = attention.pseudo_critical_beta(rows(n, 2**19 // n, seed=5).reshape(16, -1, n))
    error = blocks.std(ddof=1) / math.sqrt(len(blocks))
    assert abs(blocks.mean() - rem_peak(n).place) < 4 * error


def test_the_peak_is_a_maximum_with_its_half_maximum_band():
    peak = rem_peak(64)
    near = rem_averages(64, peak.place * np.array([0.99, 1.0, 1.01])).specific_heat.values
    assert near[1] > near[0]
    assert near[1] > near[2]
    ends = rem_averages(64, [peak.low, peak.high]).specific_heat.values
    np.testing.assert_allclose(ends, peak.height / 2, rtol=1e-5)
    assert peak.relative_width == pytest.approx((peak.high - peak.low) / peak.place)


def test_high_temperature_limit_of_the_entropy():
    """H = ln n - x^2/2 + O(x^2 e^(x^2)/n): the correction falls as 1/n."""
    excess = [rem_averages(n, 0.8).entropy.item() - (math.log(n) - 0.32) for n in (1e3, 1e4, 1e5)]
    np.testing.assert_allclose(np.array(excess[:-1]) / excess[1:], 10, rtol=0.02)


def test_frozen_weights_approach_their_limit():
    """E[Y2] at twice beta_n tends to 1/2 from above, slowly: the correction shrinks, like ln ln n / ln n."""
    sizes = (1e3, 1e6, 1e12, 1e24)
    excess = [rem_averages(n, 2 * math.sqrt(2 * math.log(n))).participation.item() - 0.5 for n in sizes]
    assert all(a > b > 0 for a, b in pairwise(excess))
    scaled = [e * math.log(n) / math.log(math.log(n)) for e, n in zip(excess, sizes)]
    assert max(scaled) / min(scaled) < 2
    assert excess[0] / excess[-1] > 2


def test_the_peak_turns_towards_the_freezing_point_only_beyond_any_context():
    """beta_c / beta_n falls to a minimum near n = 10^5 and then rises to 1, which it is far from at 10^12."""
    ratio = [rem_peak(n).place / math.sqrt(2 * math.log(n)) for n in (16, 1024, 1e5, 1e12)]
    assert ratio[0] > ratio[1] > ratio[2] < ratio[3] < 1
    assert ratio[2] > 0.72


@pytest.mark.parametrize(("n", "s0"), [(256, 5.0), (4096, 7.0)])
def test_planted_weight_against_rows(n, s0):
    beta = float(attention.planted_half_weight_beta(s0, 1.0, n))
    scores = rows(n, 2**21 // n, seed=7)
    weight = 1.0 / (1.0 + np.exp(beta * (scores - s0)).sum(axis=-1))
    error = weight.std(ddof=1) / math.sqrt(len(weight))
    assert abs(weight.mean() - planted_weight(n, beta, s0)) < 4 * error


def test_half_weight_beta_is_right_for_many_keys():
    """The closed form takes E[Z] for Z: the exact weight there tends to 1/2 as s0^2 / ln n stays and n grows."""
    weights = []
    for n in (1e2, 1e4, 1e8):
        s0 = 2 * math.sqrt(2 * math.log(n))
        weights.append(planted_weight(n, float(attention.planted_half_weight_beta(s0, 1.0, n)), s0))
    off = np.abs(np.array(weights) - 0.5)
    assert off[0] > off[1] > off[2]
    assert off[2] < 1e-3


def test_bad_input_says_what_is_allowed():
    for message, call in {
        "n must be at least 2": lambda: rem_averages(1, 1.0),
        "beta must be finite": lambda: rem_averages(16, -1.0),
        "sigma must be positive": lambda: rem_averages(16, 1.0, sigma=0.0),
        "beta must be > 0": lambda: planted_weight(16, 0.0, 3.0),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
