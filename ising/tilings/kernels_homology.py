"""Compiled parts of the search for double covers: Z2 homology of a map, its short loops, and a class that opens them.

A homology class is a row of 2g bits in uint64 words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def span(follow: Array, cell: Array, start: Array, length: int, allowed: Array, entry: Array, order: Array) -> None:
    """A spanning tree of cells (vertices or faces): order lists them from cell 0, entry[c] is a dart that leads to c.

    The darts of a cell are an orbit of `follow`, `length` of them, from dart start[c]. allowed[d] is the other dart of
    the edge of d, in the cell next door, or -1 where the tree must not cross.
    """
    entry[:] = -1
    order[0] = 0
    place, reached = 0, 1
    while place < reached:
        dart = start[order[place]]
        place += 1
        for _ in range(length):
            other = cell[allowed[dart]] if allowed[dart] >= 0 else 0
            if other != 0 and entry[other] < 0:
                entry[other] = dart
                order[reached] = other
                reached += 1
            dart = follow[dart]


@njit(cache=True, nogil=True)
def fill_labels(x: Array, y: Array, start: Array, length: int, order: Array, entry: Array, labels: Array) -> None:
    """Labels of the darts of a spanning cotree, leaves first, from the sum zero round every face."""
    total = np.zeros_like(labels[0])
    for place in range(len(order) - 1, 0, -1):
        face = order[place]
        total[:] = 0
        dart = start[face]
        for _ in range(length):
            total ^= labels[dart]
            dart = y[dart]
        across = entry[face]
        labels[across] ^= total
        labels[x[across]] = labels[across]


@njit(cache=True, nogil=True)
def short_loops(around: Array, target: Array, labels: Array, spheres: Array, hopeless: Array) -> tuple[Array, Array]:
    """The classes of the loops that spoil a ball: for every site v, the sites that lie at two places of the ball.

    The balls are those of the cover that opens every loop of nonzero class. hopeless[v] says that even there the ball
    has fewer sites than `spheres`.

    Returns
    -------
    sites, classes
        (n,) int32, ascending, and (n, n_words) uint64: the difference of classes of every such pair.
    """
    n_sites, n_words = len(around), labels.shape[1]
    n_ball = spheres.sum()
    where, sheet = np.empty(n_ball, np.int32), np.empty((n_ball, n_words), np.uint64)
    latest, earlier = np.full(n_sites, -1, np.int32), np.empty(n_ball, np.int32)
    sites, classes = np.empty(1024, np.int32), np.empty((1024, n_words), np.uint64)
    n_pairs = 0
    here = np.empty(n_words, np.uint64)
    for centre in range(n_sites):
        where[0], latest[centre], earlier[0], sheet[0] = centre, 0, -1, 0
        first, last = 0, 1
        for _ in range(len(spheres) - 1):
            end = last
            for place in range(first, last):
                for dart in around[where[place]]:
                    here[:] = sheet[place] ^ labels[dart]
                    site = target[dart]
                    other = latest[site]
                    while other >= 0 and not (sheet[other] == here).all():
                        other = earlier[other]
                    if other < 0 and end < n_ball:
                        where[end], sheet[end] = site, here
                        earlier[end] = latest[site]
                        latest[site] = end
                        end += 1
            first, last = last, end
        hopeless[centre] = last < n_ball
        for place in range(last):
            other = earlier[place]
            while other >= 0:
                if n_pairs == len(sites):
                    sites, classes = np.append(sites, sites), np.concatenate((classes, classes))
                sites[n_pairs] = centre
                classes[n_pairs] = sheet[place] ^ sheet[other]
                n_pairs += 1
                other = earlier[other]
        for place in range(last):
            latest[where[place]] = -1
    return sites[:n_pairs].copy(), classes[:n_pairs].copy()


@njit(cache=True, nogil=True)
def eliminate(rows: Array, echelon: Array, has_pivot: Array) -> bool:
    """Gaussian elimination over Z2 of rows of bits, the last column a right-hand side; False: they contradict.

    echelon[c] becomes a row whose first one is in column c, where has_pivot[c]; the rows given are overwritten.
    """
    n_columns = rows.shape[1] - 1
    for row in rows:
        kept = False
        for column in range(n_columns):
            if row[column]:
                if not has_pivot[column]:
                    echelon[column], has_pivot[column], kept = row, True, True
                    break
                row ^= echelon[column]
        if not kept and row[n_columns]:
            return False
    return True


@njit(cache=True, nogil=True)
def toggle(column: int, rows_of: Array, sites_of: Array, values: Array, zeros: Array) -> int:
    """Add 1 to a coordinate of a class: flip the values of its rows; returns by how much the sites with zeros change.

    rows_of and sites_of are lists one after another: the first length + 1 entries of each say where the others start.
    """
    change = 0
    for row in rows_of[rows_of[column] : rows_of[column + 1]]:
        values[row] ^= 1
        step = -1 if values[row] else 1
        for site in sites_of[sites_of[row] : sites_of[row + 1]]:
            change -= zeros[site] > 0
            zeros[site] += step
            change += zeros[site] > 0
    return change


@njit(cache=True, nogil=True)
def try_all(n_columns: int, rows_of: Array, sites_of: Array, values: Array, zeros: Array, first: int) -> int:
    """All vectors in Gray-code order from number `first` (0 or 1) on: the number of the first with fewest bad sites."""
    bad = (zeros > 0).sum()
    best, fewest = 0, bad if first == 0 else len(zeros) + 1
    for step in range(1, 1 << n_columns):
        column = 0
        while not (step >> column) & 1:
            column += 1
        bad += toggle(column, rows_of, sites_of, values, zeros)
        if bad < fewest:
            best, fewest = step, bad
    return best ^ (best >> 1)


@njit(cache=True, nogil=True)
def improve(vector: Array, orders: Array, rows_of: Array, sites_of: Array, values: Array, zeros: Array) -> int:
    """Flip coordinates in the given orders, keeping what is no worse, until a pass wins nothing; returns bad sites."""
    bad = (zeros > 0).sum()
    for order in orders:
        before = bad
        for column in order:
            change = toggle(column, rows_of, sites_of, values, zeros)
            if change > 0:
                toggle(column, rows_of, sites_of, values, zeros)
            else:
                vector[column] ^= 1
                bad += change
        if bad == before:
            break
    return bad
