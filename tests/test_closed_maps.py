"""Closed hyperbolic lattices: exact enumerations, the tables of the physics specification, and what is refused."""

import hashlib
import json
import re
from itertools import islice
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from numba import njit
from scipy.sparse.csgraph import shortest_path

from ceas_physics.cli import main
from ising import Schedule, ferromagnet, sample
from ising.spectrum import adjacency_matrix, second_eigenvalue
from ising.tilings import SmallRadiusWarning, available_sizes, closed_hyperbolic, map_table, sphere_sizes
from ising.tilings.catalog import find_name, find_size, quotients
from ising.tilings.closed import map_lattice, radius_objection
from ising.tilings.surface import closed_map, injectivity_radius

DATA = json.loads((Path(__file__).parent / "data" / "closed_maps.json").read_text())
MAPS = {f"{{{p},{q}}} {surface}": (p, q, surface, *rest) for p, q, surface, *rest in DATA["maps"]}


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


def slow_above(n_sites, cases):
    """The larger maps are checked by `make validate`; where the radius rule is the point, at once."""
    return [case if MAPS[case][3] <= n_sites else pytest.param(case, marks=pytest.mark.validate) for case in cases]


@pytest.mark.parametrize("case", slow_above(1_600, MAPS))
def test_reference_table(case):
    p, q, surface, n_sites, n_faces, genus, radius, diameter, lambda_2 = MAPS[case]
    lattice = map_lattice(find_name(p, q, surface))
    attrs = lattice.attrs
    assert (lattice.n_sites, attrs["n_faces"], attrs["genus"]) == (n_sites, n_faces, genus)
    assert (attrs["surface"], attrs["injectivity_radius"]) == (surface, radius)
    assert attrs["group_order"] == q * n_sites == 2 * lattice.n_bonds
    assert lattice.dimension == "mean_field"
    assert lattice.coordinates is None
    assert (lattice.degree == q).all()
    assert shortest_path(adjacency_matrix(lattice), unweighted=True, indices=0).max() == diameter
    assert attrs["bipartite"] == nx.is_bipartite(nx.Graph(lattice.bonds.tolist()))
    assert second_eigenvalue(lattice) == pytest.approx(lambda_2, abs=1e-8)


REFUSED = {"{5,4} PSL(2,41) #1", "{4,5} PSL(2,41) #1", "{6,4} PGL(2,19) #1"}


@pytest.mark.parametrize("case", MAPS)
def test_of_the_reference_maps_the_rule_refuses_three(case):
    assert (radius_objection(find_name(*MAPS[case][:3])) is not None) == (case in REFUSED)


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


def test_size_takes_the_largest_radius_and_the_first_of_equals():
    radii = {f"PSL(2,29) #{k}": closed_hyperbolic(3, 7, surface=f"PSL(2,29) #{k}") for k in (1, 2, 3)}
    assert [lattice.attrs["injectivity_radius"] for lattice in radii.values()] == [4, 5, 4]
    assert closed_hyperbolic(3, 7, 1740).attrs["surface"] == "PSL(2,29) #2"
    assert closed_hyperbolic(3, 7, 24).attrs["surface"] == "klein"  # the same map as PSL(2,7) #1
    assert closed_hyperbolic(5, 4, 6090).attrs["surface"] == "PGL(2,29) #1"


PAIRS = [(3, 7), (7, 3), (3, 8), (8, 3), (4, 5), (5, 4), (4, 6), (6, 4), (5, 5), (6, 6), (8, 8), (3, 10), (7, 4)]


@pytest.mark.parametrize(("p", "q", "n_max"), [(5, 4, 9_000), (6, 4, 3_000), (8, 3, 5_000), (4, 6, 3_000)])
def test_radius_rule_against_a_plain_search(p, q, n_max):
    maps = list(quotients(p, q, q * n_max))
    for quotient in maps:
        radius = injectivity_radius(quotient)
        best = max(injectivity_radius(rival) for rival in maps if rival.n_sites <= quotient.n_sites)
        objection = radius_objection(quotient)
        if quotient.n_sites >= 1_000 and 3 * radius < 2 * best:
            assert f"radius {radius}, below 2/3 of the {best} of" in objection
        else:
            assert objection is None


def check_sizes(p, q, n_max, n_min=1):
    """Every listed size is built: the checks of closed_map hold, and the graph is simple, of degree q, connected."""
    table = {row.n_sites: row for row in map_table(p, q, n_max)}
    assert list(table) == available_sizes(p, q, n_max)
    for n_sites, row in table.items():
        lattice = map_lattice(find_size(p, q, n_sites))
        assert (lattice.n_sites, lattice.attrs["surface"]) == (n_sites, row.surface)
        assert lattice.name == f"closed_hyperbolic({p},{q},{n_sites})"
        graph = nx.Graph(lattice.bonds.tolist())
        assert graph.number_of_nodes() == n_sites
        assert {degree for _, degree in graph.degree} == {q}
        assert nx.is_connected(graph)
        assert nx.is_bipartite(graph) == row.bipartite
        assert n_sites - lattice.n_bonds + lattice.attrs["n_faces"] == 2 - 2 * row.genus
        assert row.second_eigenvalue < q - 1e-6
        if row.admitted:
            assert closed_hyperbolic(p, q, n_sites=n_sites).attrs == lattice.attrs
        else:
            with pytest.raises(ValueError, match="below 2/3 of the"):
                closed_hyperbolic(p, q, n_sites=n_sites)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_every_small_size_is_built(p, q):
    check_sizes(p, q, 260)


@pytest.mark.validate
@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_every_size_is_built(p, q):
    check_sizes(p, q, 5_000)


def test_the_table_is_printed(capsys):
    assert main(["maps", "--pq", "5", "4", "--n-max", "100", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "  sites  genus  radius  lambda_2  bipartite  names  surface",
        "     30      4       2    2.0000  no             2  bring",
        "     40      5       1    2.8284  no             1  T5.3",
    ]
    assert main(["maps", "--pq", "4", "4", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Euclidean" in captured.err
    assert main(["maps", "--pq", "10", "3", "--n-max", "300", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    expected = "no closed {10,3} map of at most 300 sites is known; the nearest available sizes: 440"
    assert captured.err.strip() == f"ceas: {expected}"
    with pytest.raises(SystemExit):
        main(["maps", "--pq", "5", "4", "--seed", "1"])  # nothing there is random


def test_names_of_one_size_are_counted():
    rows = {row.n_sites: row for row in map_table(3, 7, 200)}
    assert rows[156].n_names == sum(quotient.n_sites == 156 for quotient in quotients(3, 7, 1092)) == 3
    assert {row.surface: row.n_names for row in map_table(3, 7, 50)} == {"klein": 2, "klein x2": 1}  # and PSL(2,7) #1


def test_the_facts_of_a_lift_and_of_two_colours_travel_with_the_data(tmp_path):
    lattice = closed_hyperbolic(4, 5, surface="bring x2")
    assert "group_order" not in lattice.attrs
    schedule = Schedule(warmup=2, draws=4)
    data = sample(ferromagnet(lattice), 0.1, schedule, chains=2, update="swendsen_wang", progress=False)
    data.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "run.nc") as kept:
        assert kept.attrs["lattice_bipartite"] == 1
        assert kept.attrs["lattice_surface"] == "bring x2"


@pytest.mark.parametrize(("p", "q", "n_sites", "best"), [(5, 4, 8610, "6 of"), (4, 5, 6888, "5 of")])
def test_small_radius_is_refused_with_both_maps_named(p, q, n_sites, best):
    with pytest.raises(ValueError, match=f"{n_sites} sites has injectivity radius 3, below 2/3 of the {best}"):
        closed_hyperbolic(p, q, surface="PSL(2,41) #1")
    assert admitted(p, q, "PSL(2,41) #1").n_sites == n_sites
    assert closed_hyperbolic(p, q, n_sites=n_sites).attrs["surface"] == "PSL(2,41) #2"  # the better map of that size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p": 4, "q": 4, "n_sites": 16}, "{4,4} is Euclidean"),
        ({"p": 3, "q": 6, "n_sites": 16}, "{3,6} is Euclidean"),
        ({"p": 3, "q": 5, "n_sites": 12}, "{3,5} is spherical"),
        ({"p": 2, "q": 7, "n_sites": 12}, "p must be an integer >= 3, got 2"),
        ({"p": 5.0, "q": 4, "n_sites": 30}, "p must be an integer >= 3, got 5.0"),
        ({"p": 5, "q": 4}, "exactly one of n_sites and surface"),
        ({"p": 5, "q": 4, "n_sites": 30, "surface": "bring"}, "exactly one of n_sites and surface"),
        ({"p": 5, "q": 4, "n_sites": 30.0}, "n_sites must be an integer >= 1"),
        ({"p": 5, "q": 4, "n_sites": 0}, "n_sites must be an integer >= 1"),
        ({"p": 5, "q": 4, "n_sites": 1709}, "nearest available sizes: 1440 and 1710"),
        ({"p": 5, "q": 4, "n_sites": 2**31 + 1}, "n_sites must be an integer >= 1, at most 1000000, got 2147483649"),
        ({"p": 5, "q": 4, "n_sites": True}, "n_sites must be an integer >= 1"),
        ({"p": 6, "q": 4, "n_sites": 1710}, "has injectivity radius 2, below 2/3 of the 5 of 'PGL(2,17) #1'"),
        ({"p": 5, "q": 4, "n_sites": 2}, "nearest available sizes: 30"),
        ({"p": 10, "q": 3, "n_sites": 100}, "nearest available sizes: 440"),
        ({"p": 3, "q": 1000, "n_sites": 100}, "no closed {3,1000} map of at most 1000000 sites is known"),
        ({"p": 3, "q": 7, "surface": "klein x3"}, "no lift x3 of the {3,7} map 'klein'; its lifts, of at most"),
        ({"p": 3, "q": 7, "surface": "klein x3"}, "10000 sites and genus 2000: x2, x4, x8"),
        ({"p": 3, "q": 7, "surface": "PSL(2,43) #1 x2"}, "of at most 10000 sites and genus 2000: none"),
        ({"p": 3, "q": 7, "surface": 3}, "surface must be a name such as 'klein' or 'PSL(2,13) #2', got 3"),
        ({"p": 3, "q": 7, "surface": "PSL(2,13)"}, "did you mean 'PSL(2,13) #1' or 'PSL(2,13) #2' or 'PSL(2,13) #3'?"),
        ({"p": 3, "q": 7, "surface": "PSL(2,43) 1"}, "did you mean 'PSL(2,43) #1'"),
        ({"p": 3, "q": 7, "surface": "kleen x2"}, "no surface 'kleen' of {3,7} is known; did you mean 'klein'?"),
        ({"p": 3, "q": 7, "surface": "PSL(2,251) #1"}, "would have 1129500 sites, more than the limit of 1000000"),
        ({"p": 3, "q": 1000, "surface": "klein"}, "no closed {3,1000} map of at most 1000000 sites is known"),
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
    assert closed_hyperbolic(3, 7, surface="KLEIN X2").attrs["surface"] == "klein x2"


def test_bonds_are_the_same_every_time():
    digests = []
    for _ in range(2):
        closed_map.cache_clear()
        lattices = closed_hyperbolic(3, 7, 24), closed_hyperbolic(5, 4, 1710)
        digests.append([hashlib.sha256(lattice.bonds.astype("<i4").tobytes()).hexdigest()[:16] for lattice in lattices])
    assert digests[0] == digests[1] == ["e10a984c521c4323", "c979881240758d36"]
