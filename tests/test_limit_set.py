"""The dimension of limit sets: tabulated digits, limits, and counting of orbits."""

import json
from math import pi, radians
from pathlib import Path

import numpy as np
import pytest

import ising
from ising.tilings import limit_set
from ising.tilings.limit_set import funnel_dimension, funnel_distances, orbital_dimension, tiling_dimension

DATA = json.loads((Path(__file__).parent / "data" / "hyperbolic_exact.json").read_text())["limit_set"]


@pytest.mark.parametrize(("n", "degrees", "delta"), DATA)
def test_tabulated(n, degrees, delta, monkeypatch):
    ours = funnel_dimension(n, radians(degrees))
    assert ours == pytest.approx(delta, abs=4e-9 if degrees == 110 else 1e-11)  # the digits given
    monkeypatch.setattr(limit_set, "NODES", 100)
    assert funnel_dimension(n, radians(degrees)) == pytest.approx(ours, abs=1e-12)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_narrow_arcs(n):
    """In narrow arcs L_s is the sum of (tan(opening / 2) / (2 sin(pi k / n)))^(2 s) to leading order."""
    opening = 1e-4
    k = np.arange(1, n)
    s = funnel_dimension(n, opening)
    assert ((np.tan(opening / 2) / (2 * np.sin(pi * k / n))) ** (2 * s)).sum() == pytest.approx(1, abs=1e-6)


def test_wider_arcs_have_larger_limit_sets():
    openings = np.linspace(0.1, 0.98, 12) * 2 * pi / 3
    delta = [funnel_dimension(3, opening) for opening in openings]
    assert (np.diff(delta) > 0).all()
    assert 0.85 < delta[-1] < 1


@pytest.mark.parametrize(("n", "degrees", "radius"), [(3, 60, 38.0), (3, 110, 17.0), (4, 60, 24.0)])
def test_orbits_of_funnel_groups(n, degrees, radius):
    delta = funnel_dimension(n, radians(degrees))
    distances = funnel_distances(n, radians(degrees), radius)
    assert orbital_dimension(distances, radius) == pytest.approx(delta, abs=0.5 / radius)
    assert delta + 0.5 / radius < 1  # the tolerance tells it from a tiling


def test_words_of_two_letters():
    """The images under one reflection lie at twice the distance of its geodesic."""
    distances = funnel_distances(4, 1.0, 12.0)
    assert distances[0] == 0
    np.testing.assert_allclose(distances[1:5], 2 * np.arccosh(1 / np.sin(0.5)), rtol=1e-13)
    assert np.count_nonzero(distances[5:] <= distances[1] * (2 + 1e-12)) == 4 * 3  # equal for opposite geodesics


@pytest.mark.parametrize(("p", "q", "layers"), [(3, 7, 8), (5, 4, 10), (7, 3, 20)])
def test_tilings_fill_the_circle(p, q, layers):
    patch = ising.hyperbolic(p, q, layers)
    distances = 2 * np.arctanh(np.hypot(*patch.coordinates.T))
    complete = distances[patch.layer == layers].min()
    assert orbital_dimension(distances, complete) == pytest.approx(1, abs=0.5 / complete)
    assert tiling_dimension(p, q) == 1


def test_refusals():
    with pytest.raises(ValueError, match=r"opening must be between 0 and 2 pi / 3 = 2\.094395 radians, got 2\.1"):
        funnel_dimension(3, 2.1)
    with pytest.raises(ValueError, match="n must be an integer >= 3, got 2"):
        funnel_distances(2, 0.5, 3.0)
    with pytest.raises(ValueError, match="no point within radius / 2 = 2"):
        orbital_dimension([3.0], 4.0)
    with pytest.raises(ValueError, match="Euclidean"):
        tiling_dimension(4, 4)
