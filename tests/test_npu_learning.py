import dataclasses

import numpy as np
import pytest

from ceas_physics.npu import learning
from ceas_physics.npu.learning import Classifier, Learning

SETTLED = Learning(hidden=5, beta=0.6, relaxation=300)


def small_problem():
    rng = np.random.default_rng(1)
    network = learning.initial(4, 5, 3, seed=2)._replace(b=0.1 * rng.normal(size=5), c=0.1 * rng.normal(size=3))
    return network, rng.uniform(-1, 1, (6, 4)), rng.choice([-1.0, 1.0], (6, 3))


def differences(loss, network, h=1e-5):
    """Gradient of loss(network) by central differences in every parameter."""
    parts = []
    for name, parameter in network._asdict().items():
        slope = np.empty(parameter.shape)
        for index in np.ndindex(parameter.shape):
            ends = []
            for step in (h, -h):
                moved = parameter.copy()
                moved[index] += step
                ends.append(loss(network._replace(**{name: moved})))
            slope[index] = (ends[0] - ends[1]) / (2 * h)
        parts.append(slope)
    return Classifier(*parts)


def largest_gap(one, other):
    return max(np.abs(a - b).max() for a, b in zip(one, other))


def test_relaxed_spins_minimise_their_free_energy():
    network, x, _ = small_problem()
    y, z = learning.relax(network, x, SETTLED)
    np.testing.assert_allclose(z, np.tanh(0.6 * (y @ network.U.T + network.c)), atol=1e-12)

    def free_energy(y, z):
        pairs = np.sum((y @ network.U.T) * z) + np.sum((x @ network.W.T + network.b) * y) + np.sum(z * network.c)
        up = [(1 + m) / 2 for m in (y, z)]
        entropy = -sum(np.sum(p * np.log(p) + (1 - p) * np.log(1 - p)) for p in up)
        return -pairs - entropy / 0.6

    rng = np.random.default_rng(3)
    for _ in range(20):
        moved = [m + 1e-3 * rng.normal(size=m.shape) for m in (y, z)]
        assert free_energy(*moved) > free_energy(y, z)


def test_contrast_of_two_phases_is_the_gradient():
    """It tends to the derivative of the loss at the relaxed state with an error of order eta^2."""
    network, x, targets = small_problem()

    def loss(net):
        return np.sum((learning.relax(net, x, SETTLED)[1] - targets) ** 2) / (2 * len(x))

    exact = differences(loss, network)
    gaps = []
    for nudge in (0.02, 0.01, 0.005):
        settings = dataclasses.replace(SETTLED, nudge=nudge)
        gaps.append(largest_gap(learning.contrastive_gradient(network, x, targets, settings), exact))
    np.testing.assert_allclose(np.array(gaps[:-1]) / gaps[1:], 4.0, rtol=0.02)
    assert gaps[-1] < 1e-3 * max(np.abs(part).max() for part in exact)
    without_feedback = learning.backward_gradient(network, x, targets, SETTLED)
    assert largest_gap(without_feedback, exact) > 30 * gaps[-1]


def test_backpropagation_is_the_gradient_without_feedback():
    network, x, targets = small_problem()

    def loss(net):
        return np.sum((learning.forward(net, x, 0.6)[1] - targets) ** 2) / (2 * len(x))

    assert largest_gap(learning.backward_gradient(network, x, targets, SETTLED), differences(loss, network)) < 1e-9


def test_digits_are_learned_as_well_as_by_gradient():
    """Accuracies of both methods on the same split differ by less than 4 binomial errors; shuffled labels give 1/10."""
    pytest.importorskip("sklearn")
    settings, rates = Learning(hidden=48, epochs=12), (0.01, 0.03)
    result = learning.compare_on_digits((0, 1), settings, rates)
    mean = result.accuracy.mean("seed")
    error = float(np.sqrt(np.sum(result.error.values**2))) / 2
    assert abs(float(mean[0] - mean[1])) < 4 * error
    assert (mean > 0.93).all()
    assert np.isin(result.learning_rate.values, rates).all()
    images = learning.digits(seed=0)
    settings = dataclasses.replace(settings, learning_rate=float(result.learning_rate[0, 0]))
    again = learning.train(images, settings, seed=0)
    assert learning.accuracy(again, images.test, images.test_labels, settings, "contrastive") == result.accuracy[0, 0]
    shuffled = images._replace(train_labels=np.random.default_rng(4).permutation(images.train_labels))
    lost = learning.train(shuffled, dataclasses.replace(settings, epochs=4))
    accuracy = learning.accuracy(lost, images.test, images.test_labels, settings, "contrastive")
    assert abs(accuracy - 0.1) < 5 * np.sqrt(0.09 / len(images.test))


def test_the_learning_rate_is_chosen_without_the_test_images():
    """Other test labels, the same choice; and the choice is a sensible one."""
    pytest.importorskip("sklearn")
    images, settings = learning.digits(seed=1), Learning(hidden=16, epochs=2)
    blind = images._replace(test=np.zeros_like(images.test), test_labels=np.zeros_like(images.test_labels))
    rates = (1e-6, 0.02, 10.0)
    assert learning.choose_learning_rate(images, rates, settings) == 0.02
    assert learning.choose_learning_rate(blind, rates, settings) == 0.02
    with pytest.raises(ValueError, match="rates must be a non-empty array"):
        learning.choose_learning_rate(images, [], settings)


def test_split_of_the_digits():
    pytest.importorskip("sklearn")
    images = learning.digits(0.2, seed=3)
    assert len(images.test) == 359
    assert len(images.train) + len(images.test) == 1797
    assert np.abs(images.train).max() == 1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="nudge must be finite and > 0"):
        Learning(nudge=0.0)
    with pytest.raises(ValueError, match="hidden must be an integer"):
        Learning(hidden=0)
    x = small_problem()[1]
    images = learning.Images(x, np.zeros(6, dtype=int), x, np.zeros(6, dtype=int))
    with pytest.raises(ValueError, match="method must be one of"):
        learning.train(images, method="hebb")
    pytest.importorskip("sklearn")
    with pytest.raises(ValueError, match="test_share"):
        learning.digits(1.5)
