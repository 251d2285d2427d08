"""The inside of {p,4} and of the Bethe lattice, and duality: tabulated digits, exact limits, identities."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import ising
from ising.exact import (
    SQUARE_CRITICAL_BETA,
    bethe_critical_beta,
    bethe_energy,
    bethe_magnetization,
    ctmrg,
    ctmrg_critical_beta,
    dual_beta,
    dual_bond_correlation,
    onsager_energy,
    onsager_magnetization,
)
from ising.exact.ctmrg import boundary_growth

DATA = json.loads((Path(__file__).parent / "data" / "hyperbolic_exact.json").read_text())


# --- Corner transfer matrices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [5, 6])
def test_critical_temperature(p):
    assert 1 / ctmrg_critical_beta(p) == pytest.approx(DATA["critical_temperature"][str(p)], abs=5e-9)


@pytest.mark.parametrize(("p", "temperature", "magnetization", "energy"), DATA["bulk"])
def test_bulk(p, temperature, magnetization, energy):
    state = ctmrg(p, 1 / temperature)
    assert state.magnetization == pytest.approx(magnetization, abs=1e-10)
    assert state.energy == pytest.approx(energy, abs=1e-10)
    assert state.energy == -2 * state.bond_correlation


@pytest.mark.parametrize("beta", [0.25, 0.35, 0.5, 0.7, 1.0])
def test_four_sides_are_the_square_lattice(beta):
    state = ctmrg(4, beta, 24)
    assert state.magnetization == pytest.approx(onsager_magnetization(beta), abs=2e-13)
    assert state.energy == pytest.approx(onsager_energy(beta), abs=2e-13)


@pytest.mark.parametrize("p", [80, 10**6, 10**18])
@pytest.mark.parametrize("beta", [0.2, 0.33, 0.347, 0.36, 0.4, 0.8])
def test_many_sides_are_the_bethe_lattice(p, beta):
    state = ctmrg(p, beta)
    assert state.magnetization == pytest.approx(bethe_magnetization(4, beta), abs=1e-12)
    assert state.energy == pytest.approx(bethe_energy(4, beta), abs=1e-12)


def test_critical_beta_falls_to_that_of_the_bethe_lattice():
    critical = [ctmrg_critical_beta(p) for p in (4, 5, 6, 7, 8, 10, 12)]
    assert critical[0] == SQUARE_CRITICAL_BETA
    excess = np.array(critical) - bethe_critical_beta(4)
    assert (excess > 0).all()
    assert (np.diff(np.log(excess)) < -1).all()  # a loop of p bonds costs a factor 1/3 a bond
    for many in (60, 10**6, 10**18):
        assert ctmrg_critical_beta(many) == pytest.approx(bethe_critical_beta(4), abs=2e-10)


@pytest.mark.parametrize("p", [5, 7, 10])
def test_the_bond_dimension_does_not_matter(p):
    critical = [ctmrg_critical_beta(p, bond_dimension) for bond_dimension in (4, 8, 16)]
    assert np.ptp(critical) < 1e-9
    states = [ctmrg(p, 0.4, bond_dimension) for bond_dimension in (4, 8, 16)]
    assert np.ptp([state.magnetization for state in states]) < 1e-12
    assert np.ptp([state.energy for state in states]) < 1e-12


def test_one_state_a_ray_is_too_few():
    """The negative control of the test above."""
    one, eight = ctmrg(5, 0.4, 1), ctmrg(5, 0.4, 8)
    assert abs(one.magnetization - eight.magnetization) > 1e-9
    assert one.discarded_weight > eight.discarded_weight


@pytest.mark.parametrize("beta", [0.342, 0.352])
def test_growth_of_a_boundary_field_on_the_tree(beta):
    t = np.tanh(beta)
    assert boundary_growth(80, beta) == pytest.approx(t * (1 + 3 * t) / (1 - t), abs=1e-8)


def test_magnetization_sets_in_with_the_mean_field_exponent():
    distance = np.array([0.003, 0.006])
    m = [ctmrg(5, ctmrg_critical_beta(5) * (1 + d)).magnetization for d in distance]
    assert np.diff(np.log(m))[0] / np.log(2) == pytest.approx(0.5, abs=0.01)  # a correction of order d
    assert ctmrg(5, ctmrg_critical_beta(5)).magnetization == 0


@pytest.mark.parametrize("p", [5, 6, 10])
def test_next_to_the_critical_point(p):
    """M = a d^(1/2) (1 - b d), where d has the error 2e-10 of the critical beta; at 0.003 two paths meet."""
    critical = ctmrg_critical_beta(p)
    d = np.array([1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 2e-8])
    amplitude = np.array([ctmrg(p, critical * (1 + step)).magnetization for step in d]) / np.sqrt(d)
    slope = (amplitude[0] - amplitude[1]) / (d[0] - d[1])
    error = amplitude / (amplitude[1] + slope * (d - d[1])) - 1
    assert (np.abs(error) < 2e-10 / d).all()
    below, above = (ctmrg(p, critical * (1 + step)) for step in (0.003 - 1e-12, 0.003 + 1e-12))
    assert below.steps < 100 < 2_000 < above.steps
    expected = above.magnetization * (1 - 1e-12 / 0.003)  # M ~ d^(1/2)
    assert below.magnetization == pytest.approx(expected, rel=2e-11)
    assert below.energy == pytest.approx(above.energy, rel=5e-11)  # a slope of 10


@pytest.mark.parametrize("d", [1e-3, 1e-5, 1e-7])
def test_next_to_the_critical_point_of_the_bethe_lattice(d):
    beta = bethe_critical_beta(4) * (1 + d)
    assert ctmrg(60, beta).magnetization == pytest.approx(bethe_magnetization(4, beta), rel=1e-13 / d)
    assert ctmrg(60, beta).energy == pytest.approx(bethe_energy(4, beta), rel=1e-11)


def test_infinite_and_zero_temperature():
    for beta, energy, magnetization in ((0.0, 0.0, 0.0), (800.0, -2.0, 1.0)):
        state = ctmrg(5, beta)
        assert (state.energy, state.magnetization) == (energy, magnetization)
    assert ctmrg(5, 1e-4).energy == pytest.approx(-2 * np.tanh(1e-4), rel=1e-12)


def test_refusals(monkeypatch):
    for function in (ctmrg_critical_beta, lambda p: ctmrg(p, 0.3)):
        with pytest.raises(ValueError, match="p must be an integer >= 4, got 3"):
            function(3)
    with pytest.raises(ValueError, match="beta must be finite and >= 0, got -1"):
        ctmrg(5, -1.0)
    with pytest.raises(ValueError, match="bond_dimension must be an integer >= 1, got 0"):
        ctmrg(5, 0.3, 0)
    with pytest.raises(ValueError, match=r"relative distance 1\.0e-09, .* take 1e-08 or more, or a beta below"):
        ctmrg(5, ctmrg_critical_beta(5) * (1 + 1e-9))
    monkeypatch.setitem(ctmrg.__globals__, "MAX_STEPS", 100)
    with pytest.raises(ValueError, match=r"did not settle in 100 steps: .*0\.440686794, .* 1\.0e-07; 3e-4 is enough"):
        ctmrg(4, SQUARE_CRITICAL_BETA * (1 + 1e-7), 4)


# --- The Bethe lattice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degree", "beta"), [(3, 0.7), (4, 0.4), (7, 0.2)])
def test_bethe_lattice_by_iteration_from_the_boundary(degree, beta):
    """u <- atanh(tanh(beta) tanh((q - 1) u)) from a boundary held up; the bond by the sum over its two spins."""
    u = beta
    for _ in range(2_000):
        u = np.arctanh(np.tanh(beta) * np.tanh((degree - 1) * u))
    assert bethe_magnetization(degree, beta) == pytest.approx(np.tanh(degree * u), abs=1e-13)
    states = np.array(list(product((1, -1), repeat=2)))
    weights = np.exp(beta * states.prod(axis=1) + (degree - 1) * u * states.sum(axis=1))
    bond = (weights * states.prod(axis=1)).sum() / weights.sum()
    assert bethe_energy(degree, beta) == pytest.approx(-degree / 2 * bond, abs=1e-13)
    assert (weights * states[:, 0]).sum() / weights.sum() == pytest.approx(np.tanh(degree * u), abs=1e-13)


def test_bethe_lattice_near_the_critical_point():
    """m^2 = q^2 u^2, u^2 = 3 ((q - 1) t - 1) / ((q - 1)^2 - 1) to leading order."""
    q, d = 4, 1e-8
    beta = bethe_critical_beta(q) * (1 + d)
    expected = q * np.sqrt(3 * ((q - 1) * np.tanh(beta) - 1) / ((q - 1) ** 2 - 1))
    assert bethe_magnetization(q, beta) == pytest.approx(expected, rel=1e-6)
    assert bethe_magnetization(q, bethe_critical_beta(q)) == 0
    np.testing.assert_array_equal(bethe_magnetization(q, [0.1, 400.0]), [0, 1])
    np.testing.assert_allclose(bethe_energy(q, [0.1, 400.0]), [-2 * np.tanh(0.1), -2])


# --- Duality ---------------------------------------------------------------------------------------------------------


def test_dual_beta():
    betas = np.geomspace(1e-3, 20, 30)
    np.testing.assert_allclose(np.sinh(2 * betas) * np.sinh(2 * dual_beta(betas)), 1, rtol=1e-12)
    np.testing.assert_allclose(dual_beta(dual_beta(betas)), betas, rtol=1e-11)
    assert dual_beta(SQUARE_CRITICAL_BETA) == pytest.approx(SQUARE_CRITICAL_BETA, rel=1e-15)
    assert dual_beta(ising.exact.TRIANGULAR_CRITICAL_BETA) == pytest.approx(ising.exact.HONEYCOMB_CRITICAL_BETA)


def test_free_transitions():
    """{4,5} and {4,6}, free, order at a larger beta than wired; the wired value of {4,5} lies near the Bethe one."""
    assert dual_beta(ctmrg_critical_beta(5)) == pytest.approx(0.53531, abs=5e-6)
    assert dual_beta(ctmrg_critical_beta(6)) == pytest.approx(0.54530, abs=5e-6)
    assert dual_beta(ctmrg_critical_beta(5)) > 2 * bethe_critical_beta(5)


def _cube_and_octahedron():
    corners = list(product((0, 1), repeat=3))
    cube = [(a, b) for a in range(8) for b in range(a) if np.abs(np.subtract(corners[a], corners[b])).sum() == 1]
    octahedron = [(a, b) for a in range(6) for b in range(a) if a // 2 != b // 2]
    return ising.from_bonds(8, cube), ising.from_bonds(6, octahedron)


@pytest.mark.parametrize("beta", [0.1, 0.4, 1.5])
def test_dual_bond_correlation_on_the_sphere(beta):
    cube, octahedron = _cube_and_octahedron()

    def correlation(lattice, at):
        energy = ising.exact.enumerate_model(ising.ferromagnet(lattice), at).energy.item()
        return -energy * lattice.n_sites / lattice.n_bonds

    expected = correlation(cube, beta)
    assert dual_bond_correlation(beta, correlation(octahedron, dual_beta(beta))) == pytest.approx(expected, abs=1e-12)
    assert abs(dual_bond_correlation(beta, correlation(cube, dual_beta(beta))) - expected) > 1e-6  # not its own dual


@pytest.mark.parametrize("beta", [0.2, 0.44, 0.6])
def test_dual_bond_correlation_of_the_square_lattice(beta):
    dual = -onsager_energy(dual_beta(beta)) / 2
    assert dual_bond_correlation(beta, dual) == pytest.approx(-onsager_energy(beta) / 2, abs=1e-12)


def test_duality_refusals():
    with pytest.raises(ValueError, match="beta must be > 0, got 0"):
        dual_beta(0.0)
    with pytest.raises(ValueError, match="bond_correlation must be from -1 to 1"):
        dual_bond_correlation(0.4, 1.5)
