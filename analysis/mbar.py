"""Samples of all inverse temperatures pooled into one estimate of the density of states (MBAR)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .resampling import Array

Index = NDArray[np.intp]

CHUNK = 2048
TOLERANCE = 1e-10
REPLICA_TOLERANCE = 1e-8
MOST_STEPS, MOST_REPLICA_STEPS = 100, 1000


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples merged where energy (and label) agree; row 0 uses all of them, row b leaves block b - 1 out.

    Attributes
    ----------
    beta
        (state,) simulated inverse temperatures.
    energy
        (point,) total energy less ``offset``.
    offset
        Mean total energy of all samples.
    label
        (point,) the second property that keeps points apart; zeros without one.
    sizes
        (row, state) independent samples of each state: draws / inefficiency.
    guess
        (state,) -ln Z of each state from the means and variances of its energy.
    cell_point, cell_block
        (cell,) samples of the same point and block make a cell; sorted by point.
    sums
        (cell,) each: "weight", the number of independent samples, and the sums of observables over them.
    """

    beta: Array
    energy: Array
    offset: float
    label: Array
    sizes: Array
    guess: Array
    cell_point: Index
    cell_block: Index
    sums: dict[str, Array]

    def chunks(self) -> Iterator[slice]:
        """Slices of points that fit into the cache."""
        return (slice(low, min(low + CHUNK, len(self.energy))) for low in range(0, len(self.energy), CHUNK))

    def rows(self, name: str, chunk: slice) -> Array:
        """Sums over the samples of some points, with all of them and without one block each: (row, point)."""
        n_points, n_blocks = chunk.stop - chunk.start, max(1, len(self.sizes) - 1)
        low, high = np.searchsorted(self.cell_point, [chunk.start, chunk.stop])
        place = self.cell_block[low:high] * n_points + self.cell_point[low:high] - chunk.start
        by_block = np.bincount(place, self.sums[name][low:high], n_points * n_blocks).reshape(n_blocks, n_points)
        rows = np.empty((len(self.sizes), n_points))
        rows[0] = by_block.sum(axis=0)
        np.subtract(rows[0], by_block[: len(rows) - 1], out=rows[1:])
        return rows


@dataclass(frozen=True, eq=False)
class Solution:
    """Free energies of the simulated states, and how well the equations are solved.

    Attributes
    ----------
    free_energy
        (row, state) f_k = -ln Z_k up to one constant per row.
    log_denominator
        (point,) ln sum_k N_k exp(f_k - beta_k E) of row 0.
    iterations
        Newton steps of row 0.
    gradient
        Largest |sum_n W_kn - 1| that is left, over all rows.
    overlap
        1 - second largest eigenvalue of the overlap matrix: 1 for equal states, 0 if two groups share no energies.
    """

    free_energy: Array
    log_denominator: Array
    iterations: int
    gradient: float
    overlap: float


def solve(pool: Pool) -> Solution:
    """Free energies that satisfy sum_n W_kn = 1 with W_kn = exp(f_k - beta_k E_n) / sum_l N_l exp(f_l - beta_l E_n).

    They minimise the convex sum_n ln D_n - sum_k N_k f_k: Newton's method with a line search, stopped when every
    equation holds to 1e-10. Rows without a block start from there and repeat its Hessian, to 1e-8.

    Raises
    ------
    RuntimeError
        If the equations are not solved.

    References
    ----------
    M. R. Shirts and J. D. Chodera, J. Chem. Phys. 129, 124105 (2008).
    """
    f, sizes = pool.guess, pool.sizes[0]
    value, slope, hessian = _objective(pool, f)
    iterations = 0
    while np.max(np.abs(slope) / sizes) > TOLERANCE and iterations < MOST_STEPS:
        step = -np.linalg.pinv(hessian, hermitian=True) @ slope
        length, allowed = 1.0, 1e-12 * abs(value)
        new = _objective(pool, f + step)
        while new[0] > value + 1e-4 * length * (slope @ step) + allowed and length > 1e-6:
            length /= 2.0
            new = _objective(pool, f + length * step)
        f, (value, slope, hessian) = f + length * step, new
        iterations += 1
    gradient = float(np.max(np.abs(slope) / sizes))
    if gradient > TOLERANCE:
        raise RuntimeError(
            f"multi-histogram equations not solved: largest residual {gradient:.2g} after {iterations} steps,"
            f" allowed {TOLERANCE:.0e}; simulate betas closer to each other"
        )
    log_denominator = np.concatenate([_responsibilities(pool, f, chunk)[1] for chunk in pool.chunks()])
    shared = (np.diag(slope + sizes) - hessian) / np.sqrt(np.outer(sizes, sizes))
    overlap = 1.0 - float(np.linalg.eigvalsh(shared)[-2]) if len(f) > 1 else 1.0
    replicas, left = _replicas(pool, f, hessian)
    free_energy = np.vstack([f, replicas])
    return Solution(free_energy, log_denominator, iterations, max(gradient, left), max(overlap, 0.0))


def relative_denominators(pool: Pool, solution: Solution, chunk: slice) -> Array:
    """Denominators D_n of every row over that of row 0: (row, point)."""
    growth = pool.sizes / pool.sizes[0] * np.exp(solution.free_energy - solution.free_energy[0])  # (row, state)
    return growth @ _responsibilities(pool, solution.free_energy[0], chunk)[0]


def integrate(beta: Array, mean: Array, variance: Array) -> Array:
    """-ln Z by the trapezoidal rule on <E>, corrected by its slope -var(E): (state,)."""
    order = np.argsort(beta, kind="stable")
    step, level, spread = np.diff(beta[order]), mean[order], variance[order]
    pieces = step * (level[1:] + level[:-1]) / 2.0 + step**2 * (spread[1:] - spread[:-1]) / 12.0
    guess = np.zeros(len(beta))
    guess[order[1:]] = np.cumsum(pieces)
    return guess


def _responsibilities(pool: Pool, f: Array, chunk: slice) -> tuple[Array, Array]:
    """N_k W_kn of some points, (state, point), and ln D_n, (point,), with all samples."""
    exponents = (np.log(pool.sizes[0]) + f)[:, np.newaxis] - np.outer(pool.beta, pool.energy[chunk])
    largest = exponents.max(axis=0)
    terms = np.exp(exponents - largest)
    total = terms.sum(axis=0)
    return terms / total, largest + np.log(total)


def _objective(pool: Pool, f: Array) -> tuple[float, Array, Array]:
    """sum_n ln D_n - sum_k N_k f_k of all samples, its gradient and its Hessian."""
    value, level, products = -float(pool.sizes[0] @ f), np.zeros(len(f)), np.zeros((len(f), len(f)))
    for chunk in pool.chunks():
        low, high = np.searchsorted(pool.cell_point, [chunk.start, chunk.stop])
        place = pool.cell_point[low:high] - chunk.start
        weight = np.bincount(place, pool.sums["weight"][low:high], chunk.stop - chunk.start)
        share, log_denominator = _responsibilities(pool, f, chunk)
        value += float(weight @ log_denominator)
        level += share @ weight
        products += (share * weight) @ share.T
    return value, level - pool.sizes[0], np.diag(level) - products


def _replicas(pool: Pool, f: Array, hessian: Array) -> tuple[Array, float]:
    """Free energies without one block each, (block, state), and the largest residual left."""
    inverse = np.linalg.pinv(hessian, hermitian=True)
    shift = np.zeros((len(pool.sizes), len(f)))
    active, worst = np.arange(1, len(shift)), 0.0
    for _ in range(MOST_REPLICA_STEPS):
        if len(active) == 0:
            break
        slope = _replica_gradients(pool, f, shift[active], active)
        residual = np.max(np.abs(slope) / pool.sizes[active], axis=1)
        done = residual <= REPLICA_TOLERANCE
        worst = max(worst, float(residual[done].max(initial=0.0)))
        shift[active[~done]] -= slope[~done] @ inverse
        active = active[~done]
    if len(active):
        raise RuntimeError(
            f"multi-histogram equations without one block not solved for {len(active)} of {len(shift) - 1} blocks:"
            " neighbouring betas hang together by single blocks; simulate them closer to each other, or draw more"
        )
    return f + shift[1:], worst


def _replica_gradients(pool: Pool, f: Array, shift: Array, rows: Index) -> Array:
    """sum_n N_k W_kn - N_k of some rows: (row, state)."""
    growth = pool.sizes[rows] / pool.sizes[0] * np.exp(shift)  # (row, state)
    level = np.zeros_like(growth)
    for chunk in pool.chunks():
        share = _responsibilities(pool, f, chunk)[0]
        level += (pool.rows("weight", chunk)[rows] / (growth @ share)) @ share.T
    return growth * level - pool.sizes[rows]
