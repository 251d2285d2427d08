"""Compiled: one chain at a time, int8 spins, any couplings and fields; heat bath, random-site Metropolis, clusters.

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

HEAT_BATH, RANDOM_SITE, SWENDSEN_WANG, WOLFF = 0, 1, 2, 3


class SpinGraph(NamedTuple):
    """A graph with its couplings and fields as the spin kernels need it."""

    neighbors: NDArray[np.int32]  # (n_sites, max_degree), padded with -1
    neighbor_bonds: NDArray[np.int32]  # (n_sites, max_degree)
    bonds: NDArray[np.int32]  # (n_bonds, 2)
    couplings: NDArray[np.float64]  # (n_bonds,) or (1,)
    fields: NDArray[np.float64]  # (n_sites,) or (1,)
    layers: NDArray[np.int32]  # (n_axes, n_sites); n_axes = 0 without momentum


class Idle(NamedTuple):
    """Probabilities that a satisfied bond (or a spin along its field) is not activated by a cluster update."""

    bonds: NDArray[np.float64]  # exp(-2 beta |J|), (n_bonds,) or (1,)
    sites: NDArray[np.float64]  # exp(-2 beta |h|), (n_sites,) or (1,)


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


_uniform = uniform


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
def heat_bath_sweep(spins, rng, graph, beta):  # type: ignore[no-untyped-def]
    """Every site once, in order: s_i = +1 with probability 1 / (1 + exp(-2 beta h_i))."""
    for i in range(spins.size):
        up = 1.0 / (1.0 + exp(-2.0 * beta * _local_field(spins, i, graph)))
        spins[i] = 1 if uniform(rng) < up else -1


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
def _root(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _join(parent, a, b):  # type: ignore[no-untyped-def]
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit(cache=True, nogil=True)
def swendsen_wang_step(spins, rng, graph, idle, scratch):  # type: ignore[no-untyped-def]
    """One Swendsen-Wang step; scratch (2, n_sites + 1) int32.

    A satisfied bond is active with 1 - idle.bonds = 1 - exp(-2 beta |J|); a spin along its field joins the ghost spin
    (node n_sites) with 1 - exp(-2 beta |h|). Every cluster flips with probability 1/2, the ghost's keeps its spins.
    """
    parent, flip = scratch[0], scratch[1]
    ghost = spins.size
    for i in range(ghost + 1):
        parent[i] = i
    for bond in range(graph.bonds.shape[0]):
        a, b = graph.bonds[bond, 0], graph.bonds[bond, 1]
        if _item(graph.couplings, bond) * spins[a] * spins[b] > 0.0 and uniform(rng) >= _item(idle.bonds, bond):
            _join(parent, a, b)
    if graph.fields.size > 1 or graph.fields[0] != 0.0:
        for i in range(ghost):
            if _item(graph.fields, i) * spins[i] > 0.0 and uniform(rng) >= _item(idle.sites, i):
                _join(parent, i, ghost)
    frozen = _root(parent, ghost)
    for i in range(ghost):
        root = _root(parent, i)
        if root == i:  # the smallest site of its cluster, so it is decided before the others
            flip[i] = 0 if i == frozen else np.int32(next_uint64(rng) >> np.uint64(63))
        if flip[root]:
            spins[i] = -spins[i]


@njit(cache=True, nogil=True)
def wolff_cluster(spins, rng, graph, idle, scratch):  # type: ignore[no-untyped-def]
    """Grow one Wolff cluster and flip it; returns the number of sites visited.

    scratch (2, n_sites + 1) int32, its row 1 zero. A cluster that reaches the ghost spin keeps its spins.
    """
    members, marked = scratch[0], scratch[1]
    members[0] = _site(rng, spins.size)
    marked[members[0]] = 1
    size = 1
    head = 0
    pinned = False
    while head < size and not pinned:
        i = members[head]
        head += 1
        pinned = _item(graph.fields, i) * spins[i] > 0.0 and uniform(rng) >= _item(idle.sites, i)
        for j in range(graph.neighbors.shape[1]):
            neighbor = graph.neighbors[i, j]
            if neighbor < 0 or pinned:
                break
            bond = graph.neighbor_bonds[i, j]
            satisfied = _item(graph.couplings, bond) * spins[i] * spins[neighbor] > 0.0
            if satisfied and not marked[neighbor] and uniform(rng) >= _item(idle.bonds, bond):
                members[size] = neighbor
                marked[neighbor] = 1
                size += 1
    for k in range(size):
        marked[members[k]] = 0
        if not pinned:
            spins[members[k]] = -spins[members[k]]
    return size


@njit(cache=True, nogil=True)
def sweep(update, spins, rng, graph, beta, idle, n_clusters, scratch):  # type: ignore[no-untyped-def]
    """One sweep of the chosen update."""
    if update == HEAT_BATH:
        heat_bath_sweep(spins, rng, graph, beta)
    elif update == RANDOM_SITE:
        random_site_sweep(spins, rng, graph, beta)
    elif update == SWENDSEN_WANG:
        swendsen_wang_step(spins, rng, graph, idle, scratch)
    else:
        for _ in range(n_clusters):
            wolff_cluster(spins, rng, graph, idle, scratch)


@njit(cache=True, nogil=True)
def warm_up(update, spins, rng, graph, beta, idle, n_clusters, n_sweeps):  # type: ignore[no-untyped-def]
    """Sweeps without measuring, in place for every chain of spins (n_chains, n_sites).

    For Wolff a sweep here goes on until n_sites spins are visited, and n_clusters (n_chains,) becomes the mean number
    of clusters that took, over the second half; sampling then keeps that number fixed.
    """
    scratch = np.zeros((2, spins.shape[1] + 1), np.int32)
    for chain in range(spins.shape[0]):
        clusters = 0
        for t in range(n_sweeps):
            if update == WOLFF:
                visited = 0
                while visited < spins.shape[1]:
                    visited += wolff_cluster(spins[chain], rng[chain], graph, idle, scratch)
                    clusters += 1 if 2 * t >= n_sweeps else 0
            else:
                sweep(update, spins[chain], rng[chain], graph, beta, idle, 1, scratch)
        half = n_sweeps - (n_sweeps + 1) // 2
        n_clusters[chain] = max(1, clusters // half) if half else 1


@njit(cache=True, nogil=True)
def measure(spins, graph, weighted, waves, out):  # type: ignore[no-untyped-def]
    """Write bond energy (weights 1 if not weighted), sum s, sum h s, |Fourier amplitude|^2 to out (4,)."""
    bond_sum = 0.0
    for bond in range(graph.bonds.shape[0]):
        product = spins[graph.bonds[bond, 0]] * spins[graph.bonds[bond, 1]]
        bond_sum += product * (_item(graph.couplings, bond) if weighted else 1.0)
    total, field_sum = 0.0, 0.0
    for i in range(spins.size):
        total += spins[i]
        field_sum += _item(graph.fields, i) * spins[i]
    out[0], out[1], out[2], out[3] = -bond_sum, total, field_sum, 0.0
    for axis in range(graph.layers.shape[0]):
        real, imaginary = 0.0, 0.0
        for i in range(spins.size):
            real += spins[i] * waves[0, graph.layers[axis, i]]
            imaginary += spins[i] * waves[1, graph.layers[axis, i]]
        out[3] += (real * real + imaginary * imaginary) / graph.layers.shape[0]


@njit(cache=True, nogil=True)
def run(update, spins, rng, graph, beta, idle, n_clusters, waves, thin, single, pairs):  # type: ignore[no-untyped-def]
    """`thin` sweeps before each draw of every chain of spins (n_chains, n_sites).

    single (n_chains, n_draws, 4) and pairs (n_chains // 2, n_draws, 4) receive `measure`, the latter of the overlap
    field of chains (2k, 2k + 1); pairs may have n_draws = 0.
    """
    scratch = np.zeros((2, spins.shape[1] + 1), np.int32)
    for draw in range(single.shape[1]):
        for chain in range(spins.shape[0]):
            for _ in range(thin):
                sweep(update, spins[chain], rng[chain], graph, beta, idle, n_clusters[chain], scratch)
            measure(spins[chain], graph, True, waves, single[chain, draw])
        if pairs.shape[1]:
            for pair in range(pairs.shape[0]):
                measure(spins[2 * pair] * spins[2 * pair + 1], graph, False, waves, pairs[pair, draw])
