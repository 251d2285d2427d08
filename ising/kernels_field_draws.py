"""Compiled: replica exchange and measuring for the chains of `kernels_fields` (words) and `kernels_rows` (rows)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import kernels_fields, kernels_rows
from .doubles import less, load8, lowest_bit, splat8
from .kernels_fields import ODD, metropolis_threshold
from .words import add_lanes, load, next_words, splat, store

ZERO, ONE = np.uint64(0), np.uint64(1)


class SlotLadder(NamedTuple):
    """What exchange keeps for a ladder of n_slots ascending betas; lanes are chains, padded to a multiple of 8."""

    betas: NDArray[np.float64]  # (n_slots,)
    energies: NDArray[np.float64]  # (n_slots, n_lanes) total energies
    replica: NDArray[np.int32]  # (n_slots, n_lanes): which replica stands here
    heading: NDArray[
        np.int8
    ]  # (n_slots, n_lanes) by replica: 0 new, 1 came from the lowest beta, 2 then from the highest
    accepted: NDArray[np.int64]  # (n_slots - 1, n_lanes)
    attempts: NDArray[np.int64]  # (n_slots - 1,)
    round_trips: NDArray[np.int64]  # (n_lanes,)
    masks: NDArray[np.uint64]  # (n_slots - 1,): lanes swapped in the present step
    rng: NDArray[np.uint64]  # (4, 8)
    steps: NDArray[np.int64]  # (1,)


class Layout(NamedTuple):
    """What measuring words needs of the lattice."""

    order: NDArray[np.int32]  # (n_axes, n_sites): sites sorted by layer
    layer_start: NDArray[np.int32]  # (n_axes, n_layers + 1)
    waves: NDArray[np.float64]  # (2, n_layers), or (2, 0) without momentum
    left: NDArray[np.int32]  # (n_bonds,): the two ends of the bonds; empty for the complete graph
    right: NDArray[np.int32]


@njit(cache=True, nogil=True)
def exchange(ladder):  # type: ignore[no-untyped-def]
    """Decide one step: even pairs, then odd pairs the next time; P = min(1, exp((beta_b - beta_a) (E_b - E_a)))."""
    energies, replica, rng = ladder.energies, ladder.replica, ladder.rng
    a, b, c, d = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    ladder.masks[:] = ZERO
    for k in range(ladder.steps[0] & 1, ladder.betas.size - 1, 2):
        gap = splat8(ladder.betas[k + 1] - ladder.betas[k])
        for group in range(energies.shape[1] // 8):
            random, a, b, c = next_words(a, b, c, d)
            d = d + splat(ODD)
            cost = gap * (load8(energies[k], 8 * group) - load8(energies[k + 1], 8 * group))
            ladder.masks[k] |= less(cost, metropolis_threshold(random, 1.0)) << np.uint64(8 * group)
        ladder.attempts[k] += 1
        left = ladder.masks[k]
        while left != ZERO:
            lane = lowest_bit(left)
            left &= left - ONE
            energies[k, lane], energies[k + 1, lane] = energies[k + 1, lane], energies[k, lane]
            replica[k, lane], replica[k + 1, lane] = replica[k + 1, lane], replica[k, lane]
            ladder.accepted[k, lane] += 1
    ladder.steps[0] += 1
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, d)
    for lane in range(energies.shape[1]):
        lowest, highest = replica[0, lane], replica[-1, lane]
        if ladder.heading[highest, lane] == 1:
            ladder.heading[highest, lane] = 2
        if ladder.heading[lowest, lane] == 2:
            ladder.round_trips[lane] += 1
        ladder.heading[lowest, lane] = 1


@njit(cache=True, nogil=True)
def _exchange_words(state, ladder):  # type: ignore[no-untyped-def]
    exchange(ladder)
    for k in range(ladder.masks.size):
        mask = ladder.masks[k]
        if mask:
            low, high = state.words[k], state.words[k + 1]
            for i in range(low.size):
                x = (low[i] ^ high[i]) & mask
                low[i] ^= x
                high[i] ^= x


@njit(cache=True, nogil=True)
def _exchange_rows(state, ladder, step):  # type: ignore[no-untyped-def]
    """Swap spins, cached fields and energies of the chains (at most 8 a slot)."""
    count = state.energies.size // ladder.betas.size
    for row in range(state.energies.size):
        ladder.energies[row // count, row % count] = step * state.energies[row]
    exchange(ladder)
    for k in range(ladder.masks.size):
        for lane in range(count):
            if (ladder.masks[k] >> np.uint64(lane)) & ONE:
                a, b = k * count + lane, (k + 1) * count + lane
                state.energies[a], state.energies[b] = state.energies[b], state.energies[a]
                for j in range(state.spins.shape[1]):
                    state.spins[a, j], state.spins[b, j] = state.spins[b, j], state.spins[a, j]
                for j in range(state.fields.shape[1]):
                    state.fields[a, j], state.fields[b, j] = state.fields[b, j], state.fields[a, j]


@njit(cache=True, nogil=True)
def advance_words(state, graph, fields, betas, metropolis, ladder):  # type: ignore[no-untyped-def]
    """A sweep of every slot for every row of betas (n_sweeps, n_slots), then an exchange if there are slots."""
    for t in range(betas.shape[0]):
        kernels_fields.sweeps(state, graph, fields, betas[t : t + 1], metropolis)
        if ladder.betas.size > 1:
            _exchange_words(state, ladder)


@njit(cache=True, nogil=True)
def advance_rows(state, graph, betas, metropolis, ladder):  # type: ignore[no-untyped-def]
    """As `advance_words`; returns the number of flips."""
    if ladder.betas.size == 1:
        return kernels_rows.sweeps(state, graph, betas, metropolis)
    flips = 0
    for t in range(betas.shape[0]):
        flips += kernels_rows.sweeps(state, graph, betas[t : t + 1], metropolis)
        _exchange_rows(state, ladder, graph.step)
    return flips


@njit(cache=True, nogil=True, inline="always")
def _full(a, b, c):  # type: ignore[no-untyped-def]
    """Sum and carry of three bits in every lane."""
    x = a ^ b
    return x ^ c, (a & b) | (x & c)


@njit(cache=True, nogil=True)
def _count(words, left, right, planes, counts):  # type: ignore[no-untyped-def]
    """Set bits of words[left], or of words[left] ^ words[right] if that is not empty, per lane: counts (64,) int32."""
    counts[:] = 0
    ones, twos, fours = ZERO, ZERO, ZERO
    p3, p4, p5 = ZERO, ZERO, ZERO  # planes 3 to 5, in registers
    whole = left.size - left.size % 8
    for k in range(0, whole, 8):
        x0, x1, x2, x3 = words[left[k]], words[left[k + 1]], words[left[k + 2]], words[left[k + 3]]
        x4, x5, x6, x7 = words[left[k + 4]], words[left[k + 5]], words[left[k + 6]], words[left[k + 7]]
        if right.size:
            x0, x1, x2 = x0 ^ words[right[k]], x1 ^ words[right[k + 1]], x2 ^ words[right[k + 2]]
            x3, x4, x5 = x3 ^ words[right[k + 3]], x4 ^ words[right[k + 4]], x5 ^ words[right[k + 5]]
            x6, x7 = x6 ^ words[right[k + 6]], x7 ^ words[right[k + 7]]
        ones, two_a = _full(ones, x0, x1)
        ones, two_b = _full(ones, x2, x3)
        twos, four_a = _full(twos, two_a, two_b)
        ones, two_a = _full(ones, x4, x5)
        ones, two_b = _full(ones, x6, x7)
        twos, four_b = _full(twos, two_a, two_b)
        fours, carry = _full(fours, four_a, four_b)
        p3, carry = p3 ^ carry, p3 & carry
        p4, carry = p4 ^ carry, p4 & carry
        p5, carry = p5 ^ carry, p5 & carry
        plane = 6
        while carry:
            planes[plane], carry = planes[plane] ^ carry, planes[plane] & carry
            plane += 1
    for k in range(whole, left.size):
        add_lanes(counts, 0, words[left[k]] ^ words[right[k]] if right.size else words[left[k]], 0)
    planes[0], planes[1], planes[2] = ones, twos, fours
    planes[3], planes[4], planes[5] = p3, p4, p5
    plane = 0
    while left.size >> plane:
        if planes[plane]:
            add_lanes(counts, 0, planes[plane], plane)
            planes[plane] = ZERO
        plane += 1


@njit(cache=True, nogil=True)
def _measure_words(words, layout, linked, scratch, out):  # type: ignore[no-untyped-def]
    """Bond sum of products (if linked), sum of spins, |Fourier amplitude|^2 (mean over axes) into out (3, 64)."""
    planes, counts, real, imaginary, none = scratch
    n_axes, n_layers = layout.order.shape[0], layout.layer_start.shape[1] - 1
    out[:] = 0.0
    for axis in range(n_axes):
        real[:] = 0.0
        imaginary[:] = 0.0
        for layer in range(n_layers):
            first, last = layout.layer_start[axis, layer], layout.layer_start[axis, layer + 1]
            _count(words, layout.order[axis, first:last], none, planes, counts)
            for lane in range(64):
                moment = 2.0 * counts[lane] - (last - first)
                if axis == 0:
                    out[1, lane] += moment
                if layout.waves.shape[1]:
                    real[lane] += moment * layout.waves[0, layer]
                    imaginary[lane] += moment * layout.waves[1, layer]
        for lane in range(64):
            out[2, lane] += (real[lane] * real[lane] + imaginary[lane] * imaginary[lane]) / n_axes
    if linked and layout.left.size:
        _count(words, layout.left, layout.right, planes, counts)
        for lane in range(64):
            out[0, lane] = layout.left.size - 2.0 * counts[lane]
    elif linked:  # all pairs have a bond
        for lane in range(64):
            out[0, lane] = 0.5 * (out[1, lane] * out[1, lane] - words.size)


@njit(cache=True, nogil=True)
def draw_words(state, graph, fields, betas, metropolis, ladder, layout, pair_layout, stagger, single, pairs):  # type: ignore[no-untyped-def]
    """`betas.shape[0]` sweeps before each draw.

    single (n_slots, n_draws, 4, 64) gets energy, sum of spins, |amplitude|^2 and the sum of sign_i s_i; stagger
    (n_sites,) uint64 is all ones where sign_i = -1, or empty if that sum is not wanted. pairs (n_slots, n_draws, 3, 64)
    gets the link sum, the sum and |amplitude|^2 of the overlap field of lanes (2k, 2k + 1), in lane 2k, with
    n_draws = 0 if not wanted.
    """
    n_sites = state.words.shape[1]
    overlap = np.empty(n_sites, np.uint64)
    empty = np.empty(0, np.int32)
    scratch = (np.zeros(40, np.uint64), np.zeros(64, np.int32), np.zeros(64), np.zeros(64), empty)
    for draw in range(single.shape[1]):
        advance_words(state, graph, fields, betas, metropolis, ladder)
        for slot in range(single.shape[0]):
            words = state.words[slot]
            _measure_words(words, layout, False, scratch, single[slot, draw])
            single[slot, draw, 0] = state.energies[slot]
            if stagger.size:
                for i in range(n_sites):
                    overlap[i] = words[i] ^ stagger[i]
                _count(overlap, layout.order[0], empty, scratch[0], scratch[1])
                for lane in range(64):
                    single[slot, draw, 3, lane] = 2.0 * scratch[1][lane] - n_sites
            if pairs.shape[1]:
                for i in range(n_sites):
                    overlap[i] = ~(words[i] ^ (words[i] >> ONE))
                _measure_words(overlap, pair_layout, True, scratch, pairs[slot, draw])


@njit(cache=True, nogil=True)
def draw_rows(state, graph, betas, metropolis, ladder, stagger, single, pairs):  # type: ignore[no-untyped-def]
    """As `draw_words`: single (n_slots, n_draws, 4, count), pairs (n_slots, n_draws, 3, count) in chain 2k.

    stagger (n_words,) uint64 has bit i set where sign_i = -1, or is empty.
    """
    n_sites, count = graph.rows.shape[0], single.shape[3]
    overlap = np.empty(state.spins.shape[1], np.uint64)
    for draw in range(single.shape[1]):
        advance_rows(state, graph, betas, metropolis, ladder)
        for row in range(state.energies.size):
            slot, chain = row // count, row % count
            out = single[slot, draw]
            out[0, chain] = graph.step * state.energies[row]
            out[1, chain] = kernels_rows.moment(state.spins[row], n_sites)
            out[2, chain] = 0.0
            if stagger.size:
                overlap[:] = state.spins[row] ^ stagger
                out[3, chain] = kernels_rows.moment(overlap, n_sites)
            if pairs.shape[1] and chain % 2 == 0 and chain + 1 < count:
                for k in range(overlap.size):
                    overlap[k] = ~(state.spins[row, k] ^ state.spins[row + 1, k]) & graph.open_sites[k]
                total = kernels_rows.moment(overlap, n_sites)
                pairs[slot, draw, 1, chain] = total
                pairs[slot, draw, 2, chain] = 0.0
                pairs[slot, draw, 0, chain] = kernels_rows.link_sum(overlap, total, graph)
