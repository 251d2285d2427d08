import math

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.thermostat import (
    Controller,
    Observables,
    Thermostat,
    apply_margin,
    entropy_below,
    initial_beta,
    kappa,
    newton_step,
    settle,
    zeta,
)

D_K = 8
UNIT = 1 / math.sqrt(D_K)


def score_rows(family, scale, heads=3, n=64, seed=0):
    rng = np.random.default_rng(seed)
    shape = (heads, 100, n)
    draws = {
        "laplace": rng.laplace(size=shape),
        "heavy": rng.standard_t(3, shape),
        "normal": rng.standard_normal(shape),
    }
    return scale * draws[family]


def last_error(table):
    return float(np.abs(table.entropy - table.entropy_target).isel(step=-1).max())


@pytest.mark.parametrize(("family", "scale"), [("normal", 2.5), ("normal", 5.0), ("laplace", 2.5), ("heavy", 2.5)])
def test_holds_a_reachable_target_on_frozen_scores(family, scale):
    scores = score_rows(family, scale)
    table = settle(scores, Thermostat(), D_K, steps=1024)
    assert np.abs(table.entropy - table.entropy_target).isel(step=slice(-8, None)).max() < 0.1
    assert float(table.entropy_target[0, 0]) == pytest.approx(math.log(64) - 1.1)
    measured = attention.entropy(scores, table.beta[-1].values[:, None]).mean(axis=-1)
    np.testing.assert_allclose(table.entropy[-1], measured, rtol=1e-12)


def test_holds_the_target_of_causal_rows():
    rows = 3.0 * np.random.default_rng(1).standard_normal((2, 64, 64))
    mask = attention.causal_mask(64)
    table = settle(rows, Thermostat(), D_K, steps=1024, visible=mask)
    n = np.arange(8, 65)
    assert float(table.entropy_target[0, 0]) == pytest.approx(np.maximum(np.log(n) - 1.1, 0).mean())
    assert last_error(table) < 0.1


def test_corridor_sits_at_sqrt_2d_over_sigma():
    """Gaussian rows, d nats under ln n: beta = sqrt(2 d)/sigma while that is far below freezing."""
    rows = 2.0 * np.random.default_rng(2).standard_normal((400, 4096))
    table = settle(rows, Thermostat(), D_K, steps=1024)
    assert float(table.beta[-1, 0]) * 2.0 == pytest.approx(math.sqrt(2.2), rel=0.02)


def test_no_gain_does_not_move():
    table = settle(score_rows("normal", 4.0), Thermostat(kappa_max=0.0, kappa_inf=0.0), D_K)
    assert (table.beta == UNIT).all()
    assert (table.blocked == 0).all()


def test_wrong_sign_runs_away(monkeypatch):
    from ceas_physics.thermostat import controller

    monkeypatch.setattr(controller, "newton_step", lambda *arguments: -newton_step(*arguments))
    table = settle(score_rows("normal", 2.5), Thermostat(), D_K)
    assert last_error(table) > 0.5
    np.testing.assert_allclose(table.beta[-1], 0.25 * UNIT)


def test_newton_step():
    beta, step = np.array([0.7]), 1e-5
    scores = score_rows("normal", 1.0, heads=1)[0]
    entropy = attention.entropy(scores, beta).mean()
    variance = attention.score_variance(scores, beta).mean()
    change = newton_step(np.array([entropy]), entropy - step, beta, np.array([variance]), 1.0)
    assert change > 0  # the entropy is too large: beta rises
    assert attention.entropy(scores, beta + change).mean() == pytest.approx(entropy - step, abs=1e-3 * step)
    half = newton_step(np.array([entropy]), entropy - step, beta, np.array([variance]), 0.5)
    np.testing.assert_allclose(half, change / 2)


def test_kappa_schedule():
    settings = Thermostat(kappa_max=2.2, kappa_inf=1.0, tau_kappa=750.0)
    assert kappa(settings, 0) == pytest.approx(3.2)
    assert kappa(settings, 750) == pytest.approx(1 + 2.2 / math.e)
    assert kappa(settings, 1e9) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_margin_never_ends_inside_and_never_crosses(seed):
    rng = np.random.default_rng(seed)
    beta_c, beta, proposed = rng.uniform(0.1, 3.0, (3, 20_000))
    u_min = 0.06
    moved, blocked = apply_margin(beta, proposed, beta_c, u_min)
    u, before = np.abs(moved - beta_c) / beta_c, np.abs(beta - beta_c) / beta_c
    assert (u >= u_min - 1e-12).all()
    assert ((moved > beta_c) == (beta > beta_c)).all()
    free = ~blocked
    np.testing.assert_array_equal(moved[free], proposed[free])
    allowed = (np.abs(proposed - beta_c) >= u_min * beta_c) & ((proposed > beta_c) == (beta > beta_c))
    outside = before > u_min
    np.testing.assert_array_equal(free[outside], allowed[outside])
    np.testing.assert_allclose(u[blocked], u_min, atol=1e-12)  # shortened to the edge, not further
    assert blocked[outside].any()
    assert (~outside).any()


def test_margin_far_away_or_absent_does_nothing():
    beta, proposed = np.array([0.1, 5.0]), np.array([0.2, 4.0])
    for beta_c in (np.array([1.0, 1.0]), np.array([np.inf, np.inf])):
        moved, blocked = apply_margin(beta, proposed, beta_c, 0.06)
        np.testing.assert_array_equal(moved, proposed)
        assert not blocked.any()


def test_target_beyond_the_critical_point_is_blocked_and_counted():
    scores = score_rows("normal", 3.0)
    table = settle(scores, Thermostat(target=3.0, corridor=(2.8, 3.2)), D_K, steps=1024)
    edge = (1 - 0.06) * table.beta_c[-1]
    np.testing.assert_allclose(table.beta[-1], edge, rtol=1e-12)
    assert (table.blocked[-1] > 5).all()
    assert (table.entropy[-1] > table.entropy_target[-1] + 0.1).all()


def test_start_beyond_the_critical_point_stays_beyond():
    scores = score_rows("laplace", 6.0)
    table = settle(scores, Thermostat(), D_K, steps=1024)
    assert (table.beta[0] > table.beta_c[0]).all()
    np.testing.assert_allclose(table.beta[-1], 1.06 * table.beta_c[-1], rtol=1e-12)
    assert (table.blocked[-1] > 5).all()


def test_bounds_hold_and_leave_nothing_to_unwind():
    settings = Thermostat()
    controller = Controller(settings, np.full(10, 64), np.full(2, UNIT), UNIT)
    high, low = np.full(2, 5.0), np.full(2, 0.0)
    for _ in range(40 * settings.window):
        controller.step(Observables(high, np.full(2, 0.1), np.ones(2)))
    np.testing.assert_allclose(controller.beta, 4 * UNIT)
    for _ in range(settings.window):
        controller.step(Observables(low, np.full(2, 0.1), np.ones(2)))
    np.testing.assert_allclose(controller.beta, (4 - settings.dbeta_max) * UNIT)  # the first update leaves the bound


def test_one_move_a_window_on_window_means():
    settings = Thermostat(kappa_max=0.0, kappa_inf=0.5)
    controller = Controller(settings, np.full(10, 64), np.array([UNIT]), UNIT)
    target = math.log(64) - 1.1
    noise = np.random.default_rng(7).normal(0.0, 0.01, settings.window)
    for i, error in enumerate(noise):
        assert controller.beta == UNIT, i
        controller.step(Observables(np.array([target + 0.05 + error]), np.array([2.0]), np.array([1.5])))
    expected = 0.5 * (0.05 + noise.mean()) / (UNIT * 2.0)
    np.testing.assert_allclose(controller.beta, UNIT + expected, rtol=1e-9)


def test_random_energy_model_margin():
    table = settle(score_rows("normal", 3.0), Thermostat(beta_c="rem"), D_K, steps=256)
    expected = math.sqrt(2 * math.log(64)) / attention.sigma_qk(score_rows("normal", 3.0)).mean(axis=-1)
    np.testing.assert_allclose(table.beta_c[-1], expected, rtol=1e-12)
    assert (table.beta_c[-1] > 1.1 * attention.pseudo_critical_beta(score_rows("normal", 3.0))).all()


def test_initial_beta():
    scores = score_rows("normal", 3.0)
    np.testing.assert_allclose(initial_beta(Thermostat(), scores, UNIT), UNIT)
    address = initial_beta(Thermostat(initial="final_address"), scores, UNIT)
    np.testing.assert_allclose(address, attention.beta_star(scores))
    tiny = initial_beta(Thermostat(initial="final_address", beta_star="effective"), 1e-3 * scores, UNIT)
    np.testing.assert_allclose(tiny, 4 * UNIT)  # a small-variance start would ask for hundreds of 1/sqrt(d_k)


def test_zeta():
    np.testing.assert_allclose(zeta([0.5, 0.99, 1.0], 1.0, 0.06, 0.5), [1 / math.sqrt(0.5), *[1 / math.sqrt(0.06)] * 2])


def test_bad_settings():
    bad = {
        "initial": "cold",
        "beta_star": "one_shot",
        "beta_c": "guessed",
        "kappa_max": -1.0,
        "kappa_inf": math.nan,
        "dbeta_max": math.inf,
        "tau_kappa": 0.0,
        "window": 0,
        "u_min": 1.0,
        "bounds": (4.0, 0.25),
        "corridor": (1.3, 0.9),
    }
    for name, value in bad.items():
        with pytest.raises(ValueError, match=name):
            Thermostat(**{name: value})
    with pytest.raises(ValueError, match="8 visible keys"):
        entropy_below(np.arange(7), 1.1)
