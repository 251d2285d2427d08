"""Scales, structure and positions before training, against closed forms."""

import math

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.knobs import (
    CATALOGUE,
    Structure,
    choose_positions,
    choose_structure,
    corridor_utility,
    maxent_scales,
    structure_utility,
    trade_off,
)


def gap_of(scales, n=64, d_k=16, rows=200):
    """Mean T of layers of normal q and k, both multiplied by the layer's scale; later layers see wider inputs."""
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((rows, 1, d_k)), rng.standard_normal((rows, d_k, n))
    widths = np.cumprod(1.0 + 0.1 * scales) * scales
    return np.array([attention.gap_score((width**2 * q @ k)[:, 0], d_k**-0.5).mean() for width in widths])


def test_scales_bring_every_layer_to_the_target():
    for target in (0.3, 1.5, 3.0):
        scales = maxent_scales(gap_of, 3, target)
        np.testing.assert_allclose(gap_of(scales), target, rtol=0.01)
    assert np.abs(gap_of(np.ones(3)) / 1.5 - 1).min() > 0.1  # the control: not without them


def test_scale_of_gaussian_rows_is_the_closed_form():
    """T = x sqrt(2 (ln n - x^2/2)) with x = beta sigma = scale^2: x^2 = ln n - sqrt(ln^2 n - T^2)."""
    log_n, target = math.log(64), 2.0

    def closed(scales):
        x = np.minimum(scales**2, math.sqrt(2 * log_n))
        return x * np.sqrt(2 * (log_n - x * x / 2))

    scale = maxent_scales(closed, 1, target, tolerance=1e-6)[0]
    assert scale**4 == pytest.approx(log_n - math.sqrt(log_n**2 - target**2), rel=1e-5)
    assert closed(np.array([log_n**0.25]))[0] == pytest.approx(log_n)  # the largest T
    with pytest.raises(ValueError, match="not reached"):
        maxent_scales(closed, 1, 1.1 * log_n)
    with pytest.raises(ValueError, match="target must be finite and > 0"):
        maxent_scales(closed, 1, 0.0)
    late = maxent_scales(closed, 1, target, start=1.4, tolerance=1e-6)[0]  # a start beyond the target
    assert late == pytest.approx(scale, rel=1e-5)


def test_trade_off_without_a_binding_budget_is_a_softmax():
    utility = np.array([0.3, 0.1, 0.2])
    choice = trade_off(utility, [[1.0], [2.0], [3.0]], [10.0], 0.05)
    expected = np.exp(utility / 0.05) / np.exp(utility / 0.05).sum()
    np.testing.assert_allclose(choice.probability, expected, rtol=1e-9)
    np.testing.assert_array_equal(choice.multipliers, [0.0])
    assert choice.best == 0


def test_trade_off_of_two_options_is_the_mixture_that_meets_the_budget():
    utility, cost, temperature = np.array([1.0, 0.0]), np.array([[4.0], [1.0]]), 0.2
    choice = trade_off(utility, cost, [2.0], temperature)
    np.testing.assert_allclose(choice.probability, [1 / 3, 2 / 3], rtol=1e-5)
    mu = (1.0 - temperature * math.log(0.5)) / 3.0  # ln(p0/p1) = (1 - 3 mu)/temperature
    assert choice.multipliers[0] == pytest.approx(mu, rel=1e-5)


def test_trade_off_is_the_best_of_all_affordable_distributions():
    rng = np.random.default_rng(1)
    utility, cost, budget = rng.random(5), rng.uniform(1.0, 9.0, (5, 2)), np.array([3.0, 6.0])
    budget = np.maximum(budget, cost.min(axis=0) * 1.5)
    choice = trade_off(utility, cost, budget, 0.1)

    def free_utility(p):
        return p @ utility - 0.1 * np.sum(p * np.log(np.maximum(p, 1e-300)), axis=-1)

    assert (choice.probability @ cost <= budget * (1 + 1e-5)).all()
    assert (choice.multipliers * (choice.probability @ cost - budget) > -1e-4).all()  # binds, or costs nothing
    others = rng.dirichlet(np.full(5, 0.7), 200_000)
    others = others[(others @ cost <= budget).all(axis=1)]
    assert len(others) > 100
    assert free_utility(others).max() <= free_utility(choice.probability) + 1e-5
    unpriced = np.exp(utility / 0.1) / np.exp(utility / 0.1).sum()
    assert not (unpriced @ cost <= budget).all()  # the control: the softmax alone does not keep the budget


def test_trade_off_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="least cost"):
        trade_off([1.0, 2.0], [[1.0], [2.0]], [0.5], 0.1)
    with pytest.raises(ValueError, match="temperature"):
        trade_off([1.0, 2.0], [[1.0], [2.0]], [1.5], 0.0)


def test_corridor_utility_of_wide_gaussian_rows_is_its_closed_form():
    """d nats under ln n at beta sigma = sqrt(2 d): the band is ln(1.3/0.9)/2 of the range ln 4 in ln beta."""
    rows = np.random.default_rng(2).standard_normal((12, 8192))
    utility = corridor_utility(rows, 1.0, points=201)
    assert utility == pytest.approx(0.5 * math.log(1.3 / 0.9) / math.log(4.0), abs=0.01)
    assert corridor_utility(0.1 * rows, 1.0) == 0.0
    assert corridor_utility(np.where(np.arange(8192) < 9, rows, -np.inf), 1.0) > 0.0
    with pytest.raises(ValueError, match="8 visible keys"):
        corridor_utility(rows[:, :7], 1.0)


def test_wider_heads_hold_the_band_together():
    """Row by row sigma is |q|, which spreads by 1/sqrt(2 d_k): more rows share the band where d_k is large."""
    beta_range = {"beta_range": (1.4, 1.55)}
    rng = np.random.default_rng(3)
    shares = []
    for d_k in (4, 16, 64):
        q, k = rng.standard_normal((400, 1, d_k)), rng.standard_normal((400, d_k, 256))
        shares.append(corridor_utility((q @ k)[:, 0], d_k**-0.5, **beta_range))
    assert shares[0] + 0.1 < shares[1] < shares[2] - 0.1
    assert 0.0 < structure_utility(Structure(4, 16, 256, 64), 64, rows=64) < 0.3


def test_structure_costs():
    s = Structure(2, 8, 64, 16)
    weights = 4 * 16 * 16 + 2 * 16 * 64
    assert s.flops(64) == 2 * weights + 2 * 65 * 16
    assert s.memory(64) == 4 * weights + 64 * (4 * 16 + 4 * 16 + 2 * 64) + 2 * 64 * 64
    assert {(c.n_heads * c.d_k, c.d_ff % 16) for c in CATALOGUE} == {(c.d_model, 0) for c in CATALOGUE}


def test_structure_is_chosen_within_its_budget():
    budget = Structure(2, 16, 128, 32)
    rng = np.random.default_rng(4)
    utility = [math.log(c.d_model) + 0.01 * rng.random() for c in CATALOGUE]  # wider is better: the budget must bind
    choice = choose_structure(budget, 64, utility=utility, temperature=0.05)
    mean = choice.probability @ np.array([(c.flops(64), c.memory(64)) for c in CATALOGUE])
    assert (mean <= np.array([budget.flops(64), budget.memory(64)]) * 1.001).all()
    assert choice.multipliers.max() > 0
    rich = choose_structure(Structure(16, 64, 4096, 1024), 64, utility=utility, temperature=0.05)
    assert CATALOGUE[rich.best].d_model == 128
    assert (rich.multipliers == 0).all()
    default = choose_structure(budget, 64)
    assert default.probability.sum() == pytest.approx(1.0)


def test_positions_by_cost_and_utility():
    rng = np.random.default_rng(5)
    mask = np.tri(64, dtype=bool)
    good = np.where(mask, 2.0 * rng.standard_normal((64, 64)), -np.inf)
    window = mask & ~np.tri(64, k=-16, dtype=bool)
    scores = {"learned": good, "local": np.where(window, good, -np.inf), "flat": np.where(mask, 0.01 * good, -np.inf)}
    scores["flat"][~mask] = -np.inf
    cost = {"learned": 1.0, "local": 0.4, "flat": 1.0}
    rich = choose_positions(scores, cost, 1.0, 10.0)
    poor = choose_positions(scores, cost, 1.0, 0.5)
    assert list(rich) == ["learned", "local", "flat"]
    assert rich["flat"] < 1e-3
    assert poor["local"] > 0.8
    assert sum(poor[name] * cost[name] for name in cost) <= 0.5001
    with pytest.raises(ValueError, match="same names"):
        choose_positions(scores, {"learned": 1.0}, 1.0, 10.0)
