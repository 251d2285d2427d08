"""The Poincare disk: isometries, distances, geodesics, the tiling's own motions."""

import numpy as np
import pytest

import ising
from ising import disk
from ising.tilings import Positions, edge_length
from ising.tilings.frames import _constants

RNG = np.random.default_rng(7)
POINTS = np.sqrt(RNG.uniform(0, 0.98, 200)) * np.exp(2j * np.pi * RNG.uniform(size=200))


def test_distance_from_the_centre_is_twice_artanh():
    assert disk.distance(0, POINTS) == pytest.approx(2 * np.arctanh(np.abs(POINTS)), rel=1e-13)


def test_distance_is_symmetric_and_obeys_the_triangle_inequality():
    a, b, c = POINTS[:60], POINTS[60:120], POINTS[120:180]
    assert disk.distance(a, b) == pytest.approx(disk.distance(b, a), rel=1e-15)
    assert (disk.distance(a, c) <= disk.distance(a, b) + disk.distance(b, c) + 1e-12).all()


def test_moebius_maps_are_isometries():
    moved = disk.moebius(POINTS, 0.6 - 0.3j, 1.1)
    assert (np.abs(moved) < 1).all()
    assert disk.distance(moved[:100], moved[100:]) == pytest.approx(
        disk.distance(POINTS[:100], POINTS[100:]), rel=1e-10
    )
    assert disk.moebius(0, 0.6 - 0.3j, 1.1) == pytest.approx(0.6 - 0.3j)
    back = disk.moebius(disk.moebius(POINTS, 0.4j), -0.4j)
    assert np.abs(back - POINTS).max() < 1e-14
    assert np.abs(np.abs(disk.moebius(np.exp(1j * np.arange(7)), 0.9)) - 1).max() < 1e-14  # the rim stays the rim


def test_a_euclidean_shift_is_no_isometry():
    a, b = 0.3 * POINTS[:100], 0.3 * POINTS[100:]
    assert np.abs(disk.distance(a + 0.3, b + 0.3) - disk.distance(a, b)).max() > 0.1


def test_geodesics_have_equal_steps_and_the_length_of_the_distance():
    one, other = POINTS[:50], POINTS[50:100]
    path = disk.geodesic(one, other, 9)
    assert path.shape == (50, 9)
    assert np.abs(path[:, 0] - one).max() < 1e-14
    assert np.abs(path[:, -1] - other).max() < 1e-12
    steps = disk.distance(path[:, 1:], path[:, :-1])
    assert steps.sum(axis=1) == pytest.approx(disk.distance(one, other), rel=1e-10)
    assert np.ptp(steps, axis=1).max() < 1e-9
    assert np.abs(disk.geodesic(0.5, 0.5, 4) - 0.5).max() < 1e-15


def test_geodesics_are_circles_perpendicular_to_the_rim():
    """A point z of the circle about c that meets the unit circle at right angles has |z - c|^2 = |c|^2 - 1."""
    x, y = disk.geodesic(0.7, 0.7j, 5)[[1, 3]]
    center = (1 + 1j) * (1 + 0.49) / (2 * 0.7)  # by symmetry on the diagonal, through 0.7: 0.49 + 1 = 2 Re(c) 0.7
    center = center.real * (1 + 1j)
    for point in (x, y):
        assert abs(point - center) ** 2 == pytest.approx(abs(center) ** 2 - 1, rel=1e-12)


@pytest.mark.parametrize(("p", "q"), [(7, 3), (3, 7), (5, 4), (8, 8), (5, 5), (10, 3)])
def test_translations_map_the_tiling_to_itself(p, q):
    """The moved ball of radius 3 lies in the ball of radius 4, site on site and bond on bond."""
    small, large = ising.hyperbolic(p, q, 3), ising.hyperbolic(p, q, 4)
    target = large.positions.z
    bonds = {tuple(bond) for bond in large.bonds.tolist()}
    for k in (0, 1, q - 1):
        motion = disk.translation(p, q, k)
        site, error = match(disk.moebius(small.positions.z, *motion), target)
        assert error < 1e-9
        assert site[0] == 1 + k
        assert len(set(site.tolist())) == small.n_sites
        assert {tuple(sorted(bond)) for bond in site[small.bonds].tolist()} <= bonds
    a, theta = disk.translation(p, q)
    off = match(disk.moebius(small.positions.z, a, theta + 1.0 / q), target)[1]
    assert off > 1e-3  # negative control: another angle breaks the tiling
    assert disk.distance(0, a) == pytest.approx(edge_length(p, q), rel=1e-13)


def match(points, target):
    nearest = np.abs(points[:, None] - target).argmin(axis=1)
    return nearest, disk.distance(points, target[nearest]).max()


def test_positions_tell_apart_what_doubles_cannot():
    """Two points 1e-10 apart (hyperbolic) at a distance of 30 from the centre round to one double."""
    gap = 4 * np.exp(-30.0)
    z = np.array([np.sqrt(1 - gap), np.sqrt(1 - gap)], dtype=complex)
    positions = Positions(z, np.array([0, 0.5e-10j * gap]), np.array([gap, gap]))
    assert positions.distance(0, 1) == pytest.approx(1e-10, rel=1e-9)
    assert positions[[1, 0]].distance(0, 1) == positions.distance(1, 0)
    assert len(positions[:1].z) == 1


def test_neighbours_are_numbered_modulo_q():
    assert disk.translation(7, 3, np.int64(4)) == disk.translation(7, 3, 1) == disk.translation(7, 3, -2)


def test_constants_of_many_neighbours_and_sides():
    """Angles by repeated rotation keep twice the digits of a double."""
    turns = _constants(3, 5_000, True)[1]
    angles = np.pi * np.arange(5_001) / 5_000
    assert np.abs(turns[:, ::2] - np.stack([np.cos(angles), np.sin(angles)], axis=1)).max() < 1e-15
    assert abs(turns[-1, 0] + 1) + abs(turns[-1, 2]) + np.abs(turns[-1, 1::2]).max() < 1e-45  # half a turn: (-1, 0)


CALLS = {
    "moebius": lambda z: disk.moebius(z, 0.1),
    "moebius to": lambda z: disk.moebius(0.1, z),
    "distance": lambda z: disk.distance(0.0, z),
    "geodesic": lambda z: disk.geodesic(z, 0.0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_points_are_complex_numbers(call):
    patch = ising.hyperbolic(7, 3, 2)
    for pairs in (patch.coordinates, patch.coordinates[4], [0.1, 0.2]):
        with pytest.raises(ValueError, match=r"got real ones of shape .*lattice\.positions\.z"):
            call(pairs)
    x = patch.coordinates[:, :1]  # not pairs
    assert disk.distance(x, 0) == pytest.approx(2 * np.arctanh(np.abs(x)), rel=1e-13)
    both = disk.distance(patch.positions.z, 0), disk.distance(patch.coordinates @ [1, 1j], 0)
    np.testing.assert_array_equal(*both)


def test_refusals():
    for outside in (1.0, np.nan, 2j):
        with pytest.raises(ValueError, match=r"inside the unit disk|must be finite"):
            disk.moebius(0.0, outside)
        with pytest.raises(ValueError, match=r"inside the unit disk|must be finite"):
            disk.distance(0.0, outside)
        with pytest.raises(ValueError, match=r"inside the unit disk|must be finite"):
            disk.geodesic(outside, 0.0)
    for outside in (1.0 + 1e-12, np.nan, [0.0, 0.1, np.nan]):
        with pytest.raises(ValueError, match=r"in the closed unit disk|must be finite"):
            disk.moebius(outside, 0.5)
    with pytest.raises(ValueError, match="Euclidean"):
        disk.translation(4, 4)
    for k in (1.0, True, "1"):
        with pytest.raises(ValueError, match="k must be an integer"):
            disk.translation(7, 3, k)
