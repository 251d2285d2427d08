"""Compiled: spins as bytes, bonds in the lanes of words, and what is measured from them; used by cluster updates.

Spins are bytes `up` (1 is up, 0 is down) indexed by node: node `PAD + i` is site i, node 0 is the ghost spin, always
up, to which site i is coupled with h_i (Coniglio, Di Liberto, Monroy and Peruggi 1989): a field is a bond like others.
Bonds live in the lanes of 64-bit words (`BondWords`). A word is either 64 pairs of nodes at one distance, read 64 bytes
at a time, as most are on a flat lattice, or a list of any 64 pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .byte_lanes import count_ones, load_bits, lowest_bit

PAD = 64
BLOCK = 8  # the number of words is a multiple of this
ZERO, ONE, LANES = np.uint64(0), np.uint64(1), np.uint64(64)


class BondWords(NamedTuple):
    """Bonds in the lanes of words: regular words first, then lists, then lists of the ghost's bonds.

    Lane k of regular word w joins nodes upper_start[w] + k and lower_start[w] + k; lane k of list word w joins
    upper[64 w + k] and lower[64 w + k], w counted from the first list word. The upper node is the larger.
    """

    upper_start: NDArray[np.uint32]  # (n_regular,)
    lower_start: NDArray[np.uint32]  # (n_regular,)
    upper: NDArray[np.uint32]  # (64 * n_lists,)
    lower: NDArray[np.uint32]  # (64 * n_lists,)
    mask: NDArray[np.uint64]  # (n_words,): lanes that hold a bond
    opposed: NDArray[np.uint64]  # (n_words,): lanes with J < 0


class Momenta(NamedTuple):
    """Layers of the smallest momenta: in a run of sites the layer stays (step 0) or goes up by one a site (step 1).

    An axis without such order has step -1 and one run of all sites.
    """

    steps: NDArray[np.int64]  # (n_axes,): 0, 1 or -1
    runs: NDArray[np.int64]  # (n_runs, 4): axis, first node, first layer, number of sites
    sizes: NDArray[np.int64]  # (n_axes, n_layers): sites of a layer
    layers: NDArray[np.int32]  # (n_axes, n_sites)
    waves: NDArray[np.float64]  # (2, n_layers): cos and sin


class Scratch(NamedTuple):
    """What the kernels write on."""

    parent: NDArray[np.uint32]  # (n_nodes,): parent[i] = i between steps
    flips: NDArray[np.uint8]  # (n_nodes + 512,): flips[0] = 0
    pairs: NDArray[np.uint32]  # (64 * BLOCK + 1, 2)
    lanes: NDArray[np.uint8]  # (64,)
    unsatisfied: NDArray[np.uint64]  # (n_chains, n_words): those of the present spins
    active: NDArray[np.uint64]  # (n_words,)
    overlap: NDArray[np.uint8]  # (n_nodes,)
    counts: NDArray[np.int64]  # (n_axes, n_layers)
    sums: NDArray[np.float64]  # (n_nodes, 1 + 2 n_axes) of zeros, or none without improved estimators
    stagger: NDArray[np.uint8]  # (n_nodes,): 1 on the sublattice of sign -1; empty if not wanted


@njit(cache=True, nogil=True)
def find_unsatisfied(up, bonds, lanes, unsatisfied):  # type: ignore[no-untyped-def]
    """Set the lanes of bonds that cost energy (J s s' < 0); unsatisfied (n_words,), lanes (64,) uint8 scratch."""
    n_regular = np.uint64(bonds.upper_start.size)
    for w in range(n_regular):
        word = load_bits(up, np.uint64(bonds.upper_start[w])) ^ load_bits(up, np.uint64(bonds.lower_start[w]))
        unsatisfied[w] = (word ^ bonds.opposed[w]) & bonds.mask[w]
    for w in range(n_regular, np.uint64(unsatisfied.size)):
        first = LANES * (w - n_regular)
        for k in range(LANES):
            lanes[k] = up[bonds.upper[first + k]] ^ up[bonds.lower[first + k]]
        unsatisfied[w] = (load_bits(lanes, ZERO) ^ bonds.opposed[w]) & bonds.mask[w]


@njit(cache=True, nogil=True)
def total_weight(words, weights):  # type: ignore[no-untyped-def]
    """Sum of the weights (64 * n_words,) of the lanes set, or their number if there are no weights."""
    if weights.size == 0:
        count = ZERO
        for word in words:
            count += count_ones(word)
        return float(count)
    total = 0.0
    for w in range(np.uint64(words.size)):
        bits = words[w]
        while bits:
            total += weights[LANES * w + lowest_bit(bits)]
            bits &= bits - ONE
    return total


@njit(cache=True, nogil=True)
def count_up(up, first, number):  # type: ignore[no-untyped-def]
    """Up spins among `number` nodes from `first` on."""
    count = ZERO
    for start in range(first, first + number - 63, 64):
        count += count_ones(load_bits(up, np.uint64(start)))
    rest = np.uint64(number) % LANES
    last = np.uint64(first + number) - rest
    return np.int64(count + count_ones(load_bits(up, last) & ((ONE << rest) - ONE)))


@njit(cache=True, nogil=True)
def _add_bytes(counts, values):  # type: ignore[no-untyped-def]
    for k in range(counts.size):
        counts[k] += values[k]


@njit(cache=True, nogil=True)
def structure(up, momenta, counts):  # type: ignore[no-untyped-def]
    """|sum_j s_j exp(i k_min x_j)|^2, mean over axes; counts (n_axes, n_layers) int64 scratch."""
    counts[:] = 0
    for r in range(momenta.runs.shape[0]):
        axis, node, layer, number = momenta.runs[r]
        if momenta.steps[axis] == 0:
            counts[axis, layer] += count_up(up, node, number)
        elif momenta.steps[axis] < 0:
            for i in range(np.uint64(number)):
                counts[axis, momenta.layers[axis, i]] += up[i + LANES]
        else:
            _add_bytes(counts[axis, layer : layer + number], up[node : node + number])
    total = 0.0
    for axis in range(counts.shape[0]):
        real, imaginary = 0.0, 0.0
        for layer in range(counts.shape[1]):
            moment = 2 * counts[axis, layer] - momenta.sizes[axis, layer]
            real += moment * momenta.waves[0, layer]
            imaginary += moment * momenta.waves[1, layer]
        total += (real * real + imaginary * imaginary) / counts.shape[0]
    return total


@njit(cache=True, nogil=True)
def measure(up, unsatisfied, weights, momenta, counts, out):  # type: ignore[no-untyped-def]
    """Write weight of the unsatisfied bonds, number of up spins and `structure` to out[:3]."""
    out[0] = total_weight(unsatisfied, weights)
    out[1] = count_up(up, PAD, up.size - 2 * PAD)
    out[2] = structure(up, momenta, counts)


@njit(cache=True, nogil=True)
def count_staggered(up, scratch):  # type: ignore[no-untyped-def]
    """Number of spins equal to the sign of their sublattice."""
    for i in range(np.uint64(up.size)):
        scratch.overlap[i] = up[i] ^ scratch.stagger[i]
    return count_up(scratch.overlap, PAD, up.size - 2 * PAD)


@njit(cache=True, nogil=True)
def measure_overlaps(up, plain, momenta, scratch, out):  # type: ignore[no-untyped-def]
    """`measure` of the products of chains (2k, 2k + 1) to out[k, :3]; `plain` has the bonds as if all J were 1."""
    for pair in range(up.shape[0] // 2):
        first, second = up[2 * pair], up[2 * pair + 1]
        for i in range(first.size):
            scratch.overlap[i] = np.uint8(1) ^ first[i] ^ second[i]
        find_unsatisfied(scratch.overlap, plain, scratch.lanes, scratch.active)
        measure(scratch.overlap, scratch.active, NO_WEIGHTS, momenta, scratch.counts, out[pair])


NO_WEIGHTS = np.zeros(0)
