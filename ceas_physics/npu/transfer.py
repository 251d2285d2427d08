"""Compiled: the zero-temperature transfer matrix of a square torus, one site after the other."""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 32  # configurations of the first row that are followed together


@njit(cache=True, nogil=True)
def lowest_energies(down, right, fields, first_rows, energy):  # type: ignore[no-untyped-def]
    """Lowest energy of the torus for each of up to LANES configurations of the first row.

    A configuration of a row is the bits of an integer, bit y set for s = +1 at (x, y).

    Parameters
    ----------
    down, right
        (L, L): coupling of (x, y) to (x + 1, y) and to (x, y + 1).
    fields
        (L, L).
    first_rows
        (LANES,) int64.
    energy
        (2^L, LANES), scratch.

    Returns
    -------
    (LANES,) lowest energies.
    """
    length = len(down)
    energy[:] = np.inf
    for lane in range(LANES):
        energy[first_rows[lane], lane] = 0
    _add_row(right[0], fields[0], energy)
    for x in range(1, length):
        for y in range(length):
            _add_site(y, down[x - 1, y], energy)
        _add_row(right[x], fields[x], energy)
    best = np.full(LANES, np.inf)
    for row in range(1 << length):
        for lane in range(LANES):
            total = energy[row, lane] + row_pair(down[-1], row, first_rows[lane])
            best[lane] = min(best[lane], total)
    return best


@njit(cache=True, nogil=True)
def _add_site(y, coupling, energy):  # type: ignore[no-untyped-def]
    """Minimise over the old spin of column y, joined by the coupling to the new one that takes its place."""
    bit = 1 << y
    for row in range(len(energy)):
        if not row & bit:
            for lane in range(LANES):
                a, b = energy[row, lane], energy[row | bit, lane]
                energy[row, lane] = min(a - coupling, b + coupling)
                energy[row | bit, lane] = min(a + coupling, b - coupling)


@njit(cache=True, nogil=True)
def row_energy(right, fields, row):  # type: ignore[no-untyped-def]
    """Energy inside a row, round its ring, fields included."""
    total = 0.0
    length = len(right)
    for y in range(length):
        spin, neighbor = row >> y & 1, row >> ((y + 1) % length) & 1
        total += right[y] if spin != neighbor else -right[y]
        total -= fields[y] if spin else -fields[y]
    return total


@njit(cache=True, nogil=True)
def row_pair(down, row, below):  # type: ignore[no-untyped-def]
    """Energy between two rows."""
    total = 0.0
    for y in range(len(down)):
        total += down[y] if (row ^ below) >> y & 1 else -down[y]
    return total


@njit(cache=True, nogil=True)
def _add_row(right, fields, energy):  # type: ignore[no-untyped-def]
    for row in range(len(energy)):
        inside = row_energy(right, fields, row)
        for lane in range(LANES):
            energy[row, lane] += inside


@njit(cache=True, nogil=True)
def lowest_rows(down, right, fields, first_row):  # type: ignore[no-untyped-def]
    """(L,) int64: the rows of a configuration of lowest energy whose first row is given."""
    length = len(down)
    size = 1 << length
    energy = np.full(size, np.inf)
    came_up = np.zeros((length, length, size), dtype=np.bool_)  # whether the spin that (x, y) replaced was +1
    energy[first_row] = row_energy(right[0], fields[0], first_row)
    for x in range(1, length):
        for y in range(length):
            bit, coupling = 1 << y, down[x - 1, y]
            for row in range(size):
                if not row & bit:
                    a, b = energy[row], energy[row | bit]
                    came_up[x, y, row] = b + coupling < a - coupling
                    came_up[x, y, row | bit] = b - coupling < a + coupling
                    energy[row] = min(a - coupling, b + coupling)
                    energy[row | bit] = min(a + coupling, b - coupling)
        for row in range(size):
            energy[row] += row_energy(right[x], fields[x], row)
    best = 0
    for row in range(size):
        energy[row] += row_pair(down[-1], row, first_row)
        if energy[row] < energy[best]:
            best = row
    rows = np.empty(length, dtype=np.int64)
    for x in range(length - 1, -1, -1):
        rows[x] = best
        for y in range(length - 1, -1, -1):
            if x:
                up = came_up[x, y, best]
                best = best | 1 << y if up else best & ~(1 << y)
    return rows
