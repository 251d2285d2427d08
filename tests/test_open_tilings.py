"""Open patches of {p,q}: exact layers, exact edges, hypertiling's neighbours, trimming, refusals."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

import ising
from ising.tilings import area_per_site, edge_length, growth_rate, sphere_sizes
from ising.tilings.frames import _constants
from ising.tilings.growth import layer_sizes
from ising.tilings.kernels_frames import advance, locate
from ising.tilings.kernels_patch import grow_layer

REFERENCE = json.loads((Path(__file__).parent / "data" / "infinite_tilings.json").read_text())
REFERENCE.pop("source")
PAIRS = [
    *[(3, 7), (7, 3), (5, 4), (4, 5), (8, 3), (3, 8), (5, 5), (6, 4), (4, 6), (6, 6), (8, 8), (10, 3), (7, 4), (4, 7)],
    *[(3, 12), (12, 3), (9, 3), (11, 3), (13, 3), (7, 5), (9, 4), (3, 30), (30, 3), (31, 3)],
]
CENTERS = ["site", "cell"]


def patch(p, q, center="site", n_sites=3_200):
    """The largest patch with at most n_sites sites, or the smallest there is."""
    cumulative = np.cumsum(list(islice(layer_sizes(p, q, center), 60)), dtype=float)
    return ising.hyperbolic(p, q, max(1, int((cumulative <= n_sites).sum()) - 1), center)


def graph(lattice):
    ends = lattice.bonds.T
    return sparse.coo_array((np.ones(lattice.n_bonds), ends), (lattice.n_sites, lattice.n_sites)).tocsr()


@pytest.mark.parametrize("pq", REFERENCE)
def test_infinite_lattice_against_reference(pq):
    p, q = map(int, pq.split(","))
    known = REFERENCE[pq]
    assert list(islice(sphere_sizes(p, q), len(known["sphere_sizes"]))) == known["sphere_sizes"]
    assert growth_rate(p, q) == pytest.approx(known["growth_rate"], rel=1e-12)
    if "edge_length" in known:
        assert edge_length(p, q) == pytest.approx(known["edge_length"], rel=1e-13)
        assert area_per_site(p, q) == pytest.approx(known["area_per_site"], rel=1e-13)


def test_growth_rate_is_the_limit_of_the_spheres():
    for p, q in PAIRS:
        last, next_one = list(islice(sphere_sizes(p, q), 1_002))[-2:]  # exact integers
        assert growth_rate(p, q) == pytest.approx(
            next_one / last if last < 1e300 else (next_one * 10**18 // last) / 1e18
        )


def test_spheres_refuse_at_once_what_is_not_hyperbolic():
    for p, q in ((4, 4), (3, 5), (2, 9)):
        with pytest.raises(ValueError, match=r"Euclidean|spherical|>= 3"):
            sphere_sizes(p, q)


def test_layers_by_unfinished_faces_equal_the_growth_series():
    """Two independent ways to the same integers, every hyperbolic {p,q} with p, q <= 14."""
    for p in range(3, 15):
        for q in range(3, 15):
            if (p - 2) * (q - 2) > 4:
                assert list(islice(layer_sizes(p, q, "site"), 40)) == list(islice(sphere_sizes(p, q), 40))


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_patch_is_a_ball_of_the_tiling(p, q, center):
    lattice = patch(p, q, center)
    layers, faces = lattice.attrs["layers"], lattice.faces
    if center == "site":
        assert np.bincount(lattice.layer).tolist() == list(islice(sphere_sizes(p, q), layers + 1))
    one_way = graph(lattice)
    both_ways = one_way + one_way.T
    assert both_ways.max() == 1  # no bond twice
    first = np.flatnonzero(lattice.layer == 0)
    assert len(first) == (1 if center == "site" else p)
    distance = dijkstra(both_ways, indices=first, unweighted=True, min_only=True)
    assert (distance == lattice.layer).all()
    assert (lattice.degree[lattice.layer < layers] == q).all()
    assert (lattice.degree[lattice.layer == layers] < q).all()
    assert lattice.n_sites - lattice.n_bonds + len(faces) == 1  # Euler: a disk
    corners = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    assert len(faces) == 0 or both_ways[corners[:, 0], corners[:, 1]].min() == 1
    assert len(np.unique(np.sort(faces, axis=1), axis=0)) == len(faces)
    assert lattice.dimension == "mean_field"
    assert (lattice.attrs["p"], lattice.attrs["q"], lattice.attrs["center"]) == (p, q, center)


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_coordinates_are_those_of_the_tiling(p, q, center):
    """Edges of the exact length, corners of the exact angle, sites in order of their angle, faces counterclockwise."""
    lattice = patch(p, q, center)
    z, (one, other) = lattice.positions.z, lattice.bonds.T
    assert np.abs(lattice.positions.distance(one, other) - edge_length(p, q)).max() < 1e-13
    inner = np.flatnonzero(lattice.degree == q)[:300, None]
    around = z[lattice.neighbors[inner[:, 0]]]
    seen = np.sort(np.angle((around - z[inner]) / (1 - np.conj(z[inner]) * around)), axis=1)
    assert np.abs(np.diff(seen) - 2 * np.pi / q).max(initial=0) < 1e-10
    for layer in range(1, lattice.attrs["layers"] + 1):
        angles = np.angle(z[lattice.layer == layer])
        angles[angles < -1e-12] += 2 * np.pi
        assert (np.diff(angles) > 0).all()
    faces = z[lattice.faces]
    area = (np.conj(faces) * np.roll(faces, -1, axis=1)).imag.sum(axis=1)
    assert (area > 0).all()


@pytest.mark.parametrize(
    ("p", "q", "layers", "plain"), [(7, 3, 27, 1e-9), (3, 7, 13, 1e-9), (5, 4, 15, 1e-9), (8, 8, 7, None)]
)
def test_edges_of_a_million_sites(p, q, layers, plain):
    lattice = ising.hyperbolic(p, q, layers)
    assert lattice.n_sites > 1_000_000
    one, other = lattice.bonds.T
    length = edge_length(p, q)
    assert np.abs(lattice.positions.distance(one, other) - length).max() < 1e-13
    z = lattice.coordinates.view(np.complex128)[:, 0]
    error = np.abs(ising.disk.distance(z[one], z[other]) - length).max()
    if plain:
        assert error < plain
    else:
        assert error > 1e-8  # negative control: the rim of {8,8} needs the second double
    gap = lattice.positions.gap
    assert np.abs((1 - np.abs(z)) * (1 + np.abs(z)) - gap).max() < 1e-15
    assert gap.min() > 0


@pytest.mark.parametrize(("p", "q", "layers", "their_layers"), [(3, 7, 5, 6), (7, 3, 8, 7), (5, 4, 4, 5)])
def test_neighbors_agree_with_hypertiling(p, q, layers, their_layers):
    """hypertiling's (q, p) graph of cells is our {p,q}; the static rotational kernel of 1.5.1 works with numpy 2."""
    from hypertiling import HyperbolicTiling

    tiling = HyperbolicTiling(q, p, their_layers, kernel="SRS")
    cells = np.array([tiling.get_center(i) for i in range(len(tiling))])
    lattice = ising.hyperbolic(p, q, layers)
    nearest = cells[1:][np.abs(cells[1:]).argmin()]
    z = lattice.positions.z * nearest / abs(nearest)
    offset, cell = KDTree(np.stack([cells.real, cells.imag], axis=1)).query(np.stack([z.real, z.imag], axis=1))
    assert offset.max() < 1e-8
    assert len(np.unique(cell)) == lattice.n_sites
    theirs = tiling.get_nbrs_list()
    ours = dict(zip(cell.tolist(), range(lattice.n_sites)))
    for site, row in enumerate(lattice.neighbors):
        expected = {ours[int(other)] for other in theirs[cell[site]] if int(other) in ours}
        assert set(row[row >= 0].tolist()) == expected


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize(("p", "q"), [(7, 3), (3, 7), (5, 4), (8, 3), (12, 3)])
def test_trimming_leaves_the_union_of_complete_faces(p, q, center):
    whole = patch(p, q, center, 2_000)
    trimmed = ising.hyperbolic(p, q, whole.attrs["layers"], center, trim=True)
    assert len(trimmed.faces) == len(whole.faces)
    assert np.unique(trimmed.faces).tolist() == list(range(trimmed.n_sites))
    assert trimmed.degree.min() >= 2
    assert trimmed.n_sites - trimmed.n_bonds + len(trimmed.faces) == 1
    kept = np.unique(whole.faces)
    assert (trimmed.layer == whole.layer[kept]).all()
    assert (trimmed.coordinates == whole.coordinates[kept]).all()
    assert np.abs(trimmed.positions.distance(*trimmed.bonds.T) - edge_length(p, q)).max() < 1e-13


def test_dangling_ends_before_trimming():
    whole = ising.hyperbolic(7, 3, 9)
    trimmed = ising.hyperbolic(7, 3, 9, trim=True)
    assert whole.degree.min() == 1
    assert trimmed.n_sites < whole.n_sites
    assert trimmed.name == "hyperbolic(7, 3, 9, trimmed)"


def test_rim_distance_labels_bulk_and_boundary():
    whole = ising.hyperbolic(5, 4, 6)
    assert (whole.rim_distance == 6 - whole.layer).all()
    trimmed = ising.hyperbolic(7, 3, 9, trim=True)
    distance = trimmed.rim_distance
    assert ((distance == 0) == (trimmed.degree < 3)).all()
    around = np.where(trimmed.neighbors >= 0, distance[trimmed.neighbors], 99).min(axis=1)
    assert (around[distance > 0] == distance[distance > 0] - 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 4, 3), "Euclidean"),
        ((3, 6, 3), "Euclidean"),
        ((3, 5, 3), "spherical"),
        ((2, 9, 3), ">= 3"),
        ((7.0, 3, 3), "p must be an integer"),
        ((7, 3, 0), "layers must be an integer >= 1"),
        ((7, 3, 2.5), "layers must be an integer"),
        ((7, 3, True), "layers must be an integer"),
        ((7, 3, 3, "face"), "center must be one of 'site', 'cell'"),
        ((7, 3, 60), "at most layers=43"),
        ((3, 7, 10**9), r"more than 2\^31"),
        ((8, 8, 11, "cell"), r"more than 2\^31"),
        ((3, 2**31, 1), "at most 2147483647"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        ising.hyperbolic(*arguments)


def test_largest_patch_is_admitted_and_costs_nothing_until_used():
    assert ising.hyperbolic(7, 3, 43).n_sites < 2**31
    with pytest.raises(ValueError, match=r"no face of .12,3. is complete with layers=5; take 6"):
        ising.hyperbolic(12, 3, 5, trim=True)
    assert len(ising.hyperbolic(12, 3, 6, trim=True).faces) == 3


def test_compiled_equals_plain():
    frames, turns, step = _constants(5, 4, True)
    children = np.zeros(3, dtype=np.int32), np.arange(1, 4, dtype=np.int32)
    outcomes = []
    for place, move in ((locate, advance), (locate.py_func, advance.py_func)):
        moved, z, residual, gap = np.empty((3, 8)), np.empty(3, complex), np.empty(3, complex), np.empty(3)
        move(frames, *children, turns, step, moved)
        place(moved, z, residual, gap)
        outcomes.append([moved, z, residual, gap])
    assert all((ours == plain).all() for ours, plain in zip(*outcomes))
    gap, n_children = np.array([2, 3, 2, 5], dtype=np.int32), np.array([3, 1, 2, 2], dtype=np.int32)
    closes = np.array([False, True, False, False])
    grown = []
    for grow in (grow_layer, grow_layer.py_func):
        rows = [np.zeros(6, dtype=np.int32) for _ in range(4)]
        grow(5, 10, 1, gap, n_children, closes, *rows)
        grown.append(rows)
    assert all((ours == plain).all() for ours, plain in zip(*grown))


def test_open_patch_is_sampled():
    """With no complete face the patch is a tree, and <s_i s_j> = tanh beta on every bond."""
    model = ising.ferromagnet(ising.hyperbolic(20, 3, 6))
    schedule = ising.Schedule(warmup=100, draws=400)
    data = ising.sample(model, 0.7, schedule, seed=3, progress=False)
    per_chain = data.energy.mean("draw").values.ravel()
    exact = -np.tanh(0.7) * model.lattice.n_bonds / model.lattice.n_sites
    error = per_chain.std(ddof=1) / np.sqrt(per_chain.size)
    assert abs(per_chain.mean() - exact) < 5 * error
