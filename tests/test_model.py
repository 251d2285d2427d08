"""The transformer against a second implementation by einsum, against finite differences and against torch."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.transformer import (
    TransformerConfig,
    cross_entropy,
    flatten,
    flops,
    forward,
    initial_vector,
    loss_and_gradient,
    parameter_shapes,
    unflatten,
)
from ceas_physics.transformer.config import POSITIONS, SCALINGS

SMALL = TransformerConfig(n_layers=2, n_heads=2, d_model=8, context=20, batch_size=4)
CHARACTERS = 11
BETA = np.array([[0.3, 0.9], [1.4, 0.5]])
OPTIONS = list(itertools.product(POSITIONS, (False, True), SCALINGS))


def small_model(config=SMALL, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    vector = initial_vector(config, CHARACTERS, rng).astype(dtype)
    vector += 0.3 * rng.standard_normal(vector.shape).astype(dtype)  # gains away from 1, embeddings of a fair size
    sequences = rng.integers(0, CHARACTERS, (3, config.context + 1))
    return vector, sequences[:, :-1], sequences[:, 1:]


def keep_some(layer, estimate):
    return np.random.default_rng(layer).random(estimate.shape) < 0.6


def beta_of_rows(parameters, layers, config):
    """beta (batch, head, query) of each layer by definition; where it follows from H, as the layer has it."""
    n = np.minimum(np.arange(1, config.context + 1), config.context // 4 if config.positions == "local" else 10**9)
    for i, layer in enumerate(layers):
        rows = np.broadcast_to(BETA[i][:, None], layer.beta_rows.shape)
        if config.scaling == "learned":
            rows = np.broadcast_to(np.exp(parameters[f"log_beta_{i}"])[:, None], rows.shape)
        if config.scaling == "log_n":
            scale = parameters[f"log_n_scale_{i}"][:, None]
            rows = np.broadcast_to(scale * np.log(n) / math.sqrt(config.d_k), rows.shape)
        yield layer.beta_rows if config.scaling in ("adaptive", "entropy") else rows


def reference_heads(q, k, v, beta, config):
    """Mixed values (batch, head, query, d_k) and unscaled scores, all keys computed."""
    if config.qk_norm:
        q, k = (x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) for x in (q, k))
    position, half = np.arange(config.context), config.d_k // 2
    if config.positions == "rotary":
        turn = np.exp(1j * position[:, None] * 10_000.0 ** (-np.arange(half) / half))
        q, k = ((x[..., :half] + 1j * x[..., half:]) * turn for x in (q, k))
        scores = np.einsum("bhqk,bhjk->bhqj", q, k.conj()).real
    else:
        scores = np.einsum("bhqk,bhjk->bhqj", q, k)
    distance = position[:, None] - position
    if config.positions == "alibi":
        head = np.arange(1, config.n_heads + 1)[:, None, None]
        scores = scores - math.sqrt(config.d_k) * 2.0 ** (-8 * head / config.n_heads) * distance
    seen = (distance >= 0) & (distance < (config.context // 4 if config.positions == "local" else config.context))
    top = np.where(seen, scores, -np.inf).max(-1, keepdims=True)
    weights = np.exp(np.where(seen, (scores - top) * beta[..., None], -np.inf))
    return np.einsum("bhqj,bhjk->bhqk", weights / weights.sum(-1, keepdims=True), v), np.where(seen, scores, -np.inf)


def reference_logits(parameters, tokens, rows, config, kept=None, constant=None, gain=1.0, factors=None):
    """The same model again, by einsum and without sharing a line; rows, kept, constant and factors by layer."""

    def norm(x, gain):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gain

    x = parameters["embedding"][tokens]
    if config.positions == "learned":
        x = x + parameters["positions"]
    heads = []
    for i in range(config.n_layers):
        projection = parameters[f"qkv_{i}"].reshape(config.d_model, 3, config.n_heads, config.d_k)
        q, k, v = np.einsum("btd,dchk->cbhtk", norm(x, parameters[f"norm_attention_{i}"]), projection)
        mixed, scores = reference_heads(q, k, v, rows[i], config)
        if kept is not None:
            mixed = mixed * kept[i][..., None]
        heads.append((mixed, scores))
        for h in range(config.n_heads) if constant is not None else ():
            if constant[i][h] is not None:
                mixed[:, h] = constant[i][h]
        branch = mixed.transpose(0, 2, 1, 3).reshape(x.shape) @ parameters[f"output_{i}"]
        x = x + branch * (1.0 if factors is None else factors[i][0])
        u = gain * norm(x, parameters[f"norm_mlp_{i}"]) @ parameters[f"up_{i}"]
        branch = (u / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))) @ parameters[f"down_{i}"]
        x = x + branch * (1.0 if factors is None else factors[i][1])
    return norm(x, parameters["norm_final"]) @ parameters["embedding"].T, heads


def reference_loss(logits, targets, smoothing=0.0):
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    hit = np.take_along_axis(log_p, targets[..., None], -1)[..., 0]
    return -np.mean((1 - smoothing) * hit + smoothing * log_p.mean(-1))


def central_difference(loss, vector, direction, step=1e-3):
    """Derivative of loss along the direction, to fourth order."""
    a, b, c, d = (loss(vector + k * step * direction) for k in (-2, -1, 1, 2))
    return (a - 8 * b + 8 * c - d) / (12 * step)


def assert_gradient(loss, vector, gradient, config, directions=2):
    """Along random directions to which every parameter array contributes alike."""
    rng = np.random.default_rng(9)
    for _ in range(directions):
        direction = {name: rng.standard_normal(g.shape) / np.linalg.norm(g) for name, g in gradient.items()}
        exact = sum(np.sum(direction[name] * g) for name, g in gradient.items())
        flat = flatten(direction, config, CHARACTERS)
        step = 0.0005 / np.linalg.norm(flat)
        numerical = central_difference(loss, vector, flat, step)
        assert abs(numerical - exact) < 1e-6 * math.sqrt(len(gradient)), (numerical, exact)


@pytest.mark.parametrize("keep", [None, keep_some], ids=["all", "some"])
@pytest.mark.parametrize(("positions", "qk_norm", "scaling"), OPTIONS)
def test_forward_against_a_second_implementation(positions, qk_norm, scaling, keep):
    config = replace(SMALL, positions=positions, qk_norm=qk_norm, scaling=scaling)
    vector, tokens, _ = small_model(config)
    parameters = unflatten(vector, config, CHARACTERS)
    logits, layers, _ = forward(parameters, tokens, BETA, config, keep=keep)
    rows = list(beta_of_rows(parameters, layers, config))
    kept = None if keep is None else [layer.kept for layer in layers]
    expected, heads = reference_logits(parameters, tokens, rows, config, kept)
    np.testing.assert_allclose(logits.reshape(expected.shape), expected, rtol=1e-10, atol=1e-11)
    for layer, row_beta, (_, scores) in zip(layers, rows, heads):
        np.testing.assert_allclose(layer.scores(), scores, rtol=1e-10, atol=1e-11)
        if scaling not in ("adaptive", "entropy"):
            np.testing.assert_allclose(layer.beta_rows, row_beta, rtol=1e-14)
    single, _, _ = forward(unflatten(vector.astype(np.float32), config, CHARACTERS), tokens, BETA, config, keep=keep)
    assert single.dtype == np.float32
    if scaling != "entropy":  # there beta is found to sqrt(epsilon) only
        np.testing.assert_allclose(single, logits, atol=2e-4)


@pytest.mark.parametrize(("positions", "qk_norm", "scaling"), OPTIONS)
def test_gradient_of_every_option(positions, qk_norm, scaling):
    config = replace(SMALL, positions=positions, qk_norm=qk_norm, scaling=scaling)
    vector, tokens, targets = small_model(config)
    frozen = np.array([[False, True], [False, False]])
    base, gradient, layers = loss_and_gradient(
        unflatten(vector, config, CHARACTERS), tokens, targets, BETA, config, keep=keep_some, frozen=frozen
    )
    found = list(beta_of_rows(unflatten(vector, config, CHARACTERS), layers, config))
    kept = [layer.kept for layer in layers]
    fixed = layers[0].saved["mixed"][1].transpose(1, 2, 0)  # (d_k, batch, position) -> (batch, position, d_k)

    def loss(moved):
        parameters = unflatten(moved, config, CHARACTERS)
        rows = found if scaling in ("adaptive", "entropy") else list(beta_of_rows(parameters, layers, config))
        logits, _ = reference_logits(parameters, tokens, rows, config, kept, [[None, fixed], [None, None]])
        return reference_loss(logits, targets)

    assert base == pytest.approx(loss(vector), rel=1e-12)
    assert_gradient(loss, vector, gradient, config)
    columns = gradient["qkv_0"].reshape(config.d_model, 3, 2, config.d_k)
    assert not columns[:, :, 1].any()
    assert columns[:, :, 0].any(axis=(0, 2)).all()


@pytest.mark.parametrize("name", parameter_shapes(replace(SMALL, context=10), CHARACTERS))
def test_gradient_against_central_differences(name):
    config = replace(SMALL, context=10)
    vector, tokens, targets = small_model(config)
    parameters = unflatten(vector, config, CHARACTERS)
    _, gradient, _ = loss_and_gradient(parameters, tokens, targets, BETA, config)
    flat, step = parameters[name].reshape(-1), 1e-3
    numerical = np.empty(flat.shape)
    for i, value in enumerate(flat.copy()):
        losses = []
        for k in (-2, -1, 1, 2):
            flat[i] = value + k * step
            losses.append(cross_entropy(forward(parameters, tokens, BETA, config)[0], targets)[0])
        flat[i] = value
        numerical[i] = (losses[0] - 8 * losses[1] + 8 * losses[2] - losses[3]) / (12 * step)
    assert np.linalg.norm(numerical - gradient[name].ravel()) < 1e-6 * np.linalg.norm(numerical)


def test_gradient_check_can_fail():
    vector, tokens, targets = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    _, gradient, _ = loss_and_gradient(parameters, tokens, targets, BETA * 1.001, SMALL)

    def loss(moved):
        return loss_and_gradient(unflatten(moved, SMALL, CHARACTERS), tokens, targets, BETA, SMALL)[0]

    with pytest.raises(AssertionError):
        assert_gradient(loss, vector, gradient, SMALL)


def test_gradient_with_smoothing_dropout_and_gain():
    config = replace(SMALL, label_smoothing=0.15, dropout=0.2)
    vector, tokens, targets = small_model(config)
    gains = np.array([0.7, 1.4])

    def step(moved, **options):
        parameters = unflatten(moved, config, CHARACTERS)
        rng = np.random.default_rng(5)
        return loss_and_gradient(
            parameters, tokens, targets, BETA, config, dropout_rng=rng, activation_gain=gains, **options
        )

    base, gradient, layers = step(vector)
    assert_gradient(lambda moved: step(moved)[0], vector, gradient, config)
    factors = [[layer.saved[f"{name}_drop"].T.reshape(3, 20, 8) for name in ("attention", "mlp")] for layer in layers]
    assert set(np.unique(factors)) == {0.0, 1.0 / (1.0 - 0.2)}
    assert np.mean(np.array(factors) == 0.0) == pytest.approx(0.2, abs=5 * math.sqrt(0.16 / 1920))
    even = loss_and_gradient(
        unflatten(vector, config, CHARACTERS), tokens, targets, BETA, config,
        dropout_rng=np.random.default_rng(5), activation_gain=1.2,
    )  # fmt: skip
    rows = [layer.beta_rows for layer in layers]
    parameters = unflatten(vector, config, CHARACTERS)
    logits, _ = reference_logits(parameters, tokens, rows, config, gain=1.2, factors=factors)
    assert even[0] == pytest.approx(reference_loss(logits, targets, 0.15), rel=1e-12)
    assert step(vector, dropout=0.0, label_smoothing=0.0)[0] != base
    plain = loss_and_gradient(parameters, tokens, targets, BETA, config, label_smoothing=0.0)[0]
    assert plain == loss_and_gradient(parameters, tokens, targets, BETA, SMALL)[0]


def test_cross_entropy():
    rng = np.random.default_rng(1)
    logits, targets = 3 * rng.standard_normal((12, 7)), rng.integers(0, 7, (3, 4))
    for smoothing in (0.0, 0.3):
        loss, gradient = cross_entropy(logits, targets, smoothing)
        assert loss == pytest.approx(reference_loss(logits, targets.ravel(), smoothing), rel=1e-13)
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        wanted = (1 - smoothing) * np.eye(7)[targets.ravel()] + smoothing / 7
        np.testing.assert_allclose(gradient, (p - wanted) / 12, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_future_changes_nothing(positions):
    config = replace(SMALL, positions=positions)
    vector, tokens, _ = small_model(config, np.float32)
    parameters = unflatten(vector, config, CHARACTERS)
    other = tokens.copy()
    other[:, 6] = (other[:, 6] + 1) % CHARACTERS
    first, second = (
        forward(parameters, t, BETA, config)[0].reshape(3, config.context, CHARACTERS) for t in (tokens, other)
    )
    np.testing.assert_array_equal(first[:, :6], second[:, :6])
    changed = np.abs(first - second).max(axis=(0, 2)) > 1e-5
    assert changed[6:15].all() if positions == "local" else changed[6:].all()  # 2 layers with windows of 5 reach 8 on
    assert not changed[15:].any() or positions != "local"


def test_flat_vector():
    vector, _, _ = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    np.testing.assert_array_equal(flatten(parameters, SMALL, CHARACTERS), vector)
    assert all(np.shares_memory(array, vector) for array in parameters.values())
    with pytest.raises(ValueError, match="parameters of config and n_characters, got"):
        unflatten(vector[:-1], SMALL, CHARACTERS)


def test_untrained_queries_and_keys_have_unit_variance():
    config = TransformerConfig(context=16)
    vector = initial_vector(config, 100, np.random.default_rng(3))
    assert 8_000 < vector.size < 9_500
    tokens = np.random.default_rng(4).integers(0, 100, (64, 16))
    _, layers, _ = forward(unflatten(vector, config, 100), tokens, config.standard_beta, config)
    assert np.mean([layers[0].queries.var(), layers[0].keys.var()]) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_parameters_of_a_scaling_leave_the_others_as_they_were(scaling):
    config = TransformerConfig(scaling=scaling, positions="local" if scaling == "log_n" else "learned")
    plain = unflatten(
        initial_vector(replace(config, scaling="fixed"), 50, np.random.default_rng(2)),
        replace(config, scaling="fixed"),
        50,
    )
    parameters = unflatten(initial_vector(config, 50, np.random.default_rng(2)), config, 50)
    for name, array in plain.items():
        np.testing.assert_array_equal(parameters[name], array)
    tokens = np.random.default_rng(0).integers(0, 50, (2, 64))
    _, layers, _ = forward(parameters, tokens, config.standard_beta, config)
    if scaling in ("learned", "log_n"):
        for layer in layers:
            np.testing.assert_allclose(layer.beta_rows.mean(axis=2), 1 / math.sqrt(8), rtol=1e-6)


def test_same_seed_same_bits():
    config = replace(SMALL, dropout=0.1, scaling="learned")
    vector, tokens, targets = small_model(config, np.float32)
    runs = [
        loss_and_gradient(
            unflatten(vector, config, CHARACTERS),
            tokens,
            targets,
            BETA,
            config,
            dropout_rng=np.random.default_rng(seed),
        )
        for seed in (1, 1, 2)
    ]
    assert runs[0][0] == runs[1][0] != runs[2][0]
    for name, gradient in runs[0][1].items():
        np.testing.assert_array_equal(gradient, runs[1][1][name])


def test_flops():
    config = TransformerConfig()
    count = flops(config, 70)
    pairs = sum(range(1, 65)) / 64  # visible keys of a row
    assert count.attention_rows == pytest.approx(2 * 2 * pairs * 12 * 8)  # layers, heads, 2 products and 4 backward
    assert count.projections + count.mlp + count.output == pytest.approx(6 * (2 * 12 * 16 * 16 + 70 * 16))
    part = flops(config, 70, kept_fraction=0.5, backward_fraction=0.25, tokens=1000)
    assert part.attention_rows == pytest.approx(1000 * count.attention_rows * 0.5 * (1 / 3 + 2 / 3 * 0.25))
    assert part.total == pytest.approx(1000 * (count.total - count.attention_rows) + part.attention_rows)
    local = flops(TransformerConfig(positions="local"), 70)
    assert local.attention_rows / count.attention_rows == pytest.approx((16 - 16 * 15 / 2 / 64) / 32.5)
    with pytest.raises(ValueError, match=r"kept_fraction must lie in \[0, 1\], got 1.5"):
        flops(config, 70, kept_fraction=1.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_model": 15}, "d_model must be a multiple"),
        ({"context": 0}, "context must be an integer >= 1"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"positions": "sine"}, "positions must be one of 'learned', 'rotary', 'alibi', 'local', 'none', got 'sine'"),
        ({"scaling": "free"}, "scaling must be one of 'fixed', 'learned', 'log_n', 'adaptive', 'entropy', got 'free'"),
        ({"positions": "rotary", "d_model": 6}, "even d_k = d_model / n_heads, got 3"),
        ({"scaling": "log_n", "context": 1}, "at least 2 visible keys, got 1"),
        ({"entropy_fraction": 1.0}, r"entropy_fraction must lie in \(0, 1\), got 1.0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"label_smoothing": -0.1}, r"label_smoothing must lie in \[0, 1\), got -0.1"),
    ],
)
def test_bad_configurations(settings, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**settings)


def test_bad_arguments():
    vector, tokens, targets = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    with pytest.raises(ValueError, match=r"tokens must have shape \(3, 20\), got \(3, 19\)"):
        forward(parameters, tokens[:, 1:], BETA, SMALL)
    with pytest.raises(ValueError, match=r"beta must have shape \(2, 2\), got \(2,\)"):
        forward(parameters, tokens, BETA[0], SMALL)
    with pytest.raises(ValueError, match=r"frozen must have shape \(2, 2\), got \(2,\)"):
        loss_and_gradient(parameters, tokens, targets, BETA, SMALL, frozen=np.zeros(2, bool))
    with pytest.raises(ValueError, match=r"targets must have shape \(3, 20\)"):
        loss_and_gradient(parameters, tokens, targets[:, 1:], BETA, SMALL)
    with pytest.raises(ValueError, match=r"keep must return booleans of shape \(3, 2, 20\), got float64"):
        forward(parameters, tokens, BETA, SMALL, keep=lambda layer, estimate: estimate)
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), got 2.0"):
        forward(parameters, tokens, BETA, SMALL, dropout=2.0)


@pytest.mark.validate
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_against_torch(positions, qk_norm, dtype, tolerance):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    config = replace(SMALL, positions=positions, qk_norm=qk_norm, scaling="learned")
    vector, tokens, targets = small_model(config, dtype)
    parameters = unflatten(vector, config, CHARACTERS)
    loss, gradient, _ = loss_and_gradient(parameters, tokens, targets, BETA, config)
    theirs = {name: torch.tensor(array, requires_grad=True) for name, array in parameters.items()}
    distance = torch.arange(20)[:, None] - torch.arange(20)
    hidden = (distance < 0) | (distance >= config.window)
    x = theirs["embedding"][torch.tensor(tokens)] + (theirs["positions"] if positions == "learned" else 0)
    for i in range(config.n_layers):
        normed = functional.layer_norm(x, (8,), theirs[f"norm_attention_{i}"], eps=1e-5)
        q, k, v = (normed @ theirs[f"qkv_{i}"]).reshape(3, 20, 3, 2, 4).permute(2, 0, 3, 1, 4)
        if qk_norm:
            q, k = (functional.rms_norm(part, (4,), eps=1e-5) for part in (q, k))
        if positions == "rotary":
            angle = torch.arange(20)[:, None].to(x.dtype) * 10_000.0 ** (-torch.arange(2, dtype=x.dtype) / 2)
            q, k = (
                torch.cat(
                    [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=-1
                )
                for a, b in ((part[..., :2], part[..., 2:]) for part in (q, k))
            )  # fmt: skip
        beta = theirs[f"log_beta_{i}"].exp()[:, None, None]
        bias = torch.zeros(20, 20, dtype=x.dtype).masked_fill(hidden, -torch.inf)
        if positions == "alibi":
            bias = bias - beta * 2.0 * torch.tensor([2.0**-4, 2.0**-8])[:, None, None] * distance.to(x.dtype)
        mixed = functional.scaled_dot_product_attention(q * beta, k, v, attn_mask=bias, scale=1.0)
        x = x + mixed.transpose(1, 2).reshape(3, 20, 8) @ theirs[f"output_{i}"]
        normed = functional.layer_norm(x, (8,), theirs[f"norm_mlp_{i}"], eps=1e-5)
        x = x + functional.gelu(normed @ theirs[f"up_{i}"], approximate="tanh") @ theirs[f"down_{i}"]
    logits = functional.layer_norm(x, (8,), theirs["norm_final"], eps=1e-5) @ theirs["embedding"].T
    their_loss = functional.cross_entropy(logits.reshape(-1, CHARACTERS), torch.tensor(targets).reshape(-1))
    their_loss.backward()
    assert loss == pytest.approx(their_loss.item(), rel=tolerance)
    expected = {name: theirs[name].grad.numpy() for name in gradient}
    whole = np.linalg.norm(flatten(expected, config, CHARACTERS))
    for name, array in gradient.items():
        # in single precision the gradient of log_beta is a small sum of large terms: measured by the whole gradient
        scale = np.linalg.norm(expected[name]) if dtype == np.float64 else whole
        assert np.linalg.norm(array - expected[name]) < tolerance * scale, name


def test_attention_mask_is_the_causal_one():
    vector, tokens, _ = small_model()
    _, layers, _ = forward(unflatten(vector, SMALL, CHARACTERS), tokens, BETA, SMALL)
    assert (np.isfinite(layers[0].scores()) == attention.causal_mask(20)).all()
