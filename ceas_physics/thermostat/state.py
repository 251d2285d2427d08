"""The state of a controller as plain numbers and arrays, for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from .. import arguments as rules

State = dict[str, np.ndarray | int | float]


class Stateful:
    """A class whose attributes named in ``changing`` are all that a step changes: numbers and arrays of fixed shape."""

    changing: ClassVar[tuple[str, ...]] = ()

    def state(self) -> State:
        """Copies of everything that changes; ``restore`` continues from them, bit for bit."""
        values = ((name, getattr(self, name)) for name in self.changing)
        return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in values}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go back to a ``state()`` of an object made with the same settings.

        Raises
        ------
        ValueError
            Other names or other shapes than those of ``state()``.
        """
        rules.kind(Mapping, "state()")("state", state)
        if set(state) != set(self.changing):
            raise ValueError(f"the state must hold {', '.join(self.changing)}, got {', '.join(map(str, state))}")
        for name in self.changing:
            present, value = getattr(self, name), np.asarray(state[name])
            if value.shape != np.shape(present):
                raise ValueError(f"{name} must have shape {np.shape(present)}, got {value.shape}")
            restored = value.astype(np.asarray(present).dtype)
            setattr(self, name, restored if isinstance(present, np.ndarray) else restored.item())
