"""Double covers of closed maps: homology, the choice of a class against all classes, towers."""

import json
from itertools import accumulate, product
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from ising.spectrum import adjacency_matrix, second_eigenvalue
from ising.tilings import closed_hyperbolic, lifts, sphere_sizes
from ising.tilings.catalog import find_name
from ising.tilings.closed import map_lattice
from ising.tilings.darts import Quotient
from ising.tilings.homology import Coset, homology_labels, solve, unpack_bits
from ising.tilings.lifts import best_signs, double_cover, fewest_bad, lift
from ising.tilings.surface import closed_map, orbits

BASES = [(3, 7, "klein"), (4, 5, "bring"), (5, 4, "bring"), (3, 8, "bolza"), (8, 3, "bolza"), (8, 8, "T2.6")]
KLEIN = find_name(3, 7, "klein")  # any map: the covers are no regular maps
DATA = json.loads((Path(__file__).parent / "data" / "closed_maps.json").read_text())


def base_labels(p, q, surface):
    """The darts of a map and the 2g label bits of every dart."""
    darts = find_name(p, q, surface).build()
    vertex, corners = orbits(darts.z, q, "vertices")
    labels = homology_labels(darts, vertex, corners, p, q)
    genus = closed_map(find_name(p, q, surface)).genus
    return darts, unpack_bits(labels, 2 * genus)


def as_map(p, q, darts):
    return closed_map.__wrapped__(Quotient(p, q, "cover", darts.x.size, lambda: darts, base=KLEIN))


def plain_radii(bonds, n_sites, p, q):
    """How far the ball round every site is full, by networkx."""
    graph = nx.Graph(bonds.tolist())
    balls = [ball for ball, _ in zip(accumulate(sphere_sizes(p, q)), range(30))]
    radii = []
    for site in range(n_sites):
        distance = np.array(list(nx.single_source_shortest_path_length(graph, site).values()))
        full = [int((distance <= r).sum()) == balls[r] for r in range(30)]
        radii.append(full.index(False) - 1)
    return np.array(radii)


@pytest.mark.parametrize(("p", "q", "surface"), BASES)
def test_labels_are_a_basis_of_the_first_cohomology(p, q, surface):
    darts, labels = base_labels(p, q, surface)
    assert (labels[darts.x] == labels).all()
    around, dart = labels.copy(), darts.y
    for _ in range(p - 1):
        around ^= labels[dart]
        dart = darts.y[dart]
    assert not around.any()  # the sum round every face is zero
    for bits in product((0, 1), repeat=min(labels.shape[1], 8)):
        chosen = np.resize(bits, labels.shape[1])
        cover = double_cover(darts, (labels @ chosen % 2).astype(np.uint8))
        if chosen.any():
            assert as_map(p, q, cover).genus == 2 * (labels.shape[1] // 2) - 1  # 2 (g - 1) = 2 (2 (g0 - 1))
        else:
            with pytest.raises(ValueError, match="connected"):
                as_map(p, q, cover)


@pytest.mark.parametrize(("p", "q", "surface"), BASES[:5])
def test_the_chosen_class_is_the_best_of_all(p, q, surface):
    darts, labels = base_labels(p, q, surface)
    found = []
    for bits in product((0, 1), repeat=labels.shape[1]):
        if any(bits):
            cover = as_map(p, q, double_cover(darts, (labels @ np.array(bits) % 2).astype(np.uint8)))
            found.append((cover.radius, -cover.n_smallest))
    chosen = as_map(p, q, double_cover(darts, best_signs(p, q, darts)))
    assert (chosen.radius, -chosen.n_smallest) == max(found)
    assert len(found) == 2 ** labels.shape[1] - 1


def test_the_best_class_is_better_than_most():
    darts, labels = base_labels(5, 4, "bring x2")
    rng = np.random.default_rng(0)
    others = [as_map(5, 4, double_cover(darts, (labels @ rng.integers(0, 2, labels.shape[1]) % 2).astype(np.uint8)))
              for _ in range(40)]  # fmt: skip
    chosen = as_map(5, 4, double_cover(darts, best_signs(5, 4, darts)))
    scores = [(other.radius, -other.n_smallest) for other in others]
    assert (chosen.radius, -chosen.n_smallest) >= max(scores) > min(scores)


@pytest.mark.parametrize(("p", "q", "surface"), [(3, 7, "klein x4"), (4, 5, "bring x8"), (8, 3, "bolza x4")])
def test_radius_of_a_lift_is_the_least_of_all_sites(p, q, surface):
    closed = closed_map(find_name(p, q, surface))
    radii = plain_radii(closed.bonds, closed.bonds.max() + 1, p, q)
    assert closed.radius == radii.min()
    assert closed.n_smallest == (radii == radii.min()).sum()


@pytest.mark.parametrize(("p", "q", "surface"), [(3, 7, "klein"), (4, 5, "bring"), (3, 7, "PSL(2,13) #1")])
def test_spectrum_of_a_lift_holds_that_of_the_base(p, q, surface):
    def spectrum(name):
        return np.linalg.eigvalsh(adjacency_matrix(map_lattice(find_name(p, q, name))).toarray())

    base, cover = spectrum(surface), list(spectrum(f"{surface} x2"))
    for value in base:
        nearest = min(cover, key=lambda other: abs(other - value))
        assert abs(nearest - value) < 1e-9
        cover.remove(nearest)
    assert sum(cover) == pytest.approx(0, abs=1e-9)  # the signed adjacency matrix has no diagonal
    assert sum(value**2 for value in cover) == pytest.approx(len(base) * q)
    assert max(cover) < q - 1e-6  # connected


@pytest.mark.parametrize("seed", range(30))
def test_linear_equations_against_all_vectors(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 2, (rng.integers(1, 9), 7), dtype=np.uint8)
    vectors = np.array(list(product((0, 1), repeat=7)))
    solutions = {tuple(vector) for vector in vectors if ((rows @ vector) % 2 == 1).all()}
    found = solve(rows)
    if found is None:
        assert not solutions
    else:
        spanned = product((0, 1), repeat=len(found.basis))
        assert {tuple((found.offset + np.array(c, dtype=int) @ found.basis) % 2) for c in spanned} == solutions


@pytest.mark.parametrize("seed", range(10))
def test_fewest_bad_sites_against_all_classes(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    rows = np.unique(rng.integers(0, 2, (12, 6), dtype=np.uint8), axis=0)
    rows = rows[rows.any(axis=1)]
    which = rng.integers(0, len(rows), 40)
    sites = np.sort(rng.integers(0, 9, 40)).astype(np.int32)

    def bad(vector):
        return len(set(sites[(rows[which] @ vector.astype(int)) % 2 == 0]))

    everything = Coset(np.zeros(6, dtype=np.uint8), np.eye(6, dtype=np.uint8))
    least = min(bad(np.array(vector)) for vector in product((0, 1), repeat=6) if any(vector))
    chosen = fewest_bad(rows, sites, which, 9, everything)
    assert chosen.any()
    assert bad(chosen) == least
    monkeypatch.setattr(lifts, "TRY_ALL_UP_TO", 0)  # the local search finds it too in so small a space
    assert bad(fewest_bad(rows, sites, which, 9, everything)) == least


@pytest.mark.parametrize(
    ("p", "q", "surface", "n_sites", "genus"), [(3, 7, "klein", 24, 3), (4, 5, "bring", 24, 4), (3, 8, "bolza", 6, 2)]
)
def test_towers_double_sites_and_handles(p, q, surface, n_sites, genus):
    radii = []
    for level in range(1, 6):
        closed = closed_map(lift(find_name(p, q, surface), 2**level))
        assert len(closed.bonds) == n_sites * 2**level * q // 2
        assert closed.genus - 1 == (genus - 1) * 2**level
        radii.append(closed.radius)
    assert radii == sorted(radii)  # a lift's balls are no smaller
    assert radii[-1] > radii[0]


@pytest.mark.parametrize("case", DATA["lifts"])
def test_lifts_of_the_reference(case):
    p, q, surface, n_sites, genus, lambda_2 = case
    lattice = closed_hyperbolic(p, q, surface=surface)
    assert (lattice.n_sites, lattice.attrs["genus"]) == (n_sites, genus)
    if lambda_2 is not None:
        assert second_eigenvalue(lattice) == pytest.approx(lambda_2, abs=1e-8)
    assert second_eigenvalue(lattice) < q


def test_a_lift_of_a_map_that_is_not_simple_can_be_simple():
    assert not closed_map(find_name(3, 8, "bolza")).simple
    with pytest.raises(ValueError, match="not a simple graph"):
        closed_hyperbolic(3, 8, surface="bolza x2")
    assert closed_hyperbolic(3, 8, surface="bolza x4").attrs["surface"] == "bolza x4"
    assert closed_hyperbolic(3, 7, surface="T3.1 x2").attrs["surface"] == "klein x2"


def test_towers_are_the_same_every_time():
    bonds = []
    for _ in range(2):
        lifts._packed_signs.cache_clear()
        closed_map.cache_clear()
        bonds.append(closed_hyperbolic(3, 7, surface="klein x16").bonds)
    assert np.array_equal(*bonds)


@pytest.mark.validate
@pytest.mark.parametrize(("p", "q", "surface"), [(3, 7, "klein"), (5, 4, "bring"), (8, 8, "PGL(2,7) #1")])
def test_towers_to_their_last_floor(p, q, surface):
    base = find_name(p, q, surface)
    for cover in lifts.tower(base, 10**6):
        closed = closed_map(cover)
        assert closed.simple
        assert closed.genus - 1 == (closed_map(base).genus - 1) * cover.order // base.order
