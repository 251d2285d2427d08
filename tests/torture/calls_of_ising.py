"""Good calls of `ising`: lattices, models, sampling, exact answers, tilings."""

from __future__ import annotations

from itertools import islice

import networkx as nx
import numpy as np
from good_calls import Table

import ising
from ising import tilings
from ising.tilings import disk

SQUARE = ising.square(4)
MODEL = ising.ferromagnet(SQUARE)
GLASS = ising.edwards_anderson(ising.square(4), seed=1)
RUN = ising.Schedule(warmup=5, draws=20)
SPINS = np.where(np.random.default_rng(0).random((6, 16)) < 0.5, 1, -1)


def bonds_of(lattice):
    """Build what is lazy."""
    return lattice.bonds, lattice.neighbors, lattice.coordinates


def table() -> Table:
    calls = Table()
    add_lattices(calls)
    add_models(calls)
    add_sampling(calls)
    add_exact(calls)
    add_tilings(calls)
    return calls


def add_lattices(calls: Table) -> None:
    for name in ("chain", "square", "triangular", "honeycomb", "cubic"):
        calls.add(f"ising.{name}", lambda L, name=name: bonds_of(getattr(ising, name)(L)), L=4)
    calls.add("ising.hypercubic", lambda L, d: bonds_of(ising.hypercubic(L, d)), L=3, d=2, words={"d": "dimension d"})
    calls.add("ising.complete", lambda n: bonds_of(ising.complete(n)), n=6)
    calls.add("ising.random_regular", lambda **a: bonds_of(ising.random_regular(**a)), n=10, degree=3, seed=1)
    bonds = [(0, 1), (1, 2)]
    calls.add("ising.from_bonds", lambda **a: bonds_of(ising.from_bonds(**a)), n_sites=3, bonds=bonds, name="path")
    calls.add("ising.from_bonds dimension", ising.from_bonds, n_sites=3, bonds=bonds, dimension=1)
    calls.add("ising.from_networkx", ising.from_networkx, graph=nx.path_graph(4))
    calls.add(
        "ising.Lattice", ising.Lattice, n_sites=3, name="path", dimension=1, _build_bonds=lambda: np.array([[0, 1]])
    )


def add_models(calls: Table) -> None:
    calls.add("ising.IsingModel", ising.IsingModel, lattice=SQUARE, couplings=np.ones(32), fields=0.1, name="x")
    calls.add("ising.IsingModel.energy", MODEL.energy, spins=SPINS)
    calls.add(
        "ising.ferromagnet", ising.ferromagnet, lattice=SQUARE, J=1.0, h=0.0, words={"J": "couplings", "h": "fields"}
    )
    calls.add(
        "ising.edwards_anderson", ising.edwards_anderson, lattice=SQUARE, seed=1, distribution="gaussian", disorder=2
    )
    calls.add("ising.sherrington_kirkpatrick", ising.sherrington_kirkpatrick, n=6, seed=1)
    calls.add("ising.hopfield", ising.hopfield, patterns=SPINS)
    J = np.ones((3, 3)) - np.eye(3)
    calls.add(
        "ising.from_matrix", ising.from_matrix, couplings=J, fields=np.zeros(3), words={"couplings": "coupling matrix"}
    )
    calls.add("ising.Schedule", ising.Schedule, warmup=5, draws=20, thin=1)


def add_sampling(calls: Table) -> None:
    options = {"schedule": RUN, "seed": 1, "progress": False, "threads": 1}
    calls.add(
        "ising.sample", ising.sample, model=MODEL, beta=[0.3, 0.4], update="heat_bath", chains=2, exchange=False,
        observables=["energy"], configurations=10, initial="up", **options,
    )  # fmt: skip
    calls.add(
        "ising.sample glass", ising.sample, model=GLASS, beta=[0.3, 0.4], exchange=True, isoenergetic=2, lanes="chains",
        chains=4, **options,
    )  # fmt: skip
    sizes = {3: ising.ferromagnet(ising.square(3)), 4: MODEL}
    calls.add("ising.sample_sizes", ising.sample_sizes, models=sizes, beta=[0.3], chains=2, **options)
    calls.add(
        "ising.sample_sizes by size", ising.sample_sizes, models=sizes, beta={3: [0.3], 4: [0.4]}, update="wolff",
        chains=2, **options,
    )  # fmt: skip
    calls.add(
        "ising.temperature_ladder", ising.temperature_ladder, model=GLASS, beta_min=0.3, beta_max=0.6, n=3, seed=0,
        progress=False,
    )  # fmt: skip
    calls.add(
        "ising.density_of_states", ising.density_of_states, model=MODEL, seed=0, sweeps=500, runs=2, progress=False,
        threads=1, counts="sweeps",
    )  # fmt: skip
    dos = ising.density_of_states(MODEL, sweeps=2000, runs=2, progress=False)
    calls.add(
        "ising.thermodynamics_from",
        ising.thermodynamics_from,
        undefined="energy_error entropy_error log_z_error specific_heat_error",
        dos=dos,
        beta=[0.3, 0.4],
    )
    calls.add(
        "ising.population_annealing", ising.population_annealing, model=MODEL, betas=[0.0, 0.1, 0.2], population=64,
        sweeps=1, seed=0, runs=2, progress=False, threads=1, counts="sweeps",
    )  # fmt: skip
    calls.add("ising.correlation_from", ising.correlation_from, lattice=SQUARE, spins=SPINS, site=0)
    calls.add("ising.correlations", ising.correlations, lattice=SQUARE, spins=SPINS, sites=[0, 3], seed=0)
    calls.add("ising.correlations sources", ising.correlations, lattice=SQUARE, spins=SPINS, sources=3, seed=0)
    calls.add("ising.eigenmode_correlation_length", ising.eigenmode_correlation_length, lattice=SQUARE, spins=SPINS)


def add_exact(calls: Table) -> None:
    exact, beta = ising.exact, [0.2, 0.5]
    calls.add("ising.exact.onsager_energy", exact.onsager_energy, beta=beta)
    calls.add("ising.exact.onsager_magnetization", exact.onsager_magnetization, beta=beta)
    calls.add("ising.exact.onsager_specific_heat", exact.onsager_specific_heat, beta=beta)
    calls.add("ising.exact.kaufman", exact.kaufman, L=4, beta=beta)
    calls.add("ising.exact.enumerate_model", exact.enumerate_model, model=MODEL, beta=beta, undefined="binder")
    calls.add("ising.exact.curie_weiss", exact.curie_weiss, n=8, beta=beta, undefined="binder")
    calls.add("ising.exact.ring", exact.ring, n=6, beta=beta, J=1.0, h=0.1, undefined="binder")
    calls.add("ising.exact.random_energy_model", exact.random_energy_model, n=8, beta=beta, sigma=1.0)
    calls.add("ising.exact.dual_beta", exact.dual_beta, beta=beta)
    calls.add("ising.exact.dual_bond_correlation", exact.dual_bond_correlation, beta=beta, bond_correlation=[0.3, 0.6])
    calls.add("ising.exact.bethe_critical_beta", exact.bethe_critical_beta, degree=3)
    calls.add("ising.exact.bethe_energy", exact.bethe_energy, degree=3, beta=beta)
    calls.add("ising.exact.bethe_magnetization", exact.bethe_magnetization, degree=3, beta=beta)
    calls.add("ising.exact.ctmrg", exact.ctmrg, p=5, beta=0.3, bond_dimension=4)
    calls.add("ising.exact.ctmrg_critical_beta", exact.ctmrg_critical_beta, p=5)


def add_tilings(calls: Table) -> None:
    pq = {"p": 5, "q": 4}
    calls.add("ising.hyperbolic", lambda **a: bonds_of(ising.hyperbolic(**a)), **pq, layers=3, center="cell", trim=True)
    calls.add("ising.closed_hyperbolic", ising.closed_hyperbolic, **pq, n_sites=40)
    calls.add(
        "ising.closed_hyperbolic surface", ising.closed_hyperbolic, p=7, q=3, surface="klein", allow_small_radius=False
    )
    calls.add("ising.available_sizes", ising.available_sizes, **pq, n_max=100)
    calls.add("ising.map_table", ising.map_table, **pq, n_max=60, progress=False)
    closed = ising.closed_hyperbolic(5, 4, n_sites=40)
    calls.add("ising.automorphisms", ising.automorphisms, lattice=closed, count=3, seed=1)
    for name in ("adjacency_norm", "second_eigenvalue", "edge_expansion_bounds"):
        calls.add(f"ising.tilings.{name}", getattr(tilings, name), lattice=closed)
    for name in ("area_per_site", "edge_length", "growth_rate", "norm_bounds", "tiling_dimension"):
        calls.add(f"ising.tilings.{name}", getattr(tilings, name), **pq)
    calls.add("ising.tilings.sphere_sizes", lambda p, q: list(islice(tilings.sphere_sizes(p, q), 5)), **pq)
    calls.add("ising.tilings.funnel_dimension", tilings.funnel_dimension, n=3, opening=0.5)
    calls.add("ising.tilings.funnel_distances", tilings.funnel_distances, n=3, opening=0.5, radius=4.0)
    distances = tilings.funnel_distances(3, 0.5, 12.0)
    calls.add("ising.tilings.orbital_dimension", tilings.orbital_dimension, distances=distances, radius=12.0)
    z, w = np.array([0.1 + 0.2j, -0.3j]), np.array([0.2 + 0.1j, 0.5 + 0j])
    calls.add("ising.disk.moebius", disk.moebius, z=z, a=0.3 + 0.1j, theta=0.2)
    calls.add("ising.disk.distance", disk.distance, z=z, w=w, undefined="result")
    calls.add("ising.disk.geodesic", disk.geodesic, z=z, w=w, n_points=5)
    calls.add("ising.disk.translation", disk.translation, **pq, k=1)
