"""Compiled: what the devices with continuous states share: local fields, noise, read-out by sign; 64 replicas a unit.

States are arrays (n_sites, 64) with the replicas in the fastest axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ising.doubles import fma, load8, splat8, store
from ising.words import load, next_words, splat
from ising.words import store as store_words

from .kernels_p_bit_fields import normal_eight
from .kernels_read import LANES, ONE, ZERO


class Machine(NamedTuple):
    """The couplings of a machine of continuous elements."""

    start: NDArray[np.int64]  # (n_sites + 1,): site i reads neighbors[start[i] : start[i + 1]]
    neighbors: NDArray[np.int32]
    weights: NDArray[np.float64]  # J_ij of every read of j by i
    matrix: NDArray[np.float64]  # (n_sites, n_sites) if dense, else (0, 0)
    fields: NDArray[np.float64]  # (n_sites,)
    live: NDArray[np.float64]  # (n_sites,): 1, or 0 for stuck sites


@njit(cache=True, nogil=True)
def couple(machine, x, out):  # type: ignore[no-untyped-def]
    """out_i = sum_j J_ij x_j, both (n_sites, 64)."""
    if machine.matrix.shape[0]:
        np.dot(machine.matrix, x, out)
        return
    start, neighbors, weights = machine.start, machine.neighbors, machine.weights
    for i in range(out.shape[0]):
        for group in range(0, LANES, 32):
            s0 = s1 = s2 = s3 = splat8(0.0)
            for k in range(start[i], start[i + 1]):
                at, weight = np.int64(neighbors[k]) * LANES + group, splat8(weights[k])
                s0 = fma(weight, load8(x, at), s0)
                s1 = fma(weight, load8(x, at + 8), s1)
                s2 = fma(weight, load8(x, at + 16), s2)
                s3 = fma(weight, load8(x, at + 24), s3)
            to = i * LANES + group
            store(out, to, s0)
            store(out, to + 8, s1)
            store(out, to + 16, s2)
            store(out, to + 24, s3)


@njit(cache=True, nogil=True)
def add_noise(x, live, rng, amplitude):  # type: ignore[no-untyped-def]
    """x_i += amplitude times independent numbers of mean 0 and variance 1, at live sites."""
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    for i in range(x.shape[0]):
        scale = splat8(amplitude * live[i])
        for group in range(0, LANES, 8):
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(ONE)
            at = i * LANES + group
            store(x, at, fma(scale, normal_eight(random), load8(x, at)))
    store_words(rng, 0, a)
    store_words(rng, 8, b)
    store_words(rng, 16, c)
    store_words(rng, 24, counter)


@njit(cache=True, nogil=True)
def signs(x, words):  # type: ignore[no-untyped-def]
    """Bit k of word i is set where x[i, k] >= 0."""
    for i in range(x.shape[0]):
        word = ZERO
        for lane in range(LANES):
            word |= np.uint64(x[i, lane] >= 0.0) << np.uint64(lane)
        words[i] = word
