import json
import os
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ceas_physics import Thermostat, TransformerConfig, attention, knobs
from ceas_physics.thermostat import Freezing, Gating, Guard
from ceas_physics.training import Adam, Knobs, head_scores, loop, recover, train
from ceas_physics.training import checkpoint as checkpoints
from ceas_physics.training import run as run_module
from ceas_physics.training.observe import head_rows
from ceas_physics.training.tuning import branch_radius
from ceas_physics.transformer import forward, initial_vector, unflatten

TINY = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30


def short(thermostat=None, **settings):
    return train(TINY, TEXT, thermostat, **({"seed": 2, "steps": 90, "progress": False} | settings))


class Stopped(Exception):
    pass


def interrupted(monkeypatch, path, after, **settings):
    """The same call, stopped like a killed process: after the given number of steps, between two checkpoints."""
    taken, original = [], loop.Run.step

    def step(run):
        if len(taken) == after:
            raise Stopped
        taken.append(run.steps)
        original(run)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "step", step)
        with pytest.raises(Stopped):
            short(checkpoint=path, **settings)


KNOBS = Knobs(
    learning_rate=knobs.LearningRateBand(every=12, iterations=2),
    batch_size=knobs.BatchSizeBand(every=12, gain=0.3, largest_change=0.3),
    weight_decay=knobs.WeightDecayBand(every=12),
    label_smoothing=knobs.SmoothingSchedule(every=12),
    activation=knobs.ActivationBand(every=12),
    initial_gap=1.5,
)
GATED = Thermostat(
    window=8,
    reading="ema",
    per_head_target=True,
    gating=Gating(t_max=0.8, t_inf=0.8, fraction=(0.2, 0.2), min_tokens=4, min_heads=1),
    freezing=Freezing(depth=0.1, window=4, min_heads=1),
    guard=Guard(memory=8.0),
)
RUNS = {
    "plain": {},
    "thermostat": {"thermostat": Thermostat(window=8)},
    "knobs": {"thermostat": Thermostat(window=8), "knobs": KNOBS},
    "everything": {"thermostat": GATED, "knobs": Knobs(dropout=knobs.SmoothingSchedule(every=12, gain=0.2))},
}


@pytest.mark.parametrize("case", RUNS)
def test_interrupted_run_equals_the_unbroken_one(case, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 20)
    path = tmp_path / "run.npz"
    unbroken = short(**RUNS[case])
    for after in (50, 25):  # stopped twice: at 50 with a checkpoint of 40, and at 40 + 25 with one of 60
        interrupted(monkeypatch, path, after, **RUNS[case])
    assert recover(path).loss_step[-1] == 48
    resumed = short(**RUNS[case], checkpoint=path)
    xr.testing.assert_identical(resumed, unbroken)
    again = short(**RUNS[case], checkpoint=path)  # finished: read, not run
    xr.testing.assert_identical(again, unbroken)
    xr.testing.assert_identical(recover(path), unbroken)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_checkpoint_keeps_every_bit_and_the_previous_until_the_next_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "new" / "state.npz"
    rng = np.random.default_rng(1)
    state = {"a": rng.standard_normal(5).astype(np.float32), "deep": {"list": [1, np.arange(3), None], "x": 0.1 + 0.2}}
    state["rng"] = rng.bit_generator.state
    checkpoints.save(path, state)
    back = checkpoints.load(path)
    np.testing.assert_array_equal(back["a"], state["a"])
    assert back["a"].dtype == np.float32
    assert back["deep"]["list"][1].tolist() == [0, 1, 2]
    assert back["deep"]["x"] == 0.1 + 0.2
    assert back["rng"] == state["rng"]

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"cannot write the checkpoint .* No space left on device"):
        checkpoints.save(path, {"a": np.zeros(1)})
    np.testing.assert_array_equal(checkpoints.load(path)["a"], state["a"])
    assert len(list(path.parent.iterdir())) == 1


def test_curves_are_finer_than_the_heads_and_agree_with_them():
    run = short(steps=150)
    assert run.loss_step.values.tolist() == [*range(0, 150, 16), 150]
    assert run.step.values.tolist() == [0, 64, 128, 150]
    np.testing.assert_array_equal(run.tokens, run.loss_step * TINY.batch_size * TINY.context)
    shared = run.validation_curve.sel(loss_step=run.step.values).values
    np.testing.assert_array_equal(shared, run.validation_loss)
    mean = run.training_curve[1:5].mean()  # four points of 16 steps
    assert mean.item() == pytest.approx(run.loss[1].item(), rel=1e-12)


def test_beta_factor():
    run = short(steps=2, knobs=Knobs(beta_factor=2.0))
    np.testing.assert_allclose(run.beta, 2.0 / np.sqrt(TINY.d_k))
    assert json.loads(run.attrs["knobs"])["beta_factor"] == 2.0
    with pytest.raises(ValueError, match="beta_factor must be finite and > 0"):
        Knobs(beta_factor=-1)
    with pytest.raises(ValueError, match="knobs must be a Knobs"):
        short(knobs={"beta_factor": 2.0})


def test_adam_against_its_definition():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(6).astype(np.float32)
    gradients = rng.standard_normal((5, 6)).astype(np.float32)
    adam, expected = Adam(6, 0.01, weight_decay=0.1), x.astype(float)
    m, v = np.zeros(6), np.zeros(6)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        expected = expected - 0.01 * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8) + 0.1 * expected)
        if t == 3:
            other = Adam(6, 1.0)
            other.restore(adam.state())
            adam = other
        adam.step(x, g)
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-7)


def test_rows_left_out_are_counted_and_not_computed():
    run = short(GATED, steps=64)
    kept = []

    def keep(layer, estimate):
        kept.append(np.zeros(estimate.shape, dtype=bool))
        return kept[-1]

    vector = run.parameters.to_numpy()
    parameters = unflatten(vector, TINY, len(json.loads(run.attrs["characters"])))
    tokens = np.zeros((2, TINY.context), dtype=np.int64)
    _, layers, _ = forward(parameters, tokens, TINY.standard_beta, TINY, keep=keep)
    assert np.isnan(layers[0].entropy).all()  # what skipping means here: nothing is known of the row
    chi = run.pruned_fraction.values
    assert chi[0] == 0.0
    assert (chi[1:] > 0.05).all()
    assert (chi[1:] < 0.8).all()
    full = short(steps=64)
    assert 0.8 * full.flops[-1] < run.flops[-1] < full.flops[-1]
    assert (run.validation_gated != run.validation_curve)[1:].any()
    asked = np.sum(run.pruned_rows.isel(layer=0)) / TINY.context
    assert asked.item() == pytest.approx(chi[1:].mean(), rel=1e-6)  # four points of 16 steps are the whole run
    assert bool(run.frozen[-1].any())  # depth 0.1: a head of an untrained model is below that soon


def test_flops_of_a_plain_run_are_six_per_weight_and_token_and_the_attention():
    run = short(steps=20)
    characters = len(json.loads(run.attrs["characters"]))
    weights = (
        run.sizes["parameter"] - TINY.context * TINY.d_model - 3 * TINY.d_model
    )  # norms and positions multiply none
    attention = 12 * TINY.d_model * (TINY.context + 1) / 2
    assert characters * TINY.d_model < weights
    np.testing.assert_allclose(run.flops, (6.0 * weights + attention) * run.tokens, rtol=1e-12)


def test_curvature_measurements_cost_flops():
    plain = short(steps=48)
    tuned = short(steps=48, knobs=Knobs(learning_rate=knobs.LearningRateBand(every=12, iterations=2)))
    extra = 3 * 2 * 2  # measurements at 12, 24, 36, none after the last step; iterations, gradients
    np.testing.assert_allclose(tuned.flops[-1] / plain.flops[-1], (48 + extra) / 48, rtol=1e-12)
    assert (tuned.learning_rate[:-1].values != tuned.learning_rate[1:].values).any()
    assert np.isfinite(tuned.rho[-1])


def test_batch_size_changes_and_the_token_budget_holds():
    settings = knobs.BatchSizeBand(target=1e-3, every=8, gain=1.0, largest_change=0.3, limits=(2.0, 12.0))
    run = short(steps=90, knobs=Knobs(batch_size=settings))
    assert run.batch_size[-1] == 12
    assert run.loss_step[-1] < 60
    budget = 90 * TINY.batch_size * TINY.context
    assert budget <= run.tokens[-1] < budget + 12 * TINY.context


def test_weights_start_at_the_gap_that_was_asked_for():
    run, plain = short(steps=1, knobs=Knobs(initial_gap=2.0)), short(steps=1)
    assert plain.gap_score[0].mean() < 1.5
    assert run.gap_score[0].mean().item() == pytest.approx(2.0, abs=0.1)  # set on the training text, seen on the other
    with pytest.raises(ValueError, match=r"T = 99.0 is not reached"):
        short(steps=1, knobs=Knobs(initial_gap=99.0))


def test_thermostat_needs_a_beta_to_steer():
    with pytest.raises(ValueError, match="scaling must be 'fixed', got 'learned'"):
        train(replace(TINY, scaling="learned"), TEXT, Thermostat(), progress=False)


@pytest.mark.parametrize("scaling", ["learned", "log_n", "adaptive", "entropy"])
def test_rows_with_their_own_beta_are_measured_at_it(scaling):
    config = replace(TINY, scaling=scaling)
    run = train(config, TEXT, seed=2, steps=64, progress=False)
    scores = head_scores(run, TEXT).values.reshape(1, 2, -1, TINY.context)
    np.testing.assert_allclose(attention.pseudo_critical_beta(scores), run.beta_c[-1], rtol=1e-6)
    if scaling == "entropy":
        n = np.arange(8, TINY.context + 1)
        np.testing.assert_allclose(run.entropy, np.log(n).mean() / 2.0, rtol=1e-3)


def test_a_negative_trained_beta_is_a_positive_one_of_reversed_scores():
    config = replace(TINY, scaling="log_n")
    vector = initial_vector(config, 5, np.random.default_rng(0)).astype(float)
    parameters = unflatten(vector, config, 5)
    tokens = np.random.default_rng(1).integers(0, 5, (3, TINY.context))
    one = head_rows(forward(parameters, tokens, config.standard_beta, config)[1])
    parameters["log_n_scale_0"][0] *= -1.0
    other = head_rows(forward(parameters, tokens, config.standard_beta, config)[1])
    np.testing.assert_array_equal(other[1], one[1])
    np.testing.assert_array_equal(other[0][0, 1], one[0][0, 1])
    longer = one[1][0, 0] > 0.0  # all but the rows of one key, where ln n = 0
    before, after = one[0][0, 0][longer], other[0][0, 0][longer]
    np.testing.assert_array_equal(after, np.where(np.isfinite(before), -before, -np.inf))


def test_radius_of_the_mlp_branch_is_that_of_its_numerical_response():
    config = replace(TINY, context=8)
    vector = initial_vector(config, 9, np.random.default_rng(0)).astype(float)
    parameters = unflatten(vector, config, 9)
    tokens = np.random.default_rng(1).integers(0, 9, (1, 8))
    _, layers, _ = forward(parameters, tokens, config.standard_beta, config)
    std = 1.0 / layers[0].saved["mlp_inverse"].mean()

    def branch(x):
        hidden = parameters["norm_mlp_0"] * x / std @ parameters["up_0"]
        return hidden / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3))) @ parameters["down_0"]

    h = 1e-5
    response = np.array([(branch(h * e) - branch(-h * e))[0] / (2 * h) for e in np.eye(8)[:, None]])
    assert branch_radius(parameters, layers) == pytest.approx(np.abs(np.linalg.eigvals(response)).max(), rel=1e-6)
