"""Compiled: one large periodic square or cubic lattice, 64 spins of a row in the bits of a word, uniform J and h.

`planes` (2, n_slabs, L + 2, L / 128) uint64 holds the two colours of the chequerboard. Rows run along the last axis; a
slab is a square of L rows between two copies (its last row before the first, its first after the last); a square
lattice is one slab, a cubic one has L. In a row, site k of a colour (k < L / 2) is bit k // n_words of word
k % n_words and sits at x = 2 k + (z + y + colour) % 2. So all neighbours of 512 spins are eight words at one place of
the other colour's rows, except k - 1 or k + 1, which is the word beside it, turned by one bit at the row's end.

A decision is the one of `kernels_bits`: the number of up neighbours is made with bit-sliced adders, the binary digits
of P(up) are XORs of monomials in its bits, and a uniform number is drawn digit by digit, the most significant first,
until its first difference from P(up) is known for all 512 spins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .words import ONES, VECTOR, WIDTH, add_lanes, any_bit, load, next_words, shift_left, splat, store, words

WORD = ir.IntType(64)


class Scratch(NamedTuple):
    """Work space of a chain; nothing in it lasts beyond a sweep but `waves`."""

    side: NDArray[np.uint64]  # a few rows
    sums: NDArray[np.uint64]  # (2, 8)
    waves: NDArray[np.float64]  # (2, L): cos and sin of the phases of the layers at k_min
    counters: NDArray[np.uint64]  # (2, n_planes, 8 n_words), n_planes = bit length of n_slabs L / 8
    columns: NDArray[np.int32]  # (2, n_words, 64)
    layers: NDArray[np.int64]  # (n_axes, L)


@intrinsic
def popcount(typing_context: Any, a: Any) -> Any:
    """Number of set bits of a uint64, or of each of eight words."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, name = (VECTOR, f"llvm.ctpop.v{WIDTH}i64") if signature.args[0] == words else (WORD, "llvm.ctpop.i64")
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
        return builder.call(function, arguments)

    return a(a), codegen


@njit(inline="always")
def _full_add(a, b, c):  # type: ignore[no-untyped-def]
    """Sum and carry of three bits."""
    x = a ^ b
    return x ^ c, (a & b) | (x & c)


@njit(inline="always")
def _half_add(a, b):  # type: ignore[no-untyped-def]
    """Sum and carry of two bits."""
    return a ^ b, a & b


@njit(cache=True, nogil=True)
def _fill_side(side, slab, first, last, stagger):  # type: ignore[no-untyped-def]
    """For rows first .. last - 1 of a colour: the words of its neighbours k - 1 (even rows) or k + 1 (odd rows).

    slab (L + 2, n_words) is the other colour; a row is even if y + stagger is, stagger = z + colour.
    """
    n_words = slab.shape[1]
    for y in range(first, last):
        start, out, odd = (y + 1) * n_words, (y - first) * n_words, (y + stagger) & 1
        if n_words >= 8:
            for w in range(0, n_words - 8, 8):
                store(side, out + w, load(slab, start + w + 2 * odd - 1))
            store(side, out + n_words - 8, load(slab, start + n_words - 9 + 2 * odd))
        else:
            for w in range(n_words - 1):
                side[out + w + 1 - odd] = slab[y + 1, w + odd]
    for y in range(first, last):
        odd = (y + stagger) & 1
        end = slab[y + 1, (n_words - 1) * (1 - odd)]
        turn = np.uint64(1 + 62 * odd)
        side[(y - first) * n_words + odd * (n_words - 1)] = (end << turn) | (end >> (np.uint64(64) - turn))


@njit(cache=True, nogil=True)
def update_slab(planes, colour, z, digits, rng, side, sums):  # type: ignore[no-untyped-def]
    """One update of every site of a colour in slab z, in place.

    digits (n_digits, 1 or 2, 8) uint64, zeros or all ones: coefficients of the digits of P(up) at monomial k of the
    count's three bits, and of what to add (XOR) where the spin was up; rng (4, 8) uint64; side scratch.
    sums (2, 8) uint64: adds the number of up spins and, for colour 1, of bonds between up spins.

    The decision stays in this loop: in a function of its own, inlined or not, the array of digits would be counted in
    and out for every 512 spins, which empties the vector registers and costs a sixth of the speed.
    """
    n_slabs, n_rows, n_words = planes.shape[1], planes.shape[2] - 2, planes.shape[3]
    own, other = planes[colour, z], planes[1 - colour, z]
    above, below = planes[1 - colour, z - 1], planes[1 - colour, z + 1 if z + 1 < n_slabs else 0]
    cubic, remembers = n_slabs > 1, digits.shape[1] > 1
    rows = side.size // n_words
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    up, pairs = load(sums, 0), load(sums, 8)
    zero, one = splat(np.uint64(0)), splat(np.uint64(1))
    for first in range(0, n_rows, rows):
        last = min(first + rows, n_rows)
        _fill_side(side, other, first, last, z + colour)
        for i in range(first * n_words, last * n_words, 8):
            n0, n1 = _full_add(load(other, i), load(other, i + n_words), load(other, i + 2 * n_words))
            n0, carry = _half_add(n0, load(side, i - first * n_words))
            n1, n2 = _half_add(n1, carry)
            if cubic:
                n0, carry = _full_add(n0, load(above, i + n_words), load(below, i + n_words))
                n1, carry = _half_add(n1, carry)
                n2 = n2 | carry
            n01, n02, n12 = n0 & n1, n0 & n2, n1 & n2
            old = load(own, i + n_words)
            undecided, new = splat(ONES), zero
            for k in range(digits.shape[0]):
                threshold = splat(digits[k, 0, 0]) ^ (splat(digits[k, 0, 1]) & n0) ^ (splat(digits[k, 0, 2]) & n1)
                threshold = threshold ^ (splat(digits[k, 0, 3]) & n01) ^ (splat(digits[k, 0, 4]) & n2)
                if cubic:
                    threshold = threshold ^ (splat(digits[k, 0, 5]) & n02) ^ (splat(digits[k, 0, 6]) & n12)
                if remembers:
                    x = splat(digits[k, 1, 0]) ^ (splat(digits[k, 1, 1]) & n0) ^ (splat(digits[k, 1, 2]) & n1)
                    x = x ^ (splat(digits[k, 1, 3]) & n01) ^ (splat(digits[k, 1, 4]) & n2)
                    x = x ^ (splat(digits[k, 1, 5]) & n02) ^ (splat(digits[k, 1, 6]) & n12)
                    threshold = threshold ^ (x & old)
                random, a, b, c = next_words(a, b, c, counter)
                counter = counter + one
                differs = (random ^ threshold) & undecided
                new = new | (differs & threshold)
                undecided = undecided ^ differs
                if not any_bit(undecided):
                    break
            store(own, i + n_words, new)
            up = up + popcount(new)
            if colour == 1:
                twice = popcount(n1 & new) + shift_left(popcount(n2 & new), 1)
                pairs = pairs + popcount(n0 & new) + shift_left(twice, 1)
    own[0], own[n_rows + 1] = own[n_rows], own[1]
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, counter)
    store(sums, 0, up)
    store(sums, 8, pairs)


@njit(cache=True, nogil=True)
def sweep(planes, digits, rng, side, sums):  # type: ignore[no-untyped-def]
    """One update of every site; returns the numbers of up spins, of bonds between up spins and of up spins of colour 0.

    Colour 0 holds the origin.
    """
    sums[:] = np.uint64(0)
    first = np.uint64(0)
    for colour in range(2):
        for z in range(planes.shape[1]):
            update_slab(planes, colour, z, digits, rng, side, sums)
        if colour == 0:
            first = sums[0].sum()
    return np.int64(sums[0].sum()), np.int64(sums[1].sum()), np.int64(first)


@njit(cache=True, nogil=True)
def _add_columns(planes, counters, columns):  # type: ignore[no-untyped-def]
    """Up spins at x = 2 (b n_words + w) + p over all rows: columns[p, w, b], (2, n_words, 64) int32.

    Rows that are equal modulo 8 meet in vertical counters (2, n_planes, 8 n_words), 64 rows of them at a time; the
    first index is (colour + z) % 2.
    """
    _, n_slabs, n_rows, n_words = planes.shape
    stride, n_planes = 8 * n_words, counters.shape[1]
    counters[:] = np.uint64(0)
    for colour in range(2):
        for z in range(n_slabs):
            slab, counter = planes[colour, z], counters[(colour + z) & 1]
            for start in range(n_words, (n_rows - 1) * n_words, 8 * stride):
                for i in range(0, stride, 8):
                    k = start + i
                    s1, c1 = _full_add(load(slab, k), load(slab, k + stride), load(slab, k + 2 * stride))
                    k += 3 * stride
                    s2, c2 = _full_add(load(slab, k), load(slab, k + stride), load(slab, k + 2 * stride))
                    k += 3 * stride
                    s3, c3 = _full_add(s1, s2, load(slab, k))
                    x = load(slab, k + stride)
                    twos, d1 = _full_add(c1, c2, c3)
                    present = load(counter, i)
                    ones, carry = _full_add(s3, x, present)
                    store(counter, i, ones)
                    twos, d2 = _full_add(twos, carry, load(counter, i + stride))
                    store(counter, i + stride, twos)
                    fours, carry = _full_add(d1, d2, load(counter, i + 2 * stride))
                    store(counter, i + 2 * stride, fours)
                    for plane in range(3, n_planes):
                        present = load(counter, i + plane * stride)
                        store(counter, i + plane * stride, present ^ carry)
                        carry = carry & present
    columns[:] = 0
    for q in range(2):
        for plane in range(n_planes):
            for i in range(stride):
                row = ((i // n_words + q) & 1) * n_words + i % n_words
                add_lanes(columns, 64 * row, counters[q, plane, i], plane)


@njit(cache=True, nogil=True)
def structure_factor(planes, waves, counters, columns, layers):  # type: ignore[no-untyped-def]
    """|sum_j s_j exp(i k_min x_j)|^2, the mean over axes; waves (2, L) are the cosines and sines of the layers.

    layers (n_axes, L) int64 gets the number of up spins of every layer, the axis of the rows first.
    """
    _, n_slabs, n_rows, n_words = planes.shape
    n_rows -= 2
    _add_columns(planes, counters, columns)
    layers[:] = 0
    for p in range(2):
        for w in range(n_words):
            for b in range(64):
                layers[0, 2 * (b * n_words + w) + p] = columns[p, w, b]
    for z in range(n_slabs):
        for y in range(n_rows):
            up = np.uint64(0)
            for w in range(n_words):
                up += popcount(planes[0, z, y + 1, w]) + popcount(planes[1, z, y + 1, w])
            layers[1, y] += np.int64(up)
            if n_slabs > 1:
                layers[2, z] += np.int64(up)
    mean = 0.0
    for axis in range(layers.shape[0]):
        real, imaginary = 0.0, 0.0
        for layer in range(n_rows):
            moment = 2 * layers[axis, layer] - n_slabs * n_rows
            real += moment * waves[0, layer]
            imaginary += moment * waves[1, layer]
        mean += (real * real + imaginary * imaginary) / layers.shape[0]
    return mean


@njit(cache=True, nogil=True)
def run(planes, digits, rng, thin, scratch, counts, structure):  # type: ignore[no-untyped-def]
    """`thin` sweeps before each draw; nothing is measured where structure is empty but the counts of `sweep`.

    counts (n_draws, 3) int64; structure (n_draws,) or (0,): see `structure_factor`.
    """
    for draw in range(counts.shape[0]):
        for _ in range(thin):
            counts[draw] = sweep(planes, digits, rng, scratch.side, scratch.sums)
        if structure.size:
            structure[draw] = structure_factor(planes, scratch.waves, scratch.counters, scratch.columns, scratch.layers)
