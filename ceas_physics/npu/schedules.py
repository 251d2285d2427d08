"""Annealing schedules: the path of a device's control (beta, pump, injection, detuning) during the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ising.arguments import as_number, real_numbers, refuse
from ising.integers import as_integer

from ..thermostat import Thermostat

Array = NDArray[np.float64]
Path = Callable[[Array], Array]


@dataclass(frozen=True)
class Linear:
    """start + (end - start) f, f the fraction of the run; ends that are not given come from device and couplings."""

    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        _check_ends(self.start, self.end)


@dataclass(frozen=True)
class Geometric:
    """start (end/start)^f, f the fraction of the run; ends that are not given come from device and couplings."""

    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        _check_ends(self.start, self.end)
        if 0.0 in (self.start, self.end):
            raise ValueError("a geometric schedule needs ends > 0; Linear() can start from 0")


@dataclass(frozen=True)
class Thermodynamic:
    """Constant thermodynamic speed: dbeta/dt = v/(tau sigma_E), v such that the run ends at `end`.

    sigma_E (in time, averaged over the replicas) and tau (integrated autocorrelation time of the energy about the mean
    of the replicas, at most the pilot's length at a beta) are measured in a pilot run at `points` values of beta.

    Attributes
    ----------
    start, end
        Ends in beta.
    points
        Values of beta of the pilot.
    pilot
        Sweeps of the pilot at each.

    References
    ----------
    Salamon, Nulton, Robinson, Petersen, Ruppeiner, Liao, Comput. Phys. Commun. 49, 423 (1988).
    """

    start: float | None = None
    end: float | None = None
    points: int = 24
    pilot: int = 64

    def __post_init__(self) -> None:
        _check_ends(self.start, self.end)
        as_integer("points", self.points, 3)
        as_integer("pilot", self.pilot, 8)


@dataclass(frozen=True)
class Corridor:
    """The entropy corridor: a thermostat on H = mean_i h2(sigma(2 beta I_i)), h2 the binary entropy in nats.

    The target is H(beta_c) for the share `hold` of the run, then falls linearly to `final` ln 2. After every read
    beta <- beta + kappa (H - target)/(beta mean_i I_i^2 sech^2(beta I_i)), at most dbeta_max in units of 1/(root mean
    square local field), within the ends; the margin u_min about beta_c is kept during the hold only. The denominator is
    -dH/dbeta at a fixed configuration; the configuration responds too, so a step falls short of or beyond the target.

    Attributes
    ----------
    start, end
        Bounds of beta; it starts at `start`.
    beta_c
        Critical point of the lattice; None: the peak of the specific heat beta^2 sigma_E^2 of a pilot run.
    entropy_c
        H(beta_c) in nats; None: read from the pilot.
    hold
        Share of the run at H(beta_c).
    final
        Last target in units of ln 2. Free spins of a +-J glass keep ln 2 each at any beta, 0.06 ln 2 a spin in 3D and
        0.09 in 2D: a lower target lets beta rise to `end` before the run is over, which serves the search. Raising it
        to that floor left the mean energy higher by 0.20(2) % (32^2, 1000 sweeps) and 0.07(3) % (8^3, 2000 sweeps).
    width
        Half the corridor's width in units of ln 2, for pictures.
    thermostat
        Its kappa_max, kappa_inf, tau_kappa (in reads), dbeta_max and u_min are used, kappa capped at 1.
    points, pilot
        As for `Thermodynamic`.
    """

    start: float | None = None
    end: float | None = None
    beta_c: float | None = None
    entropy_c: float | None = None
    hold: float = 0.3
    final: float = 0.01
    width: float = 0.05
    thermostat: Thermostat = field(default_factory=Thermostat)
    points: int = 24
    pilot: int = 64

    def __post_init__(self) -> None:
        _check_ends(self.start, self.end)
        for name in ("beta_c", "entropy_c"):
            if getattr(self, name) is not None:
                as_number(name, getattr(self, name), above=0)
        if self.entropy_c is not None and self.entropy_c > log(2):
            raise ValueError(f"entropy_c is per spin, at most ln 2 = 0.693 nats, got {self.entropy_c}")
        for name in ("hold", "final", "width"):
            as_number(name, getattr(self, name), least=0, most=1)
        if not isinstance(self.thermostat, Thermostat):
            raise ValueError(f"thermostat must be a Thermostat(...), got {self.thermostat!r}")
        as_integer("points", self.points, 3)
        as_integer("pilot", self.pilot, 8)


Schedule = Linear | Geometric | Thermodynamic | Corridor
SCHEDULES: dict[str, type[Schedule]] = {
    "linear": Linear,
    "geometric": Geometric,
    "thermodynamic": Thermodynamic,
    "corridor": Corridor,
}


def as_schedule(schedule: Any) -> Any:
    """A schedule from its name, itself, an array or a function.

    Raises
    ------
    ValueError
        Anything else, or an array that is empty, not finite or negative.
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str):
        if schedule in SCHEDULES:
            return SCHEDULES[schedule]()
        raise ValueError(f"schedule must be one of {', '.join(map(repr, SCHEDULES))}, got {schedule!r}")
    if schedule is None:
        raise ValueError("a schedule must be a name, a schedule, an array or a function, got None")
    return schedule if callable(schedule) else _checked(schedule)


def path_of(schedule: Any, ends: tuple[float, float]) -> Path:
    """The path of a schedule that needs no measurement: fractions of the run -> control.

    An array is interpolated linearly, its first entry at the start and its last at the end of the run.

    Raises
    ------
    ValueError
        A geometric path from 0, or values that are not finite or negative.
    """
    if isinstance(schedule, Linear | Geometric):
        start, end = ends_of(schedule, ends)
        if isinstance(schedule, Linear):
            return lambda f: start + (end - start) * f
        if start <= 0.0 or end <= 0.0:
            raise ValueError(f"a geometric schedule needs ends > 0, got {start:g} to {end:g}; use schedule='linear'")
        return lambda f: start * (end / start) ** f
    if callable(schedule):
        return lambda f: _checked([schedule(float(x)) for x in f])
    points = np.linspace(0.0, 1.0, len(schedule))
    return lambda f: np.interp(f, points, schedule)


def ends_of(schedule: Schedule, ends: tuple[float, float]) -> tuple[float, float]:
    """First and last control, the device's where not given."""
    start, end = schedule.start, schedule.end
    return (ends[0] if start is None else float(start)), (ends[1] if end is None else float(end))


def _checked(values: ArrayLike) -> Array:
    numbers = real_numbers(values)
    if numbers is None:
        refuse("a schedule", "a name, a schedule, an array or a function", values)
    array = np.atleast_1d(numbers)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"a schedule array must have one axis and at least one entry, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"a schedule must be finite, got {array[~np.isfinite(array)][0]}")
    if (array < 0.0).any():
        raise ValueError(f"a schedule must not be negative, got {array[array < 0.0][0]:g}")
    return array


def _check_ends(start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None:
            as_number(f"{name} of a schedule", value, 0.0)
