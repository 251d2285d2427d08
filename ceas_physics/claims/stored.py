"""Long computations that claims read: the command that makes each, and the same call for ``--full``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

SEEDS = 10  # fewest paired seeds of a comparison that counts
CONDITIONS = (
    "standard", "thermostat", "thermostat_own_target", "thermostat_gated", "learning_rate_adam", "batch_size",
    "weight_decay", "all_knobs_adam", "all_knobs_initial_gap",
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """A result that takes minutes.

    Attributes
    ----------
    folder : str
        Its place in the folder of results.
    witness : str
        The file that is written last.
    command : str
        Makes it; ``{results}`` stands for the folder of results.
    make : callable
        Takes the place, the seed and whether to show a bar.
    """

    folder: str
    witness: str
    command: str
    make: Callable[[Path, int, bool], None]

    def read(self, results: Path, name: str, full: bool, seed: int, progress: bool) -> xr.Dataset | None:
        """One of its files; made if missing and ``full``, else None."""
        place = results / self.folder
        if full and not (place / self.witness).is_file():
            self.make(place, seed, progress)
        if not (place / name).is_file():
            return None
        with xr.open_dataset(place / name) as data:
            return data.load()


def _search(place: Path, seed: int, progress: bool) -> None:
    from ..search.report import report

    report(place, None, seed, progress)


def _training(place: Path, seed: int, progress: bool) -> None:
    from ..training import Plan, compare, comparison

    comparison.write(compare(place, Plan(conditions=CONDITIONS, seeds=SEEDS), None, seed, progress=progress), place)


def _hyperbolic(place: Path, seed: int, progress: bool) -> None:
    from ..transitions import hyperbolic

    hyperbolic.run(place, hyperbolic.Plan(), seed, progress)


def _capacity(place: Path, seed: int, progress: bool) -> None:
    from ..folders import write_file
    from ..provenance import stamp
    from .machines import FULL_CAPACITY, measure_capacity

    write_file(stamp(measure_capacity(FULL_CAPACITY, seed), seed), place / "capacity.nc")


SEARCH = Experiment("search", "table.md", "ceas search --out {results}/search", _search)
TRAINING = Experiment(
    "compare",
    "compare.nc",
    f"ceas train --compare --conditions {' '.join(CONDITIONS)} --out {{results}}/compare",
    _training,
)
HYPERBOLIC = Experiment("hyperbolic", "closed.nc", "ceas hyperbolic --out {results}/hyperbolic", _hyperbolic)
CAPACITY = Experiment("capacity", "capacity.nc", "ceas claims D2 --full", _capacity)
HEADS = "heads"  # in it one folder a model, each from `ceas heads MODEL --scaling --out {results}/heads/NAME`
