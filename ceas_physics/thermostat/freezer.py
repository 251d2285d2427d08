"""The freezer: heads that have reached their corridor get no gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ising.arguments import refuse
from ising.integers import as_integer

from .. import arguments as rules
from .reference import reference_level
from .settings import Freezing
from .state import Stateful

MOST_HEADS = 2**20  # of a layer, and layers


class Freezer(Stateful):
    """Freezes a head with H <= H_freeze = ln N_ref - depth for ``window`` steps in a row; thaws it above H_freeze.

    With the default depth of 0.9, a head that has reached the thermostat's default target is frozen. Where the floor
    ``min_heads`` leaves fewer places than there are such heads, frozen ones stay frozen and those of least entropy
    follow.

    Parameters
    ----------
    freezing : Freezing
    visible_keys : array_like of int
        Visible keys of the rows over which H is averaged.
    shape : tuple of int
        (layer, head).
    reference : str
        N_ref, as in ``Thermostat.reference``; for "initial" the first step's entropy is the one at step 0.

    Attributes
    ----------
    frozen : ndarray of bool, shape (layer, head)
    """

    changing = ("steps_below", "frozen", "initial_entropy", "steps")

    @rules.checked(
        freezing=rules.kind(Freezing, "Freezing()"),
        visible_keys=rules.numbers,
        reference=rules.one_of("visible", "initial"),
    )
    def __init__(
        self, freezing: Freezing, visible_keys: ArrayLike, shape: tuple[int, int], reference: str = "visible"
    ) -> None:
        if not isinstance(shape, tuple | list):
            refuse("shape", "a tuple (layer, head)", shape)
        shape = tuple(as_integer("shape", size, 0, MOST_HEADS) for size in shape)  # type: ignore[assignment]
        self.freezing, self.visible_keys, self.reference = freezing, np.array(visible_keys), reference
        self.frozen = np.zeros(shape, dtype=bool)
        self.steps_below = np.zeros(shape, dtype=np.int64)
        self.initial_entropy = np.full(shape, np.nan)
        self.steps = 0

    @rules.checked(entropy=rules.readings)
    def step(self, entropy: np.ndarray) -> np.ndarray:
        """Take the heads' mean entropies (layer, head) of a training step; return which heads are frozen."""
        if np.shape(entropy) != self.frozen.shape:
            raise ValueError(f"entropy must have the shape (layer, head) {self.frozen.shape}, got {np.shape(entropy)}")
        self.steps += 1
        if self.steps == 1:
            self.initial_entropy = np.array(entropy, dtype=float)
        limit = reference_level(self.reference, self.visible_keys, self.initial_entropy, self.freezing.depth)
        self.steps_below = np.where(entropy <= limit, self.steps_below + 1, 0)
        ready = self.steps_below >= self.freezing.window
        order = np.argsort(np.where(self.frozen, -np.inf, entropy), axis=-1, kind="stable")
        ready_in_order = np.take_along_axis(ready, order, axis=-1)
        places = max(0, ready.shape[-1] - self.freezing.min_heads)
        chosen = ready_in_order & (np.cumsum(ready_in_order, axis=-1) <= places)
        self.frozen = np.zeros_like(self.frozen)
        np.put_along_axis(self.frozen, order, chosen, axis=-1)
        return self.frozen
