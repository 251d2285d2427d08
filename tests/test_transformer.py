import json
import math
from collections import Counter

import numpy as np
import pytest
import xarray as xr

from ceas_physics import attention
from ceas_physics.text import corpus, default_text, encode
from ceas_physics.thermostat import Thermostat
from ceas_physics.training import observe, train
from ceas_physics.training.trace import head_scores
from ceas_physics.transformer import (
    TransformerConfig,
    flatten,
    forward,
    initial_vector,
    loss_and_gradient,
    parameter_shapes,
    unflatten,
)

SMALL = TransformerConfig(n_layers=2, n_heads=2, d_model=8, context=10, batch_size=4)
CHARACTERS = 11
BETA = np.array([[0.3, 0.9], [1.4, 0.5]])


def small_model(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    vector = initial_vector(SMALL, CHARACTERS, rng).astype(dtype)
    vector += 0.3 * rng.standard_normal(vector.shape).astype(dtype)  # gains away from 1, embeddings of a fair size
    sequences = rng.integers(0, CHARACTERS, (3, SMALL.context + 1))
    return vector, sequences[:, :-1], sequences[:, 1:]


def reference_logits(parameters, tokens, beta, config):
    """The same model again, by einsum and without sharing a line."""

    def norm(x, gain):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gain

    x = parameters["embedding"][tokens] + parameters["positions"]
    for i in range(config.n_layers):
        projection = parameters[f"qkv_{i}"].reshape(config.d_model, 3, config.n_heads, config.d_k)
        q, k, v = np.einsum("btd,dchk->cbhtk", norm(x, parameters[f"norm_attention_{i}"]), projection)
        scores = np.einsum("bhqk,bhjk->bhqj", q, k) * beta[i][:, None, None]
        weights = np.exp(scores) * attention.causal_mask(tokens.shape[1])
        mixed = np.einsum("bhqj,bhjk->bqhk", weights / weights.sum(-1, keepdims=True), v).reshape(x.shape)
        x = x + mixed @ parameters[f"output_{i}"]
        u = norm(x, parameters[f"norm_mlp_{i}"]) @ parameters[f"up_{i}"]
        x = x + (u / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))) @ parameters[f"down_{i}"]
    return norm(x, parameters["norm_final"]) @ parameters["embedding"].T


def test_forward_against_a_second_implementation():
    vector, tokens, _ = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    logits, layers, _ = forward(parameters, tokens, BETA, SMALL)
    expected = reference_logits(parameters, tokens, BETA, SMALL)
    np.testing.assert_allclose(logits.reshape(expected.shape), expected, rtol=1e-10, atol=1e-12)
    weights = np.exp(BETA[1][:, None, None] * layers[1].scores())
    np.testing.assert_allclose(layers[1].weights, weights / weights.sum(-1, keepdims=True), rtol=1e-9, atol=1e-15)
    single, _, _ = forward(unflatten(vector.astype(np.float32), SMALL, CHARACTERS), tokens, BETA, SMALL)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, logits, atol=1e-4)


@pytest.mark.parametrize("name", parameter_shapes(SMALL, CHARACTERS))
def test_gradient_against_central_differences(name):
    vector, tokens, targets = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    _, gradient, _ = loss_and_gradient(parameters, tokens, targets, BETA, SMALL)
    flat, step = parameters[name].reshape(-1), 1e-3
    numerical = np.empty(flat.shape)
    for i, value in enumerate(flat.copy()):
        losses = []
        for k in (-2, -1, 1, 2):
            flat[i] = value + k * step
            losses.append(loss_and_gradient(parameters, tokens, targets, BETA, SMALL)[0])
        flat[i] = value
        numerical[i] = (losses[0] - 8 * losses[1] + 8 * losses[2] - losses[3]) / (12 * step)
    assert np.linalg.norm(numerical - gradient[name].ravel()) < 1e-6 * np.linalg.norm(numerical)


def test_gradient_check_can_fail():
    vector, tokens, targets = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    right = loss_and_gradient(parameters, tokens, targets, BETA, SMALL)[1]["qkv_1"]
    wrong = loss_and_gradient(parameters, tokens, targets, BETA * 1.001, SMALL)[1]["qkv_1"]
    assert np.linalg.norm(wrong - right) > 1e-5 * np.linalg.norm(right)


def test_the_future_changes_nothing():
    vector, tokens, _ = small_model(np.float32)
    parameters = unflatten(vector, SMALL, CHARACTERS)
    other = tokens.copy()
    other[:, 6] = (other[:, 6] + 1) % CHARACTERS
    first, second = (
        forward(parameters, t, BETA, SMALL)[0].reshape(3, SMALL.context, CHARACTERS) for t in (tokens, other)
    )
    np.testing.assert_array_equal(first[:, :6], second[:, :6])
    assert (np.abs(first[:, 6:] - second[:, 6:]).max(axis=(0, 2)) > 1e-3).all()


def test_flat_vector():
    vector, _, _ = small_model()
    parameters = unflatten(vector, SMALL, CHARACTERS)
    np.testing.assert_array_equal(flatten(parameters, SMALL, CHARACTERS), vector)
    assert all(np.shares_memory(array, vector) for array in parameters.values())
    with pytest.raises(ValueError, match="parameters, got an array of shape"):
        unflatten(vector[:-1], SMALL, CHARACTERS)


def test_untrained_queries_and_keys_have_unit_variance():
    config = TransformerConfig(context=16)
    vector = initial_vector(config, 100, np.random.default_rng(3))
    assert 8_000 < vector.size < 9_500
    tokens = np.random.default_rng(4).integers(0, 100, (64, 16))
    _, layers, _ = forward(unflatten(vector, config, 100), tokens, config.standard_beta, config)
    assert np.mean([layers[0].queries.var(), layers[0].keys.var()]) == pytest.approx(1.0, abs=0.3)


def test_fast_observables_equal_their_definitions():
    config = TransformerConfig(context=20)
    vector = initial_vector(config, 30, np.random.default_rng(5)).astype(float)
    tokens = np.random.default_rng(6).integers(0, 30, (4, 20))
    _, layers, _ = forward(unflatten(vector, config, 30), tokens, BETA, config)
    scores = np.array([layer.scores() for layer in layers]).swapaxes(1, 2).reshape(2, 2, 80, 20)
    beta = BETA[..., None]
    expected = [attention.entropy(scores, beta), attention.score_variance(scores, beta), attention.sigma_qk(scores)]
    for values, rows in zip(observe(layers, BETA), expected):
        np.testing.assert_allclose(values, attention.head_mean(rows, scores), rtol=1e-10)


@pytest.fixture(scope="module")
def runs():
    settings = [None, Thermostat(kappa_max=0.0, kappa_inf=0.0), Thermostat(), None]
    return [train(thermostat=thermostat, seed=3, steps=320, progress=False) for thermostat in settings]


def test_loss_falls_below_the_unigram_entropy(runs):
    counts = np.array(list(Counter(default_text()).values()), dtype=float)
    unigram = -np.sum(counts / counts.sum() * np.log(counts / counts.sum()))
    for run in runs:
        assert run.validation_loss[0] > unigram
        assert run.validation_loss[-1] < unigram - 0.7
        assert run.loss[-1] < unigram - 0.5


def test_same_seed_same_run(runs):
    xr.testing.assert_identical(runs[0], runs[3])
    other = train(seed=4, steps=1, progress=False)
    assert (other.initial_parameters != runs[0].initial_parameters).any()
    np.testing.assert_array_equal(runs[2].initial_parameters, runs[0].initial_parameters)


def test_no_thermostat_equals_one_without_gain(runs):
    for name in runs[0]:
        np.testing.assert_array_equal(runs[0][name], runs[1][name], err_msg=name)
    assert (runs[2].beta[-1] != runs[0].beta[-1]).all()


def test_thermostat_brings_heads_closer_to_the_target(runs):
    error = [np.abs(run.entropy - run.entropy_target)[-1].mean().item() for run in (runs[0], runs[2])]
    assert error[1] < 0.5 * error[0]


def test_trace_is_complete_and_opens_as_netcdf(runs, tmp_path):
    run = runs[2]
    assert run.beta.dims == ("step", "layer", "head")
    assert run.step.values.tolist() == [0, 64, 128, 192, 256, 320]
    assert all({"long_name", "units", "formula"} <= run[name].attrs.keys() for name in run)
    assert Thermostat(**json.loads(run.attrs["thermostat"])).kappa_max == 2.2
    assert all(np.isfinite(run[name]).all() for name in run)
    run.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as copy:
        xr.testing.assert_equal(copy.load(), run)
        np.testing.assert_array_equal(head_scores(copy, sequences=2), head_scores(run, sequences=2))


def test_scores_of_a_run_give_its_observables(runs):
    run = runs[2]
    for initial, step in ((True, 0), (False, -1)):
        scores = head_scores(run, initial=initial).values
        rows = scores.reshape(2, 2, -1, 64)
        np.testing.assert_allclose(attention.pseudo_critical_beta(rows), run.beta_c[step], rtol=1e-12)
        assert (np.isfinite(scores) == attention.causal_mask(64)).all()
    with pytest.raises(ValueError, match="not the text"):
        head_scores(run, text="abc" * 1_000)


def test_text_from_a_file_or_a_string(tmp_path):
    text = "the quick brown fox — jumps\nover the lazy dog. " * 40
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    data, same = corpus(text, 64), corpus(path, 64)
    np.testing.assert_array_equal(data.training, same.training)
    assert data.digest == same.digest
    decoded = "".join(data.characters[i] for i in np.concatenate([data.training, data.validation]))
    assert decoded == text
    assert len(data.validation) == len(text) // 10


def test_bad_input():
    with pytest.raises(ValueError, match=r"the text has 600 characters.*context \+ 1 = 65: give a text of 650"):
        train(text="abcdef" * 100, progress=False)
    with pytest.raises(ValueError, match="'z', which is not in the vocabulary"):
        encode("abz", "abc")
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        train(steps=0)
    with pytest.raises(ValueError, match="d_model must be a multiple"):
        TransformerConfig(d_model=15)
    with pytest.raises(ValueError, match="context must be at least 1"):
        TransformerConfig(context=0)
    with pytest.raises(ValueError, match="learning_rate must be"):
        TransformerConfig(learning_rate=-1.0)
    with pytest.raises(ValueError, match="8 visible keys"):
        train(TransformerConfig(context=6), progress=False)
    with pytest.raises(FloatingPointError, match=r"not finite at step \d; lower learning_rate"):
        train(TransformerConfig(learning_rate=1e30), steps=3, progress=False)
