"""What a claim is, what its test gets and returns, and the list of all claims."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from . import rules
from .stored import Experiment

T = TypeVar("T")
RESULTS = Path("ceas-results")


@dataclass(frozen=True)
class Curve:
    """Numbers behind a verdict: y with errors against x, and where along x the claim points (nan: nowhere)."""

    x: Any
    y: Any
    error: Any
    x_label: str
    y_label: str
    mark: float = math.nan


@dataclass(frozen=True)
class Finding:
    """The outcome of one test.

    Attributes
    ----------
    verdict, why : str
        From ``rules``; one sentence made from the numbers.
    tested : str
        How.
    number, half : float
        What came out, and half of its 95 % interval (0 for exact arithmetic, nan if unknown).
    number_high : float
        The other end, where the outcome is a range that starts at ``number``.
    row : str
        Name of the row; empty for a claim of one row.
    claimed : tuple of float, optional
        Claimed range where it is not ``low`` and ``high`` of the row in ``claimed.json``.
    evidence : str
        Where the numbers come from: this run, or the file that was read.
    """

    verdict: str
    why: str
    tested: str
    number: float = math.nan
    half: float = math.nan
    number_high: float = math.nan
    row: str = ""
    claimed: tuple[float, float] | None = None
    evidence: str = "this run"
    curve: Curve | None = None


@dataclass
class Look:
    """What the test of a claim gets: its claimed numbers, its seed, stored results, and what tests share.

    Attributes
    ----------
    claimed : dict
        The claim's entry of ``claimed.json``.
    results : Path
        Folder of stored results.
    full : bool
        Make results that are missing there.
    shared : dict
        Computations of this run that several claims use.
    """

    claimed: Mapping[str, Any]
    results: Path = RESULTS
    full: bool = False
    seed: int = 0
    progress: bool = False
    shared: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """The value of ``make()``, computed by the first claim that asks."""
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found

    def stored(self, experiment: Experiment, name: str) -> xr.Dataset | None:
        """A file of an experiment; made now if ``full`` and missing, None if it is not there."""
        return self.once((experiment.folder, name), lambda: experiment.read(self.results, name, self.full, self.seed,
                                                                            self.progress))  # fmt: skip

    def row(self, name: str) -> Mapping[str, Any]:
        """The claimed numbers of a row."""
        found: Mapping[str, Any] = self.claimed["rows"][name]
        return found

    def compare(self, row: str, number: float, half: float, tested: str, said: str, **details: Any) -> Finding:
        """A number against the claimed range of a row, by ``rules.in_range``.

        ``said`` names the number in the sentence, which says number, interval and range.
        """
        low, high = ends(self.row(row))
        verdict = rules.in_range(number, low, high, half)
        why = f"{said} is {with_half(number, half)}; claimed: {in_words(low, high)}"
        if verdict == rules.NOT_TESTABLE:
            why += ", which the 95 % interval does not decide"
        return Finding(verdict, why, tested, number, half, row=row, **details)


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    Attributes
    ----------
    id : str
    test : callable
        Takes a `Look`, returns one `Finding` a row.
    command : str
        What makes the stored result that it reads, ``{results}`` for its folder; "" if it computes all itself.
    """

    id: str
    test: Callable[[Look], list[Finding]]
    command: str = ""

    @property
    def code(self) -> str:
        """module:name of the test."""
        return f"{self.test.__module__}:{self.test.__name__}"


REGISTRY: dict[str, Claim] = {}


def claim(id: str, experiment: Experiment | None = None) -> Callable[[Callable[[Look], list[Finding]]], Any]:
    """Decorator: the function tests the claim ``id`` of ``claimed.json``; ValueError if another one does already."""

    def enter(test: Callable[[Look], list[Finding]]) -> Callable[[Look], list[Finding]]:
        if id in REGISTRY:
            raise ValueError(f"claim {id} has a test already: {REGISTRY[id].code}")
        REGISTRY[id] = Claim(id, test, experiment.command if experiment else "")
        return test

    return enter


@cache
def _claimed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath("claimed.json").read_text(encoding="utf-8"))
    return found


def claimed_numbers() -> dict[str, Any]:
    """A copy of what is claimed: by id the words, the source, and the numbers of each row."""
    return copy.deepcopy(_claimed()["claims"])


def ends(row: Mapping[str, Any]) -> tuple[float, float]:
    """The claimed range of a row; an end that is not given is infinite."""
    return float(row.get("low", -math.inf)), float(row.get("high", math.inf))


def with_half(number: float, half: float) -> str:
    """A number to the second digit of half of its 95 % interval.

    Examples
    --------
    >>> with_half(0.43218, 0.0123), with_half(125.0, 0.0)
    ('0.432 +- 0.012', '125')
    """
    if not (math.isfinite(half) and half > 0.0):
        return f"{number:.6g}" if half == 0.0 else f"{number:.3g}"
    digits = max(0, 1 - math.floor(math.log10(half)))
    return f"{number:.{digits}f} +- {half:.{digits}f}" if digits < 8 else f"{number:.3g} +- {half:.1g}"


def in_words(low: float, high: float) -> str:
    """A range as words."""
    if math.isinf(low) and math.isinf(high):
        return "no figure"
    if math.isinf(low) or math.isinf(high):
        return f"at most {high:.6g}" if math.isinf(low) else f"at least {low:.6g}"
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def interval(samples: Any) -> tuple[float, float]:
    """Mean of independent samples, and half of its 95 % interval by Student's t; nan for fewer than 2."""
    values = np.asarray(samples, dtype=float).ravel()
    if len(values) < 2:
        return float(values.mean()), math.nan
    t = float(stdtrit(len(values) - 1, 0.975))
    return float(values.mean()), t * float(values.std(ddof=1)) / math.sqrt(len(values))
