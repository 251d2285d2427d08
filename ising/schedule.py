"""How long a run is."""

from __future__ import annotations

from dataclasses import dataclass

from .integers import as_integer


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
            object.__setattr__(self, name, as_integer(f"Schedule: {name}", getattr(self, name), least))

    @property
    def sweeps(self) -> int:
        """Total number of sweeps."""
        return self.warmup + self.draws * self.thin
