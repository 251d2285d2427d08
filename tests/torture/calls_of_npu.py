"""Good calls of what the annealer is used for: problems, ground states, the dictionary, memory, learning, pictures."""

from __future__ import annotations

import dimod
import networkx as nx
import numpy as np
import xarray as xr
from calls_of_analysis import axes
from good_calls import Table, in_folder

import ceas_physics as ceas
import ising
from ceas_physics import npu
from ceas_physics.npu import dictionary, figures, film, ground_states, learning, memory, useful_bits

RNG = np.random.default_rng(4)
SQUARE = ising.square(4)
GLASS = ising.edwards_anderson(SQUARE, seed=1)
SPINS = np.where(RNG.random((3, 16)) < 0.5, 1, -1)
FILES = {
    "graph.txt": "3 2\n1 2 1\n2 3 -1\n",
    "graph.mtx": "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n2 1 1.5\n3 2 -1\n",
    "graph.coo": "# vartype=SPIN\n0 1 1.0\n1 2 -0.5\n",
}


def table() -> Table:
    calls = Table()
    add_problems(calls)
    add_solutions(calls)
    add_dictionary(calls)
    add_memory(calls)
    add_learning(calls)
    add_pictures(calls)
    return calls


def decoded(problem):
    """The problem, solved from spins that are all up."""

    def call(**arguments):
        model, decode = problem(**arguments)
        return model, decode(np.ones(model.lattice.n_sites))

    return call


def add_problems(calls: Table) -> None:
    graph = nx.cycle_graph(5)
    calls.add("npu.max_cut", decoded(npu.max_cut), graph=graph)
    calls.add("npu.graph_colouring", decoded(npu.graph_colouring), graph=graph, colours=3)
    calls.add("npu.number_partitioning", decoded(npu.number_partitioning), numbers=[4, 5, 6, 7])
    calls.add("npu.cut_weight", npu.cut_weight, model=npu.max_cut(graph)[0], energy=-3.0)
    calls.add("npu.from_qubo", npu.from_qubo, linear=[-1.0, -1.0], pairs=[(0, 1)], quadratic=[2.0], offset=0.5)
    bqm = dimod.BinaryQuadraticModel.from_ising({}, {"ab": 1.0, "bc": 1.0})
    calls.add("npu.CeasSampler.sample", npu.CeasSampler().sample, bqm=bqm, num_reads=2, seed=1)
    files = FILES | {"model.bqm": bqm.to_file().read()}
    for name, reader, extra in (
        ("graph.txt", npu.read_instance, {}),
        ("graph.txt", npu.read_gset, {}),
        ("graph.mtx", npu.read_matrix_market, {"meaning": "cut"}),
        ("graph.coo", npu.read_coo, {"vartype": "SPIN"}),
        ("model.bqm", npu.read_dimod, {}),
    ):
        calls.add(f"npu.{reader.__name__}", in_folder(reader, files), path=name, **extra)


def add_solutions(calls: Table) -> None:
    calls.add("npu.tts", npu.tts, undefined="result", seconds=[1.0, 2.0], probability=[0.5, 0.9], goal=0.99)
    calls.add(
        "npu.time_to_solution", npu.time_to_solution, undefined="high seconds", seconds=np.ones(6),
        hits=np.arange(6) % 2, seed=0, confidence=0.95,
    )  # fmt: skip
    calls.add("npu.success_correlation", npu.success_correlation, hits=[[1, 0, 1], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    couplings = npu.couplings_of(GLASS, npu.Realism(), 0)
    calls.add("npu.Couplings.by_site", couplings.by_site, values=np.ones(len(couplings.weights)))
    calls.add("npu.ground_states.cylinder", ground_states.cylinder, circumference=4, length=3)
    planar = ising.edwards_anderson(ground_states.cylinder(4, 3), seed=1)
    calls.add("npu.ground_states.planar_ground_state", ground_states.planar_ground_state, model=planar)
    calls.add("npu.ground_states.torus_ground_state", ground_states.torus_ground_state, model=GLASS)
    square = ising.ferromagnet(SQUARE)
    calls.add(
        "npu.useful_bits.useful_bits", useful_bits.useful_bits, models={"square": square, "glass": GLASS},
        beta={"square": 0.4, "glass": 0.5}, schedule=ising.Schedule(5, 20), pairs=4, update="auto", seed=0,
        undefined="correlation_length correlation_length_error",
    )  # fmt: skip
    calls.add("npu.film.film", film.film, model=square, beta=[0.3, 0.4], sweeps=1, seed=0, counts="sweeps")


def add_dictionary(calls: Table) -> None:
    x, keys = RNG.normal(size=(2, 4)), RNG.normal(size=(5, 4))
    for name in ("attention_energy", "attention_weights"):
        calls.add(f"npu.dictionary.{name}", getattr(dictionary, name), x=x, keys=keys, beta=2.0)
    calls.add("npu.dictionary.attention_step", dictionary.attention_step, x=x, keys=keys, beta=2.0, dt=0.5, values=keys)
    hidden = {"visible": x, "weights": RNG.normal(size=(3, 4)), "biases": RNG.normal(size=3), "beta": 0.7}
    for name in ("hidden_energy", "hidden_force"):
        calls.add(f"npu.dictionary.{name}", getattr(dictionary, name), **hidden)
    calls.add(
        "npu.dictionary.effective_couplings", dictionary.effective_couplings, weights=hidden["weights"],
        biases=hidden["biases"], beta=0.7,
    )  # fmt: skip
    calls.add("npu.dictionary.amplitude_control", dictionary.amplitude_control, x=x, time=1.0, scope="each")
    calls.add("npu.dictionary.gradient_share", dictionary.gradient_share, jacobian=RNG.normal(size=(3, 3)))
    calls.add("npu.dictionary.token_field", dictionary.token_field, embedding=[0.3, -0.5], beta=2.0)
    motion = {"a": 0.3 + 0.1j, "theta": 0.2}
    calls.add("npu.dictionary.lorentz", dictionary.lorentz, **motion)
    calls.add("npu.dictionary.moebius_positions", dictionary.moebius_positions, n=4, **motion)
    points = RNG.normal(size=(4, 2, 3))
    calls.add("npu.dictionary.moebius_scores", dictionary.moebius_scores, queries=points, keys=points, **motion)


def add_memory(calls: Table) -> None:
    complete = ising.complete(16)
    calls.add("npu.memory.memory_model", memory.memory_model, lattice=complete, patterns=SPINS)
    calls.add("npu.memory.relax", memory.relax, model=GLASS, spins=SPINS, seed=0)
    sizes = {"draws": 4, "starts": 2, "overlap": 0.9, "seed": 0}
    calls.add("npu.memory.retrieval", memory.retrieval, lattice=complete, n_patterns=[1, 8], counts="draws", **sizes)
    data = memory.retrieval(ising.complete(40), [1, 20], draws=4)
    calls.add("npu.memory.capacity", memory.capacity, data=data)
    calls.add("npu.memory.mean_field_overlap", memory.mean_field_overlap, load=0.1)


def add_learning(calls: Table) -> None:
    sizes = {"hidden": 4, "beta": 0.5, "nudge": 0.5, "relaxation": 3, "epochs": 2, "batch_size": 8}
    calls.add("npu.learning.Learning", learning.Learning, **sizes, learning_rate=0.01)
    settings, x = learning.Learning(**sizes), RNG.normal(size=(12, 6))
    labels = np.arange(12) % 3
    images = learning.Images(x, labels, x, labels)
    network = learning.initial(6, 4, 3)
    targets = 2.0 * np.eye(3)[labels] - 1
    calls.add("npu.learning.initial", learning.initial, inputs=6, hidden=4, classes=3, seed=0)
    calls.add("npu.learning.digits", learning.digits, test_share=0.25, seed=0)
    calls.add("npu.learning.forward", learning.forward, network=network, x=x, beta=0.5)
    calls.add(
        "npu.learning.relax", learning.relax, network=network, x=x, settings=settings, targets=targets, nudge=0.5,
        start=(np.zeros((12, 4)), np.zeros((12, 3))),
    )  # fmt: skip
    for name in ("contrastive_gradient", "backward_gradient"):
        calls.add(
            f"npu.learning.{name}", getattr(learning, name), network=network, x=x, targets=targets, settings=settings
        )
    method = {"settings": settings, "method": "contrastive"}
    calls.add("npu.learning.predict", learning.predict, network=network, x=x, **method)
    calls.add("npu.learning.accuracy", learning.accuracy, network=network, x=x, labels=labels, **method)
    calls.add("npu.learning.train", learning.train, images=images, seed=0, **method)
    calls.add(
        "npu.learning.choose_learning_rate", learning.choose_learning_rate, images=images, rates=[0.01, 0.1], seed=0,
        **method,
    )  # fmt: skip
    calls.add(
        "npu.learning.compare_on_digits", learning.compare_on_digits, seeds=[0], rates=[0.01],
        settings=learning.Learning(hidden=4, epochs=1),
    )  # fmt: skip


def tts_table() -> xr.Dataset:
    """Times to solution of one solver at two sizes."""
    values = {"tts": [0.1, 0.4], "tts_low": [0.05, 0.2], "tts_high": [0.2, np.inf], "probability": [0.5, 0.1]}
    columns = {name: (("solver", "instance"), [row]) for name, row in values.items()}
    coords = {"solver": ["p_bit"], "n_sites": ("instance", [16, 64]), "family": ("instance", ["glass", "glass"])}
    return xr.Dataset(columns, coords)


def add_pictures(calls: Table) -> None:
    result = ceas.anneal(GLASS, replicas=4, schedule="corridor", sweeps=20, progress=False)
    ax = axes()
    calls.add("npu.figures.entropy_corridor", figures.entropy_corridor, result=result, width=0.05, ax=ax)
    calls.add("npu.figures.energy_trace", figures.energy_trace, result=result, ground_energy=-20.0, ax=ax)
    calls.add("npu.figures.time_to_solution", figures.time_to_solution, data=tts_table(), family="glass", ax=ax)
    patch = ising.hyperbolic(5, 4, 2)
    frames = film.film(ising.ferromagnet(patch), [0.3, 0.4])
    calls.add("npu.figures.disk_film", first_frame(figures.disk_film), lattice=patch, frames=frames, ax=ax, interval=50)


def first_frame(animate):
    """Draw the first frame, so that matplotlib does not complain of an animation never shown."""

    def call(**arguments):
        found = animate(**arguments)
        found._draw_was_started = True
        return found

    return call
