"""Compiled: p-bits with couplings +-J and a uniform field, 64 replicas in the bits of a word.

All 64 replicas share the sequence of sites that update (the clock), each decides with its own random digits, so each
replica by itself is an exact machine. A decision compares the binary digits of a uniform number with those of the
probability of being up, eight digits at a time: the digits of the threshold are XORs of monomials in the bits of the
count of up neighbours, as in the sampling kernels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ising.words import load, next_words, splat
from ising.words import store as store_words

from .kernels_read import ALL, ONE, ZERO, count_neighbors, read

HALF = np.uint64(0xFFFFFFFF)
SITES_A_DRAW = 16  # 32-bit halves of eight words


class BitDevice(NamedTuple):
    """The couplings of the machine: bits only."""

    start: NDArray[np.int64]  # (n_sites + 1,)
    neighbors: NDArray[np.int32]  # ~k is site k behind a negative coupling
    site_class: NDArray[np.int32]  # (n_sites,): row of the threshold table
    live: NDArray[np.int32]  # sites that update


class Clock(NamedTuple):
    """State of 64 p-bit machines that share their events."""

    words: NDArray[np.uint64]  # (n_sites + 1,)
    visible: NDArray[np.uint64]  # (n_sites + 1,): what the neighbours see; `words` itself without delay
    rng: NDArray[np.uint64]  # (4, 8)
    late_site: NDArray[np.int32]  # (delay,): updates on their way
    late_word: NDArray[np.uint64]  # (delay,)
    events: NDArray[np.int64]  # (1,): how many so far
    draws: NDArray[np.uint64]  # (8,) scratch: sites of the next events
    terms: NDArray[np.uint64]  # (16,) scratch: monomials of the count
    differs: NDArray[np.uint64]  # (8,) scratch
    digits: NDArray[np.uint64]  # (8,) scratch


@njit(cache=True, nogil=True)
def update(clock, device, table, n_events):  # type: ignore[no-untyped-def]
    """That many events: a random live site takes a new value in all replicas.

    table (n_classes, n_terms, n_digits): coefficients of the monomials, all zeros or all ones; digits from the most
    significant on, a multiple of eight.
    """
    words, visible, rng, terms = clock.words, clock.visible, clock.rng, clock.terms
    draws, differs, digits = clock.draws, clock.differs, clock.digits
    start, neighbors, site_class, live = device.start, device.neighbors, device.site_class, device.live
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    n_terms, n_digits = table.shape[1:]
    table = table.ravel()
    n_live, delay = np.uint64(live.size), clock.late_site.size
    for event in range(n_events):
        slot = event % SITES_A_DRAW
        if slot == 0:
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(ONE)
            store_words(draws, 0, random)
        half = (draws[slot >> 1] >> np.uint64(32 * (slot & 1))) & HALF
        i = live[(half * n_live) >> np.uint64(32)]
        first, stop = start[i], start[i + 1]
        ones, twos, fours, eights = count_neighbors(visible, neighbors, first, stop)
        terms[1], terms[2], terms[3], terms[4] = ones, twos, ones & twos, fours
        if stop - first > 4:
            terms[5], terms[6], terms[7] = ones & fours, twos & fours, terms[3] & fours
            if stop - first > 7:
                terms[8] = eights
                for k in range(9, stop - first + 1):
                    terms[k] = terms[k - 8] & eights
        undecided, chosen = ALL, ZERO
        at = site_class[i] * n_terms * n_digits
        for digit in range(at, at + n_digits, 8):
            threshold = load(table, digit)
            for k in range(1, stop - first + 1):
                threshold = threshold ^ (load(table, digit + k * n_digits) & splat(terms[k]))
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(ONE)
            store_words(differs, 0, random ^ threshold)
            store_words(digits, 0, threshold)
            for k in range(8):
                decided = differs[k] & undecided
                chosen |= decided & digits[k]
                undecided ^= decided
            if undecided == ZERO:
                break
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
def run(clock, device, tables, betas, n_events, reader, record, first):  # type: ignore[no-untyped-def]
    """Intervals of constant beta, each ending with a read; stops after the read that reaches the target.

    tables (n, n_classes, n_terms, n_digits), betas (n,), n_events (n,); the reads go to rows first, first + 1, ...
    Returns how many intervals were run.
    """
    for k in range(betas.size):
        update(clock, device, tables[k], n_events[k])
        if read(clock.words, reader, betas[k], record, first + k):
            return k + 1
    return betas.size
