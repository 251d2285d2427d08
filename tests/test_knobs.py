"""Weight decay, smoothing and activation gain where the answer is known; settings and exact resume of every knob."""

import io
import math

import numpy as np
import pytest

from ceas_physics.knobs import (
    ActivationBand,
    ActivationGain,
    BatchSize,
    BatchSizeBand,
    LearningRate,
    LearningRateBand,
    Smoothing,
    SmoothingSchedule,
    WeightDecay,
    WeightDecayBand,
    calibration_error,
    keep_away,
    output_entropy,
    overconfidence,
    parameter_entropy,
    spectral_norm,
    spectral_radius,
)


def settle_decay(knob, steps=400, curvature=0.5, noise=0.1):
    """Weights with the stationary variance noise/(curvature + lambda) of noisy descent; unit normal draws, fixed."""
    draws = np.random.default_rng(6).standard_normal((50, 40))
    for _ in range(steps):
        weights = draws * math.sqrt(noise / (curvature + knob.value))
        knob.step([weights], 3e-3)
    return knob.value


def test_weight_decay_holds_the_entropy_of_the_weights():
    draws = np.random.default_rng(6).standard_normal((50, 40))
    target = parameter_entropy([draws * math.sqrt(0.1 / (0.5 + 0.3))])  # the entropy at lambda = 0.3
    settings = {"target": target, "gain": 0.3}
    assert settle_decay(WeightDecay(WeightDecayBand(**settings))) == pytest.approx(0.3, rel=1e-6)
    assert settle_decay(WeightDecay(WeightDecayBand(**settings), 0.9)) == pytest.approx(0.3, rel=1e-6)


def test_weight_decay_with_the_other_sign_runs_away():
    """Lambda + kappa (H* - H): weights, and so H, fall with lambda; this sign leaves the target on either side."""
    draws = np.random.default_rng(6).standard_normal((50, 40))
    target = parameter_entropy([draws * math.sqrt(0.1 / (0.5 + 0.3))])
    settings = WeightDecayBand(target=target, gain=0.3, response=1)
    assert settle_decay(WeightDecay(settings, 0.29)) == 0.0
    assert settle_decay(WeightDecay(settings, 0.31)) == settings.largest


def test_weight_decay_by_the_spectral_norm_and_from_its_first_reading():
    knob = WeightDecay(WeightDecayBand(observable="spectral_norm", gain=0.1))
    assert knob.step([np.diag([3.0, 1.0])], 1e-3) == 0.0
    assert knob.target == 3.0
    assert knob.step([np.diag([3.5, 1.0])], 1e-3) == pytest.approx(0.05)
    assert knob.step([np.diag([2.0, 1.0])], 1e-3) == 0.0
    capped = WeightDecay(WeightDecayBand(observable="spectral_norm", target=0.0, gain=100.0, largest=100.0))
    assert capped.step([np.eye(2)], 0.1) == pytest.approx(0.94 / 0.1)  # eta lambda = 1 forgets everything


def test_observables_of_weights():
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((60, 50)), 0.1 * rng.standard_normal((20, 20))
    assert parameter_entropy([a]) == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=4 * math.sqrt(0.5 / 3000))
    assert parameter_entropy([a / math.e]) == pytest.approx(parameter_entropy([a]) - 1.0)
    assert spectral_norm([a, b]) == pytest.approx(np.mean([np.linalg.svd(m)[1][0] for m in (a, b)]))
    rotation = np.array([[0.0, -0.9], [0.9, 0.0]])
    assert spectral_radius(rotation) == pytest.approx(0.9)


def test_output_observables():
    rng = np.random.default_rng(8)
    logits = 2.0 * rng.standard_normal((40_000, 10))
    assert output_entropy(np.zeros((3, 10))) == pytest.approx(math.log(10))
    assert output_entropy(1e3 * np.eye(10)) == pytest.approx(0.0, abs=1e-12)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    answers = (rng.random((len(p), 1)) > np.cumsum(p, axis=-1)).sum(axis=-1)  # calibrated by construction
    error = 0.5 / math.sqrt(len(p))
    assert abs(overconfidence(logits, answers)) < 4 * error
    assert calibration_error(logits, answers) < 10 * 0.5 / math.sqrt(len(p) / 10) / math.sqrt(10)
    assert overconfidence(2 * logits, answers) > 20 * error  # too cold
    assert overconfidence(0.5 * logits, answers) < -20 * error
    assert calibration_error(2 * logits, answers) == pytest.approx(overconfidence(2 * logits, answers), rel=0.1)


def smoothed(p, classes=20):
    """Logits of a model that has learnt smoothed labels of one certain answer."""
    q = np.full((1, classes), p / classes)
    q[0, 0] += 1 - p
    return np.log(np.maximum(q, 1e-300)), np.zeros(1, dtype=int)


def test_smoothing_follows_the_schedule_of_the_output_entropy():
    settings = SmoothingSchedule(levels=(1.0, 0.3), tau=2000.0, gain=0.05, largest=0.5)
    knob = Smoothing(settings)
    entropy, p = [], []
    for step in range(0, 20_000, 20):
        p.append(knob.step(step, *smoothed(knob.value)))
        entropy.append(output_entropy(smoothed(knob.value)[0]))
    wanted = [knob.level(step) for step in range(0, 20_000, 20)]
    assert wanted[0] == 1.0
    assert wanted[100] == pytest.approx(0.3 + 0.7 / math.e)
    np.testing.assert_allclose(entropy[200:], wanted[200:], atol=0.02)
    assert p[100] > p[300] > p[-1] > 0  # high early, less later
    assert max(p) <= 0.5


def test_smoothing_by_calibration_and_its_cap():
    rng = np.random.default_rng(9)
    logits, answers = 6.0 * rng.standard_normal((500, 10)), rng.integers(0, 10, 500)
    knob = Smoothing(SmoothingSchedule(observable="calibration", gain=0.1, largest=0.3))
    first = knob.step(0, logits, answers)
    assert first == pytest.approx(0.1 * overconfidence(logits, answers))
    for _ in range(100):
        knob.step(0, logits, answers)
    assert knob.value == 0.3
    for _ in range(100):
        knob.step(0, 0.0 * logits, np.zeros(500, dtype=int))
    assert knob.value == 0.0
    capped = Smoothing(SmoothingSchedule(gain=9.0, largest=0.99, levels=(3.0, 3.0)))
    assert capped.step(0, *smoothed(0.0)) == pytest.approx(0.94)


def entropy_at(gain, base):
    return output_entropy(gain * base)


def test_activation_gain_brings_the_output_entropy_into_its_band():
    base = np.random.default_rng(10).standard_normal((200, 30))
    for band in ((2.0, 2.4), (3.15, 3.3)):  # below and above the entropy at gain 1
        knob = ActivationGain(ActivationBand(band=band, limits=(0.1, 5.0), integral=0.1))
        for _ in range(300):
            knob.step(entropy_at(knob.value, base))
        assert band[0] - 0.01 < entropy_at(knob.value, base) < band[1] + 0.01
        assert not band[0] < entropy_at(1.0, base) < band[1]


def test_activation_gain_with_the_wrong_sign_runs_away():
    base = np.random.default_rng(10).standard_normal((200, 30))
    knob = ActivationGain(ActivationBand(band=(2.0, 2.4), limits=(0.1, 5.0), integral=0.1))
    for _ in range(300):
        knob.step(4.4 - entropy_at(knob.value, base))  # an error of the other sign about the same band
    assert knob.value in (0.1, 5.0)


def test_activation_gain_leaves_its_limit_at_once_and_respects_the_radius():
    knob = ActivationGain(ActivationBand(band=(2.0, 2.4), limits=(0.5, 1.5), integral=0.1))
    for _ in range(1000):
        knob.step(3.0)
    assert knob.value == 1.5
    assert knob.total < 6.0  # a sum that ran on would stand at 600
    for _ in range(3):
        knob.step(1.0)
    assert knob.value < 1.5
    assert knob.step(3.0, radius=2.0) == pytest.approx(0.47)
    assert knob.step(3.0, radius=0.1) > 0.47


def test_the_cap_of_a_knob_is_the_margin_of_the_thermostat():
    assert keep_away(0.5, 0.8, 1.0, 0.1) == 0.8
    assert keep_away(0.5, 0.95, 1.0, 0.1) == pytest.approx(0.9)
    assert keep_away(0.5, 7.0, 1.0, 0.1) == pytest.approx(0.9)
    assert keep_away(2.0, 0.1, 1.0, 0.1) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (LearningRateBand, {"band": (0.08, 0.02)}),
        (LearningRateBand, {"u_min": 1.0}),
        (LearningRateBand, {"every": 0}),
        (LearningRateBand, {"memory": 0.0}),
        (BatchSizeBand, {"target": -1.0}),
        (BatchSizeBand, {"limits": (0.0, 10.0)}),
        (WeightDecayBand, {"observable": "rank"}),
        (WeightDecayBand, {"response": 0}),
        (SmoothingSchedule, {"levels": (1.0, -1.0)}),
        (SmoothingSchedule, {"largest": 1.0}),
        (ActivationBand, {"band": 2.0}),
    ],
)
def test_bad_settings_are_named(kind, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        kind(**settings)


def act_learning_rate(knob, rng):
    return knob.step(rng.uniform(0.5, 50.0))


def act_batch_size(knob, rng):
    knob.observe(rng.uniform(1.0, 2.0), rng.uniform(0.5, 1.0), 8, 32)
    return knob.step(), knob.size


def act_weight_decay(knob, rng):
    return knob.step([rng.standard_normal((5, 5))], 1e-3)


def act_smoothing(knob, rng):
    return knob.step(int(rng.integers(1000)), rng.standard_normal((5, 4)), rng.integers(0, 4, 5))


def act_activation(knob, rng):
    return knob.step(rng.uniform(0.0, 4.0), rng.uniform(0.1, 1.0))


@pytest.mark.parametrize(
    ("make", "act"),
    [
        (lambda: LearningRate(LearningRateBand(), 1e-2), act_learning_rate),
        (lambda: BatchSize(BatchSizeBand(), 16), act_batch_size),
        (lambda: WeightDecay(WeightDecayBand()), act_weight_decay),
        (lambda: Smoothing(SmoothingSchedule(levels=(2.0, 1.0))), act_smoothing),
        (lambda: ActivationGain(ActivationBand()), act_activation),
    ],
)
def test_knobs_resume_bit_for_bit(make, act):
    def inputs(k):
        return np.random.default_rng(k)

    unbroken = make()
    trace = [act(unbroken, inputs(k)) for k in range(60)]
    assert len(set(trace)) > 10
    for stop in (1, 17):
        first, second = make(), make()
        for k in range(stop):
            act(first, inputs(k))
        file = io.BytesIO()
        np.savez(file, **first.state())
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            second.restore(dict(archive))
        assert [act(second, inputs(k)) for k in range(stop, 60)] == trace[stop:]
        assert second.state() == unbroken.state()
