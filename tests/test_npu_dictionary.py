import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import ising
from ceas_physics import attention
from ceas_physics.npu import dictionary
from ceas_physics.transformer import TransformerConfig, forward, initial_vector, unflatten


def spins_of(n):
    return 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1


def gradient(function, x, h=1e-6):
    return np.array([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def test_embedding_is_the_average_of_free_spins():
    e = np.random.default_rng(1).uniform(-0.99, 0.99, 6)
    beta = 0.7
    fields = dictionary.token_field(e, beta)
    up = 1 / (1 + np.exp(-2 * beta * fields))
    np.testing.assert_allclose(2 * up - 1, e, rtol=1e-12)
    lattice = ising.from_bonds(6, [])
    spins = spins_of(6)
    weights = np.exp(-beta * ising.IsingModel(lattice, 0.0, fields).energy(spins))
    np.testing.assert_allclose(weights @ spins / weights.sum(), e, rtol=1e-10)


@pytest.mark.parametrize(("p", "q"), [(7, 3), (5, 4)])
def test_positions_are_sites_of_the_lattice(p, q):
    motion = ising.disk.translation(p, q)
    z = dictionary.moebius_positions(7, *motion)
    apart = ising.disk.distance(z[:, None], z[None, :])
    lattice = ising.hyperbolic(p, q, 7)
    nearest = ising.disk.distance(z[:, None], lattice.positions.z).min(axis=1)
    assert nearest.max() < 1e-9
    for shift in range(1, 6):
        np.testing.assert_allclose(apart[shift:, shift:], apart[:-shift, :-shift], atol=1e-9)
    wrong = z + 0.05  # a Euclidean shift is no motion of the disk
    assert abs(ising.disk.distance(wrong[0], wrong[1]) - apart[0, 1]) > 1e-3


def points_to_vectors(z):
    gap = 1 - np.abs(z) ** 2
    return np.stack([(1 + np.abs(z) ** 2) / gap, 2 * z.real / gap, 2 * z.imag / gap], axis=-1)


def test_lorentz_transformations_are_the_motions_of_the_disk():
    rng = np.random.default_rng(2)
    z = 0.8 * rng.uniform(0, 1, 9) * np.exp(2j * math.pi * rng.uniform(0, 1, 9))
    a, theta = 0.3 - 0.5j, 1.1
    L = dictionary.lorentz(a, theta)
    np.testing.assert_allclose(
        points_to_vectors(z) @ L.T, points_to_vectors(ising.disk.moebius(z, a, theta)), rtol=1e-12
    )
    np.testing.assert_allclose(L.T @ dictionary.MINKOWSKI @ L, dictionary.MINKOWSKI, atol=1e-12)
    x = points_to_vectors(z)
    products = x @ dictionary.MINKOWSKI @ x.T
    np.testing.assert_allclose(-products, np.cosh(ising.disk.distance(z[:, None], z)), rtol=1e-10)


def test_scores_depend_on_the_relative_position_only():
    rng = np.random.default_rng(3)
    q, k = rng.normal(size=(2, 1, 4, 3))
    same_q, same_k = np.repeat(q, 8, axis=0), np.repeat(k, 8, axis=0)
    a, theta = ising.disk.translation(7, 3)
    scores = dictionary.moebius_scores(same_q, same_k, a, theta)
    for offset in range(-7, 8):
        diagonal = np.diagonal(scores, offset)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-13)
    L = dictionary.lorentz(a, theta)
    powers = np.array([np.linalg.matrix_power(L, i) for i in range(8)])
    for common in (0, 3):  # all positions moved on by the same motion
        moved = np.linalg.matrix_power(L, common) @ powers
        vectors = [np.einsum("tab,tcb->tca", moved, array) for array in (same_q, same_k)]
        absolute = np.einsum("ica,ab,jcb->ij", vectors[0], dictionary.MINKOWSKI, vectors[1])
        np.testing.assert_allclose(absolute, scores, rtol=1e-6, atol=1e-6)


def test_rotations_of_the_disk_are_the_rotary_embedding():
    rng = np.random.default_rng(4)
    q, k = rng.normal(size=(2, 10, 5, 3))
    q[..., 0] = k[..., 0] = 0.0
    theta = 0.37
    as_complex = [
        (array[..., 1] + 1j * array[..., 2]) * np.exp(1j * theta * np.arange(10))[:, None] for array in (q, k)
    ]
    rotary = np.einsum("ic,jc->ij", as_complex[0].conj(), as_complex[1]).real
    np.testing.assert_allclose(dictionary.moebius_scores(q, k, 0.0, theta), rotary, atol=1e-12)


def test_one_relaxation_step_is_attention():
    """The weights have the entropy, participation and score moments of `attention` at the same beta, to 1e-12."""
    rng = np.random.default_rng(5)
    keys, x, beta = rng.normal(size=(33, 8)), rng.normal(size=(6, 8)), 1.7
    scores = x @ keys.T
    weights = dictionary.attention_weights(x, keys, beta)
    direct = np.exp(beta * scores) / np.exp(beta * scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(weights, direct, atol=1e-12)
    np.testing.assert_allclose(-np.sum(weights * np.log(weights), -1), attention.entropy(scores, beta), atol=1e-12)
    np.testing.assert_allclose(np.sum(weights**2, -1), attention.participation(scores, beta), atol=1e-12)
    np.testing.assert_allclose(dictionary.attention_step(x, keys, beta), direct @ keys, atol=1e-12)
    values = rng.normal(size=(33, 5))
    np.testing.assert_allclose(dictionary.attention_step(x, keys, beta, values=values), direct @ values, atol=1e-12)


def test_heads_of_the_transformer_are_relaxation_steps():
    config = TransformerConfig(context=12, batch_size=2)
    rng = np.random.default_rng(6)
    parameters = unflatten(initial_vector(config, 20, rng).astype(np.float64), config, 20)
    beta = np.array([[0.5, 1.0], [2.0, 0.3]])
    _, layers, _ = forward(parameters, rng.integers(0, 20, (2, 12)), beta, config)
    for layer, betas in zip(layers, beta):
        all_values, mixed = (array.transpose(2, 0, 3, 1) for array in (layer.split[2], layer.saved["mixed"]))
        for head in range(2):
            q, k, v = (array[:, head] for array in (layer.queries, layer.keys, all_values))
            for t in range(12):  # the visible keys of query t are the first t + 1
                step = dictionary.attention_step(q[:, t], k[:, : t + 1], betas[head], values=v[:, : t + 1])
                np.testing.assert_allclose(step, mixed[:, head, t], atol=1e-12)
                weights = dictionary.attention_weights(q[:, t], k[:, : t + 1], betas[head])
                entropy = -np.sum(weights * np.log(weights), axis=-1)
                np.testing.assert_allclose(entropy, layer.entropy[:, head, t], atol=1e-12)


def test_attention_step_goes_down_the_energy():
    rng = np.random.default_rng(7)
    keys, x, beta = rng.normal(size=(12, 5)), rng.normal(size=5), 2.0
    force = -gradient(lambda y: float(dictionary.attention_energy(y, keys, beta)), x)
    for dt in (0.1, 1.0):
        np.testing.assert_allclose(dictionary.attention_step(x, keys, beta, dt), x + dt * force, atol=1e-7)
    for dt in (0.3, 1.0):
        y, energies = 3 * rng.normal(size=(20, 5)), []
        for _ in range(60):
            energies.append(dictionary.attention_energy(y, keys, beta))
            y = dictionary.attention_step(y, keys, beta, dt)
        assert (np.diff(energies, axis=0) <= 1e-12).all()
    with pytest.raises(ValueError, match="dt must lie in"):
        dictionary.attention_step(x, keys, beta, 1.5)


def test_cold_relaxation_retrieves_the_stored_key():
    rng = np.random.default_rng(8)
    keys = rng.choice([-1.0, 1.0], (200, 64))
    x = keys[:10] * np.where(rng.random((10, 64)) < 0.15, -1, 1)
    np.testing.assert_allclose(dictionary.attention_step(x, keys, 2.0), keys[:10], atol=1e-6)
    assert np.abs(dictionary.attention_step(x, keys, 0.001)).max() < 0.5  # hot: the mean of all keys


def test_amplitude_control_is_the_rms_norm():
    x = 2.0 * np.random.default_rng(9).normal(size=(3, 50)) + 0.4
    rms = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))
    np.testing.assert_allclose(dictionary.amplitude_control(x), rms, atol=1e-12)
    centred = x - x.mean(axis=-1, keepdims=True)
    layer_norm = centred / x.std(axis=-1, keepdims=True)
    np.testing.assert_allclose(dictionary.amplitude_control(centred), layer_norm, atol=1e-12)
    np.testing.assert_allclose(dictionary.amplitude_control(x, scope="each"), np.sign(x), atol=1e-12)
    distance = (
        np.abs(dictionary.amplitude_control(x, 6.0) - rms).max()
        / np.abs(dictionary.amplitude_control(x, 5.0) - rms).max()
    )
    assert distance == pytest.approx(math.exp(-2), rel=1e-3)


@pytest.mark.parametrize("scope", ["all", "each"])
def test_amplitude_control_solves_its_equation(scope):
    x = np.random.default_rng(10).normal(size=7)

    def velocity(_, y):
        return (1 - (y**2 if scope == "each" else np.mean(y**2))) * y

    solved = solve_ivp(velocity, (0, 1.3), x, rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(dictionary.amplitude_control(x, 1.3, scope), solved, atol=1e-8)


def test_hidden_spins_traced_out():
    rng = np.random.default_rng(11)
    W, b, beta = rng.normal(size=(6, 4)), rng.normal(size=6), 0.8
    v = rng.choice([-1.0, 1.0], (5, 4))
    traced = np.exp(beta * (v @ W.T + b) @ spins_of(6).T).sum(axis=-1)
    np.testing.assert_allclose(np.exp(-beta * dictionary.hidden_energy(v, W, b, beta)), traced, rtol=1e-12)
    x = rng.normal(size=4)
    force = -gradient(lambda y: float(dictionary.hidden_energy(y, W, b, beta)), x)
    np.testing.assert_allclose(dictionary.hidden_force(x, W, b, beta), force, atol=1e-8)


def test_effective_couplings():
    w, beta = np.array([[0.7, -0.4]]), 1.3
    pair = dictionary.effective_couplings(w, [0.0], beta)
    exact = math.log(math.cosh(beta * 0.3) / math.cosh(beta * 1.1)) / (2 * beta)
    assert pair.couplings[0, 1] == pytest.approx(exact, abs=1e-14)
    assert pair.left_out < 1e-12
    rng = np.random.default_rng(12)
    W = rng.normal(size=(9, 8))
    weak, strong = (dictionary.effective_couplings(scale * W, np.zeros(9), 1.0) for scale in (1e-3, 1.0))
    hopfield = 1e-6 * W.T @ W
    np.fill_diagonal(hopfield, 0.0)
    np.testing.assert_allclose(weak.couplings, hopfield, rtol=1e-3, atol=1e-11)
    assert weak.left_out < 1e-6
    assert 0.01 < strong.left_out < 0.6


def test_gradient_share():
    """Tied matrices give the gradient of an energy, independent ones do not: half of their Jacobian is a rotation."""
    rng = np.random.default_rng(13)
    W, out, x = rng.normal(size=(80, 40)), rng.normal(size=(80, 40)), 0.1 * rng.normal(size=40)
    slope = 1 - np.tanh(W @ x) ** 2
    assert dictionary.gradient_share(W.T @ (slope[:, None] * W)) == pytest.approx(1, abs=1e-12)
    shares = [dictionary.gradient_share(rng.normal(size=(40, 40))) for _ in range(200)]
    error = np.std(shares, ddof=1) / math.sqrt(200)
    assert np.mean(shares) == pytest.approx(0.5 + 1 / 80, abs=5 * error + 1e-3)
    assert abs(dictionary.gradient_share(out.T @ (slope[:, None] * W)) - 0.5) < 0.05


def test_bad_input_is_named():
    for call, words in (
        (lambda: dictionary.token_field([1.0], 1.0), r"\(-1, 1\)"),
        (lambda: dictionary.token_field([0.5], 0.0), "beta must be finite and > 0"),
        (lambda: dictionary.lorentz(1.0), "inside the unit disk"),
        (lambda: dictionary.moebius_scores(np.ones((2, 3)), np.ones((2, 3)), 0.1), "tokens, channels, 3"),
        (lambda: dictionary.attention_weights(np.ones(3), np.ones((2, 4)), 1.0), "must share d"),
        (lambda: dictionary.amplitude_control(np.zeros(3)), "state of rest"),
        (lambda: dictionary.amplitude_control(np.ones(3), -1.0), "time must be finite and >= 0"),
        (lambda: dictionary.amplitude_control(np.ones(3), scope="some"), "scope must be"),
        (lambda: dictionary.hidden_energy(np.ones(3), np.ones((2, 4)), np.ones(2), 1.0), "do not fit"),
        (lambda: dictionary.effective_couplings(np.ones((1, 17)), [0.0], 1.0), "at most 16"),
        (lambda: dictionary.gradient_share(np.ones((2, 3))), "square"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
