"""How long a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Sweeps of a run: ``warmup + draws * thin`` in all.

    A sweep is n_sites single-spin updates, or one Swendsen-Wang step, or a number of Wolff clusters that flips about
    n_sites spins.

    Attributes
    ----------
    warmup
        Sweeps before the first draw, discarded.
    draws
        Stored draws per chain.
    thin
        Sweeps between draws.
    """

    warmup: int = 1_000
    draws: int = 5_000
    thin: int = 1

    def __post_init__(self) -> None:
        for name, least in (("warmup", 0), ("draws", 1), ("thin", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"Schedule: {name} must be an integer >= {least}, got {value!r}")

    @property
    def sweeps(self) -> int:
        """Total number of sweeps."""
        return self.warmup + self.draws * self.thin
