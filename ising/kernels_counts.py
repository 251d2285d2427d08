"""Compiled: measuring 64 chains at once: unsatisfied bonds, up spins, Fourier amplitudes.

Bits are counted with carry-save adders into vertical counters: plane p holds bit p of the count of every lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .words import add_lanes, any_bit, gather, gather_unsigned, load, load_from, splat, store, store_to

N_PLANES = 36
ZERO = np.uint64(0)


@njit(cache=True, nogil=True)
def _full_add(x, y, z):  # type: ignore[no-untyped-def]
    half = x ^ y
    return half ^ z, (x & y) | (half & z)


@njit(cache=True, nogil=True)
def _add_eight(planes, buffer):  # type: ignore[no-untyped-def]
    """Add eight vectors of eight words at address `buffer` to the vertical counters at address `planes`."""
    one, two_a = _full_add(load_from(buffer), load_from(buffer + 64), load_from(buffer + 128))
    other, two_b = _full_add(load_from(buffer + 192), load_from(buffer + 256), load_from(buffer + 320))
    one, two_c = _full_add(one, other, load_from(buffer + 384))
    one, two_d = _full_add(one, load_from(buffer + 448), load_from(planes))
    store_to(planes, one)
    two, four_a = _full_add(two_a, two_b, two_c)
    two, four_b = _full_add(two, two_d, load_from(planes + 64))
    store_to(planes + 64, two)
    four, carry = _full_add(four_a, four_b, load_from(planes + 128))
    store_to(planes + 128, four)
    at = planes + 192
    while any_bit(carry):
        plane = load_from(at)
        store_to(at, plane ^ carry)
        carry = plane & carry
        at += 64


@njit(cache=True, nogil=True)
def _collect(planes, counts, n_vectors):  # type: ignore[no-untyped-def]
    """Add the eight columns of the counters up, lane by lane, into counts (64,) int32; clears the planes.

    n_vectors is how many were added at most: it bounds the planes in use.
    """
    counts[:] = 0
    used = 0
    while n_vectors >> used:
        used += 1
    for plane in range(used):
        row = planes[plane]
        any_set = ZERO
        for k in range(8):
            any_set |= row[k]
        if not any_set:
            continue
        # eight words -> four digits of their sum
        h = row[0] ^ row[1]
        s1, c1 = h ^ row[2], (row[0] & row[1]) | (h & row[2])
        h = row[3] ^ row[4]
        s2, c2 = h ^ row[5], (row[3] & row[4]) | (h & row[5])
        h = s1 ^ s2
        s3, c3 = h ^ row[6], (s1 & s2) | (h & row[6])
        one, c4 = s3 ^ row[7], s3 & row[7]
        h = c1 ^ c2
        t1, d1 = h ^ c3, (c1 & c2) | (h & c3)
        add_lanes(counts, 0, one, plane)
        add_lanes(counts, 0, t1 ^ c4, plane + 1)
        d2 = t1 & c4
        add_lanes(counts, 0, d1 ^ d2, plane + 2)
        add_lanes(counts, 0, d1 & d2, plane + 3)
        row[:] = ZERO


@njit(cache=True, nogil=True)
def count_unsatisfied(spins, graph, signed, planes, buffer, counts):  # type: ignore[no-untyped-def]
    """Unsatisfied bonds of every lane into counts (64,) int32; not signed: all couplings are taken as positive."""
    blocks, lane_planes, sizes = graph.bonds, graph.bond_planes, graph.n_bonds
    stride = blocks.shape[1] * 8
    lane_couplings = signed and lane_planes.size > 0
    counters, eight = planes.ctypes.data, buffer.ctypes.data
    filled = 0
    for block in range(blocks.shape[0]):
        at = block * stride
        own = gather(spins, blocks, at)
        for j in range(1, sizes[block] + 1):
            x = gather(spins, blocks, at + 8 * j) if signed else gather_unsigned(spins, blocks, at + 8 * j)
            x = x ^ own
            if lane_couplings:
                x = x ^ load(lane_planes, at + 8 * j)
            store(buffer, filled, x)
            filled += 8
            if filled == 64:
                _add_eight(counters, eight)
                filled = 0
    for at in range(filled, 64, 8):
        store(buffer, at, splat(ZERO))
    _add_eight(counters, eight)
    _collect(planes, counts, blocks.shape[0] * blocks.shape[1] + 8)


@njit(cache=True, nogil=True)
def count_tally(tally, graph, planes, counts):  # type: ignore[no-untyped-def]
    """Unsatisfied bonds of every lane into counts (64,) int32 from the tally of a sweep (see `kernels_bits.sweep`).

    k of the d neighbours count against a site, or d - k if the decision is 1: the planes spell k or 2^p - 1 - k, so
    their sum less (2^p - 1 - d) times the decisions is the number of unsatisfied bonds.
    """
    n_planes = tally.shape[0] - 1
    n_groups = graph.degree.size - graph.last_color
    tally[:, n_groups - 1, graph.last_filled :] = ZERO
    counters, first = planes.ctypes.data, tally.ctypes.data
    part = np.empty(64, np.int32)
    counts[:] = 0
    for p in range(n_planes + 1):
        for group in range(0, tally.shape[1], 8):
            _add_eight(counters, first + 64 * (p * tally.shape[1] + group))
        _collect(planes, part, tally.shape[1])
        if p < n_planes:
            counts += part << p
        else:
            counts -= part * np.int32((1 << n_planes) - 1 - graph.degree[-1])


@njit(cache=True, nogil=True)
def count_up(spins, n_sites, planes, buffer, counts):  # type: ignore[no-untyped-def]
    """Up spins of every lane into counts (64,) int32."""
    counters, eight, first = planes.ctypes.data, buffer.ctypes.data, spins.ctypes.data
    start = 0
    while start + 64 <= n_sites:
        _add_eight(counters, first + 8 * start)
        start += 64
    buffer[:] = ZERO
    buffer[: n_sites - start] = spins[start:n_sites]
    _add_eight(counters, eight)
    _collect(planes, counts, n_sites // 8 + 8)


@njit(cache=True, nogil=True)
def amplitudes(spins, graph, waves, planes, buffer, counts, real, imaginary, out):  # type: ignore[no-untyped-def]
    """|sum_j s_j exp(i k x_j)|^2 of every lane, mean over axes, into out (64,); waves (2, 8 n_blocks).

    Eight layers are counted side by side, one in each column of the counters.
    """
    layers, sizes = graph.layers, graph.layer_sizes
    n_axes, n_blocks, length = layers.shape[0], layers.shape[1], layers.shape[2]
    counters, eight = planes.ctypes.data, buffer.ctypes.data
    out[:] = 0.0
    for axis in range(n_axes):
        real[:] = 0.0
        imaginary[:] = 0.0
        for block in range(n_blocks):
            at = (axis * n_blocks + block) * length * 8
            filled = 0
            for k in range(length):
                store(buffer, filled, gather(spins, layers, at + 8 * k))
                filled += 8
                if filled == 64:
                    _add_eight(counters, eight)
                    filled = 0
            for rest in range(filled, 64, 8):
                store(buffer, rest, splat(ZERO))
            _add_eight(counters, eight)
            for column in range(8):
                layer = 8 * block + column
                if sizes[axis, layer] == 0:
                    continue
                counts[:] = 0
                plane = 0
                while (length + 8) >> plane:
                    add_lanes(counts, 0, planes[plane, column], plane)
                    plane += 1
                for lane in range(64):
                    moment = 2 * counts[lane] - sizes[axis, layer]
                    real[lane] += moment * waves[0, layer]
                    imaginary[lane] += moment * waves[1, layer]
            planes[:] = ZERO
        for lane in range(64):
            out[lane] += (real[lane] * real[lane] + imaginary[lane] * imaginary[lane]) / n_axes
