"""Compiled: one chain at a time on a dense graph, with cached local fields that change only when a spin flips.

Couplings and fields are integers in units of a power of two (`RowGraph.step`), chosen so that no local field leaves
int32: cached fields, energies and magnetizations are then exact for the rounded couplings after any number of updates
and need no refreshing. All thresholds of a sweep are made first; then the next flip is found sixteen sites at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .doubles import (
    add_row16,
    add_where,
    count_bits,
    greater16,
    less,
    lowest_bit,
    signed_greater16,
    splat8,
    store_floor,
)  # fmt: skip
from .kernels_fields import ODD, heat_bath_threshold, metropolis_threshold
from .words import load, next_words, splat
from .words import store as store_words

SIXTEEN = np.uint64(0xFFFF)
LARGEST = 1e300


class RowGraph(NamedTuple):
    """A dense coupling matrix in integer steps; `stride` is n_sites padded to a multiple of 16."""

    rows: NDArray[np.int32]  # (n_sites, stride): 2 J_ij / step, modulo 2^32
    base: NDArray[np.int32]  # (stride,): local fields with all spins down, in steps
    fields: NDArray[np.int32]  # (n_sites,): h in steps
    adjacency: NDArray[
        np.uint64
    ]  # (n_sites, n_words): bit j of row i is set where i and j have a bond; or (0, n_words)
    open_sites: NDArray[np.uint64]  # (n_words,): bit i is set for i < n_sites
    step: float


class RowState(NamedTuple):
    """Chains, row after row."""

    fields: NDArray[np.int32]  # (n_rows, stride): local fields h_i + sum_j J_ij s_j in steps
    spins: NDArray[np.uint64]  # (n_rows, n_words): bit i is site i, 1 is up
    rng: NDArray[np.uint64]  # (n_rows, 4, 8)
    energies: NDArray[np.int64]  # (n_rows,) in steps
    thresholds: NDArray[np.int32]  # (stride,) scratch


@njit(cache=True, nogil=True)
def refresh(state, graph):  # type: ignore[no-untyped-def]
    """Local fields and energies from the spins."""
    n_sites, stride = graph.rows.shape
    for row in range(state.energies.size):
        fields, spins = state.fields[row], state.spins[row]
        fields[:] = graph.base
        twice = 0
        for i in range(n_sites):
            if (spins[i >> 6] >> np.uint64(i & 63)) & ODD:
                for j in range(0, stride, 16):
                    add_row16(fields, graph.rows, j, i * stride + j, 0)
        for i in range(n_sites):
            both = np.int64(fields[i]) + np.int64(graph.fields[i])
            twice -= both if (spins[i >> 6] >> np.uint64(i & 63)) & ODD else -both
        state.energies[row] = twice // 2


@njit(cache=True, nogil=True, inline="always")
def _make_thresholds(rng, thresholds, scale, metropolis):  # type: ignore[no-untyped-def]
    """Integers t: heat bath up if field > t; Metropolis flip if s field <= t."""
    a, b, c, d = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    for start in range(0, thresholds.size, 8):
        random, a, b, c = next_words(a, b, c, d)
        d = d + splat(ODD)
        if metropolis:
            threshold = metropolis_threshold(random, 0.9375)
            never = less(threshold, splat8(0.0))
            threshold = add_where(threshold * splat8(scale), never, -np.inf)
        else:
            threshold = heat_bath_threshold(random) * splat8(scale)
        store_floor(thresholds, start, threshold)
    store_words(rng, 0, a)
    store_words(rng, 8, b)
    store_words(rng, 16, c)
    store_words(rng, 24, d)


@njit(cache=True, nogil=True)
def sweep(state, row, graph, beta, metropolis):  # type: ignore[no-untyped-def]
    """One update of every site of one chain, in site order; returns the number of flips."""
    fields, spins, thresholds, rows = state.fields[row], state.spins[row], state.thresholds, graph.rows
    slope = 2.0 * beta * graph.step
    _make_thresholds(state.rng[row], thresholds, 1.0 / slope if slope > 1.0 / LARGEST else LARGEST, metropolis)
    energy, flips = 0, 0
    stride = fields.size
    for start in range(0, stride, 16):
        shift = np.uint64(start & 63)
        sixteen = (spins[start >> 6] >> shift) & SIXTEEN
        left = (graph.open_sites[start >> 6] >> shift) & SIXTEEN
        while True:
            if metropolis:
                flipping = ~signed_greater16(fields, thresholds, start, sixteen) & left
            else:
                flipping = (greater16(fields, thresholds, start) ^ sixteen) & left
            if flipping == np.uint64(0):
                break
            k = lowest_bit(flipping)
            bit = np.uint64(1) << np.uint64(k)
            up = sixteen & bit != np.uint64(0)
            field = np.int64(fields[start + k])
            energy += 2 * field if up else -2 * field
            flips += 1
            sign = -1 if up else 0
            offset = (start + k) * stride
            for j in range(0, stride, 16):
                add_row16(fields, rows, j, offset + j, sign)
            sixteen ^= bit
            left &= ~(bit | (bit - np.uint64(1)))
        spins[start >> 6] = (spins[start >> 6] & ~(SIXTEEN << shift)) | (sixteen << shift)
    state.energies[row] += energy
    return flips


@njit(cache=True, nogil=True)
def sweeps(state, graph, betas, metropolis):  # type: ignore[no-untyped-def]
    """A sweep of every chain for every row of betas (n_sweeps, n_slots); a slot's chains are adjacent; counts flips."""
    flips = 0
    count = state.fields.shape[0] // betas.shape[1]
    for slot in range(betas.shape[1]):
        for row in range(slot * count, (slot + 1) * count):
            for t in range(betas.shape[0]):
                flips += sweep(state, row, graph, betas[t, slot], metropolis)
    return flips


@njit(cache=True, nogil=True)
def moment(spins, n_sites):  # type: ignore[no-untyped-def]
    """Sum of the spins in bits."""
    up = 0
    for k in range(spins.size):
        up += count_bits(spins[k])
    return 2 * up - n_sites


@njit(cache=True, nogil=True)
def link_sum(overlap, total, graph):  # type: ignore[no-untyped-def]
    """Sum over bonds of q_i q_j for an overlap field in bits whose sum is `total`."""
    n_sites = graph.rows.shape[0]
    if graph.adjacency.shape[0] == 0:
        return 0.5 * (total * total - n_sites)
    links = 0
    for i in range(n_sites):
        up, degree = 0, 0
        for k in range(overlap.size):
            up += count_bits(graph.adjacency[i, k] & overlap[k])
            degree += count_bits(graph.adjacency[i, k])
        field = 2 * up - degree
        links += field if (overlap[i >> 6] >> np.uint64(i & 63)) & ODD else -field
    return 0.5 * links
