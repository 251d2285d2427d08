"""What the loop of an anneal asks of 64 machines."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .kernels_read import Reader, Record
from .schedules import Array


class Unit(Protocol):
    """64 replicas that are run and read together."""

    record: Record
    reader: Reader
    events: NDArray[np.float64]
    betas: NDArray[np.float64]
    stream: np.random.Generator | None  # of the machines, beside those among `moving`

    def restart(self, repeat: int) -> None:
        """Begin another anneal with fresh streams."""

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals (n, 2), (n,), each ending with a read; how many were run before the target was hit.

        `events` then holds the spin events of a replica so far, after each of the reads; `betas` the inverse
        temperature of each interval, NaN where there is none.
        """

    def moving(self) -> list[NDArray[Any]]:
        """The arrays that change as the machines run, the record aside, after a `restart`; to be kept and filled."""
