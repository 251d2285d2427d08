"""Compiled: 64 independent chains in the bits of a word, any graph, couplings +-J, uniform field.

`spins[site, column]` is a uint64 word: bit k is chain k of that column (1 is up); a column is one (beta, word) pair
with its own random stream. All loops over columns are innermost, so that LLVM vectorises them.

A heat-bath decision needs P(up | number of up neighbours). The count is made with bit-sliced adders; the binary digits
of the threshold are XORs of monomials in the bits of the count (`tables.py`); a uniform number is drawn digit by digit,
from the most significant on, for all 64 lanes at once, until its first difference from the threshold is known in every
lane. A column's stream advances only while that column has undecided lanes, so its numbers do not depend on the columns
beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


class BitGraph(NamedTuple):
    """A graph with +-J couplings as the bit kernels need it."""

    neighbors: NDArray[np.int32]  # (n_sites, max_degree), padded with -1
    masks: NDArray[np.uint64]  # (n_sites, max_degree): all ones where the coupling opposes the majority sign, or (0, 0)
    site_class: NDArray[np.int32]  # (n_sites,): row of the threshold table
    bonds: NDArray[np.int32]  # (n_bonds, 2)
    bond_masks: NDArray[np.uint64]  # (n_bonds,), or (0,)
    layer_order: NDArray[np.int32]  # (n_axes, n_sites): sites sorted by layer
    layer_start: NDArray[np.int32]  # (n_axes, n_layers + 1)


@njit(cache=True, nogil=True, inline="always")
def _next_word(rng, c):  # type: ignore[no-untyped-def]
    """SFC64 (Doty-Humphrey): one uint64 from state column c of rng (4, n_columns), without storing the new state."""
    return rng[0, c] + rng[1, c] + rng[3, c]


@njit(cache=True, nogil=True)
def heat_bath_sweep(spins, rng, graph, digits, work):  # type: ignore[no-untyped-def]
    """One heat-bath update of every site, in site order, in place.

    digits (n_classes, n_digits, max_degree + 1, n_columns) uint64; work (max_degree + 8, n_columns) uint64 scratch.
    """
    n_sites, n_columns = spins.shape
    n_digits = digits.shape[1]
    n_terms = digits.shape[2]
    max_degree = graph.neighbors.shape[1]
    masked = graph.masks.shape[0] > 0
    monomial = work[:n_terms]
    threshold = work[n_terms]
    undecided = work[n_terms + 1]
    chosen = work[n_terms + 2]
    for i in range(n_sites):
        degree = 0
        for k in range(1, n_terms):
            monomial[k, :] = np.uint64(0)
        for j in range(max_degree):
            neighbor = graph.neighbors[i, j]
            if neighbor < 0:
                break
            degree += 1
            mask = graph.masks[i, j] if masked else np.uint64(0)
            for c in range(n_columns):
                threshold[c] = spins[neighbor, c] ^ mask
            plane = 1
            while plane <= degree:  # ripple: monomial[2^b] holds bit b of the count
                for c in range(n_columns):
                    carry = monomial[plane, c] & threshold[c]
                    monomial[plane, c] ^= threshold[c]
                    threshold[c] = carry
                plane *= 2
        for k in range(3, degree + 1):
            low = k & (k - 1)
            if low:
                for c in range(n_columns):
                    monomial[k, c] = monomial[low, c] & monomial[k - low, c]
        row = graph.site_class[i]
        for c in range(n_columns):
            undecided[c] = ONES
            chosen[c] = np.uint64(0)
        for digit in range(n_digits):
            for c in range(n_columns):
                threshold[c] = digits[row, digit, 0, c]
            for k in range(1, degree + 1):
                for c in range(n_columns):
                    threshold[c] ^= digits[row, digit, k, c] & monomial[k, c]
            left = np.uint64(0)
            for c in range(n_columns):
                live = undecided[c] != np.uint64(0)
                word = _next_word(rng, c)
                a = rng[1, c] ^ (rng[1, c] >> np.uint64(11))
                b = rng[2, c] + (rng[2, c] << np.uint64(3))
                d = ((rng[2, c] << np.uint64(24)) | (rng[2, c] >> np.uint64(40))) + word
                rng[0, c] = a if live else rng[0, c]
                rng[1, c] = b if live else rng[1, c]
                rng[2, c] = d if live else rng[2, c]
                rng[3, c] += np.uint64(1) if live else np.uint64(0)
                differs = (word ^ threshold[c]) & undecided[c]
                chosen[c] |= differs & threshold[c]
                undecided[c] ^= differs
                left |= undecided[c]
            if left == np.uint64(0):
                break
        for c in range(n_columns):
            spins[i, c] = chosen[c]


@njit(cache=True, nogil=True)
def _add_eight(planes, words):  # type: ignore[no-untyped-def]
    """Add the bits of eight words (8, n_columns) to vertical counters planes (n_planes, n_columns); clears words."""
    for c in range(planes.shape[1]):
        a, b, d, e = words[0, c], words[1, c], words[2, c], words[3, c]
        f, g, h, p = words[4, c], words[5, c], words[6, c], words[7, c]
        x = a ^ b
        s1, c1 = x ^ d, (a & b) | (x & d)
        x = e ^ f
        s2, c2 = x ^ g, (e & f) | (x & g)
        x = s1 ^ s2
        s3, c3 = x ^ h, (s1 & s2) | (x & h)
        one, c4 = s3 ^ p, s3 & p
        x = c1 ^ c2
        t1, d1 = x ^ c3, (c1 & c2) | (x & c3)
        two, d2 = t1 ^ c4, t1 & c4
        four, eight = d1 ^ d2, d1 & d2
        carry = planes[0, c] & one
        planes[0, c] ^= one
        x = planes[1, c] ^ two
        carry, planes[1, c] = (planes[1, c] & two) | (x & carry), x ^ carry
        x = planes[2, c] ^ four
        carry, planes[2, c] = (planes[2, c] & four) | (x & carry), x ^ carry
        x = planes[3, c] ^ eight
        carry, planes[3, c] = (planes[3, c] & eight) | (x & carry), x ^ carry
        plane = 4
        while carry:
            t = planes[plane, c] & carry
            planes[plane, c] ^= carry
            carry = t
            plane += 1
    words[:] = np.uint64(0)


@njit(cache=True, nogil=True)
def _unpack(planes, counts):  # type: ignore[no-untyped-def]
    """Write the counters of all lanes to counts (64 * n_columns,) and clear the planes."""
    for c in range(planes.shape[1]):
        lanes = counts[64 * c : 64 * c + 64]
        lanes[:] = 0
        for plane in range(planes.shape[0]):
            word = planes[plane, c]
            if word:
                for lane in range(64):
                    lanes[lane] += np.int64((word >> np.uint64(lane)) & np.uint64(1)) << plane
            planes[plane, c] = np.uint64(0)


@njit(cache=True, nogil=True)
def count_unsatisfied(spins, bonds, bond_masks, planes, words, counts):  # type: ignore[no-untyped-def]
    """Per lane, the number of bonds whose spins differ (after the masks)."""
    masked = bond_masks.size > 0
    filled = 0
    for bond in range(bonds.shape[0]):
        mask = bond_masks[bond] if masked else np.uint64(0)
        for c in range(spins.shape[1]):
            words[filled, c] = spins[bonds[bond, 0], c] ^ spins[bonds[bond, 1], c] ^ mask
        filled += 1
        if filled == 8:
            _add_eight(planes, words)
            filled = 0
    _add_eight(planes, words)
    _unpack(planes, counts)


@njit(cache=True, nogil=True)
def count_up(spins, sites, planes, words, counts):  # type: ignore[no-untyped-def]
    """Per lane, the number of up spins among the given sites."""
    filled = 0
    for site in sites:
        words[filled, :] = spins[site]
        filled += 1
        if filled == 8:
            _add_eight(planes, words)
            filled = 0
    _add_eight(planes, words)
    _unpack(planes, counts)


@njit(cache=True, nogil=True)
def measure(spins, graph, masked, waves, planes, words, counts, unsatisfied, up, structure):  # type: ignore[no-untyped-def]
    """Raw counts of one draw, for all lanes: unsatisfied bonds, up spins, |Fourier amplitude|^2 averaged over axes.

    waves (2, n_layers) holds cos and sin of the layers' phases (n_layers = 0: no momentum); outputs (n_lanes,).
    """
    none = graph.bond_masks[:0]
    count_unsatisfied(spins, graph.bonds, graph.bond_masks if masked else none, planes, words, unsatisfied)
    n_axes, n_layers = graph.layer_start.shape[0], graph.layer_start.shape[1] - 1
    structure[:] = 0.0
    for axis in range(n_axes):
        real = np.zeros(counts.size)
        imaginary = np.zeros(counts.size)
        if axis == 0:
            up[:] = 0
        for layer in range(n_layers):
            start, stop = graph.layer_start[axis, layer], graph.layer_start[axis, layer + 1]
            if start == stop:
                continue
            count_up(spins, graph.layer_order[axis, start:stop], planes, words, counts)
            if axis == 0:
                up += counts
            if waves.shape[1]:
                for lane in range(counts.size):
                    moment = 2 * counts[lane] - (stop - start)
                    real[lane] += moment * waves[0, layer]
                    imaginary[lane] += moment * waves[1, layer]
        structure += (real * real + imaginary * imaginary) / n_axes


@njit(cache=True, nogil=True)
def run(spins, rng, graph, digits, waves, thin, single, pairs):  # type: ignore[no-untyped-def]
    """`thin` sweeps before each draw; fills the outputs with raw counts.

    single: three arrays (n_draws, n_lanes): unsatisfied bonds int64, up spins int64, |amplitude|^2 float64.
    pairs: the same for the overlap field of lanes (2k, 2k + 1), in lane 2k; n_draws = 0 if not wanted.
    """
    n_sites, n_columns = spins.shape
    planes = np.zeros((34, n_columns), np.uint64)
    words = np.zeros((8, n_columns), np.uint64)
    counts = np.zeros(64 * n_columns, np.int64)
    work = np.zeros((digits.shape[2] + 3, n_columns), np.uint64)
    overlap = np.empty_like(spins) if pairs[0].shape[0] else spins
    for draw in range(single[0].shape[0]):
        for _ in range(thin):
            heat_bath_sweep(spins, rng, graph, digits, work)
        measure(spins, graph, True, waves, planes, words, counts, single[0][draw], single[1][draw], single[2][draw])
        if pairs[0].shape[0]:
            for i in range(n_sites):
                for c in range(n_columns):
                    overlap[i, c] = ~(spins[i, c] ^ (spins[i, c] >> np.uint64(1)))
            measure(overlap, graph, False, waves, planes, words, counts, pairs[0][draw], pairs[1][draw], pairs[2][draw])


@njit(cache=True, nogil=True)
def warm_up(spins, rng, graph, digits, n_sweeps):  # type: ignore[no-untyped-def]
    """Sweeps without measuring."""
    work = np.zeros((digits.shape[2] + 3, spins.shape[1]), np.uint64)
    for _ in range(n_sweeps):
        heat_bath_sweep(spins, rng, graph, digits, work)
