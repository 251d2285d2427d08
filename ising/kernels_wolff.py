"""Compiled: Wolff clusters of one chain, any couplings and fields (`kernels_bonds` says how spins are kept).

Decisions on bonds come from a pool: 512 bits that are one with p = 1 - exp(-2 beta |J|) where |J| is uniform, else
eight random words to compare with the bonds' thresholds. Every sweep starts with an empty pool, so that results do not
depend on how a run is cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .kernels_bonds import PAD, count_staggered, find_unsatisfied, measure, measure_overlaps
from .kernels_clusters import activate
from .words import load, next_words, splat, store

MARK = np.uint8(2)  # a spin of the growing cluster carries this beside its bit 0


class Adjacency(NamedTuple):
    """Neighbours of every site, the ghost among them where there is a field."""

    start: NDArray[np.uint32]  # (n_sites + 1,): the neighbours of site i are entries start[i] .. start[i + 1] - 1
    neighbors: NDArray[np.uint32]  # (n_entries,): 2 * node, plus one if J < 0
    thresholds: NDArray[np.uint64]  # (n_entries,): p as an integer of N_DIGITS bits, or (0,) if |J| is uniform


class Pool(NamedTuple):
    """Random bits or words in waiting, and scratch."""

    words: NDArray[np.uint64]  # (8,)
    ones: NDArray[np.uint64]  # (8,) all ones
    zeros: NDArray[np.uint64]  # (8,)
    seeds: NDArray[np.uint64]  # (8,)
    members: NDArray[np.uint32]  # (n_sites + 2,)


@njit(cache=True, nogil=True)
def draw_words(rng, out):  # type: ignore[no-untyped-def]
    """Eight random words."""
    word, a, b, c = next_words(load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24))
    store(out, 0, word)
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, load(rng, 24) + splat(np.uint64(1)))


@njit(cache=True, nogil=True)
def compare_bits(rng, thresholds, first, number, words):  # type: ignore[no-untyped-def]
    """Bit k < number is one with probability thresholds[first + k] / 2^52; words (8,) is scratch."""
    bits = np.uint64(0)
    for k in range(np.uint64(number)):
        if k % np.uint64(8) == 0:
            draw_words(rng, words)
        below = words[k % np.uint64(8)] >> np.uint64(12) < thresholds[np.uint64(first) + k]
        bits |= np.uint64(below) << k
    return bits


@njit(cache=True, nogil=True)
def grow_cluster(up, rng, adjacency, digits, pool, taken, seed):  # type: ignore[no-untyped-def]
    """Grow the cluster of a seed node and flip it, unless it reaches the ghost.

    taken is how many of the 8 pool.words are used. Returns the number of sites visited and the new `taken`.
    """
    members = pool.members
    members[0] = seed
    up[seed] |= MARK
    uniform = adjacency.thresholds.size == 0
    size, head, left, bits = np.uint64(1), np.uint64(0), np.uint64(0), np.uint64(0)
    while head < size and up[0] < MARK:  # the ghost is not in the cluster
        node = np.uint64(members[head])
        head += np.uint64(1)
        spin = np.uint64(up[node])
        first, last = (
            np.uint64(adjacency.start[node - np.uint64(PAD)]),
            np.uint64(adjacency.start[node - np.uint64(PAD - 1)]),
        )
        while first < last:
            number = min(np.uint64(64), last - first)
            if not uniform:
                bits = compare_bits(rng, adjacency.thresholds, first, number, pool.words)
            elif left < number:
                if taken == 8:
                    activate(pool.ones, pool.zeros, digits, rng, pool.words)
                    taken = np.uint64(0)
                bits, left = pool.words[taken], np.uint64(64)
                taken += np.uint64(1)
            left -= number
            for entry in range(first, first + number):
                neighbor = np.uint64(adjacency.neighbors[entry])
                wanted = (spin ^ neighbor) & np.uint64(1)
                neighbor >>= np.uint64(1)
                other = np.uint64(up[neighbor])
                joins = np.uint64(other == wanted) & bits
                bits >>= np.uint64(1)
                members[size] = neighbor
                size += joins
                up[neighbor] = other + joins + joins  # the mark
            first += number
    change = np.uint8(up[0] < MARK)
    for k in range(size):
        node = np.uint64(members[k])
        up[node] = (up[node] ^ change) & np.uint8(1)
    return size, taken


@njit(cache=True, nogil=True)
def sweep(up, rng, adjacency, digits, pool, n_clusters, least):  # type: ignore[no-untyped-def]
    """Grow n_clusters clusters or one more, or if that is 0 as many as visit `least` sites; returns their number.

    A coin decides on the one more: at beta = 0 clusters are single spins, and a fixed number of flips keeps the parity.
    """
    n_sites = np.uint64(up.size - 2 * PAD)
    taken, visited, clusters = np.uint64(8), np.uint64(0), 0
    draw_words(rng, pool.seeds)
    wanted = n_clusters + np.int64(pool.seeds[0] & np.uint64(1)) if n_clusters else 0
    while clusters < wanted or (n_clusters == 0 and visited < least):
        if clusters and clusters % 8 == 0:
            draw_words(rng, pool.seeds)
        site = ((pool.seeds[clusters % 8] >> np.uint64(32)) * n_sites) >> np.uint64(32)
        size, taken = grow_cluster(up, rng, adjacency, digits, pool, taken, site + np.uint64(PAD))
        visited += size
        clusters += 1
    return clusters


@njit(cache=True, nogil=True)
def warm_up(up, rng, adjacency, digits, pool, counts):  # type: ignore[no-untyped-def]
    """Sweeps without measuring, in place for every chain of up (n_chains, n_nodes).

    A sweep here goes on until n_sites spins are visited; counts (n_chains, n_sweeps) gets the clusters that took.
    """
    for chain in range(up.shape[0]):
        for t in range(counts.shape[1]):
            counts[chain, t] = sweep(up[chain], rng[chain], adjacency, digits, pool, 0, up.shape[1] - 2 * PAD)


@njit(cache=True, nogil=True)
def run(up, rng, adjacency, digits, pool, n_clusters, bonds, weights, momenta, scratch, thin, single, plain, pairs):  # type: ignore[no-untyped-def]
    """`thin` sweeps of n_clusters clusters before each draw of every chain; single, pairs as in `kernels_clusters`."""
    for draw in range(single.shape[1]):
        for chain in range(up.shape[0]):
            for _ in range(thin):
                sweep(up[chain], rng[chain], adjacency, digits, pool, n_clusters[chain], 0)
            find_unsatisfied(up[chain], bonds, scratch.lanes, scratch.active)
            measure(up[chain], scratch.active, weights, momenta, scratch.counts, single[chain, draw])
            if scratch.stagger.size:
                single[chain, draw, 5] = count_staggered(up[chain], scratch)
        if pairs.shape[1]:
            measure_overlaps(up, plain, momenta, scratch, pairs[:, draw])
