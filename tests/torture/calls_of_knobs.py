"""Good calls of the other knobs and of training."""

from __future__ import annotations

import numpy as np
from calls_of_ceas import SCORES, TEXT, TINY, run
from calls_of_training import LOGITS, TARGETS
from good_calls import Table

import ceas_physics as ceas
from ceas_physics import knobs, training


def table() -> Table:
    calls = Table()
    add_knobs(calls)
    add_structure(calls)
    add_training(calls)
    return calls


def add_knobs(calls: Table) -> None:
    calls.add(
        "knobs.ActivationBand",
        knobs.ActivationBand,
        band=(1.5, 2.5),
        proportional=0.1,
        integral=0.02,
        limits=(0.5, 2.0),
        every=5,
        critical=1.0,
        u_min=0.06,
    )
    calls.add(
        "knobs.BatchSizeBand",
        knobs.BatchSizeBand,
        target=10.0,
        gain=0.1,
        largest_change=0.1,
        every=5,
        memory=10.0,
        limits=(4.0, 64.0),
        u_min=0.06,
    )
    calls.add(
        "knobs.LearningRateBand",
        knobs.LearningRateBand,
        band=(0.02, 0.08),
        gain=10.0,
        largest_change=0.2,
        every=5,
        iterations=4,
        memory=4.0,
        preconditioned=True,
        critical=2.0,
        u_min=0.06,
    )
    calls.add(
        "knobs.SmoothingSchedule",
        knobs.SmoothingSchedule,
        observable="entropy",
        levels=(3.0, 2.0),
        tau=600.0,
        gain=0.02,
        largest=0.3,
        every=5,
        u_min=0.06,
    )
    calls.add(
        "knobs.WeightDecayBand",
        knobs.WeightDecayBand,
        observable="entropy",
        target=1.0,
        gain=0.01,
        response=-1,
        largest=1.0,
        every=5,
        u_min=0.06,
    )
    calls.add("knobs.ActivationGain", knobs.ActivationGain, settings=knobs.ActivationBand())
    calls.add(
        "knobs.ActivationGain.step",
        lambda **a: knobs.ActivationGain(knobs.ActivationBand()).step(**a),
        entropy=2.0,
        radius=0.5,
    )
    calls.add("knobs.BatchSize", knobs.BatchSize, settings=knobs.BatchSizeBand(), size=16.0)
    calls.add(
        "knobs.BatchSize.observe",
        lambda **a: knobs.BatchSize(knobs.BatchSizeBand(), 16.0).observe(**a),
        small=2.0,
        large=1.5,
        small_batch=4.0,
        large_batch=16.0,
    )
    calls.add("knobs.LearningRate", knobs.LearningRate, settings=knobs.LearningRateBand(), value=0.01)
    calls.add(
        "knobs.LearningRate.step",
        lambda eigenvalue: knobs.LearningRate(knobs.LearningRateBand(), 0.01).step(eigenvalue),
        eigenvalue=3.0,
    )
    calls.add("knobs.Smoothing", knobs.Smoothing, settings=knobs.SmoothingSchedule(), value=0.1)
    calls.add("knobs.Smoothing.level", knobs.Smoothing(knobs.SmoothingSchedule()).level, step=5.0)
    calls.add(
        "knobs.Smoothing.step",
        lambda **a: knobs.Smoothing(knobs.SmoothingSchedule()).step(**a),
        step=5,
        logits=LOGITS,
        targets=TARGETS,
    )
    calls.add("knobs.WeightDecay", knobs.WeightDecay, settings=knobs.WeightDecayBand(), value=0.1)
    calls.add(
        "knobs.WeightDecay.step",
        lambda **a: knobs.WeightDecay(knobs.WeightDecayBand()).step(**a),
        matrices=[np.eye(3)],
        learning_rate=0.1,
    )
    calls.add("knobs.calibration_error", knobs.calibration_error, logits=LOGITS, targets=TARGETS, bins=5)
    calls.add("knobs.overconfidence", knobs.overconfidence, logits=LOGITS, targets=TARGETS)
    calls.add("knobs.output_entropy", knobs.output_entropy, logits=LOGITS)
    calls.add("knobs.keep_away", knobs.keep_away, value=0.5, proposed=0.9, critical=1.0, u_min=0.06)
    calls.add("knobs.parameter_entropy", knobs.parameter_entropy, matrices=[np.eye(3)])
    calls.add("knobs.spectral_norm", knobs.spectral_norm, matrices=[np.eye(3)])
    calls.add("knobs.spectral_radius", knobs.spectral_radius, matrix=np.eye(3))
    gradients = {"small": [2.0, 2.1, 1.9], "large": [1.4, 1.5, 1.6], "small_batch": 4.0, "large_batch": 16.0}
    calls.add("knobs.noise_parts", knobs.noise_parts, **gradients)
    calls.add("knobs.noise_scale", knobs.noise_scale, undefined="value error", **gradients)
    hessian = np.diag([3.0, 1.0])
    calls.add(
        "knobs.hessian_eigenvalue",
        knobs.hessian_eigenvalue,
        gradient=lambda x: hessian @ x,
        position=np.ones(2),
        vector=np.ones(2),
        iterations=3,
        preconditioner=np.ones(2),
        difference=1e-3,
    )


def add_structure(calls: Table) -> None:
    calls.add(
        "knobs.maxent_scales",
        knobs.maxent_scales,
        measure=lambda scales: scales**2,
        n_layers=2,
        target=1.0,
        start=0.25,
        tolerance=0.01,
        rounds=64,
    )
    structure = knobs.Structure(2, 4, 16, 8)
    calls.add("knobs.Structure", knobs.Structure, n_heads=2, d_k=4, d_ff=16, d_model=8)
    calls.add("knobs.Structure.flops", structure.flops, context=16)
    calls.add("knobs.Structure.memory", structure.memory, context=16)
    catalogue = [knobs.Structure(1, 4, 8, 4), structure]
    calls.add(
        "knobs.choose_structure",
        knobs.choose_structure,
        budget=structure,
        context=16,
        catalogue=catalogue,
        utility=[0.1, 0.2],
        temperature=0.01,
    )
    calls.add("knobs.structure_utility", knobs.structure_utility, structure=structure, context=16, rows=32, seed=0)
    calls.add(
        "knobs.corridor_utility",
        knobs.corridor_utility,
        scores=SCORES,
        unit=0.5,
        beta_range=(0.5, 2.0),
        corridor=(0.9, 1.3),
        points=5,
    )
    calls.add(
        "knobs.choose_positions",
        knobs.choose_positions,
        scores={"a": SCORES, "b": 2 * SCORES},
        cost={"a": 1.0, "b": 2.0},
        unit=0.5,
        budget=1.5,
        temperature=0.01,
    )
    calls.add(
        "knobs.trade_off", knobs.trade_off, utility=[0.3, 0.1], cost=[[1.0], [2.0]], budget=[1.5], temperature=0.05
    )


def adam_step(**arguments):
    """As the training loop calls it: overflows are its business, which judges every update."""
    with np.errstate(over="ignore", invalid="ignore"):
        training.Adam(3, 0.01).step(**arguments)


def add_training(calls: Table) -> None:
    calls.add("training.Adam", training.Adam, size=3, rate=0.01, decay=(0.9, 0.99), weight_decay=0.1)
    calls.add("training.Adam.step", adam_step, vector=np.ones(3), gradient=np.ones(3))
    calls.add(
        "training.Condition", training.Condition, config=TINY, thermostat=ceas.Thermostat(), knobs=training.Knobs()
    )
    calls.add("training.condition", training.condition, name="standard", config=TINY)
    calls.add(
        "training.Knobs",
        training.Knobs,
        beta_factor=1.0,
        learning_rate=knobs.LearningRateBand(),
        batch_size=None,
        weight_decay=knobs.WeightDecayBand(),
        label_smoothing=None,
        dropout=None,
        activation=knobs.ActivationBand(),
        initial_gap=1.5,
    )
    calls.add(
        "training.Plan",
        training.Plan,
        config=TINY,
        conditions=("standard", "x2"),
        seeds=2,
        tokens=1000,
        learning_rates=(0.01,),
        scan_seeds=1,
        fractions=(0.3, 0.8),
    )
    calls.add(
        "training.head_scores",
        training.head_scores,
        run=run(),
        text=TEXT,
        initial=True,
        sequences=2,
        undefined="scores result",
    )
    calls.add(
        "train",
        ceas.train,
        config=TINY,
        text=TEXT,
        thermostat=ceas.Thermostat(window=4),
        seed=1,
        steps=6,
        progress=False,
        knobs=training.Knobs(),
        counts="steps",
    )
