"""Lattices are the graphs they claim to be; the model's energy is its definition; bad input says what is allowed."""

import networkx as nx
import numpy as np
import pytest

import ising

FLAT = [
    (ising.chain(5), 2),
    (ising.square(4), 4),
    (ising.cubic(3), 6),
    (ising.hypercubic(3, 4), 8),
    (ising.triangular(4), 6),
    (ising.honeycomb(4), 3),
    (ising.complete(6), 5),
    (ising.random_regular(20, 4, seed=1), 4),
]


@pytest.mark.parametrize(("lattice", "degree"), FLAT, ids=lambda x: getattr(x, "name", ""))
def test_regular_simple_connected(lattice, degree):
    assert (lattice.degree == degree).all()
    assert lattice.n_bonds == lattice.n_sites * degree // 2
    graph = nx.Graph(lattice.bonds.tolist())
    assert graph.number_of_edges() == lattice.n_bonds
    assert nx.number_of_selfloops(graph) == 0
    assert nx.is_connected(graph)
    rows, slots = np.nonzero(lattice.neighbors >= 0)
    bond = lattice.bonds[lattice.neighbor_bonds[rows, slots]]
    pairs = np.stack([rows, lattice.neighbors[rows, slots]], axis=-1)
    np.testing.assert_array_equal(np.sort(bond), np.sort(pairs))


@pytest.mark.parametrize("lattice", [ising.square(5), ising.triangular(5), ising.honeycomb(5), ising.cubic(4)])
def test_bonds_have_unit_length_and_momentum_is_small_k(lattice):
    """Bonds inside the cell of coordinates have length 1; for L -> infinity the lattice momentum is |k|."""
    x = lattice.coordinates
    length = np.linalg.norm(x[lattice.bonds[:, 0]] - x[lattice.bonds[:, 1]], axis=1)
    assert np.isclose(length, 1).mean() > 0.5
    L = 400 if lattice.dimension == 2 else 40
    big = getattr(ising, lattice.name.split("(")[0])(L)
    layers, x = big.momentum.layers[0], big.coordinates
    phase = 2 * np.pi * layers / big.momentum.length
    k, *_ = np.linalg.lstsq(x - x[0], phase - phase[0], rcond=None)
    assert np.linalg.norm(k) == pytest.approx(big.momentum.magnitude, rel=2e-3)


@pytest.mark.parametrize(("lattice", "nearest"), [(ising.triangular(6), None), (ising.honeycomb(6), None)])
def test_structure_factor_vanishes_in_the_ground_state_and_is_one_at_infinite_temperature(lattice, nearest):
    model = ising.ferromagnet(lattice)
    cold = ising.sample(model, 1.0, ising.Schedule(0, 1), initial="up", chains=2, progress=False, update="wolff")
    assert cold.structure_factor.max() < 1e-20
    hot = ising.sample(model, 0.0, ising.Schedule(0, 400), chains=64, update="heat_bath", progress=False)
    means = hot.structure_factor.mean("draw").values.ravel()
    assert abs(means.mean() - 1) < 5 * means.std() / 8


def test_networkx_and_bonds():
    graph = nx.petersen_graph()
    lattice = ising.from_networkx(graph)
    assert lattice.n_sites == 10
    assert (lattice.degree == 3).all()
    given = [(3, 1), (0, 3)]
    np.testing.assert_array_equal(ising.from_bonds(4, given).bonds, given)
    assert ising.from_bonds(3, []).n_bonds == 0


def test_energy_is_the_definition():
    rng = np.random.default_rng(0)
    J = np.triu(rng.normal(size=(6, 6)), 1)
    model = ising.from_matrix(J + J.T, fields=np.arange(6.0))
    spins = rng.choice([-1, 1], (4, 3, 6))
    slow = [
        [-sum(J[i, j] * s[i] * s[j] for i in range(6) for j in range(6)) - s @ np.arange(6) for s in t] for t in spins
    ]
    np.testing.assert_allclose(model.energy(spins), slow, atol=1e-12)


def test_couplings():
    lattice = ising.square(6)
    many = ising.edwards_anderson(lattice, seed=7, disorder=3)
    np.testing.assert_array_equal(many[0].couplings, ising.edwards_anderson(lattice, seed=7).couplings)
    assert {-1.0, 1.0} == set(many[1].couplings)
    assert many[2].coupling_magnitude == 1.0
    gaussian = ising.edwards_anderson(lattice, seed=7, distribution="gaussian")
    assert gaussian.coupling_magnitude is None
    patterns = np.array([[1, -1, 1, 1], [1, 1, -1, 1]])
    J = patterns.T @ patterns / 4
    np.testing.assert_allclose(ising.hopfield(patterns).couplings, J[np.triu_indices(4, 1)])
    sk = ising.sherrington_kirkpatrick(200, seed=1)
    assert sk.couplings.var() == pytest.approx(1 / 200, rel=5 * np.sqrt(2 / sk.lattice.n_bonds))
    assert isinstance(ising.IsingModel(lattice, np.full(72, 2.0)).couplings, float)


BAD = {
    "L < 3": (lambda: ising.square(2), "L must be >= 3 on a torus"),
    "degree": (lambda: ising.random_regular(5, 3, seed=1), "n \\* degree even"),
    "loop": (lambda: ising.from_bonds(3, [(1, 1)]), "to itself"),
    "twice": (lambda: ising.from_bonds(3, [(1, 2), (2, 1)]), "more than once"),
    "range": (lambda: ising.from_bonds(3, [(1, 3)]), r"sites in \[0, 3\)"),
    "shape": (lambda: ising.from_bonds(3, [1, 2]), "shape"),
    "directed": (lambda: ising.from_networkx(nx.DiGraph([(0, 1)])), "undirected"),
    "NaN": (lambda: ising.IsingModel(ising.chain(3), [1.0, float("nan"), 1.0]), "finite"),
    "length": (lambda: ising.IsingModel(ising.chain(3), [1.0, 2.0]), r"\(3,\)"),
    "asymmetric": (lambda: ising.from_matrix([[0, 1], [2, 0]]), "symmetric"),
    "matrix NaN": (lambda: ising.from_matrix([[0, np.nan], [np.nan, 0]]), "finite"),
    "diagonal": (lambda: ising.from_matrix([[1, 1], [1, 0]]), "diagonal"),
    "patterns": (lambda: ising.hopfield([[1, 0]]), "patterns"),
    "distribution": (lambda: ising.edwards_anderson(ising.chain(3), 1, "uniform"), "bimodal"),
    "spins": (lambda: ising.ferromagnet(ising.chain(3)).energy([1, 0, 1]), r"\+1 and -1"),
    "sites": (lambda: ising.ferromagnet(ising.chain(3)).energy([1, 1]), "shape"),
    "seed": (lambda: ising.edwards_anderson(ising.chain(3), -1), "seed"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
