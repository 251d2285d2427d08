"""Good calls of the transformer and the thermostat."""

from __future__ import annotations

import numpy as np
from calls_of_ceas import SCORES, TINY
from good_calls import Table

import ceas_physics as ceas
from ceas_physics import thermostat, transformer

RNG = np.random.default_rng(3)
N = 11  # characters
VECTOR = transformer.initial_vector(TINY, N, np.random.default_rng(0))
PARAMETERS = transformer.unflatten(VECTOR, TINY, N)
TOKENS = RNG.integers(0, N, (2, 16))
LOGITS, TARGETS = RNG.normal(size=(32, N)), RNG.integers(0, N, 32)


def table() -> Table:
    calls = Table()
    add_transformer(calls)
    add_thermostat(calls)
    add_control(calls)
    return calls


def add_transformer(calls: Table) -> None:
    config = {"n_layers": 1, "n_heads": 2, "d_model": 8, "context": 16, "batch_size": 2, "learning_rate": 0.003}
    config |= {"positions": "rotary", "qk_norm": False, "scaling": "fixed", "entropy_fraction": 0.5}
    calls.add("TransformerConfig", ceas.TransformerConfig, **config, label_smoothing=0.1, dropout=0.1)
    sizes = {"config": TINY, "n_characters": N}
    calls.add("transformer.parameter_shapes", transformer.parameter_shapes, **sizes)
    calls.add("transformer.initial_vector", transformer.initial_vector, **sizes, rng=np.random.default_rng(0))
    calls.add("transformer.flatten", transformer.flatten, arrays=PARAMETERS, **sizes)
    calls.add("transformer.unflatten", transformer.unflatten, undefined="*", vector=VECTOR, **sizes)
    calls.add("transformer.flops", transformer.flops, **sizes, kept_fraction=0.5, backward_fraction=1.0, tokens=100)
    calls.add(
        "transformer.cross_entropy",
        transformer.cross_entropy,
        undefined="result",
        logits=LOGITS,
        targets=TARGETS,
        label_smoothing=0.1,
    )
    beta = np.full((1, 2), 0.5)
    calls.add(
        "transformer.forward",
        transformer.forward,
        parameters=PARAMETERS,
        tokens=TOKENS,
        beta=beta,
        config=TINY,
        activation_gain=1.0,
    )
    calls.add(
        "transformer.loss_and_gradient",
        transformer.loss_and_gradient,
        parameters=PARAMETERS,
        tokens=TOKENS,
        targets=TOKENS,
        beta=beta,
        config=TINY,
        label_smoothing=0.1,
    )
    layers = transformer.forward(PARAMETERS, TOKENS, beta, TINY)[1]
    calls.add("transformer.head_observables", transformer.head_observables, layers=layers)


def add_thermostat(calls: Table) -> None:
    settings = {"initial": "standard", "beta_star": "visible", "reading": "ema", "kappa_max": 2.0, "kappa_inf": 1.0}
    settings |= {"tau_kappa": 700.0, "raw_gain": False, "dbeta_max": 0.7, "bounds": (0.25, 4.0), "target": 1.1}
    settings |= {"tighten": 1.0, "reference": "visible", "per_head_target": False, "corridor": (0.9, 1.3), "window": 8}
    settings |= {"sigma_window": 8, "beta_c": "rem", "u_min": 0.06, "nu": 1.0, "patience": 3}
    settings |= {"gating": thermostat.Gating(), "freezing": thermostat.Freezing(), "guard": thermostat.Guard()}
    calls.add("Thermostat", ceas.Thermostat, **settings)
    calls.add("Thermostat.preset", ceas.Thermostat.preset, scale="9k")
    gating = {"t_max": 1.8, "t_inf": 1.0, "tau": 600.0, "fraction": (0.5, 0.7), "fraction_steps": 100}
    calls.add("thermostat.Gating", thermostat.Gating, **gating, min_tokens=4, min_heads=1)
    calls.add("thermostat.Freezing", thermostat.Freezing, depth=0.9, window=10, min_heads=1)
    guard = {"rise": 0.2, "short": 4.0, "long": 8.0, "gate_shift": -0.05, "gain_factor": 0.5, "hold": 20}
    calls.add("thermostat.Guard", thermostat.Guard, **guard, spike=8.0, memory=64.0, slow_rise=1.0)
    calls.add(
        "thermostat.apply_margin",
        thermostat.apply_margin,
        undefined="result",
        beta=np.full(3, 0.4),
        proposed=np.full(3, 0.5),
        beta_c=np.full(3, 0.45),
        u_min=0.06,
    )
    calls.add("thermostat.entropy_below", thermostat.entropy_below, visible_keys=[16, 32], depth=1.0)
    calls.add(
        "thermostat.initial_beta",
        thermostat.initial_beta,
        thermostat=ceas.Thermostat(initial="final_address"),
        scores=SCORES,
        unit=0.25,
    )
    calls.add("thermostat.kappa", thermostat.kappa, thermostat=ceas.Thermostat(), step=5.0)
    heads = {"entropy": np.full(2, 1.5), "target": 1.0, "beta": np.full(2, 0.3), "score_variance": np.ones(2)}
    calls.add("thermostat.newton_step", thermostat.newton_step, undefined="result", **heads, gain=0.5)
    error = np.exp(-np.arange(200) / 40) * np.cos(np.arange(200) / 5)
    calls.add("thermostat.oscillation", thermostat.oscillation, undefined="*", error=error, step=np.arange(200.0))
    calls.add(
        "thermostat.reference_level",
        thermostat.reference_level,
        kind="visible",
        visible_keys=[16, 32],
        initial_entropy=np.ones(2),
        depth=1.0,
    )
    calls.add(
        "thermostat.relaxation_time",
        thermostat.relaxation_time,
        undefined="result",
        beta=[0.3, 0.5],
        beta_c=0.45,
        u_min=0.06,
        nu=1.0,
        z=2.0,
    )
    calls.add("thermostat.zeta", thermostat.zeta, undefined="result", beta=[0.3, 0.5], beta_c=0.45, u_min=0.06, nu=1.0)
    calls.add(
        "thermostat.settle",
        thermostat.settle,
        undefined="beta_c",
        scores=SCORES,
        thermostat=ceas.Thermostat(window=4),
        d_k=8,
        steps=16,
        visible=np.ones((10, 12), bool),
        counts="steps",
    )


def add_control(calls: Table) -> None:
    keys, shape = [16, 32], (1, 2)
    calls.add(
        "thermostat.Controller",
        thermostat.Controller,
        thermostat=ceas.Thermostat(),
        visible_keys=keys,
        beta=np.full(2, 0.3),
        unit=0.3,
        reference_entropy=np.ones(2),
        undefined="initial_entropy beta_c readings sigmas reference_entropy",
    )
    calls.add(
        "thermostat.Controller.level",
        thermostat.Controller(ceas.Thermostat(), keys, np.full(2, 0.3), 0.3).level,
        depth=1.0,
    )
    calls.add(
        "thermostat.Observables",
        thermostat.Observables,
        entropy=np.ones(2),
        score_variance=np.ones(2),
        sigma_qk=np.ones(2),
        beta_c=np.ones(2),
        undefined="entropy score_variance sigma_qk beta_c",
    )
    calls.add(
        "thermostat.Freezer",
        thermostat.Freezer,
        freezing=thermostat.Freezing(),
        visible_keys=keys,
        shape=shape,
        reference="visible",
        undefined="initial_entropy",
    )
    freezer = thermostat.Freezer(thermostat.Freezing(), keys, shape)
    calls.add("thermostat.Freezer.step", freezer.step, entropy=np.ones(shape))
    calls.add("thermostat.Gate", thermostat.Gate, gating=thermostat.Gating(), context=16, n_layers=1)
    gate = thermostat.Gate(thermostat.Gating(), 16, 1)
    calls.add("thermostat.Gate.threshold", gate.threshold, step=5.0)
    calls.add("thermostat.Gate.fraction", gate.fraction, step=5.0)
    calls.add("thermostat.Gate.keep", gate.keep, layer=0, estimate=np.random.default_rng(0).random((2, 2, 16)), step=5)
    calls.add(
        "thermostat.LossGuard", thermostat.LossGuard, guard=thermostat.Guard(), undefined="mean slow short long lowest"
    )
    calls.add(
        "thermostat.LossGuard.step",
        lambda **a: thermostat.LossGuard(thermostat.Guard()).step(**a),
        step=3,
        loss=2.0,
        validation_loss=2.0,
    )
