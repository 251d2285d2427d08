"""The sentences of the first order's definition of done that are about numbers, asserted as they stand."""

import math

import numpy as np
import pytest

import analysis
import ising
from ceas_physics import Thermostat, attention
from ceas_physics.report import HYPERBOLIC_BETA_C, HYPERBOLIC_GRID, SQUARE_GRID, Plan
from ceas_physics.thermostat import settle

PLAN = Plan()


def square(seed):
    models = {L: ising.ferromagnet(ising.square(L)) for L in (8, 16, 32, 64)}
    betas = {L: ising.exact.SQUARE_CRITICAL_BETA * (1 + SQUARE_GRID / L) for L in models}
    schedule = ising.Schedule(PLAN.warmup, PLAN.draws)
    return ising.sample_sizes(models, betas, schedule, update="swendsen_wang", chains=8, seed=seed, progress=False)


def assert_square(seed):
    """critical_beta on square L = 8..64 gives 0.44069 within 3 of its own error bars and an error below 5e-4."""
    estimate = analysis.critical_beta(square(seed))
    assert estimate.error < 5e-4
    assert abs(estimate.value - 0.44069) < 3 * estimate.error


def test_critical_beta_of_the_square_lattice():
    assert_square(0)


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(1, 5))
def test_critical_beta_of_the_square_lattice_with_other_seeds(seed):
    assert_square(seed)


def assert_hyperbolic(seed):
    """On a closed {5,4} family within 1 % of 0.35726."""
    models = {n: ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=n)) for n in (330, 1710, 3720)}
    betas = {n: HYPERBOLIC_BETA_C * (1 + HYPERBOLIC_GRID / math.sqrt(n)) for n in models}
    schedule = ising.Schedule(PLAN.warmup, PLAN.draws)
    data = ising.sample_sizes(models, betas, schedule, update="swendsen_wang", chains=8, seed=seed, progress=False)
    assert analysis.critical_beta(data).value == pytest.approx(0.35726, rel=0.01)


def test_critical_beta_of_a_closed_hyperbolic_family():
    assert_hyperbolic(0)


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(1, 5))
def test_critical_beta_of_a_closed_hyperbolic_family_with_other_seeds(seed):
    assert_hyperbolic(seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_thermostat_holds_a_reachable_target_on_frozen_scores(seed):
    """A head's H within 0.1 nat of a reachable target: one on the near side of beta_c, as the margin is not crossed."""
    d_k = 8
    scores = 2.5 * np.random.default_rng(seed).standard_normal((4, 100, 64))
    table = settle(scores, Thermostat(), d_k)
    target = math.log(64) - Thermostat().target
    beta_c = attention.pseudo_critical_beta(scores)
    edge = attention.entropy(scores, 0.94 * beta_c[:, None]).mean(axis=-1)
    assert (edge < target).all()  # reachable
    assert (beta_c > 1 / math.sqrt(d_k)).all()  # from where beta starts
    measured = attention.entropy(scores, table.beta.values[-1][:, None]).mean(axis=-1)
    assert np.abs(measured - target).max() < 0.1


def test_the_slope_of_the_entropy_is_its_finite_difference():
    """dH/dbeta = -beta Var_p[s] matches finite differences to 1e-6."""
    scores = np.random.default_rng(0).standard_normal((50, 64)) * np.linspace(0.3, 3.0, 50)[:, None]
    for beta in (0.1, 0.35, 1.0, 2.0, 4.0):
        step = 1e-4 * beta
        difference = attention.entropy(scores, beta + step) - attention.entropy(scores, beta - step)
        slope = -beta * attention.score_variance(scores, beta)
        np.testing.assert_allclose(difference / (2 * step), slope, rtol=1e-6, atol=1e-6)
