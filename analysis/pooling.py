"""Samples of all inverse temperatures merged into a `Pool`, read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mbar import Index, Pool, integrate
from .resampling import Array
from .samples import PIECE, flat, pairwise_sum, pieces

MOST_CELLS = 2**22  # of a pool of more samples than these; where it would need more, energies are binned
GRID = 2048  # bins of energy, and of the label, where both are binned; halved until they fit
Read = Callable[[int, slice], Array]


@dataclass(frozen=True, eq=False)
class Draws:
    """The samples of one system, read when used: each function takes a state and a slice of its chains.

    Attributes
    ----------
    shape
        (state, chain, draw).
    energy
        Total energies, (chain, draw).
    observables
        (chain, draw) each.
    label
        Property that keeps points of equal energy apart, (chain, draw); None without one.
    """

    shape: tuple[int, int, int]
    energy: Read
    observables: Callable[[int, slice], dict[str, Array]]
    label: Read | None = None

    def pieces(self) -> Iterator[tuple[int, slice]]:
        """States, and chains that fit into memory together."""
        n_states, n_chains, n_draws = self.shape
        return ((state, rows) for state in range(n_states) for rows in pieces(n_chains, n_draws))


def pool_samples(beta: Array, draws: Draws, inefficiency: Array, counts: Index) -> Pool:
    """Pool the samples of one system.

    Where they are more than 4 million and would fill as many cells, energies are merged into bins at their mean (with
    64 blocks 65,536 bins; with a label as many of both together), which moves results by a small share of their errors;
    observables are summed as they are.

    Parameters
    ----------
    beta
        (state,)
    draws
        The samples.
    inefficiency
        (state,) integrated autocorrelation time of the energy: a sample counts 1 / inefficiency.
    counts
        (block,) draws in each block of the flattened (chain, draw); one block for no replicas.
    """
    n_blocks = len(counts)
    points = _points(draws, n_blocks)
    cells, sums = _fill(draws, points, 1.0 / inefficiency, counts)
    of_point, sizes = cells // n_blocks, np.concatenate([[counts.sum()], counts.sum() - counts])
    energy, label = points.places(of_point, sums)
    offset, guess = _start(beta, draws)
    return Pool(
        beta=beta,
        energy=energy - offset,
        offset=offset,
        label=label,
        sizes=sizes[: 1 if n_blocks == 1 else None, np.newaxis] / inefficiency,
        guess=guess,
        cell_point=of_point,
        cell_block=cells % n_blocks,
        sums={name: values for name, values in sums.items() if name not in (PLACE, LABEL)},
    )


PLACE, LABEL = " energy", " label"  # sums that bins need for their means


@dataclass(frozen=True, eq=False)
class Axis:
    """The different values of a property, (value,), or where its bins begin, (bin,)."""

    values: Array
    binned: bool = False

    def index(self, values: Array) -> Index:
        """Which of them each of the values is: (..., )."""
        return np.searchsorted(self.values, values, side="right") - 1


@dataclass(frozen=True, eq=False)
class Points:
    """What makes a point: an energy and a label.

    Attributes
    ----------
    energy, label
        Their values or bins.
    keys
        (point,) energy index x number of labels + label index, increasing.
    """

    energy: Axis
    label: Axis
    keys: Index

    def find(self, energy: Array, label: Array | None) -> Index:
        """The point of each sample."""
        index = self.energy.index(energy)
        if label is None:
            return index
        return np.searchsorted(self.keys, index * len(self.label.values) + self.label.index(label))

    def places(self, of_cell: Index, sums: dict[str, Array]) -> tuple[Array, Array]:
        """Energy and label of each point: exact, or the mean of the samples in their bins."""
        kinds = self.keys % len(self.label.values)
        if not self.energy.binned:
            return self.energy.values[self.keys // len(self.label.values)], self.label.values[kinds]
        weight = np.bincount(of_cell, sums["weight"], len(self.keys))
        energy = np.bincount(of_cell, sums[PLACE], len(self.keys)) / np.where(weight > 0, weight, 1.0)
        if not self.label.binned:
            return energy, self.label.values[kinds]
        n_kinds = len(self.label.values)
        per_kind = np.bincount(kinds, weight, n_kinds)
        label = np.bincount(kinds[of_cell], sums[LABEL], n_kinds) / np.where(per_kind > 0, per_kind, 1.0)
        return energy, label[kinds]


def _points(draws: Draws, n_blocks: int) -> Points:
    n_samples = int(np.prod(draws.shape))
    most = n_samples if n_samples <= MOST_CELLS else MOST_CELLS // n_blocks
    none = Axis(np.zeros(1))
    levels = _distinct((draws.energy(*piece) for piece in draws.pieces()), most)
    if draws.label is None:
        energy = Axis(levels) if levels is not None else _bins(draws, draws.energy, most)
        return Points(energy, none, np.arange(len(energy.values)))
    labels = _distinct((draws.label(*piece) for piece in draws.pieces()), most)
    if levels is not None and labels is not None:
        exact = Points(Axis(levels), Axis(labels), np.empty(0, np.intp))
        keys = _distinct(_keys(draws, exact), most)
        if keys is not None:
            return Points(exact.energy, exact.label, keys)
    bins = GRID
    while True:
        energy, label = (_bins(draws, read, bins) for read in (draws.energy, draws.label))
        coarse = Points(energy, label, np.empty(0, np.intp))
        keys = _distinct(_keys(draws, coarse), most)
        if keys is not None:
            return Points(energy, label, keys)
        bins //= 2


def _keys(draws: Draws, points: Points) -> Iterator[Index]:
    assert draws.label is not None
    for piece in draws.pieces():
        yield points.energy.index(draws.energy(*piece)) * len(points.label.values) + points.label.index(
            draws.label(*piece)
        )


def _distinct(values: Iterator[NDArray[Any]], most: int) -> NDArray[Any] | None:
    """The different values, increasing; None where there are more than so many."""
    found = np.unique(next(values))
    for piece in values:
        found = np.union1d(found, np.unique(piece))
        if len(found) > most:
            return None
    return found


def _bins(draws: Draws, read: Read, count: int) -> Axis:
    """So many bins of equal width over the range of a property."""
    ranges = [(values.min(), values.max()) for values in (read(*piece) for piece in draws.pieces())]
    low, high = min(bounds[0] for bounds in ranges), max(bounds[1] for bounds in ranges)
    return Axis(np.unique(np.linspace(low, high, count, endpoint=False)), binned=True)


def _fill(draws: Draws, points: Points, weight: Array, counts: Index) -> tuple[Index, dict[str, Array]]:
    """Cells, point x blocks + block, increasing, and the weighted sums of all observables over the samples of each.

    Chains whose blocks are their own are taken together, at all states, in the order of the samples.
    """
    n_states, n_chains, n_draws = draws.shape
    block, n_blocks = np.repeat(np.arange(len(counts)), counts).reshape(n_chains, n_draws), len(counts)
    together = n_chains if n_blocks == 1 else max(1, PIECE // (n_states * n_draws))
    found = [
        _fill_chains(draws, points, weight, block, n_blocks, slice(first, min(first + together, n_chains)))
        for first in range(0, n_chains, together)
    ]
    cells = np.concatenate([part for part, _ in found])
    order = np.argsort(cells, kind="stable")
    names = list(found[0][1])
    return cells[order], {name: np.concatenate([sums.pop(name) for _, sums in found])[order] for name in names}


def _fill_chains(
    draws: Draws, points: Points, weight: Array, block: Index, n_blocks: int, chains: slice
) -> tuple[Index, dict[str, Array]]:
    cells, sums = np.empty(0, np.intp), dict[str, Array]()
    for states, rows in _batches(draws, chains):
        series, here = _read(draws, points, weight, states, rows)
        cell = here * n_blocks + np.concatenate([block[rows].ravel()] * len(states))
        fresh, place = np.unique(cell, return_inverse=True)
        wider = np.union1d(cells, fresh)
        before, place = np.searchsorted(wider, cells), np.searchsorted(wider, fresh)[place]
        place = np.concatenate([before, place])
        for name, values in series.items():  # what is there first, then sample by sample
            parts = np.concatenate([sums.get(name, np.empty(0)), values])
            sums[name] = np.asarray(np.bincount(place, parts, len(wider)), float)
        cells = wider
    return cells, sums


def _batches(draws: Draws, chains: slice) -> Iterator[tuple[range, slice]]:
    """States and chains that are read together: as many states as fit, or the chains of one state in pieces."""
    n_states, _, n_draws = draws.shape
    n_chains = chains.stop - chains.start
    step = max(1, PIECE // (n_chains * n_draws))
    for first in range(0, n_states, step):
        states = range(first, min(first + step, n_states))
        for rows in pieces(n_chains, n_draws) if len(states) == 1 else [slice(0, n_chains)]:
            yield states, slice(chains.start + rows.start, chains.start + rows.stop)


def _read(draws: Draws, points: Points, weight: Array, states: range, rows: slice) -> tuple[dict[str, Array], Index]:
    """Weights and weighted observables of some samples, (sample,) each, and their points."""
    found: dict[str, list[Array]] = {}
    place: list[Index] = []
    for state in states:
        energy, label = draws.energy(state, rows), None if draws.label is None else draws.label(state, rows)
        series = {"weight": np.ones_like(energy)} | draws.observables(state, rows)
        series |= ({PLACE: energy} if points.energy.binned else {}) | (
            {LABEL: label} if label is not None and points.label.binned else {}
        )
        for name, values in series.items():
            found.setdefault(name, []).append((weight[state] * values).ravel())
        place.append(points.find(energy, label).ravel())
    return {name: np.concatenate(parts) for name, parts in found.items()}, np.concatenate(place)


def _start(beta: Array, draws: Draws) -> tuple[float, Array]:
    """Mean energy of all samples, and -ln Z of each state by integration."""
    n_states, n_chains, n_draws = draws.shape
    per_state = n_chains * n_draws

    def rows(first: int, stop: int) -> Array:
        parts = []
        for state in range(first // n_chains, -(-stop // n_chains)):
            low = state * n_chains
            parts.append(draws.energy(state, slice(max(first - low, 0), min(stop - low, n_chains))))
        return np.concatenate(parts)

    read = flat(rows, n_draws)
    offset = pairwise_sum(read, 0, n_states * per_state) / (n_states * per_state)
    means, variances = np.empty(n_states), np.empty(n_states)
    for state in range(n_states):
        start, stop = state * per_state, (state + 1) * per_state
        mean = pairwise_sum(lambda low, high: read(low, high) - offset, start, stop) / per_state
        means[state] = mean
        squares = pairwise_sum(lambda low, high: (read(low, high) - offset - mean) ** 2, start, stop)  # noqa: B023
        variances[state] = squares / per_state
    return offset, integrate(beta, means, variances)
