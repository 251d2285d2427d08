"""Gate, freezer and loss guard: which work is left out, and when the loss asks for less."""

import io
import math

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.thermostat import Freezer, Freezing, Gate, Gating, Guard, LossGuard, Thermostat, settle

OPEN = Gating(fraction=(0.0, 0.0), min_tokens=0)  # the threshold alone


def estimates(seed=0, shape=(16, 2, 64)):
    return np.random.default_rng(seed).gamma(2.0, 1.0, shape)


def test_threshold_falls_from_t_max_to_t_inf():
    gate = Gate(Gating(1.8, 1.05, 600.0), 64, 1)
    assert gate.threshold(0) == pytest.approx(1.8)
    assert gate.threshold(600) == pytest.approx(1.8 - 0.75 * (1 - 1 / math.e))
    assert gate.threshold(1e6) == pytest.approx(1.05)
    gate.threshold_shift -= 0.05
    assert gate.threshold(1e6) == pytest.approx(1.0)


def test_kept_rows_are_those_above_the_threshold_or_in_the_top_of_their_head():
    scores = estimates()
    scores[:, 1] *= 0.1  # a head that is all below the threshold
    gate = Gate(Gating(min_tokens=0), 64, 1)
    for step in (0, 1000, 2000, 5000):
        kept = gate.keep(0, scores, step)
        fraction = 0.55 + 0.2 * min(1.0, step / 2000)
        for head in range(2):
            rows = scores[:, head]
            top = np.sort(rows.ravel())[-math.ceil(fraction * rows.size)]
            np.testing.assert_array_equal(kept[:, head], (rows >= gate.threshold(step)) | (rows >= top))
        assert kept[:, 1].mean() == pytest.approx(fraction, abs=1 / 1024)
    kept = Gate(OPEN, 64, 1).keep(0, scores, 0)
    np.testing.assert_array_equal(kept, scores >= 1.8)


def test_floors_hold_in_every_sequence_of_enough_heads():
    scores = 0.1 * estimates(1, (8, 4, 64))
    scores[3] *= 0.01  # a sequence far below the others
    nothing = Gate(OPEN, 64, 1).keep(0, scores, 0)
    assert not nothing.any()  # the control
    kept = Gate(Gating(fraction=(0.0, 0.0), min_tokens=16, min_heads=2), 64, 1).keep(0, scores, 0)
    on = np.sort(np.argsort(scores.mean(axis=(0, 2)))[-2:])
    assert (kept[:, on].sum(axis=-1) == 16).all()
    assert kept.sum() == 8 * 2 * 16
    for sequence, head in np.ndindex(8, 2):
        chosen = scores[sequence, on[head]][kept[sequence, on[head]]]
        assert chosen.min() >= np.sort(scores[sequence, on[head]])[-16]
    many = Gate(Gating(fraction=(0.0, 0.0), min_tokens=100, min_heads=9), 64, 1).keep(0, scores, 0)
    assert many.all()  # floors above what there is keep everything


def test_chi_counts_rows_that_are_not_computed():
    gate = Gate(Gating(min_tokens=0), 64, 2)
    assert math.isnan(gate.pruned_fraction())
    asked = skipped = 0
    for step in range(20):
        for layer in range(2):
            kept = gate.keep(layer, estimates(100 * step + layer), 10 * step)
            asked, skipped = asked + kept.size, skipped + int((~kept).sum())
    assert gate.pruned_fraction() == pytest.approx(skipped / asked)
    assert 0.2 < gate.pruned_fraction() < 0.5
    np.testing.assert_array_equal(gate.counts[:, :, 0], 20 * 16 * 2)
    computed_twice = Gate(Gating(min_tokens=0), 64, 1)
    weights = computed_twice.keep(0, estimates(), 0) * 0.0  # zeros afterwards are not skipped work: chi is unmoved
    assert weights.sum() == 0
    assert computed_twice.pruned_fraction() == pytest.approx(1 - computed_twice.keep(0, estimates(), 0).mean())


def test_condensed_rows_and_rows_of_few_keys_go_first():
    """T is 2 ln n at freezing and goes to 0 for a condensed row: not the critical rows, the condensed ones are cut."""
    rng = np.random.default_rng(2)
    n, rows = 64, 200
    mild, condensed = rng.standard_normal((rows, n)), rng.standard_normal((rows, n))
    condensed[:, 0] += 80.0
    scores = np.stack([mild, condensed], axis=1)[:, :, None, :]  # (batch, head, query, key)
    gap = attention.gap_score(scores, 1.5)
    kept = Gate(Gating(fraction=(0.0, 0.0), min_tokens=0), 1, 1).keep(0, gap, 0)
    assert kept[:, 0].mean() > 0.99
    assert kept[:, 1].mean() < 0.01
    gap_at_freezing = attention.gap_score(mild, attention.rem_beta(n, 1.0)).mean()
    assert 1.8 < gap_at_freezing < 2 * math.log(n)  # above the gate; 2 ln n itself is the limit of large n
    causal = np.where(np.tri(n, dtype=bool), rng.standard_normal((50, n, n)), -np.inf)
    gate = Gate(Gating(min_tokens=0), n, 1)
    gate.keep(0, attention.gap_score(causal, 1.0)[:, None], 0)
    share = gate.counts[0, :, 1] / gate.counts[0, :, 0]
    assert (share[:2] == 0).all()
    assert share[-16:].mean() > 0.6


def entropies(*depths):
    return np.array([[math.log(64) - depth for depth in depths]])


def test_a_head_freezes_after_a_window_in_its_band_and_thaws_at_once():
    freezer = Freezer(Freezing(window=50, min_heads=1), np.full(10, 64), (1, 2))
    inside, outside = entropies(1.1, 0.5), entropies(0.8, 0.5)
    for step in range(1, 60):
        frozen = freezer.step(inside)
        assert frozen[0, 0] == (step >= 50)
        assert not frozen[0, 1]
    assert not freezer.step(outside).any()
    for _ in range(49):
        assert not freezer.step(inside).any()
    assert freezer.step(inside)[0, 0]


def test_the_floor_of_heads_holds_and_frozen_ones_come_first():
    freezer = Freezer(Freezing(window=3, min_heads=2), np.full(10, 64), (1, 4))
    for _ in range(3):
        frozen = freezer.step(entropies(1.0, 1.2, 1.1, 0.0))
    np.testing.assert_array_equal(frozen, [[False, True, True, False]])  # the two of least entropy
    for _ in range(9):
        frozen = freezer.step(entropies(2.0, 1.2, 1.1, 0.0))
    np.testing.assert_array_equal(frozen, [[False, True, True, False]])  # no exchange for one of still less entropy
    frozen = freezer.step(entropies(2.0, 0.1, 1.1, 0.0))
    np.testing.assert_array_equal(frozen, [[True, False, True, False]])
    nobody = Freezer(Freezing(window=1, min_heads=2), np.full(10, 64), (3, 2))
    assert not nobody.step(np.zeros((3, 2))).any()  # two heads a layer and a floor of two: never


def test_initial_reference_of_the_freezer():
    freezer = Freezer(Freezing(window=2, min_heads=0), np.full(10, 64), (1, 2), "initial")
    freezer.step(np.array([[3.0, 2.0]]))
    for _ in range(2):
        frozen = freezer.step(np.array([[2.05, 2.05]]))
    np.testing.assert_array_equal(frozen, [[True, False]])  # 3 - 0.9 = 2.1, 2 - 0.9 = 1.1


def test_a_head_at_the_default_target_is_frozen():
    rows = 2.5 * np.random.default_rng(0).standard_normal((2, 50, 64))
    table = settle(rows, Thermostat(), 8, steps=640)
    freezer = Freezer(Freezing(window=1, min_heads=0), np.full(10, 64), (1, 2))
    assert not freezer.step(table.entropy[:1].values).any()
    assert freezer.step(table.entropy[-1:].values).all()


def noisy(seed, steps, level=2.0, noise=0.05):
    return level + noise * np.random.default_rng(seed).standard_normal(steps)


def test_steady_noise_gives_no_spike_and_no_slow_rise():
    for seed in range(10):
        guard = LossGuard(Guard())
        assert {guard.step(step, loss) for step, loss in enumerate(noisy(seed, 4000))} == {"ok"}
        assert guard.rise_start == -1


def test_a_falling_loss_gives_neither():
    guard = LossGuard(Guard())
    losses = noisy(3, 4000, noise=0.03) + 1.5 * np.exp(-np.arange(4000) / 300)
    assert {guard.step(step, loss, loss if step % 16 == 0 else None) for step, loss in enumerate(losses[:1000])} == {
        "ok"
    }


def test_a_fast_spike_is_seen_at_once_and_leaves_no_trace():
    guard = LossGuard(Guard())
    for step, loss in enumerate(noisy(4, 300)):
        guard.step(step, loss)
    before = guard.state()
    assert guard.step(300, 3.0) == "spike"
    assert guard.step(301, math.nan) == "spike"
    assert guard.step(302, math.inf) == "spike"
    assert guard.state() == before
    assert guard.step(303, 2.0) == "ok"
    assert guard.step(304, 2.0 + 4 * 0.05) == "ok"
    assert LossGuard(Guard()).step(0, math.nan) == "spike"


def test_a_slow_rise_is_reported_once_with_its_start():
    starts = []
    for seed in range(8):
        guard = LossGuard(Guard())
        losses = noisy(seed, 3000) + 1e-4 * np.maximum(0, np.arange(3000) - 1500) + np.exp(-np.arange(3000) / 400)
        verdicts = np.array([guard.step(step, loss) for step, loss in enumerate(losses)])
        assert (verdicts == "slow_rise").sum() == 1
        assert set(verdicts) == {"ok", "slow_rise"}
        assert 1500 < np.flatnonzero(verdicts == "slow_rise")[0] < 2800
        starts.append(guard.rise_start)
    assert (np.abs(np.array(starts) - 1500 - 256) < 256).all()  # late, by about the slow mean's time constant


def test_a_rising_validation_loss_backs_off_for_two_hundred_steps():
    guard, gate = LossGuard(Guard()), Gate(Gating(), 64, 1)
    losses = np.concatenate([np.linspace(2.5, 2.0, 20), np.linspace(2.0, 2.4, 20)])
    verdicts = [guard.step(10 * i, 2.0, loss) for i, loss in enumerate(losses)]
    first = verdicts.index("back_off")
    assert 20 < first <= 32  # the long mean has to turn, too: about its time constant of 8 readings
    assert "back_off" not in verdicts[first + 1 : first + 20]
    assert guard.gain_factor == 0.5
    gate.threshold_shift = guard.threshold_shift
    assert gate.threshold(0) == pytest.approx(1.75)
    last = 10 * (len(losses) - 1 - verdicts[::-1].index("back_off"))
    guard.step(last + 199, 2.0)
    assert guard.gain_factor == 0.5
    guard.step(last + 200, 2.0)
    assert guard.gain_factor == 1.0
    falling = LossGuard(Guard())
    assert {falling.step(10 * i, 2.0, loss) for i, loss in enumerate(np.linspace(2.5, 2.0, 60))} == {"ok"}


def test_white_noise_makes_the_back_off_rule_fire_at_a_tenth_of_the_readings():
    """Short mean - long mean has the noise sigma sqrt(a/(2-a) + b/(2-b) - 2ab/(a+b-ab)) = sigma/6, a = 1/4, b = 1/8.

    The deviation is taken about the short mean, sigma sqrt(8/7): the rule fires above 0.2 * 6 * sqrt(8/7) = 1.28
    standard deviations of that noise.
    """
    shares = []
    for seed in range(40):
        guard = LossGuard(Guard(hold=0))
        shares.append(np.mean([guard.step(i, 2.0, loss) == "back_off" for i, loss in enumerate(noisy(seed, 250))]))
    error = np.std(shares) / math.sqrt(len(shares))
    assert abs(np.mean(shares) - math.erfc(1.2 * math.sqrt(8 / 7) / math.sqrt(2)) / 2) < 4 * error
    assert error < 0.01


def through_a_file(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def test_gate_freezer_and_guard_resume_bit_for_bit():
    rng = np.random.default_rng(8)
    makers = {
        "gate": (lambda: Gate(Gating(), 64, 2), lambda thing, k: thing.keep(k % 2, estimates(k), k).sum()),
        "freezer": (
            lambda: Freezer(Freezing(window=5, min_heads=1), np.full(10, 64), (2, 3), "initial"),
            lambda thing, k: thing.step(np.random.default_rng(k).uniform(1.0, 2.0, (2, 3)) - 0.01 * k).sum(),
        ),
        "guard": (
            lambda: LossGuard(Guard(memory=8.0, spike=3.0)),
            lambda thing, k: (thing.step(k, float(drift[k]), float(drift[k]) if k % 3 == 0 else None), thing.short),
        ),
    }
    drift = 2.0 + 0.1 * rng.standard_normal(200) + 1e-3 * np.arange(200)
    for maker, act in makers.values():
        unbroken = maker()
        trace = [act(unbroken, k) for k in range(200)]
        for stop in (1, 7, 120):
            first, second = maker(), maker()
            for k in range(stop):
                act(first, k)
            second.restore(through_a_file(first.state()))
            assert [act(second, k) for k in range(stop, 200)] == trace[stop:]
            assert second.state().keys() == unbroken.state().keys()
            for name, value in unbroken.state().items():
                np.testing.assert_array_equal(second.state()[name], value)
                assert type(second.state()[name]) is type(value)
