"""The growth of the rings of {p,q} and the bounds on the norm of its adjacency matrix."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import ising
from ising.spectrum import adjacency_norm
from ising.tilings import growth_rate, sphere_sizes
from ising.tilings.cone_types import gap_over, next_ring, windows
from ising.tilings.norm import REACH, neighborhoods, norm_bounds

DATA = json.loads((Path(__file__).parent / "data" / "hyperbolic_exact.json").read_text())["adjacency_norm"]
PAIRS = [tuple(map(int, key.split(","))) for key in DATA]


def _rings(p, q, count):
    """The cyclic words of the rings 1, 2, ...: each without its last gap, which is its first."""
    ring = (gap_over(p - 2, p), 1) * q
    for _ in range(count):
        yield ring
        n_sites = len(ring) // 2
        word, parents = next_ring(ring * 3 + ring[:1], p, q)
        turn = [site for site, its in enumerate(parents) if n_sites <= its[0] < 2 * n_sites]
        ring = tuple(number for site in turn for number in word[2 * site : 2 * site + 2])


@pytest.mark.parametrize(("p", "q"), [*PAIRS, (7, 4), (4, 7), (12, 3), (3, 12)])
def test_rings_have_as_many_sites_as_spheres(p, q):
    layers = 14 if q == 3 else 4
    sizes = list(islice(sphere_sizes(p, q), 1, layers + 1))
    assert [len(ring) // 2 for ring in _rings(p, q, layers)] == sizes


@pytest.mark.parametrize(("p", "q", "layers"), [(3, 7, 6), (7, 3, 14), (5, 4, 8), (4, 5, 6), (5, 5, 5), (8, 3, 12)])
def test_rings_match_an_open_tiling_site_by_site(p, q, layers):
    patch = ising.hyperbolic(p, q, layers)
    angle = np.arctan2(*patch.coordinates.T[::-1])
    steps = np.where(patch.neighbors >= 0, patch.layer[patch.neighbors] - patch.layer[:, None], 2)
    for n, ring in enumerate(_rings(p, q, layers), start=1):
        sites = np.flatnonzero(patch.layer == n)
        sites = sites[np.argsort(angle[sites])]
        here = list(zip((steps[sites] == -1).sum(axis=1), (steps[sites] == 0).sum(axis=1), strict=True))
        gaps, downs = np.array(ring[::2]), ring[1::2]
        theirs = list(zip(downs, (gaps < 0).astype(int) + (np.roll(gaps, -1) < 0), strict=True))
        turned = "".join(f"{int(d)}{int(s)} " for d, s in here)
        assert turned in "".join(f"{int(d)}{int(s)} " for d, s in theirs * 2)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_windows_grow_at_the_rate_of_the_spheres(p, q):
    followers = windows(p, q, 2)
    place = {window: k for k, window in enumerate(followers)}
    substitution = np.zeros((len(place), len(place)))
    for window, children in followers.items():
        np.add.at(substitution, ([place[child] for child in children], place[window]), 1)
    assert np.linalg.eigvals(substitution).real.max() == pytest.approx(growth_rate(p, q), rel=1e-12)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_every_neighborhood_is_complete(p, q):
    found = neighborhoods(p, q)
    assert all(len(neighbors) == q for _, neighbors in found)
    types = {center for center, _ in found}
    assert {other for _, neighbors in found for _, other in neighbors} == types
    assert {len(one) for one in types} == {0, 4 * REACH + 3}


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_bounds(p, q):
    """Inside the bounds found before, above the tree's norm and a patch's, at most 0.5 % apart."""
    lower, upper = norm_bounds(p, q)
    before = DATA[f"{p},{q}"]
    assert before[0] <= lower < upper <= before[1]
    assert upper - lower < 0.005 * lower
    assert lower > 2 * np.sqrt(q - 1)


def test_surface_group_of_genus_two():
    """8 times the spectral radius of the simple random walk, 0.662772 to 0.662816 (Gouezel 2015)."""
    lower, upper = norm_bounds(8, 8)
    assert lower < 8 * 0.662772
    assert 8 * 0.662772 < upper < 8 * 0.66283


@pytest.mark.parametrize(("p", "q", "layers"), [(3, 7, (4, 8)), (5, 4, (6, 10)), (7, 3, (10, 16))])
def test_patches_approach_from_below(p, q, layers):
    """lambda_max of a patch of R layers is short of the norm by c / (R + a)^2."""
    small, large = (adjacency_norm(ising.hyperbolic(p, q, R)) for R in layers)
    lower, upper = norm_bounds(p, q)
    assert small < large < lower
    for norm in (lower, upper):
        slope = np.diff([1 / np.sqrt(norm - value) for value in (small, large)])[0] / (layers[1] - layers[0])
        outer = 1 / np.sqrt(norm - adjacency_norm(ising.hyperbolic(p, q, layers[0] // 2 + layers[1] // 2)))
        middle = (1 / np.sqrt(norm - small) + 1 / np.sqrt(norm - large)) / 2
        assert slope > 0
        assert outer == pytest.approx(middle, rel=0.02)


def test_the_tree_is_the_limit_of_many_sides():
    lower, upper = norm_bounds(24, 3)
    assert 2 * np.sqrt(2) <= lower < upper < 2 * np.sqrt(2) + 1e-3


def test_refusals():
    with pytest.raises(ValueError, match="Euclidean"):
        norm_bounds(4, 4)
