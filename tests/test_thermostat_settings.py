"""Presets and their table, settings that are refused, and exact resume of the controller."""

import io
import math

import numpy as np
import pytest

from ceas_physics.thermostat import (
    Controller,
    Freezing,
    Gating,
    Guard,
    Observables,
    Thermostat,
)

D_K = 8
UNIT = 1 / math.sqrt(D_K)
FREE = {"u_min": 0.0, "bounds": (0.01, 100.0), "dbeta_max": 100.0}  # nothing but the Newton steps
ROWS = 2.5 * np.random.default_rng(0).standard_normal((2, 40, 64))


@pytest.mark.parametrize(
    ("scale", "row"),
    [
        ("9k", (2.2, 1.0, (500, 1000), 0.75, 0.06, 1.8, 1.05, (600, 600), 50)),
        ("14.4M", (1.8, 1.0, (1000, 2000), 0.5, 0.05, 1.6, 1.02, (1200, 1200), 100)),
        ("gpt", (1.5, 1.0, (2000, 5000), 0.3, 0.04, 1.5, 1.0, (2000, 4000), 200)),
    ],
)
def test_presets(scale, row):
    settings = Thermostat.preset(scale)
    tau, gate_tau = row[2], row[7]
    gating = settings.gating
    assert (settings.kappa_max, settings.kappa_inf, settings.dbeta_max, settings.u_min) == (*row[:2], *row[3:5])
    assert (gating.t_max, gating.t_inf, settings.freezing.window) == (*row[5:7], row[8])
    assert tau[0] <= settings.tau_kappa <= tau[1]
    assert gate_tau[0] <= gating.tau <= gate_tau[1]
    assert gating.fraction == (0.55, 0.75)
    assert gating.fraction_steps == 2000
    assert 16 <= gating.min_tokens <= 32
    assert 2 <= gating.min_heads == settings.freezing.min_heads <= 4
    assert Thermostat.preset(scale, gating=None, u_min=0.1).gating is None
    assert (settings.target, settings.corridor, settings.window, settings.sigma_window) == (1.1, (0.9, 1.3), 64, 128)
    assert settings.bounds == (0.25, 4.0)


def test_default_is_the_smallest_preset_without_gating():
    assert Thermostat() == Thermostat.preset("9k", gating=None, freezing=None, guard=None)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Thermostat, {"reading": "mean"}),
        (Thermostat, {"reference": "effective"}),
        (Thermostat, {"raw_gain": 1}),
        (Thermostat, {"patience": 0}),
        (Thermostat, {"tighten": -1.0}),
        (Thermostat, {"nu": 0.4}),
        (Thermostat, {"nu": 1.1}),
        (Thermostat, {"gating": Freezing()}),
        (Gating, {"tau": 0.0}),
        (Gating, {"fraction": (0.5, 1.5)}),
        (Gating, {"min_tokens": -1}),
        (Freezing, {"window": 0}),
        (Guard, {"short": 0.5}),
        (Guard, {"spike": 0.0}),
        (Guard, {"gain_factor": 2.0}),
    ],
)
def test_bad_settings_are_named(kind, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        kind(**settings)
    if kind is Thermostat:
        with pytest.raises(ValueError, match=r"9k, 14.4M, gpt"):
            Thermostat.preset("7B")


def through_a_file(state):
    """A state written and read as a plain npz file."""
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("reading", ["window", "ema", "ema_beta"])
@pytest.mark.parametrize("stop", [1, 63, 64, 200])
def test_a_restored_controller_continues_bit_for_bit(reading, stop):
    settings = Thermostat(reading=reading, beta_c="rem", patience=2, tighten=1.3, reference="initial", target=0.3)
    rng = np.random.default_rng(stop)
    inputs = rng.uniform([2.0, 0.5, 1.0], [3.0, 4.0, 2.0], (400, 4, 3)).transpose(0, 2, 1)

    def fresh():
        return Controller(settings, np.full(10, 64), np.full(4, UNIT), UNIT)

    unbroken = fresh()
    trace = [unbroken.step(Observables(*heads)) for heads in inputs]
    first, second = fresh(), fresh()
    for heads in inputs[:stop]:
        first.step(Observables(*heads))
    second.restore(through_a_file(first.state()))
    for heads, expected in zip(inputs[stop:], trace[stop:]):
        np.testing.assert_array_equal(second.step(Observables(*heads)), expected)
    for name, value in unbroken.state().items():
        np.testing.assert_array_equal(second.state()[name], value)
        assert type(second.state()[name]) is type(value)
    forgetful = fresh()  # the control: with beta alone it goes elsewhere
    forgetful.beta = first.beta.copy()
    rest = [forgetful.step(Observables(*heads)) for heads in inputs[stop:]]
    assert not np.array_equal(rest[-1], trace[-1])


def test_a_state_of_another_kind_is_refused():
    controller = Controller(Thermostat(), np.full(10, 64), np.full(4, UNIT), UNIT)
    with pytest.raises(ValueError, match="must hold"):
        controller.restore({"beta": np.ones(4)})
    with pytest.raises(ValueError, match="beta must have shape"):
        controller.restore(controller.state() | {"beta": np.ones(3)})
    state = controller.state()
    state["beta"][:] = 9.0
    assert (controller.beta == UNIT).all()  # states are copies
