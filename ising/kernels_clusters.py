"""Compiled: Swendsen-Wang clusters of one chain, any couplings and fields (`kernels_bonds` says how spins are kept).

A satisfied bond is active with probability p = 1 - exp(-2 beta |J|). The random number of a lane is compared with p
digit by digit for 512 lanes at once, from the most significant on, until every lane is decided: exact to `N_DIGITS`
binary digits with about eleven random words for 64 bonds.

Random numbers come from eight SFC64 in step, state (4, 8) uint64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .byte_lanes import attach_alone, lowest_bit, store_bits
from .kernels_bonds import BLOCK, LANES, ONE, PAD, ZERO, count_staggered, find_unsatisfied, measure, measure_overlaps
from .words import any_bit, load, next_words, splat, store

N_DIGITS = 52


@njit(cache=True, nogil=True)
def activate(mask, unsatisfied, digits, rng, active):  # type: ignore[no-untyped-def]
    """Activate the lanes of mask that are not unsatisfied, each with its probability.

    digits (1 or n_words / 8, N_DIGITS, 8) uint64: the binary digits of p of every lane, most significant first; one
    block serves all if p is uniform. active (n_words,) is filled.
    """
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    one = splat(ONE)
    row = N_DIGITS * BLOCK if digits.shape[0] > 1 else 0
    for block in range(mask.size // BLOCK):
        undecided = load(mask, BLOCK * block) ^ load(unsatisfied, BLOCK * block)
        chosen = splat(ZERO)
        for digit in range(N_DIGITS):
            word, a, b, c = next_words(a, b, c, counter)
            counter = counter + one
            threshold = load(digits, row * block + BLOCK * digit)
            differs = (word ^ threshold) & undecided
            chosen = chosen | (differs & threshold)
            undecided = undecided ^ differs
            if not any_bit(undecided):
                break
        store(active, BLOCK * block, chosen)
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, counter)


@njit(cache=True, nogil=True, inline="always")
def _attach(parent, upper, lower, pairs, n_pairs):  # type: ignore[no-untyped-def]
    """Give a node that is still alone the parent of its lower neighbour; otherwise note the two parents as a pair."""
    mine, other = parent[upper], parent[lower]
    alone = mine == upper
    parent[upper] = other if alone else mine
    pairs[n_pairs, 0], pairs[n_pairs, 1] = mine, other
    return n_pairs + np.uint64(not alone and mine != other)


@njit(cache=True, nogil=True, inline="always")
def _unite(parent, a, b):  # type: ignore[no-untyped-def]
    """Union by smaller index with splicing (Rem's algorithm; Patwary, Blair and Manne 2010)."""
    while True:
        above_a, above_b = parent[a], parent[b]
        if above_a == above_b:
            break
        higher = a if above_a > above_b else b
        high, low = max(above_a, above_b), min(above_a, above_b)
        parent[higher] = low
        if higher == high:  # it was a root
            break
        a, b = high, low


@njit(cache=True, nogil=True, inline="always")
def _unite_all(parent, pairs, n_pairs):  # type: ignore[no-untyped-def]
    """Unite pairs; a first pass without branches drops those that already have one grandparent."""
    kept = ZERO
    for p in range(n_pairs):
        a, b = parent[pairs[p, 0]], parent[pairs[p, 1]]
        pairs[kept, 0], pairs[kept, 1] = a, b
        kept += np.uint64(a != b)
    for p in range(kept):
        _unite(parent, pairs[p, 0], pairs[p, 1])


@njit(cache=True, nogil=True)
def link(parent, active, bonds, pairs):  # type: ignore[no-untyped-def]
    """Join the nodes of active bonds: parent[i] <= i leads to the smallest node of the cluster of i.

    parent (n_nodes,) uint32 starts as parent[i] = i; pairs (513, 2) uint32 is scratch. Most joins find one node still
    alone and need no branch (64 at once in words whose pairs are far apart); the others wait for their block to end.
    """
    n_regular = np.uint64(bonds.upper_start.size)
    for block in range(np.uint64(active.size // BLOCK)):
        n_pairs = ZERO
        for w in range(np.uint64(BLOCK) * block, np.uint64(BLOCK) * (block + ONE)):
            bits = active[w]
            if w < n_regular:
                upper, lower = np.uint64(bonds.upper_start[w]), np.uint64(bonds.lower_start[w])
                if upper - lower >= LANES:
                    bits = attach_alone(parent, upper, lower, bits)
                while bits:
                    k = lowest_bit(bits)
                    bits &= bits - ONE
                    n_pairs = _attach(parent, upper + k, lower + k, pairs, n_pairs)
            else:
                first = LANES * (w - n_regular)
                while bits:
                    k = first + lowest_bit(bits)
                    bits &= bits - ONE
                    n_pairs = _attach(parent, bonds.upper[k], bonds.lower[k], pairs, n_pairs)
        _unite_all(parent, pairs, n_pairs)


@njit(cache=True, nogil=True)
def _exclusive_or(target, other):  # type: ignore[no-untyped-def]
    for i in range(target.size):
        target[i] ^= other[i]


@njit(cache=True, nogil=True)
def _count_from(target, first):  # type: ignore[no-untyped-def]
    for i in range(target.size):
        target[i] = np.uint32(first) + np.uint32(i)


@njit(cache=True, nogil=True)
def flip(up, parent, flips, rng):  # type: ignore[no-untyped-def]
    """Flip every cluster with probability 1/2, the ghost's never; parent becomes parent[i] = i again.

    flips (n_nodes + 512,) uint8 is scratch with flips[0] = 0. Every node draws a bit; a parent comes before its
    children, so one pass hands the root's bit down.
    """
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    one = splat(ONE)
    words = np.empty(BLOCK, np.uint64)
    n_nodes = up.size - PAD
    for start in range(PAD, n_nodes, 64 * BLOCK):
        word, a, b, c = next_words(a, b, c, counter)
        counter = counter + one
        store(words, 0, word)
        for w in range(BLOCK):
            store_bits(flips, np.uint64(start + 64 * w), words[w])
        stop = min(start + 64 * BLOCK, n_nodes)
        for i in range(np.uint64(start), np.uint64(stop)):
            flips[i] = flips[parent[i]]
        _exclusive_or(up[start:stop], flips[start:stop])
        _count_from(parent[start:stop], start)
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, counter)


@njit(cache=True, nogil=True)
def cluster_power(parent, up, momenta, sums, out):  # type: ignore[no-untyped-def]
    """Write sum_c (sum_{i in c} s_i)^2 and sum_c |sum_{j in c} s_j exp(i k x_j)|^2, mean over axes, to out[:2].

    Flattens parent to the roots; sums (n_nodes, 1 + 2 n_axes) float64 is zero before and after.
    """
    n_axes, n_sites = momenta.steps.size, np.uint64(up.size - 2 * PAD)
    for site in range(n_sites):
        node = site + LANES  # LANES = PAD
        root = parent[parent[node]]
        parent[node] = root
        spin = 2.0 * up[node] - 1.0
        sums[root, 0] += spin
        for axis in range(n_axes):
            layer = momenta.layers[axis, site]
            sums[root, 2 * axis + 1] += spin * momenta.waves[0, layer]
            sums[root, 2 * axis + 2] += spin * momenta.waves[1, layer]
    uniform, waves = 0.0, 0.0
    for node in range(n_sites + LANES):
        if parent[node] == node:  # a root
            uniform += sums[node, 0] * sums[node, 0]
            for k in range(1, sums.shape[1]):
                waves += sums[node, k] * sums[node, k]
            sums[node] = 0.0
    out[0], out[1] = uniform, waves / max(1, n_axes)


@njit(cache=True, nogil=True)
def swendsen_wang_step(up, rng, bonds, digits, momenta, scratch, unsatisfied, out):  # type: ignore[no-untyped-def]
    """One step; unsatisfied (n_words,) holds the unsatisfied bonds before and after.

    Unless scratch.sums is empty, out[3] and out[4] are the mean of M^2 and of the mean over axes of |A|^2 over all 2^c
    outcomes of this step's c coin tosses.
    """
    activate(bonds.mask, unsatisfied, digits, rng, scratch.active)
    link(scratch.parent, scratch.active, bonds, scratch.pairs)
    if scratch.sums.size:
        cluster_power(scratch.parent, up, momenta, scratch.sums, out[3:])
    flip(up, scratch.parent, scratch.flips, rng)
    find_unsatisfied(up, bonds, scratch.lanes, unsatisfied)


@njit(cache=True, nogil=True)
def warm_up(up, rng, bonds, digits, momenta, scratch, n_sweeps):  # type: ignore[no-untyped-def]
    """Swendsen-Wang steps without measuring, in place for every chain of up (n_chains, n_nodes)."""
    out = np.zeros(5)
    for chain in range(up.shape[0]):
        unsatisfied = scratch.unsatisfied[chain]
        find_unsatisfied(up[chain], bonds, scratch.lanes, unsatisfied)
        for _ in range(n_sweeps):
            swendsen_wang_step(up[chain], rng[chain], bonds, digits, momenta, scratch, unsatisfied, out)


@njit(cache=True, nogil=True)
def run(up, rng, digits, bonds, weights, momenta, scratch, thin, single, plain, pairs):  # type: ignore[no-untyped-def]
    """`thin` Swendsen-Wang steps before each draw of every chain of up (n_chains, n_nodes).

    single (n_chains, n_draws, 6) receives `measure`, the improved estimators and `count_staggered`, pairs
    (n_chains // 2, n_draws, 3) the `measure` of the overlap of chains (2k, 2k + 1) on the bonds `plain`; pairs may have
    n_draws = 0.
    """
    for chain in range(up.shape[0]):
        find_unsatisfied(up[chain], bonds, scratch.lanes, scratch.unsatisfied[chain])
    for draw in range(single.shape[1]):
        for chain in range(up.shape[0]):
            unsatisfied, out = scratch.unsatisfied[chain], single[chain, draw]
            for _ in range(thin):
                swendsen_wang_step(up[chain], rng[chain], bonds, digits, momenta, scratch, unsatisfied, out)
            measure(up[chain], unsatisfied, weights, momenta, scratch.counts, out)
            if scratch.stagger.size:
                out[5] = count_staggered(up[chain], scratch)
        if pairs.shape[1]:
            measure_overlaps(up, plain, momenta, scratch, pairs[:, draw])
