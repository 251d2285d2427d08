"""The three-dimensional +-J glass near its transition: moments of the overlap, and whether they are equilibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

import ising
from ising.streams import derived_seed

Array = NDArray[np.float64]

TEMPERATURES = np.geomspace(2.4, 1.05, 12)  # hot enough to forget within some sweeps, dense enough to exchange
BLOCK = 512  # realisations a call: about 50 MB of results
BINS = 3  # of the logarithmic binning


@dataclass(frozen=True)
class GlassSize:
    """How one size is sampled.

    Attributes
    ----------
    L
        Edge of the cube.
    realisations
        Samples of the disorder, 512 of them at a time.
    sweeps
        From random spins, with replica exchange after each; the second half is measured.
    thin
        Sweeps between draws.
    """

    L: int
    realisations: int
    sweeps: int
    thin: int


@dataclass(frozen=True, eq=False)
class GlassMoments:
    """Thermal means of every realisation in logarithmic bins.

    Attributes
    ----------
    L
        Edge of the cube.
    values
        (moment, bin, realisation, temperature): q^2, q^4 and F_q(k_min) over the draws [n / 2, n), [n / 4, n / 2), ...
    swap_acceptance
        Smallest mean share of accepted exchanges.
    """

    L: int
    values: Array
    swap_acceptance: float


def sample_glass(sizes: Sequence[GlassSize], seed: int = 0, progress: bool = True) -> list[GlassMoments]:
    """Moments of the overlap of two replicas for each size, every realisation with couplings and streams of its own.

    Parameters
    ----------
    sizes
        What to sample.
    seed
        Root of all random numbers.
    progress
        Show a bar.
    """
    with tqdm(total=sum(_work(size) for size in sizes), desc="glass", unit_scale=True, disable=not progress) as bar:
        return [_sample_size(size, seed, bar) for size in sizes]


def curves(moments: Array, L: int) -> Array:
    """Dimensionless quantities from disorder averages.

        xi / L = sqrt(N [<q^2>] / [F_q(k_min)] - 1) / (2 L sin(pi / L)),    g = (3 - [<q^4>] / [<q^2>]^2) / 2

    Parameters
    ----------
    moments
        (moment, ...) of q^2, q^4 and F_q.
    L
        Edge of the cube.

    Returns
    -------
    (2, ...), xi / L and g.
    """
    q2, q4, structure = moments
    xi = np.sqrt(np.maximum(L**3 * q2 / structure - 1, 0)) / (2 * L * np.sin(np.pi / L))
    return np.stack([xi, 1.5 - 0.5 * q4 / q2**2])


def drift(moments: GlassMoments, later: int = 0) -> tuple[Array, Array]:
    """Change of the spin-glass susceptibility from one logarithmic bin to the next, and its error: (temperature,) each.

    Relative to the later bin, realisation by realisation, so that their spread cancels. A run that started from random
    spins rises to equilibrium; the last change must vanish within its error.

    Parameters
    ----------
    moments
        Of one size.
    later
        The later of the two bins, 0 for the last.
    """
    q2 = moments.values[0]
    change, mean = q2[later] - q2[later + 1], q2[later].mean(axis=0)
    return change.mean(axis=0) / mean, change.std(axis=0, ddof=1) / np.sqrt(q2.shape[1]) / mean


def _work(size: GlassSize) -> int:
    return size.L**3 * size.realisations * size.sweeps


def _sample_size(size: GlassSize, seed: int, bar: tqdm) -> GlassMoments:
    blocks, acceptance = [], []
    schedule = ising.Schedule(0, size.sweeps // size.thin, size.thin)
    for first in range(0, size.realisations, BLOCK):
        count = min(BLOCK, size.realisations - first)
        own = derived_seed(seed, size.L, first)
        data = ising.sample(
            ising.edwards_anderson(ising.cubic(size.L), own, disorder=count), 1 / TEMPERATURES, schedule,
            update="heat_bath", chains=2, seed=own, exchange=True, lanes="disorder",
            observables=("overlap", "overlap_k"), progress=False,
        )  # fmt: skip
        blocks.append(_binned(data.overlap.values[:, :, 0], data.overlap_k.values[:, :, 0]))
        acceptance.append(float(data.swap_acceptance.mean(("disorder", "chain")).min()))
        bar.update(_work(size) * count // size.realisations)
    return GlassMoments(size.L, np.concatenate(blocks, axis=2), float(np.mean(acceptance)))


def _binned(overlap: Array, structure: Array) -> Array:
    """(realisation, temperature, draw) each -> (moment, bin, realisation, temperature)."""
    n = overlap.shape[-1]
    q2 = overlap**2
    bins = [slice(n >> (k + 1), n >> k) for k in range(BINS)]
    return np.array([[power[..., part].mean(axis=-1) for part in bins] for power in (q2, q2**2, structure)])
