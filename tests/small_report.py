"""A report of sizes and draws too small to say anything, made once."""

import warnings
from functools import cache
from pathlib import Path

from ceas_physics import page, report

PLAN = report.Plan((8, 12, 16), (330, 1710, 3720), (4,), (16, 64), 30, 120, 64, False, (*report.ARITHMETIC, "D4"))
SEED = 1


def compute() -> report.Results:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the runs are short
        return report.compute(PLAN, SEED, False)


@cache
def results() -> report.Results:
    return compute()


def write(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page.write(results(), folder)
        page.write_page(results(), folder)
