"""Compiled: 64 independent chains in the bits of a word, any graph, couplings +-J, uniform field.

`spins[i]` is a uint64 word: bit k is site i of chain k (1 is up). Sites are updated eight at a time (`words.py`): a
group is eight sites of one colour of a proper colouring, of one degree; missing sites are the spare word
`spins[n_sites]`.

A decision needs P(up | number of up neighbours) for the heat bath, or P(flip | number of opposed neighbours) for
Metropolis. The count is made with bit-sliced adders; the binary digits of the threshold are XORs of monomials in the
bits of the count (`tables.py`); uniform numbers are drawn digit by digit, from the most significant on, for 512 lanes
at once, until the first difference from the threshold is known in every lane: about eleven random words, not 52.

Everything of a sweep stands in one function: a call in the inner loop would spill all vector registers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .kernels_counts import N_PLANES, amplitudes, count_tally, count_unsatisfied, count_up
from .kernels_exchange import exchange, isoenergetic
from .words import ONES, any_bit, gather, load, next_words, scatter, splat, store

MAX_DEGREE = 15  # counts of up to four bits
ZERO = np.uint64(0)


class BitGraph(NamedTuple):
    """A graph with +-J couplings as the bit kernels need it; neighbour ~k is site k behind an opposed bond."""

    groups: NDArray[np.int32]  # (n_groups, 1 + max_degree, 8): sites, then their neighbours
    degree: NDArray[np.int32]  # (n_groups,)
    site_class: NDArray[np.int32]  # (n_groups,): row of the threshold table
    planes: NDArray[np.uint64]  # like groups: a bit per lane opposes the coupling, or (0, 0, 0)
    bonds: NDArray[np.int32]  # (n_blocks, 1 + most, 8): sites and the far ends of the bonds that start there
    n_bonds: NDArray[np.int32]  # (n_blocks,): bonds per site of a block
    bond_planes: NDArray[np.uint64]  # like bonds, or (0, 0, 0)
    layers: NDArray[np.int32]  # (n_axes, n_blocks, length, 8): sites of eight layers side by side, n_axes may be 0
    layer_sizes: NDArray[np.int32]  # (n_axes, 8 n_blocks)
    last_color: int  # first group of the second colour of a regular bipartite graph, else n_groups
    last_filled: int  # sites in its last group


@njit(cache=True, nogil=True)
def sweep(spins, rng, graph, digits, flips, terms, tally):  # type: ignore[no-untyped-def]
    """Update every site once, colour by colour, in place.

    spins (n_sites + 1,); rng (4, 8); digits (n_classes, n_digits, 1 or 2, n_terms) uint64, entries all zeros or all
    ones: the coefficients of the monomials of the count, in a second block of their products with the spin;
    flips: the digits decide on a flip given opposed neighbours (Metropolis), else on up given up ones (heat bath).
    tally (n_planes + 1, n_groups, 8) or empty: receives, from the groups of the last colour, whose neighbours stay as
    they are, the planes of the count XOR the decision, and the decision: `count_tally` turns them into energies.
    """
    a, b, c, counter = load(rng, 0), load(rng, 8), load(rng, 16), load(rng, 24)
    n_digits, n_blocks, n_terms = digits.shape[1:]
    digits_flat = digits.ravel()
    stride = graph.groups.shape[1] * 8
    lane_couplings = graph.planes.size > 0
    tallies, tally_stride = tally.size > 0, tally.shape[1] * 8
    groups, planes, degrees, site_class = graph.groups, graph.planes, graph.degree, graph.site_class
    for group in range(groups.shape[0]):
        degree, at = degrees[group], group * stride
        own = splat(ZERO)
        if flips:
            own = gather(spins, groups, at)
        ones = twos = fours = eights = splat(ZERO)
        first = 1
        if degree >= 3:
            first = 4
            x, y, z = gather(spins, groups, at + 8), gather(spins, groups, at + 16), gather(spins, groups, at + 24)
            if lane_couplings:
                x, y, z = x ^ load(planes, at + 8), y ^ load(planes, at + 16), z ^ load(planes, at + 24)
            half = x ^ y
            ones, twos = half ^ z ^ own, ((x ^ own) & (y ^ own)) | (half & (z ^ own))
        for j in range(first, degree + 1):
            x = gather(spins, groups, at + 8 * j) ^ own
            if lane_couplings:
                x = x ^ load(planes, at + 8 * j)
            carry = ones & x
            ones = ones ^ x
            x = twos & carry
            twos = twos ^ carry
            carry = fours & x
            fours = fours ^ x
            eights = eights ^ carry
        both = ones & twos
        if degree > 4:
            store(terms, 40, ones & fours)
            store(terms, 48, twos & fours)
            store(terms, 56, both & fours)
        if degree > 7:
            store(terms, 8, ones)
            store(terms, 16, twos)
            store(terms, 24, both)
            store(terms, 32, fours)
            store(terms, 64, eights)
            for k in range(9, degree + 1):
                store(terms, 8 * k, load(terms, 8 * (k - 8)) & eights)
        table = site_class[group] * n_digits * n_blocks * n_terms
        undecided, chosen = splat(ONES), splat(ZERO)
        for digit in range(n_digits):
            row = table + digit * n_blocks * n_terms
            threshold = splat(digits_flat[row])
            threshold = threshold ^ (splat(digits_flat[row + 1]) & ones) ^ (splat(digits_flat[row + 2]) & twos)
            threshold = threshold ^ (splat(digits_flat[row + 3]) & both) ^ (splat(digits_flat[row + 4]) & fours)
            for k in range(5, degree + 1):
                threshold = threshold ^ (splat(digits_flat[row + k]) & load(terms, 8 * k))
            if n_blocks == 2:
                row += n_terms
                with_spin = splat(digits_flat[row])
                with_spin = with_spin ^ (splat(digits_flat[row + 1]) & ones) ^ (splat(digits_flat[row + 2]) & twos)
                with_spin = with_spin ^ (splat(digits_flat[row + 3]) & both) ^ (splat(digits_flat[row + 4]) & fours)
                for k in range(5, degree + 1):
                    with_spin = with_spin ^ (splat(digits_flat[row + k]) & load(terms, 8 * k))
                threshold = threshold ^ (with_spin & own)
            random, a, b, c = next_words(a, b, c, counter)
            counter = counter + splat(np.uint64(1))
            differs = (random ^ threshold) & undecided
            chosen = chosen | (differs & threshold)
            undecided = undecided ^ differs
            if not any_bit(undecided):
                break
        scatter(spins, groups, at, chosen ^ own)
        if tallies and group >= graph.last_color:
            to = (group - graph.last_color) * 8
            store(tally, to, ones ^ chosen)
            store(tally, to + tally_stride, twos ^ chosen)
            if tally.shape[0] > 3:
                store(tally, to + 2 * tally_stride, fours ^ chosen)
            if tally.shape[0] > 4:
                store(tally, to + 3 * tally_stride, eights ^ chosen)
            store(tally, to + (tally.shape[0] - 1) * tally_stride, chosen)
    store(rng, 0, a)
    store(rng, 8, b)
    store(rng, 16, c)
    store(rng, 24, counter)


class BitRun(NamedTuple):
    """What a unit of words does; digits of threshold tables per beta."""

    digits: NDArray[np.uint64]  # (n_beta, n_classes, n_digits, 1 or 2, n_terms)
    flips: bool  # Metropolis
    betas: NDArray[np.float64]  # (n_beta,)
    coupling: float
    field: float
    n_sites: int
    n_bonds: int
    exchange: bool
    isoenergetic: int  # Houdayer moves every so many sweeps, 0 for none
    neighbors: NDArray[np.int32]  # (n_sites, max_degree), for the isoenergetic move
    waves: NDArray[np.float64]  # (2, 8 n_blocks)
    disorder_lanes: bool  # pairs are the same lane of words (0, 1), else lanes (2k, 2k + 1) of one word
    tally: NDArray[np.uint64]  # scratch of `sweep`, empty unless the graph is regular and bipartite
    stagger: NDArray[np.uint64]  # (n_sites + 1,): all ones on the sublattice of sign -1; empty if not wanted


@njit(cache=True, nogil=True)
def advance(spins, rng, graph, run, ladder, n_sweeps, count_last):  # type: ignore[no-untyped-def]
    """Sweeps (with exchange, if asked for) of all words at all betas: spins (n_words, n_beta, n_sites + 1).

    The unsatisfied bonds of the last sweep go to the ladder if count_last, with exchange those of every sweep.
    """
    terms = np.zeros((16, 8), np.uint64)
    planes, buffer = np.zeros((N_PLANES, 8), np.uint64), np.zeros(64, np.uint64)
    scratch = np.zeros((2, run.n_sites if run.isoenergetic else 0), np.uint64)
    for t in range(n_sweeps):
        counts = run.exchange or (count_last and t == n_sweeps - 1)
        for word in range(spins.shape[0]):
            moves = run.isoenergetic > 0 and ladder.steps[word] % run.isoenergetic == 0
            tally = run.tally if counts and not moves else run.tally[:0]
            for b in range(spins.shape[1]):
                s = spins[word, b]
                sweep(s, rng[word, b], graph, run.digits[b], run.flips, terms, tally)
                if moves:
                    isoenergetic(s, run.neighbors, ladder.rng[word], scratch[0], scratch[1])
                if tally.size:
                    count_tally(tally, graph, planes, ladder.unsatisfied[word, b])
                elif counts:
                    count_unsatisfied(s, graph, True, planes, buffer, ladder.unsatisfied[word, b])
                if run.exchange and run.field != 0.0:
                    count_up(s, run.n_sites, planes, buffer, ladder.up[word, b])
            if run.exchange:
                _total_energies(run, ladder, word)
                exchange(spins[word], run.betas, ladder, word)
            else:
                ladder.steps[word] += 1


@njit(cache=True, nogil=True)
def _total_energies(run, ladder, word):  # type: ignore[no-untyped-def]
    n_sites, n_bonds, coupling, field = run.n_sites, run.n_bonds, run.coupling, run.field
    for b in range(run.betas.size):
        unsatisfied, up, energy = ladder.unsatisfied[word, b], ladder.up[word, b], ladder.energy[word, b]
        for lane in range(64):
            moment = 2 * up[lane] - n_sites if field != 0.0 else 0
            energy[lane] = -coupling * (n_bonds - 2 * unsatisfied[lane]) - field * moment


@njit(cache=True, nogil=True)
def sample(spins, rng, graph, run, ladder, thin, n_draws, single, pairs):  # type: ignore[no-untyped-def]
    """`thin` sweeps before each draw; fills the outputs with raw counts.

    single: four arrays (n_draws, n_beta, n_words, 64): unsatisfied bonds int32, up spins int32, |amplitude|^2 float64,
    spins equal to their sublattice's sign int32, each with n_draws = 0 if not wanted; pairs: the first three of the
    overlap field, (n_draws, n_beta, 1 or n_words, 64).
    """
    planes, buffer = np.zeros((N_PLANES, 8), np.uint64), np.zeros(64, np.uint64)
    counts, real, imaginary = np.zeros(64, np.int32), np.zeros(64), np.zeros(64)
    overlap = np.zeros(spins.shape[2], np.uint64)
    n_words = spins.shape[0]
    wants_pairs = pairs[0].shape[0] + pairs[1].shape[0] + pairs[2].shape[0] > 0
    for draw in range(n_draws):
        advance(spins, rng, graph, run, ladder, thin, single[0].shape[0] > 0)
        for b in range(spins.shape[1]):
            for word in range(n_words):
                s = spins[word, b]
                if single[0].shape[0]:
                    single[0][draw, b, word] = ladder.unsatisfied[word, b]
                if single[1].shape[0]:
                    count_up(s, run.n_sites, planes, buffer, single[1][draw, b, word])
                if single[2].shape[0]:
                    amplitudes(s, graph, run.waves, planes, buffer, counts, real, imaginary, single[2][draw, b, word])
                if single[3].shape[0]:
                    overlap[:] = s ^ run.stagger
                    count_up(overlap, run.n_sites, planes, buffer, single[3][draw, b, word])
            for word in range(0, n_words if wants_pairs else 0, 2 if run.disorder_lanes else 1):
                if run.disorder_lanes:
                    overlap[:] = ~(spins[word, b] ^ spins[word + 1, b])
                else:
                    overlap[:] = ~(spins[word, b] ^ (spins[word, b] >> np.uint64(1)))
                at = word // 2 if run.disorder_lanes else word
                if pairs[0].shape[0]:
                    count_unsatisfied(overlap, graph, False, planes, buffer, pairs[0][draw, b, at])
                if pairs[1].shape[0]:
                    count_up(overlap, run.n_sites, planes, buffer, pairs[1][draw, b, at])
                if pairs[2].shape[0]:
                    amplitudes(
                        overlap, graph, run.waves, planes, buffer, counts, real, imaginary, pairs[2][draw, b, at]
                    )
