import json
import os

import numpy as np
import pytest
import xarray as xr

from ceas_physics import Thermostat, TransformerConfig
from ceas_physics.training import Adam, DivergedError, Knobs, loop, recover, train
from ceas_physics.training import checkpoint as checkpoints

TINY = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30


def short(thermostat=None, **settings):
    return train(TINY, TEXT, thermostat, **({"seed": 2, "steps": 90, "progress": False} | settings))


class Stopped(Exception):
    pass


def interrupted(monkeypatch, path, after, thermostat=None, **settings):
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
            short(thermostat, checkpoint=path, **settings)


RUNS = {
    "plain": {},
    "thermostat": {"thermostat": Thermostat(window=8)},
}


@pytest.mark.parametrize("case", RUNS)
def test_interrupted_run_equals_the_unbroken_one(case, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 20)
    path = tmp_path / "run.npz"
    unbroken = short(**RUNS[case])
    for after in (50, 25):  # stopped twice: at 50 with a checkpoint of 40, and at 40 + 25 with one of 60
        interrupted(monkeypatch, path, after, **RUNS[case])
    assert recover(path).loss_step[-1] == 32
    resumed = short(**RUNS[case], checkpoint=path)
    xr.testing.assert_identical(resumed, unbroken)
    again = short(**RUNS[case], checkpoint=path)  # finished: read, not run
    xr.testing.assert_identical(again, unbroken)
    xr.testing.assert_identical(recover(path), unbroken)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    short(steps=3, checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint of a run with another steps, seed; give another file"):
        short(steps=4, seed=3, checkpoint=path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"run\.npz is not a checkpoint"):
        short(steps=3, checkpoint=path)
    np.savez(path, evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        short(steps=3, checkpoint=path)


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


def test_divergence_names_its_step_and_the_last_checkpoint_and_keeps_the_trace(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY", 20)
    path = tmp_path / "run.npz"
    original = loop.Run.step

    def step(run):
        if run.steps == 70:
            run.vector[:] = np.nan
        original(run)

    monkeypatch.setattr(loop.Run, "step", step)
    with pytest.raises(DivergedError, match=rf"not finite at step 71; .* of step 60, is {path}") as caught:
        short(checkpoint=path)
    assert isinstance(caught.value, FloatingPointError)
    assert caught.value.trace.loss_step.values.tolist() == [0, 32, 64]
    assert np.isfinite(caught.value.trace.validation_curve).all()
    assert recover(path).loss_step[-1] == 32
    monkeypatch.setattr(loop.Run, "step", original)
    xr.testing.assert_identical(short(checkpoint=path), short())


def test_curves_are_finer_than_the_heads_and_agree_with_them():
    run = short(steps=150)
    assert run.loss_step.values.tolist() == [0, 32, 64, 96, 128, 150]
    assert run.step.values.tolist() == [0, 64, 128, 150]
    np.testing.assert_array_equal(run.tokens, run.loss_step * TINY.batch_size * TINY.context)
    shared = run.validation_curve.sel(loss_step=run.step.values).values
    np.testing.assert_array_equal(shared, run.validation_loss)
    spans = np.diff(run.loss_step)
    mean = np.sum(spans[:2] * run.training_curve[1:3]) / 64
    assert mean.item() == pytest.approx(run.loss[1].item(), rel=1e-12)


def test_beta_factor():
    run = short(steps=2, knobs=Knobs(beta_factor=2.0))
    np.testing.assert_allclose(run.beta, 2.0 / np.sqrt(TINY.d_k))
    assert json.loads(run.attrs["knobs"])["beta_factor"] == 2.0
    with pytest.raises(ValueError, match="beta_factor must be positive and finite, got -1"):
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
