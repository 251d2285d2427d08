"""Monte Carlo on closed maps of large injectivity radius against corner transfer matrices of the infinite lattice."""

import numpy as np
import pytest

import ising
from ising.exact import ctmrg, ctmrg_critical_beta

# Temperatures, and sweeps between draws: more next to the transition. A map of N sites adds a term of order chi / N to
# the energy, 0.3 % at N = 6,090 and T = 2.95, so that close to it only the largest maps will do.
FAR = {4.0: 1, 3.5: 1, 3.2: 1, 2.5: 3, 2.0: 1}
CLOSE = {4.0: 1, 3.2: 1, 3.0: 1, 2.7: 6, 2.5: 1}


def energies(lattice, sweeps, draws):
    """Mean energy per site and its error from 64 chains, (temperature,) each."""
    model, rows = ising.ferromagnet(lattice), []
    for T, thin in sweeps.items():
        data = ising.sample(
            model, 1 / T, ising.Schedule(400, draws, thin), update="heat_bath", initial="up", seed=5,
            observables=["energy"], progress=False,
        )  # fmt: skip
        chains = data.energy.mean(("beta", "draw"))
        rows.append((float(chains.mean()), float(chains.std(ddof=1)) / 8))
    return np.array(rows).T


def deviations(lattice, p, sweeps, draws):
    exact = np.array([ctmrg(p, 1 / T).energy for T in sweeps])
    energy, error = energies(lattice, sweeps, draws)
    return (energy - exact) / np.hypot(error, 1e-4 * exact), error


def check(p, n_sites, sweeps, draws):
    lattice = ising.closed_hyperbolic(p, 4, n_sites)
    assert lattice.attrs["injectivity_radius"] >= 6
    assert min(abs(T * ctmrg_critical_beta(p) - 1) for T in sweeps) > 0.03
    z, error = deviations(lattice, p, sweeps, draws)
    assert error.max() < 2e-4
    assert np.abs(z).max() < 4


@pytest.mark.parametrize(("p", "n_sites"), [(5, 6090), (6, 12972)])
def test_energies_are_those_of_the_infinite_lattice(p, n_sites):
    check(p, n_sites, FAR, 2_400)


@pytest.mark.validate
@pytest.mark.parametrize(("p", "n_sites"), [(5, 88110), (6, 56730)])
def test_energies_close_to_the_transition(p, n_sites):
    check(p, n_sites, CLOSE, 1_000)


def test_a_map_of_small_radius_is_seen():
    with pytest.warns(ising.SmallRadiusWarning):
        lattice = ising.closed_hyperbolic(5, 4, surface="PSL(2,41) #1", allow_small_radius=True)
    z, _ = deviations(lattice, 5, FAR, 600)
    assert np.abs(z).max() > 6
