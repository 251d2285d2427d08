"""A report of sizes and draws too small to say anything, made once."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

import ising
from ceas_physics import page, report, spin_corridor

PLAN = report.Plan((8, 12, 16), (330, 1710, 3720), (4,), (16, 64), 30, 120, 64, False, (*report.ARITHMETIC, "D4"))
SEED = 1


@contextmanager
def short_runs() -> Iterator[None]:
    """Corridors from fewer configurations, and no warning of it."""
    with (
        patch.object(spin_corridor, "SITES", 2**14),
        patch.object(spin_corridor, "TOTAL_SCHEDULE", ising.Schedule(50, 200)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@cache
def results() -> report.Results:
    with short_runs():
        return report.compute(PLAN, SEED, False)


def write(folder: Path) -> None:
    made = results()
    with short_runs():
        page.write(made, folder)
        page.write_page(made, folder)
