"""Memory as attractors: Hopfield patterns on complete, diluted and hyperbolic graphs, retrieval and capacity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, xlogy

from ising import IsingModel, Lattice
from ising.arguments import as_kind, as_number, as_spins
from ising.integers import as_integer
from ising.streams import check_seed

from .memory_kernels import descend, pattern_sums

RETRIEVED = 0.9


def memory_model(lattice: Lattice, patterns: ArrayLike) -> IsingModel:
    """Hebbian couplings on the bonds of a lattice: J_ij = (1/c) sum_mu xi_i^mu xi_j^mu, c the mean degree.

    On ``ising.complete(n)`` this is `ising.hopfield` but for c = n - 1 in place of n.

    Parameters
    ----------
    lattice
        Any lattice with bonds.
    patterns
        (n_patterns, n_sites), +1 and -1.

    Raises
    ------
    ValueError
        Patterns of another shape or not +-1, or a lattice without bonds.
    """
    degree, xi = _mean_degree(lattice), as_spins("patterns", patterns)
    if xi.ndim != 2 or xi.shape[1] != lattice.n_sites:
        raise ValueError(f"patterns must be of shape (n_patterns, {lattice.n_sites}), got shape {xi.shape}")
    return IsingModel(lattice, _sums(lattice, xi) / degree, name="memory", attrs={"n_patterns": len(xi)})


def relax(model: IsingModel, spins: ArrayLike, seed: int = 0) -> NDArray[np.int8]:
    """The attractor of each configuration: single spins follow their local field, dE < 0, until none is against it.

    Spin-flip descent, the p-bit device at zero temperature: sites in an order drawn from the seed, round after round.

    Parameters
    ----------
    model
        Any model.
    spins
        (..., n_sites), +1 and -1.
    seed
        Of the order.

    Returns
    -------
    (..., n_sites) int8
        Local minima of the energy under single flips.

    Raises
    ------
    ValueError
        Spins of another shape or not +-1.
    """
    n = as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(8))").lattice.n_sites
    given = as_spins("spins", spins)
    if given.shape[-1:] != (n,):
        raise ValueError(f"spins must be of shape (..., {n}), got shape {given.shape}")
    neighbors, bonds = model.lattice.neighbors, model.lattice.neighbor_bonds
    per_bond = np.append(np.broadcast_to(np.asarray(model.couplings), model.lattice.n_bonds), 0.0)
    couplings = per_bond[bonds]  # padding -1 takes the 0 at the end
    outside = np.array(np.broadcast_to(np.asarray(model.fields), n))
    rng = np.random.default_rng(check_seed(seed))
    tolerance = 1e-12 * float(np.abs(couplings).sum(axis=1).max(initial=0.0))
    final = given.astype(np.int8).reshape(-1, n)
    for row in final:
        descend(neighbors, couplings, outside, tolerance, rng.permutation(n), row)
    return final.reshape(given.shape)


def retrieval(
    lattice: Lattice,
    n_patterns: Sequence[int],
    draws: int = 8,
    starts: int = 8,
    overlap: float = 1.0,
    seed: int = 0,
) -> xr.Dataset:
    """How well random patterns come back: overlap m = (1/N) sum_i xi_i s_i after `relax` from near a pattern.

    Parameters
    ----------
    lattice
        Complete, diluted (``ising.random_regular``), hyperbolic, any.
    n_patterns
        Numbers P of stored patterns; the load is P / c, c the mean degree (P / N on a complete graph, but for 1/N).
    draws
        Independent sets of patterns; realisation k is the same however many are drawn.
    starts
        Patterns of a set that are tried, the first ones; all where there are fewer.
    overlap
        Of the start with its pattern, in (0, 1]: each spin agrees with probability (1 + overlap) / 2.
    seed
        Of everything.

    Returns
    -------
    xarray.Dataset
        Dimensions (memory_load, draw), coordinate n_patterns(memory_load): `overlap`, mean over the starts;
        `retrieved`, the share with m >= 0.9; `bits_per_coupling` = P N <1 - h2((1 + m) / 2)> / n_bonds, what the
        attractors tell of the patterns if their wrong spins lie at random, h2 the binary entropy in bits.

    Raises
    ------
    ValueError
        Counts below 1, or an overlap outside (0, 1].
    """
    counts = [as_integer("n_patterns", count, 1) for count in np.atleast_1d(np.asarray(n_patterns, dtype=object))]
    draws, starts, seed = as_integer("draws", draws, 1), as_integer("starts", starts, 1), check_seed(seed)
    overlap = as_number("overlap", overlap, above=0, most=1)
    if not counts:
        raise ValueError("n_patterns must hold one number of patterns or more, got none")
    degree, n = _mean_degree(lattice), lattice.n_sites
    shape = (len(counts), draws)
    mean, retrieved, bits = np.empty(shape), np.empty(shape), np.empty(shape)
    for k, draw in np.ndindex(shape):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(counts[k], draw)))
        xi = rng.choice(np.array([-1, 1], dtype=np.int8), (counts[k], n))
        tried = xi[:starts]
        wrong = rng.random(tried.shape) < (1 - overlap) / 2
        model = IsingModel(lattice, _sums(lattice, xi))  # whole numbers: ties of local fields stay ties
        final = relax(model, np.where(wrong, -tried, tried), seed=int(rng.integers(2**62)))
        m = (final * tried).mean(axis=1)
        mean[k, draw], retrieved[k, draw] = m.mean(), (m >= RETRIEVED).mean()
        bits[k, draw] = counts[k] * n * np.mean(1 - _binary_entropy((1 + m) / 2)) / lattice.n_bonds
    load = ("memory_load", np.array(counts) / degree, {"long_name": "patterns per neighbour", "formula": "P / c"})
    return xr.Dataset(
        {
            "overlap": (("memory_load", "draw"), mean, {"formula": "(1/N) sum xi s", "units": "1"}),
            "retrieved": (("memory_load", "draw"), retrieved, {"long_name": "share of starts with overlap >= 0.9"}),
            "bits_per_coupling": (("memory_load", "draw"), bits, {"formula": "P N <1 - h2((1 + m)/2)> / n_bonds"}),
        },
        {"memory_load": load, "n_patterns": ("memory_load", counts)},
        {"lattice": lattice.name, "n_sites": n, "mean_degree": degree, "starts": starts, "start_overlap": overlap,
         "seed": seed},
    )  # fmt: skip


@dataclass(frozen=True)
class Capacity:
    """The load at which half of the patterns are retrieved, with its error over draws of patterns."""

    value: float
    error: float


def capacity(data: xr.Dataset) -> Capacity:
    """Where the share of retrieved patterns falls through 1/2, linear between loads; error by a jackknife over draws.

    On complete graphs the overlap collapses there. On sparse ones it falls smoothly and the value says where it passes
    0.9: from the pattern itself 0.339(3) at degree 100, 0.436(2) at 20 (random regular, 2,000 sites), and between 3
    and 4 patterns on closed {5,4} and on the square lattice, 4 and 5 on {3,7}. Basins shrink more: half correct
    (overlap 0.5), {5,4} and {3,7} give back one pattern, a random regular graph of degree 7 two.

    Parameters
    ----------
    data
        From `retrieval`, 2 draws or more, with loads on both sides.

    Raises
    ------
    ValueError
        Fewer than 2 draws, or a share that does not cross 1/2.
    """
    if "retrieved" not in as_kind("data", data, xr.Dataset, "retrieval(...)"):
        raise ValueError(f"data must be what retrieval(...) gives, got variables {list(data)}")
    if not {"memory_load", "draw"} <= set(data["retrieved"].dims) or "memory_load" not in data.coords:
        raise ValueError(f"data must have the dimensions memory_load and draw, got {data['retrieved'].dims}")
    order = np.argsort(data["memory_load"].values)
    loads, share = data["memory_load"].values[order], data["retrieved"].transpose("memory_load", "draw").values[order]
    draws = share.shape[1]
    if draws < 2:
        raise ValueError(f"an error needs at least 2 draws, got {draws}")
    value = _crossing(loads, share.mean(axis=1))
    left_out = [_crossing(loads, np.delete(share, k, axis=1).mean(axis=1)) for k in range(draws)]
    return Capacity(value, float(np.sqrt((draws - 1) * np.var(left_out))))


def mean_field_capacity() -> float:
    """The load 0.1379 of the complete graph above which no pattern is retrieved (Amit, Gutfreund, Sompolinsky 1985).

    Replica-symmetric, at zero temperature: the largest 2 alpha = (F(x) / x)^2, F(x) = erf x - (2 / sqrt pi) x e^(-x^2).
    Replica symmetry breaking raises it to about 0.144; small systems round the collapse.

    Examples
    --------
    >>> round(mean_field_capacity(), 4)
    0.1379
    """
    return float(
        -minimize_scalar(lambda x: -_load(x), bounds=(0.5, 3.0), method="bounded", options={"xatol": 1e-10}).fun
    )


def mean_field_overlap(load: float) -> float:
    """Overlap m = erf x of a retrieved pattern on the complete graph at zero temperature, x sqrt(2 load) = F(x).

    The replica-symmetric solution of Amit, Gutfreund and Sompolinsky (1985); F as in `mean_field_capacity`.

    Raises
    ------
    ValueError
        A load that is not in (0, 0.1379).

    Examples
    --------
    >>> round(mean_field_overlap(0.1), 4)
    0.998
    """
    best = minimize_scalar(lambda x: -_load(x), bounds=(0.5, 3.0), method="bounded", options={"xatol": 1e-10})
    if not 0 < as_number("load", load) < -best.fun:
        raise ValueError(f"load must lie in (0, {-best.fun:.4f}), got {load}; above it no pattern is retrieved")
    x = brentq(lambda x: _load(x) - load, best.x, 1 / np.sqrt(2 * load))
    return float(erf(x))


def _load(x: float) -> float:
    return float(((erf(x) - 2 / np.sqrt(np.pi) * x * np.exp(-x * x)) / x) ** 2 / 2)


def _crossing(loads: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    above = np.flatnonzero((share[:-1] >= 0.5) & (share[1:] < 0.5))
    if not above.size:
        raise ValueError(f"the share of retrieved patterns must fall through 1/2, got {share.round(2).tolist()}")
    k = above[-1]
    return float(loads[k] + (share[k] - 0.5) / (share[k] - share[k + 1]) * (loads[k + 1] - loads[k]))


def _sums(lattice: Lattice, patterns: NDArray[np.integer]) -> NDArray[np.float64]:
    """(n_bonds,) whole numbers sum_mu xi_i xi_j."""
    sums = np.empty(lattice.n_bonds)
    pattern_sums(np.ascontiguousarray(patterns.T, dtype=np.int8), lattice.bonds, sums)
    return sums


def _mean_degree(lattice: Lattice) -> float:
    if not as_kind("lattice", lattice, Lattice, "ising.complete(100)").n_bonds:
        raise ValueError(f"{lattice.name} has no bonds to store patterns in")
    return 2 * lattice.n_bonds / lattice.n_sites


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return -(xlogy(p, p) + xlogy(1 - p, 1 - p)) / np.log(2)
