"""Curvature with the learning rate, and the noise scale with the batch size, where the answer is known."""

import math

import numpy as np
import pytest

from ceas_physics.knobs import (
    BatchSize,
    BatchSizeBand,
    LearningRate,
    LearningRateBand,
    hessian_eigenvalue,
    noise_scale,
)
from ceas_physics.transformer import TransformerConfig, flatten, initial_vector, loss_and_gradient, unflatten


def quadratic(spectrum, seed=0):
    """Symmetric matrix with these eigenvalues in a random basis."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))
    return basis * spectrum @ basis.T


def test_the_largest_eigenvalue_of_a_known_spectrum():
    hessian = quadratic(np.array([8.0, 3.0, 1.0, 0.1, -2.0]))
    found = hessian_eigenvalue(lambda x: hessian @ x, np.ones(5), np.arange(1.0, 6.0), iterations=5)
    assert found.eigenvalue == pytest.approx(8.0, rel=1e-8)
    assert found.residual < 1e-6
    again = hessian_eigenvalue(lambda x: hessian @ x, np.ones(5), found.vector, iterations=9)
    assert again.eigenvalue == pytest.approx(8.0, rel=1e-8)  # an invariant span ends the iteration
    early = hessian_eigenvalue(lambda x: hessian @ x, np.ones(5), np.arange(1.0, 6.0), iterations=2)
    assert np.abs(np.linalg.eigvalsh(hessian) - early.eigenvalue).min() <= early.residual  # a true bound
    assert early.eigenvalue < 8.0
    for _ in range(20):
        early = hessian_eigenvalue(lambda x: hessian @ x, np.ones(5), early.vector, iterations=2)
    assert early.eigenvalue == pytest.approx(8.0, rel=1e-8)  # short calls add up


def test_a_larger_negative_eigenvalue_does_not_mislead():
    saddle = quadratic(np.array([1.0, 2.0, -7.0, 0.5, -3.0]))
    found = hessian_eigenvalue(lambda x: saddle @ x, np.ones(5), np.arange(1.0, 6.0), iterations=2)
    for _ in range(30):
        found = hessian_eigenvalue(lambda x: saddle @ x, np.ones(5), found.vector, iterations=2)
    assert found.eigenvalue == pytest.approx(2.0, rel=1e-6)
    power = np.arange(1.0, 6.0)  # the control: a power iteration
    for _ in range(60):
        power = saddle @ power / np.linalg.norm(power)
    assert power @ saddle @ power / (power @ power) == pytest.approx(-7.0)


def test_preconditioned_curvature_is_that_of_the_rescaled_hessian():
    rng = np.random.default_rng(1)
    hessian, diagonal = quadratic(rng.uniform(0.1, 5.0, 20)), rng.uniform(0.01, 10.0, 20)
    scaled = hessian / np.sqrt(np.outer(diagonal, diagonal))
    found = hessian_eigenvalue(lambda x: hessian @ x, np.zeros(20), np.ones(20), iterations=20, preconditioner=diagonal)
    assert found.eigenvalue == pytest.approx(np.linalg.eigvalsh(scaled)[-1], rel=1e-6)
    assert abs(found.eigenvalue / np.linalg.eigvalsh(hessian)[-1] - 1) > 0.1  # the control: not the raw one


def test_curvature_of_the_character_model_in_both_precisions():
    config = TransformerConfig(n_layers=1, n_heads=2, d_model=4, context=8, batch_size=4)
    characters, rng = 5, np.random.default_rng(2)
    start = initial_vector(config, characters, rng)
    text = rng.integers(0, characters, (4, 9))

    def gradient(vector):
        parameters = unflatten(vector, config, characters)
        _, named, _ = loss_and_gradient(parameters, text[:, :-1], text[:, 1:], config.standard_beta, config)
        return flatten(named, config, characters)

    x = start.astype(float)
    columns = []
    for k in range(len(x)):
        shift = np.zeros_like(x)
        shift[k] = 1e-6
        columns.append((gradient(x + shift) - gradient(x - shift)) / 2e-6)
    hessian = np.array(columns)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)
    spectrum = np.linalg.eigvalsh(0.5 * (hessian + hessian.T))
    random = rng.standard_normal(len(x))
    fine = hessian_eigenvalue(gradient, x, random, iterations=40, difference=1e-4)
    assert fine.eigenvalue == pytest.approx(spectrum[-1], rel=1e-4)
    for vector in (x, start):  # default difference: second order, 0.9 % for a model this sharp
        found = hessian_eigenvalue(gradient, vector, random, iterations=40)
        assert found.eigenvalue == pytest.approx(spectrum[-1], rel=0.02)
    coarse = hessian_eigenvalue(gradient, x, random, iterations=40, difference=1e-2)
    assert abs(coarse.eigenvalue / spectrum[-1] - 1) > 0.1  # the control


def test_the_eigenvalue_says_what_it_cannot_start_from():
    for changes, words in (
        ({"vector": np.zeros(3)}, "must not be zero"),
        ({"preconditioner": np.array([1.0, 0.0, 1.0])}, "preconditioner must be positive"),
        ({"iterations": 1}, "iterations"),
    ):
        with pytest.raises(ValueError, match=words):
            hessian_eigenvalue(lambda x: x, np.ones(3), **({"vector": np.ones(3)} | changes))


def test_learning_rate_comes_into_its_band_from_both_sides():
    for start in (1e-4, 3e-2, 1.0):
        knob = LearningRate(LearningRateBand(), start)
        for _ in range(100):
            knob.step(4.0)
        assert 0.02 < knob.rho < 0.08
        assert knob.value == pytest.approx(0.05 / 4.0, rel=1e-3)


def test_learning_rate_follows_its_formula_and_its_limit():
    knob = LearningRate(LearningRateBand(gain=2.0), 0.01)
    assert knob.step(4.0) == pytest.approx(0.01 * math.exp(2.0 * (0.05 - 0.04)))
    far = LearningRate(LearningRateBand(gain=2.0), 0.25)
    assert far.step(4.0) == pytest.approx(0.25 * math.exp(-0.2))
    still = LearningRate(LearningRateBand(), 0.01)
    assert [still.step(bad) for bad in (-1.0, 0.0, math.nan, math.inf)] == [0.01] * 4
    assert math.isnan(still.rho)


def test_learning_rate_keeps_away_from_where_descent_diverges():
    """On f = lambda x^2/2 a step multiplies x by 1 - rho: |1 - rho| < 1 up to rho = 2."""
    eager = LearningRateBand(band=(1.9, 2.5), gain=0.5)
    for start in (0.1, 0.9):  # 0.9 lambda = 3.6 is beyond already
        knob = LearningRate(eager, start)
        for _ in range(100):
            knob.step(4.0)
        assert knob.value * 4.0 == pytest.approx(2.0 * 0.94)
    assert abs(1 - 2.0 * 0.94) < 1
    free = LearningRate(LearningRateBand(band=(1.9, 2.5), gain=0.5, critical=1e9), 0.1)  # the control
    for _ in range(100):
        free.step(4.0)
    assert abs(1 - free.value * 4.0) > 1


def gradients(count, batch, rng, mean, spread):
    """Squared norms of a mean gradient over two nested batches, batch and 4 batch."""
    noise = spread * rng.standard_normal((count, 4, len(mean))) / math.sqrt(batch)
    parts = mean + noise
    return np.sum(parts[:, 0] ** 2, axis=-1), np.sum(parts.mean(axis=1) ** 2, axis=-1)


def test_noise_scale_of_normal_gradients_is_exact_within_its_error():
    rng = np.random.default_rng(3)
    mean, spread = 0.1 * rng.standard_normal(50), rng.uniform(0.2, 1.0, 50)
    expected = np.sum(spread**2) / np.sum(mean**2)
    pulls = []
    for _ in range(200):
        small, large = gradients(100, 8, rng, mean, spread)
        found = noise_scale(small, large, 8, 32)
        pulls.append((found.value - expected) / found.error)
    assert abs(np.mean(pulls)) < 0.35  # the bias of a ratio, a small part of its error
    assert 0.8 < np.std(pulls) < 1.25
    small, large = gradients(20_000, 8, rng, mean, spread)
    found = noise_scale(small, large, 8, 32)
    assert abs(found.value - expected) < 4 * found.error
    assert found.error < 0.05 * expected
    assert found.noise == pytest.approx(np.sum(spread**2), rel=0.05)
    wrong = noise_scale(small, large, 8, 64)  # the control: not the batch that was taken
    assert abs(wrong.value - expected) > 10 * wrong.error


def test_noise_scale_without_signal_is_not_a_number_to_use():
    small, large = np.array([1.0, 1.2, 1.1]), np.array([0.2, 0.25, 0.3])  # 32 |G_32|^2 < 8 |G_8|^2 in the first two
    assert noise_scale(small, large, 8, 32).value == math.inf
    with pytest.raises(ValueError, match="small_batch must be below large_batch"):
        noise_scale(small, large, 32, 8)
    with pytest.raises(ValueError, match="at least two"):
        noise_scale([1.0], [0.5], 8, 32)
    knob = BatchSize(BatchSizeBand(), 16)
    assert knob.step() == 16
    knob.observe(1.0, 2.0, 8, 32)
    assert math.isnan(knob.scale)
    assert knob.step() == 16


def test_batch_size_comes_to_the_noise_scale_and_stops_at_the_margin():
    rng = np.random.default_rng(5)
    mean, spread = 0.2 * np.ones(50), np.ones(50)  # g = 25
    ends = {}
    for start in (4.0, 200.0):
        knob = BatchSize(BatchSizeBand(), start)
        for _ in range(300):
            small, large = gradients(20, 8, rng, mean, spread)
            knob.observe(small.mean(), large.mean(), 8, 32)
            size = knob.step()
        ends[start] = knob.size / knob.scale
        assert size == round(knob.size)
        assert knob.scale == pytest.approx(25.0, rel=0.15)
    assert ends[4.0] == pytest.approx(0.94, abs=0.03)
    assert ends[200.0] == pytest.approx(1.06, abs=0.06)


def test_batch_size_holds_to_the_limits_of_the_hardware_and_a_target():
    knob = BatchSize(BatchSizeBand(limits=(8.0, 32.0)), 16)
    knob.observe(1.0, 0.3, 8, 32)
    assert knob.scale == pytest.approx((0.7 / (3 / 32)) / ((0.3 * 32 - 8) / 24))
    for _ in range(100):
        knob.step()
    assert knob.step() == 32
    targeted = BatchSize(BatchSizeBand(target=1000.0, gain=1.0), 64)
    targeted.observe(1.0, 0.3, 8, 32)
    assert targeted.step() == round(64 * math.exp(-0.1))  # g below g*: smaller batches
