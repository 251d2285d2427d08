"""Attention rows: compiled against plain, skipped rows, positions, beta from a row's entropy, and the estimate of T."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from ceas_physics import attention
from ceas_physics.transformer import (
    TransformerConfig,
    forward,
    head_observables,
    initial_vector,
    loss_and_gradient,
    unflatten,
)
from ceas_physics.transformer import estimate as estimate_module
from ceas_physics.transformer import row_beta as row_beta_module
from ceas_physics.transformer import row_block as block_module
from ceas_physics.transformer import rows as rows_module
from ceas_physics.transformer import rows_backward as backward_module
from ceas_physics.transformer.config import POSITIONS
from ceas_physics.transformer.exponential import exponential
from ceas_physics.transformer.positions import slopes
from ceas_physics.transformer.scaling import ADAPTIVE, ENTROPY, GIVEN

SMALL = TransformerConfig(n_layers=2, n_heads=2, d_model=8, context=40, batch_size=4)
CHARACTERS = 11
BETA = np.array([[0.3, 0.9], [1.4, 0.5]])


def model(config=SMALL, dtype=np.float64, sequences=3):
    rng = np.random.default_rng(0)
    vector = initial_vector(config, CHARACTERS, rng).astype(dtype)
    vector += 0.2 * rng.standard_normal(vector.shape).astype(dtype)
    tokens = rng.integers(0, CHARACTERS, (sequences, config.context + 1))
    return unflatten(vector, config, CHARACTERS), tokens[:, :-1], tokens[:, 1:]


def rows_of(layers, config):
    """Scores (layer, head, rows, key)."""
    scores = np.array([layer.scores() for layer in layers]).swapaxes(1, 2)
    return scores.reshape(*scores.shape[:2], -1, config.context)


def test_exponential():
    @njit
    def apply(x):
        return np.array([exponential(value) for value in x])

    x = np.linspace(-86.9, 87.9, 40_001)
    single = x.astype(np.float32)
    exact = np.exp(single.astype(float))
    np.testing.assert_allclose(apply(single), exact, rtol=2e-7)
    np.testing.assert_array_equal(apply(single), np.array([exponential(value) for value in single]))
    np.testing.assert_allclose(apply(x), np.exp(x), rtol=1e-14)
    assert apply(np.array([0.0, -1e30], np.float32)).tolist() == [1.0, exponential(np.float32(-87.0))]


def uncompiled(monkeypatch, *modules):
    for module in modules:
        for name, value in vars(module).items():
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", [GIVEN, ADAPTIVE, ENTROPY])
def test_compiled_equals_plain_bit_for_bit(monkeypatch, dtype, mode):
    rng = np.random.default_rng(mode)
    context, window, inclines = 20, 18, np.array([0.0, 0.3])
    split = (0.5 * rng.integers(-4, 5, (3, 2, 3, 1, context))).astype(dtype)  # products exact in any order of the sum
    d_mixed = (0.5 * rng.integers(-4, 5, (2, 3, 1, context))).astype(dtype)
    kept, frozen = rng.random((1, 2, context)) < 0.8, np.array([False, False])

    def run():
        beta = np.full((1, 2, context), 0.7, dtype)
        weights, mixed = np.zeros((1, 2, 2, 20, 16), dtype), np.zeros((2, 3, 1, context), dtype)
        observed = np.zeros((3, 1, 2, context), dtype)
        rows_module.forward_rows(split, beta, inclines, window, mode, 0.4, kept, weights, mixed, observed)
        d_split, d_beta = np.zeros_like(split), np.zeros_like(beta)
        backward_module.backward_rows(
            split, beta, inclines, window, kept, frozen, weights, mixed, d_mixed, d_split, d_beta
        )
        estimate = np.zeros((1, 2, context))
        estimate_module.estimate_rows(split, beta, inclines, window, estimate)
        return beta, weights, observed, mixed, d_split, d_beta, estimate

    compiled = run()
    uncompiled(monkeypatch, rows_module, row_beta_module, block_module, backward_module, estimate_module)
    plain = run()
    for ours, theirs in zip(compiled, plain):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_observables_of_rows_equal_their_definitions(positions, dtype):
    config = replace(SMALL, positions=positions)
    parameters, tokens, _ = model(config, dtype)
    _, layers, _ = forward(parameters, tokens, BETA, config)
    scores, beta = rows_of(layers, config).astype(float), BETA[..., None]
    expected = [attention.entropy(scores, beta), attention.score_variance(scores, beta), attention.sigma_qk(scores)]
    tolerance = 1e-10 if dtype == np.float64 else 3e-5
    for values, rows in zip(head_observables(layers), expected):
        np.testing.assert_allclose(values, attention.head_mean(rows, scores), rtol=tolerance)


def test_observables_with_skipped_rows_are_means_of_the_others():
    parameters, tokens, _ = model()
    kept = np.random.default_rng(1).random((3, 2, 40)) < 0.3
    kept[:, 1] = False
    _, layers, _ = forward(parameters, tokens, BETA, SMALL, keep=lambda layer, estimate: kept)
    scores = layers[0].scores()
    h = attention.entropy(scores, np.full(3 * 2 * 40, 0.0).reshape(3, 2, 40) + BETA[0][:, None])
    seen = kept.copy()
    seen[..., : attention.MINIMUM_VISIBLE - 1] = False
    observed = head_observables(layers)
    assert observed.entropy[0, 0] == pytest.approx(h[:, 0][seen[:, 0]].mean(), rel=1e-12)
    assert np.isnan(observed.entropy[0, 1])
    assert (np.isnan(layers[0].entropy) == ~kept).all()


def test_skipped_rows_add_nothing_and_get_no_gradient():
    parameters, tokens, targets = model(dtype=np.float32)

    def keep(layer, estimate):
        kept = np.ones(estimate.shape, bool)
        kept[:, 1] = layer != 0
        return kept

    _, gradient, layers = loss_and_gradient(parameters, tokens, targets, BETA, SMALL, keep=keep)
    assert not layers[0].saved["mixed"][1].any()
    assert layers[0].saved["mixed"][0].any()
    assert not gradient["qkv_0"].reshape(8, 3, 2, 4)[:, :, 1].any()
    assert not gradient["output_0"].reshape(2, 4, 8)[1].any()
    plain = forward(parameters, tokens, BETA, SMALL)[0]
    every = forward(parameters, tokens, BETA, SMALL, keep=lambda layer, estimate: np.ones(estimate.shape, bool))
    np.testing.assert_array_equal(every[0], plain)


def same_token_scores(config):
    """Scores of the first layer when every token is the same; without learned positions only distance is left."""
    parameters, tokens, _ = model(config)
    _, layers, _ = forward(parameters, np.zeros_like(tokens), BETA, config)
    return layers[0].scores()[0]


def test_rotary_scores_depend_on_distance_only():
    scores = same_token_scores(replace(SMALL, positions="rotary"))
    np.testing.assert_allclose(scores[:, 1:, 1:], scores[:, :-1, :-1], rtol=1e-10, atol=1e-12)
    assert np.ptp(scores[:, -1], axis=-1).min() > 0.01
    learned = same_token_scores(SMALL)
    assert np.abs(learned[:, 21:, 1:21] - learned[:, 20:-1, :20]).max() > 0.1


def test_alibi_slopes():
    config = replace(SMALL, positions="alibi")
    scores = same_token_scores(config)
    per_distance = scores[:, -1, 1:] - scores[:, -1, :-1]
    expected = math.sqrt(4) * np.array([2.0**-4, 2.0**-8])
    np.testing.assert_allclose(per_distance, np.broadcast_to(expected[:, None], per_distance.shape), atol=1e-12)
    eight = slopes(TransformerConfig(n_heads=8, d_model=32, positions="alibi")) / 2.0
    np.testing.assert_allclose(eight, 0.5 ** np.arange(1, 9))  # Press et al. (2022)
    assert not slopes(SMALL).any()


def test_local_rows_have_no_weight_outside_their_window():
    config = replace(SMALL, n_layers=1, positions="local")
    parameters, tokens, _ = model(config)
    first = forward(parameters, tokens, BETA[:1], config)[0].reshape(3, 40, -1)
    other = tokens.copy()
    other[:, 7] = (other[:, 7] + 1) % CHARACTERS
    second, layers, _ = forward(parameters, other, BETA[:1], config)
    changed = (first != second.reshape(3, 40, -1)).any(axis=(0, 2))
    assert changed.tolist() == [7 <= query < 17 for query in range(40)]
    assert (np.isfinite(layers[0].scores()).sum(axis=-1) == np.minimum(np.arange(1, 41), 10)).all()


def test_entropy_scaling_reaches_its_fraction():
    for dtype, tolerance in ((np.float64, 1.6e-8), (np.float32, 4e-4)):
        config = replace(SMALL, scaling="entropy", entropy_fraction=0.4)
        parameters, tokens, _ = model(config, dtype)
        _, layers, _ = forward(parameters, tokens, BETA, config)
        for layer, beta in zip(layers, BETA):
            h = attention.entropy(layer.scores().astype(float), layer.beta_rows.astype(float))
            inside = np.abs(np.log(layer.beta_rows / beta[:, None])) < math.log(1000)  # the others cannot reach it
            assert inside[..., 8:].all()
            np.testing.assert_allclose(
                h[inside], np.broadcast_to(0.4 * np.log(np.arange(1, 41)), h.shape)[inside], atol=tolerance
            )


def test_adaptive_scaling_follows_its_polynomial():
    config = replace(SMALL, scaling="adaptive")
    parameters, tokens, _ = model(config)
    _, layers, _ = forward(parameters, tokens, BETA, config)
    beta = np.broadcast_to(BETA[0][:, None], (3, 2, 40))
    h = attention.entropy(layers[0].scores(), beta)
    factor = np.maximum(1.0, np.polyval([-0.037, 0.481, -2.3, 4.917, -1.791], h))
    np.testing.assert_allclose(layers[0].beta_rows, beta * np.where(h > 0.5, factor, 1.0), rtol=1e-10)
    assert layers[0].beta_rows.max() > 1.5 * beta.min()
    np.testing.assert_allclose(
        layers[0].entropy, attention.entropy(layers[0].scores(), layers[0].beta_rows), atol=1e-10
    )


@pytest.mark.parametrize("positions", POSITIONS)
def test_estimate_uses_the_exact_spread_of_each_row(positions):
    config = replace(SMALL, positions=positions, qk_norm=positions == "none")
    parameters, tokens, _ = model(config)
    seen = []

    def keep(layer, estimate):
        seen.append(estimate)
        return np.ones(estimate.shape, bool)

    _, layers, _ = forward(parameters, tokens, BETA, config, keep=keep)
    for estimate, layer, beta in zip(seen, layers, BETA):
        scores = layer.scores()
        heat = (beta[:, None] * attention.sigma_qk(scores)) ** 2
        entropy = np.log(np.isfinite(scores).sum(axis=-1)) - heat / 2
        np.testing.assert_allclose(estimate, np.sqrt(2 * heat * np.maximum(entropy, 0.0)), rtol=1e-6, atol=1e-6)


def test_estimate_of_T_on_gaussian_keys():
    """Exact for small beta sigma; on long Gaussian rows below freezing it stays within the finite-size deviation."""
    context, d_k, batch = 1024, 16, 6
    split = np.random.default_rng(3).standard_normal((3, 1, d_k, batch, context))
    scores = np.einsum("dbi,dbj->bij", split[0, 0], split[1, 0])
    scores[:, np.triu(np.ones((context, context), bool), 1)] = -np.inf
    found = {}
    for beta in (0.02, 0.25):
        estimate, rows = np.empty((batch, 1, context)), np.full((batch, 1, context), beta)
        estimate_module.estimate_rows(split, rows, np.zeros(1), context, estimate)
        true = attention.gap_score(scores, rows[:, 0])
        ratio = estimate[:, 0, 900:] / true[:, 900:]
        found[beta] = abs(ratio.mean() - 1.0)
        assert abs(ratio.mean() - 1.0) < 5 * ratio.std() / math.sqrt(batch * d_k) + 0.01 * (beta > 0.1)
    assert found[0.02] < 2e-5


def test_frozen_heads_leave_the_forward_pass_alone():
    parameters, tokens, targets = model()
    frozen = np.array([[True, False], [True, True]])
    loss, gradient, _ = loss_and_gradient(parameters, tokens, targets, BETA, SMALL, frozen=frozen)
    free, all_gradients, _ = loss_and_gradient(parameters, tokens, targets, BETA, SMALL)
    assert loss == free
    assert not gradient["qkv_1"].any()
    np.testing.assert_array_equal(gradient["output_1"], all_gradients["output_1"])
    assert gradient["qkv_0"].reshape(8, 3, 2, 4)[:, :, 1].any()
