"""Compiled: 64 chains in the bits of a word, any couplings and fields; the local fields are doubles.

A site's local field is summed for 64 chains at once: 2 J_ij is added in the lanes where neighbour j is up, starting
from h_i - sum_j J_ij. The decision compares it with a function of a uniform number: one logarithm, no exp.

- heat bath: up if 2 beta field > log(u / (1 - u)), which has probability 1 / (1 + exp(-2 beta field));
- Metropolis: flip if max(0, beta dE) < log(15/16 / u), which has probability 15/16 min(1, exp(-beta dE)). The factor is
  there because a sweep in site order that accepts dE = 0 always is not ergodic.

u is an odd multiple of 2^-53. Eight SFC64 generators step together for each word of chains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .doubles import (
    add_where,
    as_doubles,
    as_words,
    fma,
    less,
    load8,
    negative_where_not,
    splat8,
    splat64,
    store,
    to_doubles,
)  # fmt: skip
from .words import load, next_words, shift_right, splat
from .words import store as store_words

REFRESH_EVERY = 1024  # sweeps between recomputations of the running energies
ODD = np.uint64(1)
BYTE = np.uint64(255)
MANTISSA, ONE = np.uint64(0x000FFFFFFFFFFFFF), np.uint64(0x3FF0000000000000)
TWO_53 = 9007199254740992.0
LOG_2 = 0.6931471805599453


class FieldGraph(NamedTuple):
    """A graph with any couplings as the kernels need it."""

    start: NDArray[np.int64]  # (n_sites + 1,): the neighbours of i are neighbors[start[i] : start[i + 1]]
    neighbors: NDArray[np.int32]  # (2 n_bonds,), empty for the uniform complete graph
    twice: NDArray[np.float64]  # (2 n_bonds,): 2 J
    base: NDArray[np.float64]  # (n_sites,): h_i - sum_j J_ij; h_i for the uniform complete graph
    uniform: NDArray[np.float64]  # (1,): J of the uniform complete graph, or empty


class WordState(NamedTuple):
    """64 chains at each slot of a ladder (or of one beta)."""

    words: NDArray[np.uint64]  # (n_slots, n_sites)
    rng: NDArray[np.uint64]  # (n_slots, 4, 8)
    energies: NDArray[np.float64]  # (n_slots, 64), running
    fields: NDArray[np.float64]  # (64,) scratch
    done: NDArray[np.int64]  # (1,): sweeps so far


@njit(cache=True, nogil=True, inline="always")
def log_ratio(a, b):  # type: ignore[no-untyped-def]
    """log(a / b) of eight pairs of positive normal doubles, to 4e-16 max(1, |log(a / b)|).

    With a = m 2^e and b = n 2^f: (e - f) log 2 + 2 artanh s, s = (m - n) / (m + n); the polynomial in s^2 <= 1/9 is
    minimax, to 1e-16.
    """
    bits_a, bits_b = as_words(a), as_words(b)
    m = as_doubles((bits_a & splat(MANTISSA)) | splat(ONE))
    n = as_doubles((bits_b & splat(MANTISSA)) | splat(ONE))
    exponent = to_doubles(shift_right(bits_a, 52)) - to_doubles(shift_right(bits_b, 52))
    s = (m - n) / (m + n)
    z = s * s
    p = splat8(0.17780763826113302)
    p = fma(p, z, splat8(0.09880789048764786))
    p = fma(p, z, splat8(0.13591305485579894))
    p = fma(p, z, splat8(0.15363676248891633))
    p = fma(p, z, splat8(0.1818285980047391))
    p = fma(p, z, splat8(0.22222190861346283))
    p = fma(p, z, splat8(0.2857142911165716))
    p = fma(p, z, splat8(0.399999999952876))
    p = fma(p, z, splat8(0.6666666666668257))
    p = fma(p, z, splat8(2.0))
    return fma(exponent, splat8(LOG_2), s * p)


@njit(cache=True, nogil=True, inline="always")
def heat_bath_threshold(random):  # type: ignore[no-untyped-def]
    """log(u / (1 - u)) of eight random words."""
    u = to_doubles(shift_right(random, 11) | splat(ODD))
    return log_ratio(u, splat8(TWO_53) - u)


@njit(cache=True, nogil=True, inline="always")
def metropolis_threshold(random, factor):  # type: ignore[no-untyped-def]
    """log(factor / u) of eight random words."""
    return log_ratio(splat8(factor * TWO_53), to_doubles(shift_right(random, 11) | splat(ODD)))


@njit(cache=True, nogil=True, inline="always")
def _choose(metropolis, twice_beta, field, old, random):  # type: ignore[no-untyped-def]
    """New spins (bits) of eight chains with the given local fields and old spins."""
    x = field * splat8(twice_beta)
    if metropolis:
        threshold = metropolis_threshold(random, 0.9375)
        return old ^ (less(negative_where_not(x, old), threshold) & less(splat8(0.0), threshold))
    return less(heat_bath_threshold(random), x)


@njit(cache=True, nogil=True)
def sweep(state, slot, graph, beta, metropolis):  # type: ignore[no-untyped-def]
    """One update of every site of a slot's 64 chains, in site order; keeps the running energies."""
    words, energies, fields = state.words[slot], state.energies[slot], state.fields
    rng = state.rng[slot]
    a, b, c, d = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    complete = graph.uniform.size > 0
    moment = splat64(0.0)
    coupling = graph.uniform[0] if complete else 0.0
    if complete:
        for i in range(words.size):
            moment = add_where(moment, words[i], 2.0 * coupling)
    for i in range(words.size):
        old, new = words[i], np.uint64(0)
        if complete:  # J (sum_j s_j - s_i) + h_i
            field = moment + splat64(graph.base[i] - coupling * (words.size - 1))
            field = add_where(field, old, -2.0 * coupling)
        else:
            field = splat64(graph.base[i])
            for k in range(graph.start[i], graph.start[i + 1]):
                field = add_where(field, words[graph.neighbors[k]], graph.twice[k])
        store(fields, 0, field)
        for group in range(8):
            random, a, b, c = next_words(a, b, c, d)
            d = d + splat(ODD)
            bits = (old >> np.uint64(8 * group)) & BYTE
            eight = load8(fields, 8 * group)
            up = _choose(metropolis, 2.0 * beta, eight, bits, random)
            change = add_where(load8(energies, 8 * group), up ^ bits, negative_where_not(eight + eight, bits))
            store(energies, 8 * group, change)
            new |= up << np.uint64(8 * group)
        words[i] = new
        if complete:
            moment = add_where(add_where(moment, new & ~old, 2.0 * coupling), old & ~new, -2.0 * coupling)
    store_words(rng, 0, a)
    store_words(rng, 8, b)
    store_words(rng, 16, c)
    store_words(rng, 24, d)


@njit(cache=True, nogil=True)
def refresh_energies(state, graph, fields):  # type: ignore[no-untyped-def]
    """Recompute the running energies: -1/2 sum_i s_i (local field of i + h_i); fields (n_sites,) holds h."""
    for slot in range(state.words.shape[0]):
        words, energies = state.words[slot], state.energies[slot]
        total = splat64(0.0)
        moment = splat64(0.0)
        if graph.uniform.size:
            for i in range(words.size):
                moment = add_where(moment, words[i], 2.0)
            moment = moment - splat64(np.float64(words.size))
            square = moment * moment - splat64(np.float64(words.size))
            total = square * splat64(-0.5 * graph.uniform[0])
        for i in range(words.size):
            local = splat64(fields[i])
            if graph.uniform.size == 0:
                local = splat64(0.5 * (graph.base[i] + fields[i]))
                for k in range(graph.start[i], graph.start[i + 1]):
                    local = add_where(local, words[graph.neighbors[k]], 0.5 * graph.twice[k])
            total = add_where(add_where(total, words[i], splat64(0.0) - local), ~words[i], local)
        store(energies, 0, total)


@njit(cache=True, nogil=True)
def sweeps(state, graph, fields, betas, metropolis):  # type: ignore[no-untyped-def]
    """A sweep of every slot for every row of betas (n_sweeps, n_slots)."""
    for t in range(betas.shape[0]):
        for slot in range(betas.shape[1]):
            sweep(state, slot, graph, betas[t, slot], metropolis)
        state.done[0] += 1
        if state.done[0] % REFRESH_EVERY == 0:
            refresh_energies(state, graph, fields)
