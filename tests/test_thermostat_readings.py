"""The readings, the gain, the targets and the margin of the controller."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.thermostat import (
    Controller,
    Observables,
    Thermostat,
    kappa,
    newton_step,
    oscillation,
    relaxation_time,
    settle,
    zeta,
)

D_K = 8
UNIT = 1 / math.sqrt(D_K)
FREE = {"u_min": 0.0, "bounds": (0.01, 100.0), "dbeta_max": 100.0}  # nothing but the Newton steps
ROWS = 2.5 * np.random.default_rng(0).standard_normal((2, 40, 64))


def error_of(thermostat, steps=1024):
    table = settle(ROWS, thermostat, D_K, steps)
    return (table.entropy - table.entropy_target)[:, 0]


def test_ema_is_an_underdamped_oscillator_of_decay_time_two_windows():
    """(h, y = dH) -> ((1-a) h - a y, y + kappa h'): determinant 1 - a, so the decay time is -2/ln(1 - a) = 127 steps.

    The period is 2 pi/theta with cos theta = (2 - a - kappa a)/(2 sqrt(1 - a)), kappa = 1, a = 1/64: 49.8 steps for
    small errors; the curvature of H(beta) makes the first, large swings slower.
    """
    share = 1 / 64
    error = error_of(Thermostat(reading="ema", **FREE), steps=2048)
    seen = oscillation(error[256:1500], error.step[256:1500])
    assert seen.sign_changes > 40
    assert seen.decay_time == pytest.approx(-2 / math.log(1 - share), abs=5 * seen.decay_time_error + 0.5)
    theta = math.acos((2 - 2 * share) / (2 * math.sqrt(1 - share)))
    assert seen.period == pytest.approx(2 * math.pi / theta, rel=0.01)


def test_a_window_converges_and_so_does_an_ema_of_beta_without_a_sign_change():
    assert abs(error_of(Thermostat(**FREE))[6:]).max() < 1e-6
    slow = error_of(Thermostat(reading="ema_beta", **FREE))
    assert oscillation(slow).sign_changes == 0
    late = slow[400:600]
    decay = -200 / math.log(abs(float(late[-1] / late[0]))) * 199 / 200
    assert decay == pytest.approx(-1 / math.log(1 - 1 / 64), rel=0.02)  # first order, time constant of the window
    assert oscillation(error_of(Thermostat(reading="ema", **FREE))).sign_changes > 30  # the control


def test_raw_gain_oscillates_until_kappa_is_below_2():
    """One Newton step multiplies the error by 1 - kappa, here for small errors, where H is linear in beta."""
    settings = Thermostat(raw_gain=True, window=16, tau_kappa=200.0, **FREE)
    beta = UNIT * 1.0001
    level = float(attention.entropy(ROWS, UNIT).mean())
    settings = replace(settings, target=math.log(64) - level)
    controller = Controller(settings, np.full(40, 64), np.array([beta]), UNIT)
    errors, gains = [], []
    for step in range(1, 1025):
        entropy = attention.entropy(ROWS, float(controller.beta[0])).mean()
        variance = attention.score_variance(ROWS, float(controller.beta[0])).mean()
        controller.step(Observables(np.array([entropy]), np.array([variance]), np.ones(1)))
        if step % 16 == 0:
            errors.append(entropy - level)
            gains.append(kappa(settings, step))
    errors, gains = np.array(errors), np.array(gains)
    ratio = errors[1:5] / errors[:4]
    np.testing.assert_allclose(ratio, 1 - gains[:4], rtol=0.02)
    growing = np.abs(errors[1:]) > np.abs(errors[:-1])
    alternating = errors[1:] * errors[:-1] < 0
    above = gains[:-1] > 2.0
    assert alternating[above].all()
    assert growing[above][:4].all()
    assert not growing[~above][2:20].any()
    capped = error_of(Thermostat(window=16, tau_kappa=200.0, **FREE))
    assert (np.abs(capped[4:12]).values < 0.01).all()  # the control: with the cap nothing grows


def test_raw_gain_with_the_printed_schedule_stays_off_target_for_long():
    error = error_of(Thermostat(raw_gain=True, **FREE))
    assert oscillation(error[1:9]).sign_changes == 7  # every move overshoots while kappa > 2, that is for 591 steps
    assert 750 * math.log(2.2) == pytest.approx(591, abs=1)
    assert abs(error[1:9]).min() > 0.3


def test_oscillation_reads_a_known_one():
    step = np.arange(0, 2000, 2)
    rng = np.random.default_rng(1)
    wave = np.exp(-step / 300.0) * np.cos(2 * np.pi * step / 90.0 + 0.3) * np.exp(rng.normal(0.0, 0.05, len(step)))
    seen = oscillation(wave, step)
    assert abs(seen.decay_time - 300.0) < 4 * seen.decay_time_error
    assert seen.decay_time_error < 10
    assert seen.period == pytest.approx(90.0, rel=0.01)
    growing = oscillation(wave[::-1])
    assert growing.decay_time < 0
    still = oscillation(np.exp(-step / 300.0))
    assert still.sign_changes == 0
    assert math.isnan(still.decay_time)


@pytest.mark.parametrize("reading", ["window", "ema", "ema_beta"])
def test_a_bound_leaves_nothing_to_unwind(reading):
    settings = Thermostat(reading=reading, window=8, raw_gain=True, kappa_max=0.0)
    controller = Controller(settings, np.full(10, 64), np.full(2, UNIT), UNIT)
    for _ in range(4000):
        controller.step(Observables(np.full(2, 5.0), np.full(2, 0.1), np.ones(2)))
    np.testing.assert_allclose(controller.beta, 4 * UNIT)
    steps = 0
    while (controller.beta == 4 * UNIT).all():
        controller.step(Observables(np.zeros(2), np.full(2, 0.1), np.ones(2)))
        steps += 1
    assert steps <= 8  # one window, however long beta was on its bound


@pytest.mark.parametrize("reading", ["window", "ema", "ema_beta"])
def test_a_head_without_rows_does_not_move_and_comes_back(reading):
    controller = Controller(Thermostat(reading=reading, window=8), np.full(10, 64), np.full(2, UNIT), UNIT)
    for _ in range(16):
        controller.step(Observables(np.array([4.0, np.nan]), np.array([0.5, np.nan]), np.array([1.0, np.nan])))
    assert controller.beta[0] > UNIT
    assert controller.beta[1] == UNIT
    for _ in range(16):
        controller.step(Observables(np.full(2, 4.0), np.full(2, 0.5), np.ones(2)))
    assert controller.beta[1] > UNIT


def test_own_target_of_a_head_is_its_entropy_at_beta_c():
    table = settle(ROWS, Thermostat(per_head_target=True, u_min=0.0, tau_kappa=200.0), D_K, steps=1024)
    beta_c = attention.pseudo_critical_beta(ROWS)
    own = attention.entropy(ROWS, beta_c[:, None]).mean(axis=-1)
    np.testing.assert_allclose(table.entropy_target[-1], own, rtol=1e-12)
    assert len(set(own)) == 2
    with_margin = settle(ROWS, Thermostat(per_head_target=True), D_K, steps=1024)
    np.testing.assert_allclose(with_margin.beta[-1], 0.94 * beta_c, rtol=1e-12)  # the margin keeps it off its target
    with pytest.raises(ValueError, match="reference_entropy"):
        Controller(Thermostat(per_head_target=True), np.full(10, 64), np.full(2, UNIT), UNIT)
    for above in (np.log(64) + 1e-3, np.nan):
        with pytest.raises(ValueError, match=r"up to the rows' mean ln n, 4\.159, got"):
            Controller(
                Thermostat(per_head_target=True), np.full(10, 64), np.full(2, UNIT), UNIT, np.array([1.0, above])
            )
    controller = Controller(Thermostat(), np.full(10, 64), np.full(2, UNIT), UNIT)
    with pytest.raises(ValueError, match=r"the shape of beta, \(2,\), got \(3,\)"):
        controller.step(Observables(*np.ones((3, 3))))
    with pytest.raises(ValueError, match="d_k must be an integer >= 1"):
        settle(ROWS, Thermostat(), 0)


def test_initial_reference_counts_from_the_first_entropy():
    rows = 3.0 * np.random.default_rng(3).standard_normal((2, 100, 64))
    table = settle(rows, Thermostat(reference="initial", target=0.4, corridor=(0.3, 0.5)), D_K, steps=1024)
    start = attention.entropy(rows, UNIT).mean(axis=-1)
    np.testing.assert_allclose(table.entropy_target, np.broadcast_to(start - 0.4, table.entropy_target.shape))
    np.testing.assert_allclose(table.entropy[-1], start - 0.4, atol=0.02)


def test_the_target_tightens_once_every_head_was_inside_for_a_window():
    inside, outside = math.log(64) - 1.1, math.log(64) - 0.5
    controller = Controller(Thermostat(tighten=1.3), np.full(10, 64), np.full(2, UNIT), UNIT)

    def steps(entropy, count):
        for _ in range(count):
            controller.step(Observables(np.array(entropy), np.full(2, 0.5), np.ones(2)))

    steps([inside, outside], 300)  # one head is not enough
    assert not controller.tightened
    steps([inside, inside], 63)
    steps([inside, outside], 1)
    steps([inside, inside], 63)
    assert not controller.tightened
    steps([inside, inside], 1)
    assert controller.tightened
    np.testing.assert_allclose(controller.target, math.log(64) - 1.3)
    steps([outside, outside], 100)
    assert controller.tightened  # for good


def test_settled_heads_tighten():
    table = settle(ROWS, Thermostat(tighten=1.3), D_K, steps=1024)
    np.testing.assert_allclose(table.entropy_target[[0, -1], 0], math.log(64) - np.array([1.1, 1.3]))
    np.testing.assert_allclose(table.entropy[-1], table.entropy_target[-1], atol=0.02)


def test_patience_jumps_the_margin_when_the_target_lies_beyond():
    deep = Thermostat(target=3.0, corridor=(2.8, 3.2), bounds=(0.25, 8.0))
    stuck = settle(ROWS, deep, D_K, steps=2048)
    free = settle(ROWS, replace(deep, patience=3), D_K, steps=2048)
    ratio = free.beta / free.beta_c
    np.testing.assert_allclose((stuck.beta / stuck.beta_c)[-1], 0.94)
    at_edge = np.abs(ratio - 0.94) < 1e-9
    assert at_edge.any(dim="step").all()
    for head in range(2):
        last = np.flatnonzero(at_edge[:, head])[-1]
        assert float(ratio[last + 1, head]) == pytest.approx(1.06)
        assert (
            at_edge[:, head].sum() == 2
        )  # the first blocked move comes to the edge, the second stays, the third jumps
    np.testing.assert_allclose(free.entropy[-1], free.entropy_target[-1], atol=0.02)
    assert ((ratio <= 0.94 + 1e-9) | (ratio >= 1.06 - 1e-9)).all()


def test_patience_does_not_jump_for_a_target_on_the_near_side():
    """A target inside the margin but short of beta_c: blocked at every move, never a jump."""
    beta_c = attention.pseudo_critical_beta(ROWS)
    own = attention.entropy(ROWS, 0.97 * beta_c[:, None]).mean(axis=-1)
    controller = Controller(
        Thermostat(per_head_target=True, patience=2, window=1), np.full(10, 64), 0.8 * beta_c, UNIT, own
    )
    controller.beta_c = beta_c
    for _ in range(50):
        beta = controller.beta[:, None]
        heads = (f(ROWS, beta).mean(axis=-1) for f in (attention.entropy, attention.score_variance))
        controller.step(Observables(*heads, np.ones(2)))
    np.testing.assert_allclose(controller.beta, 0.94 * beta_c)
    assert (controller.blocked > 40).all()


def test_a_measured_beta_c_comes_with_the_observables():
    measured = np.array([0.9, 1.1])
    heads = Observables(np.full(2, 3.0), np.full(2, 0.5), np.ones(2), measured)
    for kind, expected in (("measured", measured), ("rem", math.sqrt(2 * math.log(64)))):
        controller = Controller(Thermostat(beta_c=kind, window=1), np.full(10, 64), np.full(2, UNIT), UNIT)
        controller.step(heads)
        controller.step(replace(heads, beta_c=None))
        np.testing.assert_allclose(controller.beta_c, expected)


def test_back_off_halves_the_move():
    moves = []
    for factor in (1.0, 0.5):
        controller = Controller(Thermostat(window=1), np.full(10, 64), np.full(2, UNIT), UNIT)
        controller.gain_factor = factor
        moves.append(controller.step(Observables(np.full(2, 3.1), np.full(2, 2.0), np.ones(2))) - UNIT)
    np.testing.assert_allclose(moves[1], moves[0] / 2)
    assert (moves[0] > 0).all()


def test_relaxation_time_is_bounded_by_the_margin():
    beta = np.linspace(0.5, 1.5, 1001)
    tau = relaxation_time(beta, 1.0, 0.06, 0.8, 2.0)
    np.testing.assert_allclose(tau, zeta(beta, 1.0, 0.06, 0.8) ** 2)
    assert tau.max() == pytest.approx(0.06**-1.6)
    assert relaxation_time(1.0, 1.0, 1e-9, 0.8, 2.0) > 1e6 * tau.max()  # the control: without a margin


def test_newton_step_at_full_gain_is_first_order_exact():
    beta, aim = 0.7, 1e-4
    entropy, variance = (f(ROWS, beta).mean() for f in (attention.entropy, attention.score_variance))
    change = newton_step(entropy, entropy - aim, beta, variance, 1.0)
    left = attention.entropy(ROWS, beta + change).mean() - entropy + aim
    assert abs(left) < 1e-2 * aim
