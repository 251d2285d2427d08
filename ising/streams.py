"""Random streams keyed by what is simulated, never by which worker does it.

One integer seed makes a tree of independent streams: ``SeedSequence(seed, spawn_key=(purpose, *key))``.
`seed=0` is a seed like any other: every run with it gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .integers import as_integer


class Purpose(IntEnum):
    """First entry of every key; streams of different purpose are independent for one seed."""

    LATTICE = 0
    COUPLINGS = 1
    INITIAL = 2
    SAMPLING = 3
    EXCHANGE = 4
    DEVICE = 5


def check_seed(seed: Any) -> int:
    """A seed is an integer in [0, 2^63), so that it fits the files."""
    return as_integer("seed", seed, 0)


def derived_seed(seed: int, *key: int) -> int:
    """A seed of its own for every lattice of a study: streams depend on the number of sites only."""
    return int(np.random.SeedSequence(check_seed(seed), spawn_key=key).generate_state(1)[0])


def _sequence(seed: int, purpose: Purpose, key: Iterable[int]) -> np.random.SeedSequence:
    return np.random.SeedSequence(check_seed(seed), spawn_key=(int(purpose), *key))


def generator(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """A numpy Generator on the stream of the key (for set-up work in plain numpy)."""
    return np.random.Generator(np.random.SFC64(_sequence(seed, purpose, key)))


def states(seed: int, purpose: Purpose, keys: Iterable[tuple[int, ...]]) -> NDArray[np.uint64]:
    """SFC64 states for the kernels, (n_streams, 4) uint64; the numbers that follow are those of `generator`."""
    rows = [np.random.SFC64(_sequence(seed, purpose, key)).state["state"]["state"] for key in keys]
    return np.array(rows, dtype=np.uint64)


def wide_states(seed: int, purpose: Purpose, keys: Iterable[tuple[int, ...]]) -> NDArray[np.uint64]:
    """Eight SFC64 generators a stream for the vector kernels, (n_streams, 4, 8) uint64.

    The 24 words of (a, b, c) are the key's; the counter starts at 1 and 12 outputs are skipped, as numpy does.
    """
    words = [_sequence(seed, purpose, key).generate_state(24, np.uint64).reshape(3, 8) for key in keys]
    a, b, c = np.moveaxis(np.array(words), 1, 0)
    counter = np.ones_like(a)
    for _ in range(12):
        out = a + b + counter
        counter += np.uint64(1)
        a, b, c = b ^ (b >> np.uint64(11)), c + (c << np.uint64(3)), (c << np.uint64(24) | c >> np.uint64(40)) + out
    return np.stack([a, b, c, counter], axis=1)
