"""Compiled: replica exchange for 64 lanes at once (a masked XOR), and Houdayer's isoenergetic cluster move in bits."""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .kernels_spins import next_uint64, uniform

ZERO = np.uint64(0)
ONE = np.uint64(1)
EVEN = np.uint64(0x5555555555555555)


class Ladder(NamedTuple):
    """What replica exchange keeps of the ladders of a unit; the first dimension is the word."""

    energy: NDArray[np.float64]  # (n_words, n_beta, 64) total energies
    unsatisfied: NDArray[np.int32]  # (n_words, n_beta, 64)
    up: NDArray[np.int32]  # (n_words, n_beta, 64)
    replica: NDArray[np.int32]  # (n_words, n_beta, 64): which replica stands at this beta
    heading: NDArray[np.int8]  # (n_words, n_beta, 64) by replica: 0 new, 1 was at the lowest beta, 2 then highest
    accepted: NDArray[np.int64]  # (n_words, n_beta - 1, 64)
    attempts: NDArray[np.int64]  # (n_words, n_beta - 1)
    round_trips: NDArray[np.int64]  # (n_words, 64): lowest -> highest -> lowest beta
    rng: NDArray[np.uint64]  # (n_words, 4) SFC64
    steps: NDArray[np.int64]  # (n_words,) sweeps done


@njit(cache=True, nogil=True)
def exchange(spins, betas, ladder, word):  # type: ignore[no-untyped-def]
    """One exchange step between neighbouring betas, lane by lane: P = min(1, exp((b' - b) (E' - E))).

    spins (n_beta, n_sites + 1); even and odd pairs take turns (Hukushima and Nemoto 1996).
    """
    energy, rng = ladder.energy[word], ladder.rng[word]
    unsatisfied, up, replica = ladder.unsatisfied[word], ladder.up[word], ladder.replica[word]
    for b in range(ladder.steps[word] & 1, betas.size - 1, 2):
        mask = ZERO
        accepted = ladder.accepted[word, b]
        for lane in range(64):
            gain = (betas[b + 1] - betas[b]) * (energy[b + 1, lane] - energy[b, lane])
            if gain >= 0.0 or uniform(rng) < exp(gain):
                mask |= ONE << np.uint64(lane)
                energy[b, lane], energy[b + 1, lane] = energy[b + 1, lane], energy[b, lane]
                unsatisfied[b, lane], unsatisfied[b + 1, lane] = unsatisfied[b + 1, lane], unsatisfied[b, lane]
                up[b, lane], up[b + 1, lane] = up[b + 1, lane], up[b, lane]
                replica[b, lane], replica[b + 1, lane] = replica[b + 1, lane], replica[b, lane]
                accepted[lane] += 1
        ladder.attempts[word, b] += 1
        if mask:
            _swap_lanes(spins[b], spins[b + 1], mask)
    ladder.steps[word] += 1
    _count_round_trips(replica, ladder.heading[word], ladder.round_trips[word])


@njit(cache=True, nogil=True)
def _swap_lanes(a, b, mask):  # type: ignore[no-untyped-def]
    for i in range(a.size):
        x = (a[i] ^ b[i]) & mask
        a[i] ^= x
        b[i] ^= x


@njit(cache=True, nogil=True)
def _count_round_trips(replica, heading, round_trips):  # type: ignore[no-untyped-def]
    for lane in range(64):
        bottom, top = replica[0, lane], replica[-1, lane]
        if heading[top, lane] == 1:
            heading[top, lane] = 2
        if heading[bottom, lane] == 2:
            round_trips[lane] += 1
        heading[bottom, lane] = 1


@njit(cache=True, nogil=True)
def isoenergetic(spins, neighbors, rng, differs, cluster):  # type: ignore[no-untyped-def]
    """Houdayer's move (2001) for the 32 pairs of lanes (2k, 2k + 1) of one word; energies sum E_a + E_b unchanged.

    In every pair a site where the two chains differ is drawn, and the connected cluster of such sites around it is
    exchanged between the two: a flood fill of all 32 clusters at once. differs, cluster (n_sites,) uint64 are scratch.
    """
    n_sites = neighbors.shape[0]
    for i in range(n_sites):
        differs[i] = (spins[i] ^ (spins[i] >> ONE)) & EVEN
        cluster[i] = ZERO
    for pair in range(32):
        bit = ONE << np.uint64(2 * pair)
        start = np.int64(((next_uint64(rng) >> np.uint64(32)) * np.uint64(n_sites)) >> np.uint64(32))
        for step in range(n_sites):
            i = start + step if start + step < n_sites else start + step - n_sites
            if differs[i] & bit:
                cluster[i] |= bit
                break
    growing = True
    while growing:
        growing = _grow(neighbors, differs, cluster, 0, n_sites, 1)
        growing = _grow(neighbors, differs, cluster, n_sites - 1, -1, -1) or growing
    for i in range(n_sites):
        spins[i] ^= cluster[i] | (cluster[i] << ONE)


@njit(cache=True, nogil=True)
def _grow(neighbors, differs, cluster, start, stop, step):  # type: ignore[no-untyped-def]
    grown = False
    for i in range(start, stop, step):
        near = cluster[i]
        for j in range(neighbors.shape[1]):
            if neighbors[i, j] < 0:
                break
            near |= cluster[neighbors[i, j]]
        near &= differs[i]
        if near != cluster[i]:
            cluster[i] = near
            grown = True
    return grown
