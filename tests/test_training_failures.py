"""Runs that end early or badly: checkpoints of others, damaged ones, divergence, spikes."""

import io
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ceas_physics import Thermostat, TransformerConfig
from ceas_physics.thermostat import Guard
from ceas_physics.training import Adam, DivergedError, loop, recover, train
from ceas_physics.training import run as run_module

TINY = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30


def short(thermostat=None, **settings):
    return train(TINY, TEXT, thermostat, **({"seed": 2, "steps": 90, "progress": False} | settings))


def test_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    short(steps=3, checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint of a run with another steps, seed; give another file"):
        short(steps=4, seed=3, checkpoint=path)


def test_damaged_checkpoints_are_refused_in_plain_words(tmp_path):
    path = tmp_path / "run.npz"
    short(steps=3, checkpoint=path)
    whole = path.read_bytes()
    flipped, header = bytearray(whole), whole.replace(b"'shape': (", b"'shape': #", 1)
    flipped[len(whole) // 2] ^= 255
    assert header != whole
    evil, missing, listed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(evil, tree=np.array([{"a": 1}], dtype=object))
    np.savez(missing, tree=np.frombuffer(b'{"settings": {}, "model": {"array": "7"}}', np.uint8))
    np.savez(listed, tree=np.frombuffer(b"[1, 2]", np.uint8))
    others = [file.getvalue() for file in (evil, missing, listed)]
    for content in (b"", b"not a checkpoint", whole[:-100], whole[: len(whole) // 2], bytes(flipped), header, *others):
        path.write_bytes(content)
        for use in (recover, lambda place: short(steps=3, checkpoint=place)):
            with pytest.raises(
                ValueError, match=r"run\.npz is not a checkpoint, or a damaged one; remove it"
            ) as caught:
                use(path)
            assert "pickle" not in str(caught.value)
    with pytest.raises(ValueError, match=r"cannot read the checkpoint .*nothing: No such file"):
        recover(tmp_path / "nothing")


def test_divergence_names_its_step_and_the_last_checkpoint_and_keeps_the_trace(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 20)
    path = tmp_path / "run.npz"
    original = loop.Run.step

    def step(run):
        if run.steps == 70:
            run.learner.vector[:] = np.nan
        original(run)

    monkeypatch.setattr(loop.Run, "step", step)
    with pytest.raises(DivergedError, match=rf"not finite at step 71; .* of step 60, is {path}") as caught:
        short(checkpoint=path)
    assert isinstance(caught.value, FloatingPointError)
    assert caught.value.trace.loss_step.values.tolist() == [0, 16, 32, 48, 64]
    assert np.isfinite(caught.value.trace.validation_curve).all()
    assert recover(path).loss_step[-1] == 48
    monkeypatch.setattr(loop.Run, "step", original)
    xr.testing.assert_identical(short(checkpoint=path), short())


@pytest.mark.parametrize("steps", [1, 2, 3, 40])
@pytest.mark.parametrize("rate", [1e4, 1e8, 1e30])
def test_a_rate_that_is_far_too_high_ends_in_finite_numbers_or_in_a_divergence(rate, steps):
    for thermostat in (None, Thermostat(guard=Guard())):
        try:
            run = train(replace(TINY, learning_rate=rate), TEXT, thermostat, steps=steps, progress=False)
        except DivergedError as error:
            run = error.trace
        assert np.isfinite(run.validation_curve).all()


def test_a_guarded_run_goes_back_when_an_update_breaks_the_parameters(monkeypatch):
    original = Adam.step

    def step(adam, vector, gradient):
        original(adam, vector, gradient)
        if adam.steps == 16 and not broken:
            broken.append(True)
            vector[0] = np.nan

    broken = []
    monkeypatch.setattr(Adam, "step", step)
    run = short(Thermostat(guard=Guard()), steps=40)
    assert broken
    assert run.spikes[-1] == 1
    assert np.isfinite(run.validation_curve).all()


def test_spike_goes_back_to_the_last_checkpoint_and_goes_on(monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 20)
    thermostat = Thermostat(kappa_max=0.0, kappa_inf=0.0, guard=Guard(memory=16.0))
    original, seen = loop.Run.step, {}

    def step(run):
        if run.steps == 40:
            seen["good"] = run.learner.vector.copy()
        if run.steps == 50:
            run.learner.vector *= 30.0
        original(run)
        if run.steps == 51:
            seen["after"] = run.learner.vector.copy()

    monkeypatch.setattr(loop.Run, "step", step)
    run = short(thermostat)
    np.testing.assert_array_equal(seen["after"], seen["good"])
    assert run.spikes[-1] == 1
    assert run.tokens[-1] == 90 * TINY.batch_size * TINY.context
    assert run.validation_curve[-1] < run.validation_curve[0]
    unguarded = short(Thermostat(kappa_max=0.0, kappa_inf=0.0))
    assert unguarded.validation_curve[-1] > run.validation_curve[-1] + 0.1  # the control: the spike stays


def test_too_many_spikes_stop_the_run():
    config = replace(TINY, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"the loss is inf at step \d+, spike 4 after one checkpoint; lower"):
        train(config, TEXT, Thermostat(guard=Guard()), steps=20, progress=False)
