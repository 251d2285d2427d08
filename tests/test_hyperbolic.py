"""Closed hyperbolic lattices: exact enumerations, the tables of the physics specification, and what is refused."""

import hashlib
import json
import re
from itertools import islice, product
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from scipy.sparse.linalg import eigsh

from ising.tilings import (
    SmallRadiusWarning,
    available_sizes,
    closed_hyperbolic,
    projective,
    relators,
    sphere_sizes,
)
from ising.tilings.closed import quotients
from ising.tilings.darts import Darts, Quotient

from ising.tilings.relators import enumerate_relators
from ising.tilings.surface import closed_map, injectivity_radius

FAMILIES = ((3, 7), (7, 3), (4, 5), (5, 4))
DATA = json.loads((Path(__file__).parent / "data" / "closed_maps.json").read_text())
MAPS = {f"{{{p},{q}}} {surface}": (p, q, surface, *rest) for p, q, surface, *rest in DATA["maps"]}


def matrix(bonds, n_sites):
    a, b = bonds.T
    return coo_array((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(n_sites, n_sites)).tocsr()


def adjacency(lattice):
    return matrix(lattice.bonds, lattice.n_sites)


def second_eigenvalue(lattice):
    if lattice.n_sites < 400:
        return np.linalg.eigvalsh(adjacency(lattice).toarray())[-2]
    start = np.random.default_rng(0).random(lattice.n_sites)
    return eigsh(adjacency(lattice), k=2, which="LA", v0=start, return_eigenvectors=False).min()


@njit
def bond_sum_histogram(neighbors, n_bonds):
    """Counts of sum_<ij> s_i s_j + n_bonds over all states with the last spin up, in Gray-code order."""
    n_sites, degree = neighbors.shape
    counts = np.zeros(2 * n_bonds + 1, dtype=np.int64)
    spins = np.ones(n_sites, dtype=np.int64)
    bond_sum = n_bonds
    counts[2 * n_bonds] = 1
    for step in range(1, 1 << (n_sites - 1)):
        site = 0
        while not (step >> site) & 1:
            site += 1
        field = 0
        for k in range(degree):
            field += spins[neighbors[site, k]]
        bond_sum -= 2 * spins[site] * field
        spins[site] = -spins[site]
        counts[bond_sum + n_bonds] += 1
    return counts


@pytest.mark.parametrize("case", ["{3,7} klein", "{4,5} bring"])
def test_density_of_states_is_the_exact_one(case):
    p, q, surface = MAPS[case][:3]
    lattice = closed_hyperbolic(p, q, surface=surface)
    counts = bond_sum_histogram(lattice.neighbors, lattice.n_bonds)
    found = {str(lattice.n_bonds - i): 2 * int(counts[i]) for i in np.flatnonzero(counts)}  # E = -sum s_i s_j
    assert found == DATA["exact"][case]["dos"]


@pytest.mark.parametrize("case", DATA["exact"])
def test_small_maps_are_the_reference_graphs(case):
    p, q, surface = MAPS[case][:3]
    lattice = closed_hyperbolic(p, q, surface=surface)
    edges = DATA["exact"][case]["edges"]
    assert lattice.n_bonds == len(edges)
    assert nx.is_isomorphic(nx.Graph(lattice.bonds.tolist()), nx.Graph(edges))
    assert not nx.is_isomorphic(nx.random_regular_graph(q, lattice.n_sites, seed=0), nx.Graph(edges))  # control


@pytest.mark.parametrize("case", MAPS)
def test_reference_table(case):
    p, q, surface, n_sites, n_faces, genus, radius, diameter, lambda_2 = MAPS[case]
    lattice = closed_hyperbolic(p, q, surface=surface) if radius > 3 or n_sites < 1_000 else admitted(p, q, surface)
    attrs = lattice.attrs
    assert (lattice.n_sites, attrs["n_faces"], attrs["genus"]) == (n_sites, n_faces, genus)
    assert (attrs["surface"], attrs["injectivity_radius"]) == (surface, radius)
    assert attrs["group_order"] == q * n_sites == 2 * lattice.n_bonds
    assert lattice.dimension == "mean_field"
    assert lattice.coordinates is None
    assert (lattice.degree == q).all()
    assert shortest_path(adjacency(lattice), unweighted=True, indices=0).max() == diameter
    if n_sites <= 7_000:
        assert second_eigenvalue(lattice) == pytest.approx(lambda_2, abs=1e-8)


def admitted(p, q, surface):
    with pytest.warns(SmallRadiusWarning):
        return closed_hyperbolic(p, q, surface=surface, allow_small_radius=True)


@pytest.mark.parametrize(
    ("p", "q", "sizes"),
    [
        (3, 7, [1, 7, 21, 56, 147, 385, 1008, 2639]),
        (7, 3, [1, 3, 6, 12, 18, 30, 45, 72, 111, 174, 270]),
        (5, 4, [1, 4, 12, 28, 64, 148, 340, 780]),
        (4, 5, [1, 5, 15, 40, 105, 275, 720]),
        (8, 3, [1, 3, 6, 12, 21, 36, 63, 108, 186, 321, 552]),
        (3, 8, [1, 8, 32, 120, 448, 1672]),
        (5, 5, [1, 5, 20, 70, 245, 860]),
        (6, 4, [1, 4, 12, 32, 84, 220, 576]),
        (4, 6, [1, 6, 24, 90, 336, 1254]),
        (6, 6, [1, 6, 30, 144, 690]),
        (8, 8, [1, 8, 56, 392, 2736]),
        (10, 3, [1, 3, 6, 12, 24, 45, 84, 159]),
    ],
)
def test_spheres_of_the_infinite_lattice(p, q, sizes):
    assert list(islice(sphere_sizes(p, q), len(sizes))) == sizes


def all_generators(prime, u_p, u_q):
    """Every solution of the equations that `projective.generators` takes the first solution of."""
    d = u_p * pow(u_q, -1, prime) % prime
    for c, a in np.ndindex(prime, prime):
        y = np.array([[a, 1 + d * c], [c, 1 - a]]) % prime
        if (u_p * (y[0, 0] * y[1, 1] - y[0, 1] * y[1, 0]) - 1) % prime == 0:
            yield np.array([[0, prime - d], [1, 0]], dtype=np.int32), y.astype(np.int32)


@pytest.mark.parametrize(("p", "q", "prime", "surfaces"), [(3, 7, 13, 3), (5, 4, 11, 2)])
def test_surfaces_differ_by_the_trace_ratios_only(p, q, prime, surfaces, monkeypatch):
    spectra = set()
    for u_p, u_q in product(*(projective.trace_ratios(n, prime) for n in (p, q))):
        solutions = list(all_generators(prime, u_p, u_q))
        assert len(solutions) >= 10
        for solution in solutions:
            monkeypatch.setattr(projective, "generators", lambda *_, solution=solution: solution)
            darts = projective.enumerate_projective(prime, u_p, u_q)
            closed = closed_map.__wrapped__(Quotient(p, q, "", darts.x.size, lambda darts=darts: darts))
            spectra.add(tuple(np.linalg.eigvalsh(matrix(closed.bonds, darts.x.size // q).toarray()).round(6)))
    assert len(spectra) == surfaces


def test_size_takes_the_largest_radius_and_the_first_of_equals():
    radii = {f"PSL(2,29) #{k}": closed_hyperbolic(3, 7, surface=f"PSL(2,29) #{k}") for k in (1, 2, 3)}
    assert [lattice.attrs["injectivity_radius"] for lattice in radii.values()] == [4, 5, 4]
    assert closed_hyperbolic(3, 7, 1740).attrs["surface"] == "PSL(2,29) #2"
    assert closed_hyperbolic(3, 7, 24).attrs["surface"] == "klein"  # the same map as PSL(2,7) #1
    assert closed_hyperbolic(5, 4, 6090).attrs["surface"] == "PGL(2,29) #1"


@pytest.mark.parametrize(("p", "q"), FAMILIES)
def test_every_listed_size_is_built(p, q):
    sizes = available_sizes(p, q, 14_000)
    assert set(sizes) >= {row[3] for row in MAPS.values() if row[:2] == (p, q)}
    for n_sites in sizes:  # none of the best maps of a size has a small radius: a warning would be an error here
        lattice = closed_hyperbolic(p, q, n_sites=n_sites)
        assert lattice.n_sites == n_sites
        assert lattice.name == f"closed_hyperbolic({p},{q},{n_sites})"


@pytest.mark.parametrize(("p", "q"), FAMILIES)
def test_radius_rule_against_a_plain_search(p, q):
    maps = list(quotients(p, q, q * 14_000))
    for quotient in maps:
        radius = injectivity_radius(quotient)
        best = max(injectivity_radius(rival) for rival in maps if rival.n_sites <= quotient.n_sites)
        if quotient.n_sites >= 1_000 and 3 * radius < 2 * best:
            with pytest.raises(ValueError, match=f"radius {radius}, below 2/3 of the {best} of"):
                closed_hyperbolic(p, q, surface=quotient.surface)
        else:
            closed_hyperbolic(p, q, surface=quotient.surface)


@pytest.mark.parametrize(("p", "q", "n_sites", "best"), [(5, 4, 8610, "6 of .* 6090"), (4, 5, 6888, "5 of .* 4872")])
def test_small_radius_is_refused_with_both_maps_named(p, q, n_sites, best):
    with pytest.raises(ValueError, match=f"{n_sites} sites has injectivity radius 3, below 2/3 of the {best} sites"):
        closed_hyperbolic(p, q, surface="PSL(2,41) #1")
    assert admitted(p, q, "PSL(2,41) #1").n_sites == n_sites
    assert closed_hyperbolic(p, q, n_sites=n_sites).attrs["surface"] == "PSL(2,41) #2"  # the better map of that size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 4, "q": 4, "n_sites": 16}, "{4,4} is Euclidean"),
        ({"p": 3, "q": 6, "n_sites": 16}, "{3,6} is Euclidean"),
        ({"p": 3, "q": 5, "n_sites": 12}, "{3,5} is spherical"),
        ({"p": 2, "q": 7, "n_sites": 12}, "integers >= 3, got p=2"),
        ({"p": 5.0, "q": 4, "n_sites": 30}, "integers >= 3, got p=5.0"),
        ({"p": 5, "q": 4}, "exactly one of n_sites and surface"),
        ({"p": 5, "q": 4, "n_sites": 30, "surface": "bring"}, "exactly one of n_sites and surface"),
        ({"p": 5, "q": 4, "n_sites": 30.0}, "n_sites must be an integer from 1"),
        ({"p": 5, "q": 4, "n_sites": 0}, "n_sites must be an integer from 1"),
        ({"p": 5, "q": 4, "n_sites": 1709}, "nearest available sizes: 330 and 1710"),
        ({"p": 5, "q": 4, "n_sites": 2}, "nearest available sizes: 30"),
        ({"p": 10, "q": 3, "n_sites": 100}, "available are {3,7}, {7,3}, {4,5}, {5,4}"),
        ({"p": 5, "q": 4, "surface": "klein"}, "no surface 'klein' of {5,4} is known; take one of bring, T5.3"),
        ({"p": 5, "q": 4, "surface": "PGL(2,13) #1"}, "no surface 'PGL"),
        ({"p": 3, "q": 8, "surface": "bolza"}, "not a simple graph"),
        ({"p": 8, "q": 8, "surface": "T2.6"}, "not a simple graph"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        closed_hyperbolic(**arguments)


def test_surfaces_answer_to_aliases_whatever_the_capitals():
    for name, alias in (("klein", "T3.1"), ("Macbeath", "t7.1")):
        one, other = closed_hyperbolic(7, 3, surface=name), closed_hyperbolic(7, 3, surface=alias)
        assert np.array_equal(one.bonds, other.bonds)
    assert closed_hyperbolic(5, 4, surface="pgl(2,19) #1").attrs["surface"] == "PGL(2,19) #1"


def damaged(p, q, darts):
    return Quotient(p, q, "damaged", darts.x.size, lambda: darts)


def test_a_broken_map_is_refused_by_the_check_that_fails():
    klein = enumerate_relators(3, 7, ("yxzyxzYzYZxz",))
    twice = (np.r_[part, part + part.size].astype(np.int32) for part in (klein.x, klein.y, klein.z))
    torus = enumerate_relators(4, 4, ("yZyZyZ",))
    for p, q, darts, what in [
        (3, 7, Darts(klein.x, klein.y, klein.y), "vertices of degree 7"),
        (3, 7, Darts(klein.y, klein.y, klein.z), "edges of two darts"),
        (3, 7, Darts(klein.x, klein.z, klein.z), "faces of 3 sides"),
        (3, 7, Darts(*twice), "connected"),
        (4, 4, torus, "Euler characteristic"),
    ]:
        with pytest.raises(ValueError, match=what):
            closed_map(damaged(p, q, darts))


def test_an_infinite_group_ends_the_enumeration(monkeypatch):
    monkeypatch.setattr(relators, "MAX_COSETS", 1_000)
    with pytest.raises(ValueError, match="passed 1000 cosets"):
        enumerate_relators(3, 7, ())


def test_bonds_are_the_same_every_time():
    digests = []
    for _ in range(2):
        closed_map.cache_clear()
        lattices = closed_hyperbolic(3, 7, 24), closed_hyperbolic(5, 4, 1710)
        digests.append([hashlib.sha256(lattice.bonds.astype("<i4").tobytes()).hexdigest()[:16] for lattice in lattices])
    assert digests[0] == digests[1] == ["e10a984c521c4323", "c979881240758d36"]


@pytest.mark.validate
def test_a_hundred_thousand_sites():
    lattice = closed_hyperbolic(3, 7, n_sites=103_056)
    assert lattice.attrs["injectivity_radius"] == 7
    assert (lattice.degree == 7).all()
    for p, q in FAMILIES:
        for n_sites in available_sizes(p, q, 100_000):
            closed_hyperbolic(p, q, n_sites=n_sites)
