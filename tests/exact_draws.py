"""Independent and correlated draws from exactly known densities of states, so that every average is known."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

DIMS = ("beta", "chain", "draw")
_REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())["values"]


def density_of_states(L: int) -> tuple[np.ndarray, np.ndarray]:
    """Total energies and numbers of states of the L x L torus."""
    levels = _REFERENCE[f"ising2d.dos.L={L}"]
    return np.array([float(energy) for energy in levels]), np.array([float(number) for number in levels.values()])


def boltzmann(energy: np.ndarray, states: np.ndarray, beta: float) -> tuple[np.ndarray, float]:
    """Probability of each level and ln Z."""
    exponents = np.log(states) - beta * energy
    largest = exponents.max()
    weights = np.exp(exponents - largest)
    return weights / weights.sum(), largest + np.log(weights.sum())


def exact(L: int, betas) -> dict[str, np.ndarray]:
    """Energy, specific heat, ln Z and entropy per site of the L x L torus: (beta,) each."""
    energy, states = density_of_states(L)
    rows = []
    for beta in np.atleast_1d(betas):
        p, log_z = boltzmann(energy, states, beta)
        mean = p @ energy
        rows.append([mean, beta**2 * (p @ energy**2 - mean**2), log_z, log_z + beta * mean])
    return dict(zip(("energy", "specific_heat", "log_z", "entropy"), np.array(rows).T / L**2))


def draw(L: int, betas, n_chains: int, n_draws: int, rng, stay: float = 0.0) -> xr.Dataset:
    """Energies of the L x L torus; each draw repeats the last with probability `stay`, so tau = (1 + s) / (1 - s)."""
    energy, states = density_of_states(L)
    shape = (n_chains, n_draws)
    fresh = [rng.choice(energy, size=shape, p=boltzmann(energy, states, beta)[0]) / L**2 for beta in betas]
    moves = rng.random((len(betas), *shape)) >= stay
    moves[..., 0] = True
    last = np.maximum.accumulate(np.where(moves, np.arange(n_draws), 0), axis=-1)
    values = np.take_along_axis(np.array(fresh), last, axis=-1)
    return xr.Dataset({"energy": (DIMS, values)}, {"beta": np.asarray(betas, dtype=float), "n_sites": L**2})
