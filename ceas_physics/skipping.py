"""What skipped attention rows and frozen heads save: time measured and operations counted, against nothing skipped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from ising.integers import as_integer

from .thermostat.gate import Gate
from .thermostat.settings import Gating
from .transformer.estimate import estimate_rows
from .transformer.row_block import LANES, padded
from .transformer.rows import forward_rows
from .transformer.rows_backward import backward_rows
from .transformer.scaling import GIVEN

CHI = (0.25, 0.5, 0.75)
PROMISED = 0.7  # the time falls by at least this times chi


class _Rows:
    """Random heads of unit variance at beta = 1/sqrt(d_k), and everything that the kernels write to."""

    def __init__(self, batch: int, heads: int, d_k: int, context: int, rng: np.random.Generator) -> None:
        self.context = context
        self.split = rng.standard_normal((3, heads, d_k, batch, context)).astype(np.float32)
        self.gradient = rng.standard_normal(self.split.shape[1:]).astype(np.float32)
        self.shape = (batch, heads, context)
        self.beta = np.full(self.shape, d_k**-0.5, dtype=np.float32)
        self.slopes = np.zeros(heads)
        self.estimate = np.empty(self.shape, dtype=np.float32)
        self.gate = Gate(Gating(), context, 1)
        self.weights = np.empty((batch, heads, -(-context // LANES), padded(context), LANES), dtype=np.float32)
        self.mixed, self.d_split, self.d_beta = (np.zeros_like(a) for a in (self.gradient, self.split, self.beta))
        self.observed = np.empty((3, *self.shape), dtype=np.float32)

    def choose(self) -> None:
        """What choosing rows takes: the estimate of T, and the gate."""
        estimate_rows(self.split, self.beta, self.slopes, self.context, self.estimate)
        self.gate.keep(0, self.estimate, 0)

    def forward(self, kept: np.ndarray) -> None:
        """All kept rows."""
        arrays = (kept, self.weights, self.mixed, self.observed)
        forward_rows(self.split, self.beta, self.slopes, self.context, GIVEN, 0.5, *arrays)

    def backward(self, kept: np.ndarray, frozen: np.ndarray) -> None:
        """Gradient of the kept rows of heads that are not frozen."""
        arrays = (kept, frozen, self.weights, self.mixed, self.gradient, self.d_split, self.d_beta)
        backward_rows(self.split, self.beta, self.slopes, self.context, *arrays)


def measure_skipping(
    contexts: Sequence[int] = (64, 256),
    *,
    batch: int = 16,
    heads: int = 4,
    d_k: int = 8,
    rounds: int = 50,
    seed: int = 0,
) -> xr.Dataset:
    """Processor time of the attention rows with a fraction chi of them skipped, or of the heads frozen.

    Rows are the attention part without its projections: scores, weights and mixed values, and their gradients.

    All fractions are timed in turn, ``rounds`` times; a figure is the median over rounds of the ratio to the time
    without skipping of the same round. Rows to skip are drawn at random, heads to freeze are the first ones.

    Parameters
    ----------
    contexts : sequence of int
    batch, heads, d_k : int
        Sequences, heads (a multiple of 4) and their width.
    rounds, seed : int

    Returns
    -------
    xarray.Dataset
        On (context, chi), chi = 0.25, 0.5, 0.75: ``rows_time``, forward and backward of the kept rows and choosing
        them, over forward and backward of all rows without a choice; ``rows_flops``, the same for counted
        operations of rows; ``backward_time``, the backward pass with frozen heads over the one without; on (context,)
        ``choice_time``, that of the choice alone.

    Raises
    ------
    ValueError
        Heads not a multiple of 4, or rounds < 1.
    """
    if as_integer("heads", heads, 4) % 4:
        raise ValueError(f"heads must be a multiple of 4, so that a quarter of them can be frozen, got {heads}")
    as_integer("rounds", rounds, 1)
    rng = np.random.default_rng(seed)
    with threadpool_limits(1):
        tables = [_measure(_Rows(batch, heads, d_k, context, rng), rounds, rng) for context in contexts]
    data = xr.concat(tables, xr.DataArray(list(contexts), dims="context", name="context"))
    data["chi"].attrs = {"long_name": "fraction of rows skipped, or of heads frozen", "units": "1"}
    for name, long_name in (
        ("rows_time", "time of rows and choice over time of all rows"),
        ("rows_flops", "operations of the kept rows over those of all rows"),
        ("backward_time", "time of the backward pass with frozen heads over that without"),
        ("choice_time", "time of the choice over time of all rows"),
    ):
        data[name].attrs = {"long_name": long_name, "units": "1"}
    data.attrs = {"batch": batch, "heads": heads, "d_k": d_k, "rounds": rounds, "seed": seed, "promised": PROMISED}
    return data


def _measure(rows: _Rows, rounds: int, rng: np.random.Generator) -> xr.Dataset:
    every, free = np.ones(rows.shape, dtype=bool), np.zeros(rows.shape[1], dtype=bool)
    masks = [rng.random(rows.shape) >= chi for chi in CHI]
    frozen = [np.arange(len(free)) < chi * len(free) for chi in CHI]

    def whole(kept: np.ndarray) -> None:
        rows.forward(kept)
        rows.backward(kept, free)

    def chosen(kept: np.ndarray) -> None:
        rows.choose()
        whole(kept)

    jobs: list[Callable[[], None]] = [partial(whole, every), *(partial(chosen, kept) for kept in masks)]
    jobs += [rows.choose, *(partial(rows.backward, every, heads) for heads in (free, *frozen))]
    rows.forward(every)  # compiles
    seconds = np.array([[_seconds(job) for job in jobs] for _ in range(rounds + 1)])[1:]
    pairs = np.arange(1, rows.context + 1)
    return xr.Dataset(
        {
            "rows_time": ("chi", np.median(seconds[:, 1:4] / seconds[:, :1], axis=0)),
            "rows_flops": ("chi", [np.sum(kept * pairs) / np.sum(every * pairs) for kept in masks]),
            "backward_time": ("chi", np.median(seconds[:, 6:] / seconds[:, 5:6], axis=0)),
            "choice_time": np.median(seconds[:, 4] / seconds[:, 0]),
        },
        {"chi": list(CHI)},
    )


def _seconds(job: Callable[[], None]) -> float:
    start = time.process_time()
    job()
    return time.process_time() - start
