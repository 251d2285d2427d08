"""Hyperbolic transitions: the fits recover what made synthetic data, small measurements agree with what is exact."""

import logging
from math import log

import numpy as np
import pytest
import xarray as xr

import ising
from ceas_physics.transitions import closed_maps, curvature_formula, free_boundary, hyperbolic
from ising.exact import bethe_critical_beta, ctmrg, ctmrg_critical_beta, dual_beta, dual_bond_correlation

BETA_F, R_0, RATE, AMPLITUDE = 0.53, 0.7, 3.0, 0.8
LAYERS, CHAINS = np.array([4, 5, 6, 7, 8, 9]), 16


def depth_data(seed, noise=2e-3, shape=None):
    """A patch measurement made from the flow du/dR = s t u - u^2 / A itself, by its solution."""
    beta = free_boundary.first_guess(4) * free_boundary.WINDOW
    rate = RATE * (1 - beta / BETA_F)
    depth = (LAYERS + R_0)[:, None]
    u = AMPLITUDE * rate / -np.expm1(-rate * depth) if shape is None else shape(rate, depth)
    log_m2 = -AMPLITUDE * np.log(np.expm1(rate * depth) / rate)
    random = np.random.default_rng(seed)
    noisy = [x[..., None] + noise * random.standard_normal((*x.shape, CHAINS)) for x in (1 - u, np.zeros_like(u))]
    dims = ("layers", "beta", "chain")
    data = {"bond": (dims, noisy[0]), "m2": (dims, np.exp(log_m2)[..., None] * (1 + noisy[1]))}
    data["bond_ordered"] = ("beta", np.ones_like(beta))
    return xr.Dataset(data, {"layers": LAYERS, "beta": beta}, {"p": 4, "q": 5})


@pytest.mark.parametrize("signal", [free_boundary.from_energy, free_boundary.from_second_moment])
def test_the_free_transition_of_synthetic_patches(signal):
    results = [signal(depth_data(seed)) for seed in range(20)]
    z = np.array([(result.beta - BETA_F) / result.error for result in results])
    assert np.abs(z).max() < 4
    assert abs(z.mean()) * np.sqrt(len(z)) < 5
    assert all(result.chi2_per_dof < 2 for result in results)


def test_patches_that_do_not_follow_the_flow_are_seen():
    flat = depth_data(0, shape=lambda rate, depth: 0.3 + 0.2 * np.sin(3 * depth) + 0 * rate)
    assert free_boundary.from_energy(flat).chi2_per_dof > 5


def test_the_order_parameter_solves_its_flow():
    depth, rate, step = np.array([3.0, 5.0, 8.0]), np.array([0.4, -0.3, 1e-12]), 1e-5
    u, above, below = (free_boundary._order_parameter(rate, depth + h, depth) for h in (0, step, -step))
    assert (above - below) / (2 * step) == pytest.approx(rate * u - u**2, abs=1e-8)
    integral = free_boundary._integral(rate, depth - step, depth + step) / (2 * step)
    assert integral == pytest.approx(u, rel=1e-6)


def test_a_useless_error_decides_nothing():
    assert hyperbolic.judge(0.956, 0.073, 0.845) == "cannot decide"
    assert hyperbolic.judge(0.86, 0.001, 0.845) == "agrees with"
    assert hyperbolic.judge(0.90, 0.01, 0.845) == "FAILS against"


@pytest.mark.parametrize("plan", [hyperbolic.Plan(), hyperbolic.QUICK])
def test_every_tiling_of_a_plan_has_its_maps(plan):
    for p, q in plan.tilings:
        assert len({lattice.n_sites for lattice in closed_maps.maps(p, q, plan.largest)}) >= 3


def test_first_guess_is_the_dual_of_the_bethe_value():
    assert free_boundary.first_guess(4) == pytest.approx(dual_beta(bethe_critical_beta(4))) == pytest.approx(log(3) / 2)


def test_the_middle_of_a_patch_has_the_free_energy_that_duality_gives():
    beta = np.array([0.30, 0.36])  # far below beta_f = 0.535: seven layers are as good as infinitely many
    wired = [ctmrg(5, dual_beta(b)).bond_correlation for b in beta]
    exact = dual_bond_correlation(beta, wired)
    _, bond = free_boundary._patch(ising.hyperbolic(4, 5, 7), beta, draws=2_000, seed=1)
    z = (bond.mean(axis=1) - exact) / (bond.std(axis=1, ddof=1) / np.sqrt(bond.shape[1]))
    assert np.abs(z).max() < 4
    ordered = [-float(ising.sample(
        ising.ferromagnet(ising.closed_hyperbolic(4, 5, 1368)), b, ising.Schedule(100, 200), initial="up",
        update="heat_bath", progress=False,
    ).energy.mean()) * 2 / 5 for b in beta]  # fmt: skip
    assert (ordered - exact > 0.05).all()  # control: the closed map has the other, ordered state at these beta


@pytest.mark.validate
@pytest.mark.parametrize(("p", "q", "layers", "known"), [
    (4, 5, (4, 5, 6, 7, 8, 9), dual_beta(ctmrg_critical_beta(5))),
    (7, 3, (10, 12, 14, 16, 18), dual_beta(0.18677)),
])  # fmt: skip
def test_the_free_transition(p, q, layers, known):
    data = free_boundary.measure(p, q, layers, seed=1, progress=False)
    for signal in (free_boundary.from_energy, free_boundary.from_second_moment):
        result = signal(data)
        logging.getLogger(__name__).info("{%d,%d} %s: %s, known %.4f", p, q, signal.__name__, result, known)
        assert hyperbolic.judge(result.beta, result.error, known) == "agrees with"


def test_closed_maps_agree_with_corner_transfer_matrices():
    closed = closed_maps.measure([(5, 4)], largest=7_000, draws=1_000, seed=2, progress=False)
    deviation = float(closed.beta_c[0]) - ctmrg_critical_beta(5)
    assert abs(deviation) < 3 * float(closed.beta_c_error[0])
    assert float(closed.beta_c_error[0]) < 1e-3
    assert closed.tiling.item() == "{5,4}"


def test_maps_of_a_measurement():
    maps = closed_maps.maps(5, 4, 9_000)
    assert [lattice.n_sites for lattice in maps] == [1710, 1710, 3720, 3720, 6090, 6090, 8610]  # not 8610 of radius 3
    with pytest.raises(ValueError, match="3 are needed"):
        closed_maps.maps(5, 4, 2_000)


def transitions(law):
    pairs = closed_maps.TILINGS
    beta_c = [law(p, q) for p, q in pairs]
    coords = {"tiling": [str(pair) for pair in pairs], "p": ("tiling", [p for p, _ in pairs])}
    coords["q"] = ("tiling", [q for _, q in pairs])
    return xr.Dataset(
        {
            "beta_c": ("tiling", beta_c),
            "beta_c_error": ("tiling", 1e-4 * np.array(beta_c)),
            "beta_bethe": ("tiling", [bethe_critical_beta(q) for _, q in pairs]),
        },
        coords,
    )


def test_the_formula_finds_the_law_that_made_the_data():
    result = curvature_formula.test(transitions(lambda p, q: np.exp(0.2 * curvature_formula.edge_length(p, q)) / q))
    name = "r_eff: edge length; lambda_max: degree q"
    assert float(result.rms.sel(form=name)) < 1e-12
    assert float(result.C.sel(form=name)) == pytest.approx(0.2)
    assert name in result.verdict
    assert "holds within the errors" in result.verdict
    assert "which improves on the Bethe value" in result.verdict


def test_the_formula_loses_where_the_bethe_value_is_the_truth():
    result = curvature_formula.test(transitions(lambda p, q: bethe_critical_beta(q)))
    assert float(result.rms.sel(form="Bethe")) == 0.0
    assert "is rejected" in result.verdict
    assert "does not improve on the Bethe value" in result.verdict
    with pytest.raises(ValueError, match="at least 3 tilings"):
        curvature_formula.test(transitions(lambda p, q: 0.3).isel(tiling=slice(2)))
