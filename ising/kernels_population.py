"""Compiled: many replicas of one model at one beta, int8 `spins[site, replica]`, any couplings and fields.

All inner loops run over replicas, a block of them at a time so that the scratch stays in the first-level cache. Random
numbers come from eight SFC64 generators in step. The exponential is a polynomial of our own: it vectorises, and gives
the same bits on every CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .words import WIDTH, load, next_words, shift_right, splat, store

BLOCK = 512  # replicas, a multiple of WIDTH
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
EXPONENT_OF_ONE = np.uint64(1023 << 52)


class ReplicaGraph(NamedTuple):
    """A graph with its couplings and fields as the replica kernels need it."""

    neighbors: NDArray[np.int32]  # (n_sites, max_degree), padded with -1
    couplings: NDArray[np.float64]  # (n_sites, max_degree)
    fields: NDArray[np.float64]  # (n_sites,)


class Scratch(NamedTuple):
    """Work space of one block; `bits` and `exponents` are seen as float64 too (`*_value` share their memory)."""

    local: NDArray[np.float64]  # (BLOCK,)
    bits: NDArray[np.uint64]
    bits_value: NDArray[np.float64]
    exponents: NDArray[np.uint64]
    exponents_value: NDArray[np.float64]


def make_scratch() -> Scratch:
    """Work space for one thread."""
    bits, exponents = np.zeros(BLOCK, np.uint64), np.zeros(BLOCK, np.uint64)
    return Scratch(np.zeros(BLOCK), bits, bits.view(np.float64), exponents, exponents.view(np.float64))


@njit(cache=True, nogil=True)
def _add_row(total, factor, row):  # type: ignore[no-untyped-def]
    for r in range(row.size):
        total[r] += factor * row[r]


@njit(cache=True, nogil=True)
def _local_field(spins, i, graph, first, last, local):  # type: ignore[no-untyped-def]
    """Local field h_i + sum_j J_ij s_j of replicas first .. last - 1 into local."""
    local[:] = graph.fields[i]
    for j in range(graph.neighbors.shape[1]):
        neighbor = graph.neighbors[i, j]
        if neighbor < 0:
            break
        _add_row(local, graph.couplings[i, j], spins[neighbor, first:last])


@njit(cache=True, nogil=True)
def negative_exponential(x, scratch):  # type: ignore[no-untyped-def]
    """Replace x by exp(-x), |x| cut at 700: exp(-x) = 2^k p(-x - k ln 2) with a polynomial p of degree 12."""
    for r in range(x.size):
        x[r] = min(max(-x[r], -700.0), 700.0)
        scratch.exponents_value[r] = x[r] * LOG2_E + ROUND
    for r in range(x.size):
        k = scratch.exponents_value[r] - ROUND
        y = (x[r] - k * LN2_HIGH) - k * LN2_LOW
        p = 1.0 / 39916800.0 + y * (1.0 / 479001600.0)
        p = 1.0 / 40320.0 + y * (1.0 / 362880.0 + y * (1.0 / 3628800.0 + y * p))
        p = 1.0 / 120.0 + y * (1.0 / 720.0 + y * (1.0 / 5040.0 + y * p))
        x[r] = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * p))))
    for r in range(x.size):
        scratch.exponents[r] = (scratch.exponents[r] << np.uint64(52)) + EXPONENT_OF_ONE
    for r in range(x.size):
        x[r] *= scratch.exponents_value[r]


@njit(cache=True, nogil=True)
def _decide(row, local, beta, scratch):  # type: ignore[no-untyped-def]
    """Heat bath of one site: s = +1 where u (1 + exp(-2 beta local)) < 1; scratch.bits hold u + 1 as float64."""
    for r in range(row.size):
        local[r] *= 2.0 * beta
    negative_exponential(local, scratch)
    for r in range(row.size):
        row[r] = 1 if (scratch.bits_value[r] - 1.0) * (1.0 + local[r]) < 1.0 else -1


@njit(cache=True, nogil=True)
def heat_bath(spins, rng, graph, beta, n_sweeps, scratch):  # type: ignore[no-untyped-def]
    """`n_sweeps` sweeps of all replicas in site order: s_i = +1 with probability 1 / (1 + exp(-2 beta local field)).

    spins (n_sites, n_replicas) int8; rng (4, WIDTH) uint64, SFC64 states that move on.
    """
    a, b, c, counter = load(rng, 0), load(rng, WIDTH), load(rng, 2 * WIDTH), load(rng, 3 * WIDTH)
    one, exponent = splat(np.uint64(1)), splat(EXPONENT_OF_ONE)
    n_sites, n_replicas = spins.shape
    for first in range(0, n_replicas, BLOCK):
        last = min(first + BLOCK, n_replicas)
        for _ in range(n_sweeps):
            for i in range(n_sites):
                for r in range(0, last - first, WIDTH):
                    word, a, b, c = next_words(a, b, c, counter)
                    counter = counter + one
                    store(scratch.bits, r, shift_right(word, 12) | exponent)
                local = scratch.local[: last - first]
                _local_field(spins, i, graph, first, last, local)
                _decide(spins[i, first:last], local, beta, scratch)
    store(rng, 0, a)
    store(rng, WIDTH, b)
    store(rng, 2 * WIDTH, c)
    store(rng, 3 * WIDTH, counter)


@njit(cache=True, nogil=True)
def _subtract_product(total, row, local, field):  # type: ignore[no-untyped-def]
    for r in range(row.size):
        total[r] -= 0.5 * row[r] * (local[r] + field)


@njit(cache=True, nogil=True)
def measure(spins, graph, scratch, energy, magnetization):  # type: ignore[no-untyped-def]
    """Total energy -sum_i s_i (local_i + h_i) / 2 and sum_i s_i of every replica, (n_replicas,) each."""
    n_sites, n_replicas = spins.shape
    energy[:] = 0.0
    magnetization[:] = 0.0
    for first in range(0, n_replicas, BLOCK):
        last = min(first + BLOCK, n_replicas)
        local = scratch.local[: last - first]
        for i in range(n_sites):
            _local_field(spins, i, graph, first, last, local)
            _subtract_product(energy[first:last], spins[i, first:last], local, graph.fields[i])
            _add_row(magnetization[first:last], 1.0, spins[i, first:last])


@njit(cache=True, nogil=True)
def adopt(spins, parent, row):  # type: ignore[no-untyped-def]
    """Replica r becomes a copy of replica parent[r], in place; row (n_replicas,) int8 scratch."""
    for i in range(spins.shape[0]):
        for r in range(parent.size):
            row[r] = spins[i, parent[r]]
        for r in range(parent.size):
            spins[i, r] = row[r]
