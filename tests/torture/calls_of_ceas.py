"""Good calls of `ceas_physics`: attention, corridor, annealer, heads of models, search."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr
from good_calls import Table
from model_files import LLAMA, random_parameters, write_llama

import ceas_physics as ceas
import ising
from ceas_physics import attention, corridor, cost, heads, models, npu, search

MODEL = ising.edwards_anderson(ising.square(4), seed=1)
TINY = ceas.TransformerConfig(n_layers=1, n_heads=2, d_model=8, context=16, batch_size=2)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 20
SCORES = np.random.default_rng(0).normal(size=(2, 10, 12))


@cache
def run() -> xr.Dataset:
    """A short training run."""
    return ceas.train(TINY, TEXT, ceas.Thermostat(window=4), seed=1, steps=12, progress=False)


def table() -> Table:
    calls = Table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_attention(calls)
        add_corridor(calls)
        add_annealer(calls)
        add_devices(calls)
        add_heads(calls)
        add_search(calls)
        add_cost(calls)
    return calls


def add_attention(calls: Table) -> None:
    visible = np.ones((10, 12), dtype=bool)
    for name in ("entropy", "gap_score", "n_eff", "participation", "score_variance", "specific_heat"):
        calls.add(f"attention.{name}", getattr(attention, name), scores=SCORES, beta=0.5, visible=visible)
    for name in ("sigma_qk", "specific_heat_peak", "pseudo_critical_beta"):
        calls.add(
            f"attention.{name}",
            getattr(attention, name),
            scores=SCORES,
            visible=visible,
            undefined="result beta_c low high",
        )
    for kind in ("self_consistent", "effective", "visible"):
        calls.add(
            f"attention.beta_star {kind}", attention.beta_star, scores=SCORES, beta=[0.5, 1.0], kind=kind,
            visible=visible, undefined="result",
        )  # fmt: skip
    calls.add("attention.causal_mask", attention.causal_mask, n=4)
    calls.add("attention.head_mean", attention.head_mean, values=np.ones((2, 10)), scores=SCORES, visible=visible)
    calls.add("attention.rem_beta", attention.rem_beta, n=[16, 64], sigma=2.0)
    calls.add("attention.planted_half_weight_beta", attention.planted_half_weight_beta, s0=9.0, sigma_b=1.0, n=64)


def add_corridor(calls: Table) -> None:
    system = {"system": "x", "size": "8", "reading": "a", "beta_c": 0.44, "beta_c_error": 0.01, "method": "m"}
    system |= {"beta_low": 0.3, "beta_high": 0.5}
    calls.add(
        "corridor.System",
        corridor.System,
        undefined="*",
        **system,
        band_low=0.2,
        beta_in_use=0.4,
        beta_low_error=0.01,
        beta_high_error=0.01,
        band_high=0.9,
    )
    calls.add(
        "corridor.Corridor",
        corridor.Corridor,
        undefined="*",
        beta_low=0.3,
        beta_high=0.5,
        beta_low_error=0.1,
        beta_high_error=0.1,
    )
    calls.add("corridor.compare", corridor.compare, systems=[corridor.System(**system)], u_min=0.06, nu=1.0)
    calls.add("corridor.head_corridor", corridor.head_corridor, scores=SCORES, undefined="*")
    calls.add("corridor.rem_systems", corridor.rem_systems, sizes=[16], rows=64, seed=0)
    square = ising.ferromagnet(ising.square(8))
    options = {"visible_keys": 8, "seed": 0, "progress": False}
    calls.add("corridor.site_corridor", corridor.site_corridor, undefined="*", model=square, beta_max=1.0, **options)
    calls.add("corridor.total_corridor", corridor.total_corridor, model=square, seed=0, progress=False)
    spins = np.where(np.random.default_rng(0).random((5, 64)) < 0.5, 1, -1)
    calls.add("corridor.site_entropy", corridor.site_entropy, model=square, beta=[0.4], spins=spins[None])
    models = {L: ising.ferromagnet(ising.square(L)) for L in (4, 8, 12)}
    betas = np.linspace(0.38, 0.5, 9)
    data = ising.sample_sizes(models, dict.fromkeys(models, betas), ising.Schedule(50, 600), chains=16, progress=False)
    calls.add("corridor.spin_systems", corridor.spin_systems, name="square", models=models, data=data, **options)
    calls.add("corridor.head_systems", corridor.head_systems, name="heads", run=run(), text=TEXT, initial=False)


def add_annealer(calls: Table) -> None:
    options = {
        "replicas": 4,
        "seed": 0,
        "progress": False,
        "sweeps": 20,
        "threads": 1,
        "counts": "sweeps total_sweeps",
        "words": {"model": "couplings", "schedule": "states ran away|len"},
    }
    calls.add(
        "anneal", ceas.anneal, model=MODEL, device="p_bit", schedule="geometric", target_energy=-20.0,
        total_sweeps=40, **options,
    )  # fmt: skip
    settings = {"realism": npu.Realism(noise=0.1), "energy_model": npu.EnergyModel()}
    calls.add(
        "anneal device", ceas.anneal, model=MODEL, device=npu.SoftSpin(), schedule=npu.Linear(), **settings, **options
    )
    calls.add(
        "anneal array", ceas.anneal, model=np.ones((4, 4)) - np.eye(4), device="oscillator", schedule=[0.1, 0.5],
        time_limit=0.2, **options,
    )  # fmt: skip
    calls.add("npu.couplings_of", npu.couplings_of, model=MODEL, realism=npu.Realism(bits=4, mismatch=0.1), seed=0)


def add_devices(calls: Table) -> None:
    calls.add("npu.PBit", npu.PBit, clock="poisson")
    calls.add(
        "npu.SoftSpin",
        npu.SoftSpin,
        coupling=0.3,
        pump=(-1.0, 1.0),
        amplitude_control=1.0,
        target=0.5,
        dt=0.1,
        temperature=0.0,
        control="pump",
    )
    calls.add(
        "npu.Oscillator",
        npu.Oscillator,
        coupling=1.0,
        injection=(0.0, 0.5),
        dt=0.3,
        temperature=0.1,
        control="injection",
    )
    calls.add("npu.Bifurcation", npu.Bifurcation, mode="discrete", coupling=0.5, a0=1.0, dt=0.75)
    calls.add("npu.Realism", npu.Realism, bits=4, mismatch=0.1, noise=0.1, delay=0.1, dead=0.1, readout_noise=0.1)
    calls.add(
        "npu.EnergyModel", npu.EnergyModel, spin_event=1e-15, coupling_read=1e-15, static_power=1e-3, time_unit=1e-9
    )
    calls.add("npu.EnergyModel.used", npu.EnergyModel().used, spin_events=np.ones(3), mean_degree=4.0, time=np.ones(3))
    calls.add("npu.Linear", npu.Linear, start=0.1, end=2.0)
    calls.add("npu.Geometric", npu.Geometric, start=0.1, end=2.0)
    calls.add("npu.Thermodynamic", npu.Thermodynamic, start=0.1, end=2.0, points=8, pilot=16)
    calls.add(
        "npu.Corridor", npu.Corridor, start=0.1, end=2.0, beta_c=0.5, entropy_c=0.4, hold=0.3, final=0.01, width=0.05,
        thermostat=ceas.Thermostat(), points=8, pilot=16,
    )  # fmt: skip


def add_heads(calls: Table) -> None:
    rng = np.random.default_rng(2)
    q, k = rng.normal(size=(2, 2, 3, 12, 4)), rng.normal(size=(2, 2, 3, 12, 4))
    causal = np.where(np.tri(12, dtype=bool), rng.normal(size=(1, 2, 3, 12, 12)), -np.inf)
    calls.add(
        "heads.Scores",
        lambda **a: list(heads.Scores(**a).layers()),
        values=causal,
        d_k=4,
        sink=(0,),
        name="s",
        undefined="result",
    )
    calls.add(
        "heads.QueriesKeys",
        lambda **a: list(heads.QueriesKeys(**a).layers()),
        q=q,
        k=k,
        causal=True,
        sink=(0,),
        name="s",
        undefined="result",
    )
    source = heads.Scores(causal, 4)
    calls.add("heads.measure", heads.measure, source=source, control=False, seed=0, progress=False)
    data = heads.measure(source)
    calls.add("heads.flat_table", heads.flat_table, data=data, undefined="*")
    calls.add("heads.summary", heads.summary, data=data)
    rows = heads.GaussianRows(sigma=1.0, s0=None, rows=64)
    calls.add("heads.GaussianRows", heads.GaussianRows, sigma=1.0, s0=9.0, rows=64)
    calls.add("heads.GaussianRows.draw", rows.draw, n=16, seed=0)
    calls.add("heads.scaling", heads.scaling, source=rows, sizes=[16, 32, 64], rows=16, seed=0, progress=False)
    bert = {"n_layers": 1, "n_heads": 2, "d_model": 8, "d_ff": 16, "vocabulary": 20}
    calls.add("models.BertShape", models.BertShape, **bert, positions=16, epsilon=1e-12, initial_deviation=0.02)
    llama = bert | {"n_key_heads": 1, "d_k": 4, "positions": 16}
    calls.add("models.LlamaShape", models.LlamaShape, **llama, rotary_base=1e4, epsilon=1e-5, initial_deviation=0.02)
    for name, shape, kind, ends in (
        ("Bert", models.BertShape(**bert, positions=16), models.Bert, {"ends": (1, 2)}),
        ("Llama", models.LlamaShape(**llama), models.Llama, {}),
    ):
        parameters = {key: rng.normal(size=size) for key, size in shape.parameter_shapes().items()}
        calls.add(f"models.{name}", kind, name="x", shape=shape, parameters=parameters, **ends)
        model, tokens = kind("x", shape, parameters, **ends), np.arange(12).reshape(2, 6)
        calls.add(f"models.{name}.forward", lambda tokens, model=model: list(model.forward(tokens)), tokens=tokens)
        calls.add(f"models.{name}.wrap", model.wrap, windows=tokens)
        calls.add(f"models.{name}.special_keys", model.special_keys, length=6)
        calls.add(f"models.{name}.untrained", model.untrained, seed=1)
        calls.add(
            f"heads.measure {name}",
            heads.measure,
            source=model,
            text=np.arange(64) % 20,
            passages=2,
            length=16,
            control=False,
        )
    folder = Path(tempfile.mkdtemp())
    write_llama(folder, random_parameters(LLAMA, 0))
    calls.add("models.load", models.load, source=folder)


def add_search(calls: Table) -> None:
    calls.add("search.LookupTask", search.LookupTask, n_pairs=8, n_categories=4, width=4, noise=0.2)
    training = {"lengths": (2, 4), "batch_size": 4, "learning_rate": 0.01, "optimizer": "adam", "training_set": 16}
    calls.add("search.LookupTraining", search.LookupTraining, **training)
    options = {"betas": [0.5, 2.0], "n_seeds": 2, "seed": 0, "progress": False}
    task, short = search.LookupTask(8, 4, 4, 0.2), search.LookupTraining((2, 4), 4)
    calls.add("search.measure", search.measure, task=task, training=short, **options)
    data = search.measure(task, short, np.geomspace(0.25, 8.0, 6), 8, progress=False)
    calls.add("search.summarize", search.summarize, data=data, quantity="accuracy")
    calls.add(
        "search.compare",
        search.compare,
        accuracy=[0.2, 0.8, 0.5],
        betas=[0.5, 1.0, 2.0],
        trials=8,
        pulls=20,
        replicas=4,
        seed=0,
    )
    calls.add(
        "search.nary_search",
        search.nary_search,
        objective=lambda x: -((x - 1.0) ** 2),
        low=0.1,
        high=3.0,
        n=3,
        tolerance=0.01,
    )


def add_cost(calls: Table) -> None:
    calls.add("cost.gpu_hours", cost.gpu_hours, flops=1e21, throughput=2e14, undefined="result")
    calls.add("cost.gpus_for_equal_time", cost.gpus_for_equal_time, base=8, factor=0.5, floor=1)
    calls.add(
        "cost.optimal_allocation",
        cost.optimal_allocation,
        compute=1e21,
        a=0.5,
        b=0.5,
        model_coefficient=0.1,
        data_coefficient=1.7,
        undefined="result",
    )
    shares = {"warm_share": 0.3, "chi_warm": 0.2, "chi_steady": 0.4, "s_warm": 0.9, "s_steady": 0.8}
    calls.add("cost.saving", cost.saving, **shares)
    calls.add("cost.saving_range", cost.saving_range, **shares | {"chi_warm": (0.1, 0.3)})
    calls.add("cost.training_flops", cost.training_flops, parameters=1e9, tokens=2e10, undefined="result")
