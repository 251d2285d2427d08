"""Compiled: one walker over the energy levels of a model with integer couplings, random-site single-spin flips.

Level k of a configuration is (E + E_bound) / 2 in integer units, E_bound = sum |J| + sum |h|; flipping spin i moves it
by s_i (h_i + sum_j J_ij s_j). `log_g` is -inf for a level not seen yet.
"""

from __future__ import annotations

from math import exp, isinf
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .kernels_spins import next_uint64

MIN_VISITS = 20  # of every known level before ln f is halved

# entries of `tally` (6,) int64: levels seen so far; of these, with fewer than MIN_VISITS visits; the ends of the
# spectrum (outside it while they are not known), the one touched last (1 the highest), how often that changed
KNOWN, PENDING, LOWEST, HIGHEST, LAST_END, PASSAGES = range(6)


class LevelGraph(NamedTuple):
    """A graph with integer couplings and fields."""

    neighbors: NDArray[np.int32]  # (n_sites, max_degree), padded with -1
    couplings: NDArray[np.int64]  # (n_sites, max_degree)
    fields: NDArray[np.int64]  # (n_sites,)


class Clock(NamedTuple):
    """State of the refinement, one entry each."""

    log_f: NDArray[np.float64]
    attempts: NDArray[np.int64]
    on_law: NDArray[np.bool_]  # whether ln f = known / attempts already


@njit(cache=True, nogil=True)
def sweep(spins, level, rng, graph, log_g, log_f, visits, tally):  # type: ignore[no-untyped-def]
    """Try to flip n_sites random spins, accepted with probability min(1, g(old) / g(new)); returns the last level.

    After each attempt log_g[level] += log_f and visits[level] += 1. A new level starts at the log_g of the level it was
    reached from, and PENDING at the number of levels. One function without calls: in inlined ones the reference counts
    of the arrays cost four times as much as the walk.
    """
    neighbors, couplings, fields = graph
    for _ in range(spins.size):
        i = ((next_uint64(rng) >> np.uint64(32)) * np.uint64(spins.size)) >> np.uint64(32)
        local = fields[i]
        for j in range(neighbors.shape[1]):
            neighbor = neighbors[i, j]
            if neighbor < 0:
                break
            local += couplings[i, j] * spins[neighbor]
        old, new = level, level + spins[i] * local
        gain = log_g[old] - log_g[new]
        if gain >= 0.0 or np.float64(next_uint64(rng) >> np.uint64(11)) * 2.0**-53 < exp(gain):
            spins[i] = -spins[i]
            level = new
            if isinf(log_g[new]):
                log_g[new] = log_g[old]
                visits[:] = 0
                tally[KNOWN] += 1
                tally[PENDING] = tally[KNOWN]
        log_g[level] += log_f
        visits[level] += 1
        if visits[level] == MIN_VISITS:
            tally[PENDING] -= 1
        if level <= tally[LOWEST] or level >= tally[HIGHEST]:
            end = np.int64(level >= tally[HIGHEST])
            tally[PASSAGES] += end != tally[LAST_END]
            tally[LAST_END] = end
    return level


@njit(cache=True, nogil=True)
def tick(clock, visits, tally, attempts):  # type: ignore[no-untyped-def]
    """After a sweep: halve ln f once every known level has MIN_VISITS visits; below known / attempts it is that."""
    clock.attempts[0] += attempts
    law = tally[KNOWN] / clock.attempts[0]
    if not clock.on_law[0] and tally[PENDING] == 0:
        clock.log_f[0] *= 0.5
        visits[:] = 0
        tally[PENDING] = tally[KNOWN]
        clock.on_law[0] = clock.log_f[0] < law
    if clock.on_law[0]:
        clock.log_f[0] = law


@njit(cache=True, nogil=True)
def refine(spins, level, rng, graph, log_g, visits, tally, clock, n_sweeps):  # type: ignore[no-untyped-def]
    """Wang-Landau sweeps; returns the last level."""
    for _ in range(n_sweeps):
        level = sweep(spins, level, rng, graph, log_g, clock.log_f[0], visits, tally)
        tick(clock, visits, tally, spins.size)
    return level


@njit(cache=True, nogil=True)
def produce(spins, level, rng, graph, log_g, visits, tally, n_sweeps):  # type: ignore[no-untyped-def]
    """Multicanonical sweeps at fixed weights 1/g, finite at every level; returns the last level."""
    for _ in range(n_sweeps):
        level = sweep(spins, level, rng, graph, log_g, 0.0, visits, tally)
    return level
