"""Good calls of what is left: stores, runs again, comparisons, the ledger, states of controllers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from calls_of_analysis import axes, square
from calls_of_ceas import TEXT, TINY, run
from calls_of_training import PARAMETERS, TOKENS
from good_calls import Table, in_folder

import analysis
import ceas_physics as ceas
import ising
from analysis import plots
from ceas_physics import claims, heads, models, search, texts, thermostat, training, transformer
from ising import spectrum, tilings

MODEL = ising.ferromagnet(ising.square(4))
SHORT = ising.Schedule(5, 10)
GLASS = ising.edwards_anderson(ising.square(4), seed=1)


def table() -> Table:
    calls, folder = Table(), Path(tempfile.mkdtemp())
    add_stores(calls, folder)
    add_training(calls, folder)
    add_states(calls)
    add_models(calls)
    add_claims(calls, folder)
    add_lattices(calls)
    return calls


def add_stores(calls: Table, folder: Path) -> None:
    options = {"progress": False, "threads": 1}
    data = ising.sample(MODEL, [0.3], SHORT, chains=2, **options)
    ising.sample(MODEL, [0.3], SHORT, chains=2, store=folder / "run", **options)
    call = {"model": MODEL, "beta": [0.3], "schedule": SHORT, "chains": 2, "seed": 1}
    calls.add("ising.sample store", in_folder(ising.sample), store="kept", client=None, **call, **options)
    sizes = {"models": {3: ising.ferromagnet(ising.square(3)), 4: MODEL}, "beta": [0.3], "schedule": SHORT, "chains": 2}
    calls.add("ising.sample_sizes store", in_folder(ising.sample_sizes), store="kept", **sizes, **options)
    anneal = {"replicas": 2, "sweeps": 5, "counts": "sweeps"}
    calls.add("anneal store", in_folder(ceas.anneal), model=GLASS, store="kept", **anneal, **options)
    calls.add("ising.model_from", ising.model_from, data=data)
    for start, module in (("ising.", ising), ("ceas_physics.", ceas)):
        calls.add(f"{start}open_run", in_folder(module.open_run), path=folder / "run")
        calls.add(f"{start}resume", in_folder(module.resume), path=folder / "run", **options)
        calls.add(f"{start}rerun", in_folder(module.rerun), source=folder / "run", **options)
    calls.add("ising.rerun data", in_folder(ising.rerun), source=data, **options)
    trained = folder / "trained.nc"
    run().to_netcdf(trained)
    calls.add("ceas_physics.rerun trained", in_folder(ceas.rerun), source=trained, text=TEXT, progress=False)


def add_training(calls: Table, folder: Path) -> None:
    call = {"config": TINY, "text": TEXT, "steps": 3, "progress": False, "counts": "steps"}
    calls.add("train store", in_folder(ceas.train), store="kept", **call)
    calls.add("train checkpoint", in_folder(ceas.train), checkpoint=Path("c.npz"), **call)
    ceas.train(TINY, TEXT, steps=3, progress=False, checkpoint=folder / "c.npz")
    calls.add("training.recover", in_folder(training.recover), checkpoint=folder / "c.npz")
    plan = training.Plan(TINY, ("standard", "x2"), seeds=2, tokens=64, learning_rates=(0.01,), scan_seeds=1)
    calls.add(
        "training.compare", in_folder(training.compare), folder="runs", plan=plan, text=TEXT, seed=0, processes=1,
        progress=False, undefined="*",
    )  # fmt: skip
    beta, rng = np.full((1, 2), 0.5), np.random.default_rng(0)
    calls.add(
        "transformer.forward dropout", transformer.forward, parameters=PARAMETERS, tokens=TOKENS, beta=beta,
        config=TINY, dropout=0.1, dropout_rng=rng, keep=keep_half,
    )  # fmt: skip
    calls.add(
        "transformer.loss_and_gradient dropout", transformer.loss_and_gradient, parameters=PARAMETERS, tokens=TOKENS,
        targets=TOKENS, beta=beta, config=TINY, dropout=0.1, dropout_rng=rng, keep=keep_half, activation_gain=1.0,
        frozen=np.zeros((1, 2), bool),
    )  # fmt: skip
    calls.add("texts.load", in_folder(texts.load, {"text.txt": TEXT}), name="text.txt", words={"name": "text"})
    calls.add("texts.unpack", refused(in_folder(texts.unpack)), folder=Path("texts"), words={"folder": "archive"})


def refused(function):
    """The function, whose refusal of good arguments, for want of a file, is no result."""

    def call(**arguments):
        try:
            return function(**arguments)
        except ValueError as error:
            if "holds no" not in str(error):
                raise

    return call


def keep_half(layer: int, estimate: np.ndarray) -> np.ndarray:
    """Rows of larger T."""
    return estimate >= np.median(estimate)


def add_states(calls: Table) -> None:
    seen = thermostat.Observables(np.ones(2), np.ones(2), np.ones(2), np.ones(2))
    calls.add(
        "thermostat.Controller.step",
        lambda observables: controller().step(observables),
        observables=seen,
        undefined="result",
    )
    calls.add("thermostat.Stateful.restore", lambda state: controller().restore(state), state=controller().state())
    adam = training.Adam(3, 0.01)
    calls.add("training.Adam.restore", lambda state: training.Adam(3, 0.01).restore(state), state=adam.state())


def controller() -> thermostat.Controller:
    return thermostat.Controller(ceas.Thermostat(), [16, 32], np.full(2, 0.3), 0.3)


def add_models(calls: Table) -> None:
    rng = np.random.default_rng(2)
    sizes = {"n_layers": 1, "n_heads": 2, "d_model": 8, "d_ff": 16, "vocabulary": 20, "positions": 16}
    shape = models.BertShape(**sizes)
    parameters = {key: rng.normal(size=size) for key, size in shape.parameter_shapes().items()}
    bert = models.Bert("x", shape, parameters, ends=(1, 2))
    tokens = np.arange(12).reshape(2, 6)
    calls.add("models.Bert.embed", bert.embed, tokens=tokens)
    calls.add("models.Bert tokenizer", models.Bert, name="x", shape=shape, parameters=parameters, tokenizer=None)
    shape = models.LlamaShape(**sizes, n_key_heads=1, d_k=4)
    parameters = {key: rng.normal(size=size) for key, size in shape.parameter_shapes().items()}
    llama = models.Llama("x", shape, parameters)
    calls.add("models.Llama.logits", llama.logits, tokens=tokens)
    calls.add("models.Llama tokenizer", models.Llama, name="x", shape=shape, parameters=parameters, tokenizer=None)
    calls.add(
        "heads.scaling model", heads.scaling, source=llama, text=np.arange(64) % 20, sizes=[8, 16], passages=2,
        control=False, undefined="*",
    )  # fmt: skip


def add_claims(calls: Table, folder: Path) -> None:
    calls.add(
        "claims.run", in_folder(claims.run), ids=["C1"], full=False, results="kept", seed=0, progress=False,
        claimed=claims.claimed_numbers(), undefined="*",
    )  # fmt: skip
    training_plan = search.LookupTraining((16, 32), 8)
    claims.run(["C1"], progress=False).to_netcdf(folder / "claims.nc")
    calls.add("claims.read", in_folder(claims.read), path=folder / "claims.nc", undefined="*")
    calls.add(
        "search.measure_conditions", search.measure_conditions, training=training_plan, betas=[1.0], n_seeds=2, seed=0,
        progress=False,
    )  # fmt: skip


def add_lattices(calls: Table) -> None:
    lattice = ising.square(4)
    calls.add("ising.spectrum.adjacency_matrix", spectrum.adjacency_matrix, lattice=lattice)
    calls.add("ising.spectrum.second_modes", spectrum.second_modes, lattice=lattice)
    positions = tilings.hyperbolic(5, 4, 2).positions
    calls.add("ising.disk.Positions.distance", positions.distance, i=[0, 1], j=[2, 3])
    calls.add(
        "ising.exact.ctmrg_critical_beta bond_dimension",
        ising.exact.ctmrg_critical_beta,
        p=5,
        bond_dimension=4,
        counts="bond_dimension",
    )
    calls.add("ising.IsingModel attrs", ising.IsingModel, lattice=lattice, couplings=1.0, attrs={"note": 1})
    calls.add("ising.Lattice attrs", ising.Lattice, n_sites=2, name="pair", dimension=1, attrs={"L": 2},
              _build_bonds=lambda: np.array([[0, 1]]), momentum=None, recipe=None)  # fmt: skip
    correlations = ising.correlations(ising.square(6), square()[1].configurations)
    decay = analysis.decay_length(analysis.slice_correlations(square()[1].configurations, (6, 6)), (0, 3), 6)
    calls.add("analysis.plots.correlation decay", plots.correlation, table=correlations, decay=decay, ax=axes())
    patch = ising.hyperbolic(5, 4, 2)
    calls.add(
        "analysis.plots.disk norm", plots.disk, coordinates=patch.coordinates, values=np.ones(patch.n_sites),
        norm=None, ax=axes(),
    )  # fmt: skip
