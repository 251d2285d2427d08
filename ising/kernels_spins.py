"""Compiled: one chain at a time, int8 spins, any couplings and fields, random-site Metropolis: the slow reference.

`weights.couplings` and `weights.fields` have one entry per bond or site, or a single entry for all. Random numbers come
from SFC64 states (4,) uint64, one per chain.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .tables import LAZINESS


class SpinGraph(NamedTuple):
    """A graph with its couplings and fields as the spin kernels need it."""

    neighbors: NDArray[np.int32]  # (n_sites, max_degree), padded with -1
    neighbor_bonds: NDArray[np.int32]  # (n_sites, max_degree)
    bonds: NDArray[np.int32]  # (n_bonds, 2)
    couplings: NDArray[np.float64]  # (n_bonds,) or (1,)
    fields: NDArray[np.float64]  # (n_sites,) or (1,)
    layers: NDArray[np.int32]  # (n_axes, n_sites); n_axes = 0 without momentum
    signs: NDArray[np.int8]  # (n_sites,) of +-1 by sublattice, or empty


@njit(cache=True, nogil=True, inline="always")
def next_uint64(rng):  # type: ignore[no-untyped-def]
    """SFC64 (Doty-Humphrey), the stream of numpy.random.SFC64."""
    word = rng[0] + rng[1] + rng[3]
    rng[3] += np.uint64(1)
    rng[0] = rng[1] ^ (rng[1] >> np.uint64(11))
    rng[1] = rng[2] + (rng[2] << np.uint64(3))
    rng[2] = ((rng[2] << np.uint64(24)) | (rng[2] >> np.uint64(40))) + word
    return word


@njit(cache=True, nogil=True, inline="always")
def uniform(rng):  # type: ignore[no-untyped-def]
    """Uniform in [0, 1), a multiple of 2^-53."""
    return np.float64(next_uint64(rng) >> np.uint64(11)) * 1.1102230246251565e-16


@njit(cache=True, nogil=True, inline="always")
def _site(rng, n_sites):  # type: ignore[no-untyped-def]
    return np.int64(((next_uint64(rng) >> np.uint64(32)) * np.uint64(n_sites)) >> np.uint64(32))


@njit(cache=True, nogil=True, inline="always")
def _item(array, index):  # type: ignore[no-untyped-def]
    return array[index] if array.size > 1 else array[0]


@njit(cache=True, nogil=True)
def _local_field(spins, i, graph):  # type: ignore[no-untyped-def]
    total = _item(graph.fields, i)
    for j in range(graph.neighbors.shape[1]):
        neighbor = graph.neighbors[i, j]
        if neighbor < 0:
            break
        total += _item(graph.couplings, graph.neighbor_bonds[i, j]) * spins[neighbor]
    return total


@njit(cache=True, nogil=True)
def random_site_sweep(spins, rng, graph, beta):  # type: ignore[no-untyped-def]
    """n_sites Metropolis attempts on sites drawn at random, P(flip) = (15/16) min(1, exp(-beta dE)).

    Without 15/16 every attempt succeeds at beta = 0, and a sweep of n_sites flips never changes its parity.
    """
    for _ in range(spins.size):
        i = _site(rng, spins.size)
        cost = 2.0 * spins[i] * _local_field(spins, i, graph)
        if uniform(rng) < LAZINESS * exp(-beta * max(cost, 0.0)):
            spins[i] = -spins[i]


@njit(cache=True, nogil=True)
def warm_up(spins, rng, graph, beta, n_sweeps):  # type: ignore[no-untyped-def]
    """Sweeps without measuring, in place for every chain of spins (n_chains, n_sites)."""
    for chain in range(spins.shape[0]):
        for _ in range(n_sweeps):
            random_site_sweep(spins[chain], rng[chain], graph, beta)


@njit(cache=True, nogil=True)
def measure(spins, graph, weighted, waves, out):  # type: ignore[no-untyped-def]
    """Write bond energy (weights 1 if not weighted), sum s, sum h s, |Fourier amplitude|^2, sum sign s to out (5,)."""
    bond_sum = 0.0
    for bond in range(graph.bonds.shape[0]):
        product = spins[graph.bonds[bond, 0]] * spins[graph.bonds[bond, 1]]
        bond_sum += product * (_item(graph.couplings, bond) if weighted else 1.0)
    total, field_sum, staggered = 0.0, 0.0, 0.0
    for i in range(spins.size):
        total += spins[i]
        field_sum += _item(graph.fields, i) * spins[i]
    for i in range(graph.signs.size):
        staggered += graph.signs[i] * spins[i]
    out[0], out[1], out[2], out[3], out[4] = -bond_sum, total, field_sum, 0.0, staggered
    for axis in range(graph.layers.shape[0]):
        real, imaginary = 0.0, 0.0
        for i in range(spins.size):
            real += spins[i] * waves[0, graph.layers[axis, i]]
            imaginary += spins[i] * waves[1, graph.layers[axis, i]]
        out[3] += (real * real + imaginary * imaginary) / graph.layers.shape[0]


@njit(cache=True, nogil=True)
def run(spins, rng, graph, beta, waves, thin, single, pairs):  # type: ignore[no-untyped-def]
    """`thin` sweeps before each draw of every chain of spins (n_chains, n_sites).

    single (n_chains, n_draws, 5) and pairs (n_chains // 2, n_draws, 5) receive `measure`, the latter of the overlap
    field of chains (2k, 2k + 1); pairs may have n_draws = 0.
    """
    for draw in range(single.shape[1]):
        for chain in range(spins.shape[0]):
            for _ in range(thin):
                random_site_sweep(spins[chain], rng[chain], graph, beta)
            measure(spins[chain], graph, True, waves, single[chain, draw])
        if pairs.shape[1]:
            for pair in range(pairs.shape[0]):
                measure(spins[2 * pair] * spins[2 * pair + 1], graph, False, waves, pairs[pair, draw])
