"""Compiled: p-bits that update in a fixed order, every spin once per unit of time, by the kernels of the sampler."""

from __future__ import annotations

import numpy as np
from numba import njit

from ising import kernels_bits, kernels_fields, kernels_rows

from .kernels_read import LANES, ONE, ZERO, read


@njit(cache=True, nogil=True)
def run_bits(words, rng, graph, tables, betas, n_steps, reader, record):  # type: ignore[no-untyped-def]
    """Couplings +-J, colour by colour: n_steps (n,) sweeps at betas (n,), then a read; how many intervals were run.

    words (n_sites + 1,); tables (n, n_classes, n_digits, 1, n_terms).
    """
    terms, no_tally = np.zeros((16, 8), np.uint64), np.zeros((1, 0, 8), np.uint64)
    for k in range(betas.size):
        for _ in range(n_steps[k]):
            kernels_bits.sweep(words, rng, graph, tables[k], False, terms, no_tally)
        if read(words, reader, betas[k], record, k):
            return k + 1
    return betas.size


@njit(cache=True, nogil=True)
def run_fields(words, state, graph, betas, n_steps, reader, record):  # type: ignore[no-untyped-def]
    """Any couplings, in site order, local fields summed anew; words (n_sites + 1,) is scratch."""
    for k in range(betas.size):
        for _ in range(n_steps[k]):
            kernels_fields.sweep(state, 0, graph, betas[k], False)
        words[:-1] = state.words[0]
        if read(words, reader, betas[k], record, k):
            return k + 1
    return betas.size


@njit(cache=True, nogil=True)
def run_rows(words, state, graph, betas, n_steps, reader, record):  # type: ignore[no-untyped-def]
    """Dense couplings, in site order, local fields kept up to date; words (n_sites + 1,) is scratch."""
    for k in range(betas.size):
        words[:] = ZERO
        for row in range(LANES):
            for _ in range(n_steps[k]):
                kernels_rows.sweep(state, row, graph, betas[k], False)
            spins = state.spins[row]
            for i in range(words.size - 1):
                words[i] |= ((spins[i >> 6] >> np.uint64(i & 63)) & ONE) << np.uint64(row)
        if read(words, reader, betas[k], record, k):
            return k + 1
    return betas.size
