"""Compiled: p-bits with any couplings and fields, 64 replicas in the bits of a word, their local fields in doubles.

All 64 replicas share the sequence of sites that update; each decides with its own random number u: up if
2 beta I > log(u / (1 - u)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ising.doubles import add_where, less, load8, splat8, splat64, store, to_doubles
from ising.kernels_fields import heat_bath_threshold
from ising.words import load, next_words, shift_right, splat
from ising.words import store as store_words

from .kernels_p_bit import HALF, SITES_A_DRAW
from .kernels_read import LANES, ONE, ZERO, read

QUARTER = np.uint64(0xFFFF)
QUARTER_SCALE = 12.0**0.5 / (2.0 * 65536.0)  # four uniform 16-bit numbers: variance 4 (2^32 - 1) / 12
QUARTER_MEAN = 2.0 * 65535.0


class FieldDevice(NamedTuple):
    """The couplings of the machine."""

    start: NDArray[np.int64]  # (n_sites + 1,)
    neighbors: NDArray[np.int32]
    twice: NDArray[np.float64]  # 2 J_ij of every read of j by i
    base: NDArray[np.float64]  # (n_sites,): h_i - sum_j J_ij
    live: NDArray[np.int32]  # sites that update
    noise: float  # standard deviation of the noise on every local field


@njit(cache=True, nogil=True, inline="always")
def normal_eight(random):  # type: ignore[no-untyped-def]
    """Eight numbers of mean 0 and variance 1 from eight words: four uniform numbers added, kurtosis -0.3."""
    low = splat(QUARTER)
    total = (random & low) + (shift_right(random, 16) & low) + (shift_right(random, 32) & low) + shift_right(random, 48)
    return (to_doubles(total) - splat8(QUARTER_MEAN)) * splat8(QUARTER_SCALE)


@njit(cache=True, nogil=True)
def update(clock, device, fields, beta, n_events):  # type: ignore[no-untyped-def]
    """That many events: a random live site takes a new value in all replicas; fields (64,) is scratch."""
    words, visible, rng, draws = clock.words, clock.visible, clock.rng, clock.draws
    start, neighbors, twice, live, base = device.start, device.neighbors, device.twice, device.live, device.base
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    n_live, delay = np.uint64(live.size), clock.late_site.size
    slope, noise = splat8(2.0 * beta), splat8(device.noise)
    for event in range(n_events):
        slot = event % SITES_A_DRAW
        if slot == 0:
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(ONE)
            store_words(draws, 0, random)
        half = (draws[slot >> 1] >> np.uint64(32 * (slot & 1))) & HALF
        i = live[(half * n_live) >> np.uint64(32)]
        field = splat64(base[i])
        for k in range(start[i], start[i + 1]):
            field = add_where(field, visible[neighbors[k]], twice[k])
        store(fields, 0, field)
        chosen = ZERO
        for group in range(0, LANES, 8):
            eight = load8(fields, group)
            if device.noise > 0.0:
                random, a, b, c = next_words(a, b, c, counter)
                counter = counter + splat(ONE)
                eight = eight + noise * normal_eight(random)
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(ONE)
            chosen |= less(heat_bath_threshold(random), slope * eight) << np.uint64(group)
        words[i] = chosen
        if delay:
            late = (clock.events[0] + event) % delay
            visible[clock.late_site[late]] = clock.late_word[late]
            clock.late_site[late], clock.late_word[late] = i, chosen
    clock.events[0] += n_events
    store_words(rng, 0, a)
    store_words(rng, 8, b)
    store_words(rng, 16, c)
    store_words(rng, 24, counter)


@njit(cache=True, nogil=True)
def run(clock, device, betas, n_events, reader, record, first):  # type: ignore[no-untyped-def]
    """Intervals of constant beta, each ending with a read; stops after the read that reaches the target.

    betas, n_events (n,); the reads go to rows first, first + 1, ...; returns how many intervals were run.
    """
    fields = np.empty(LANES)
    for k in range(betas.size):
        update(clock, device, fields, betas[k], n_events[k])
        if read(clock.words, reader, betas[k], record, first + k):
            return k + 1
    return betas.size
