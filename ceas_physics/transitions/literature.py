"""Our critical points against the literature: `ceas literature` measures them anew and writes the table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import ising

from ..bench import machine
from . import closed_maps
from .flat import Ferromagnet, sample_ferromagnet, transition
from .glass import GlassMoments, GlassSize, drift, sample_glass
from .glass_fit import NU, NU_ERROR, fit_glass

MARKS = ("<!-- literature -->", "<!-- /literature -->")
TOLERANCE = 2.0  # combined errors of ours and the literature


@dataclass(frozen=True)
class Plan:
    """How much work the comparison is.

    Attributes
    ----------
    square, cubic
        The ferromagnets on flat lattices.
    glass
        Sizes of the cubic +-J glass, four or more.
    largest, draws
        Sites of the largest closed {5,4} map, and draws per chain.
    """

    square: Ferromagnet
    cubic: Ferromagnet
    glass: tuple[GlassSize, ...]
    largest: int
    draws: int


FULL = Plan(
    square=Ferromagnet(2, (16, 24, 32, 48, 64, 96), center=0.4407, nu=1.0, reach=1.0, updates=4e10),
    cubic=Ferromagnet(3, (8, 12, 16, 24, 32), center=0.22165, nu=0.63, reach=1.2, updates=1.6e11),
    glass=(
        GlassSize(4, realisations=32_768, sweeps=1_024, thin=8),
        GlassSize(5, realisations=16_384, sweeps=2_048, thin=16),
        GlassSize(6, realisations=16_384, sweeps=4_096, thin=32),
        GlassSize(8, realisations=8_192, sweeps=16_384, thin=64),
    ),
    largest=50_000,
    draws=3_000,
)
QUICK = Plan(
    square=Ferromagnet(2, (8, 12, 16, 24), center=0.4407, nu=1.0, reach=1.0, updates=1e8),
    cubic=Ferromagnet(3, (4, 6, 8, 12), center=0.22165, nu=0.63, reach=1.2, updates=1e8),
    glass=tuple(GlassSize(L, realisations=512, sweeps=32 * 2 ** (L - 2), thin=8) for L in (3, 4, 5, 6)),
    largest=7_000,
    draws=300,
)


@dataclass(frozen=True)
class Known:
    """A published value, its error (0 for exact) and where it stands."""

    value: float
    error: float
    source: str


LITERATURE = {
    ("square", "beta_c"): Known(float(np.log1p(np.sqrt(2)) / 2), 0.0, "exact, Onsager 1944"),
    ("square", "nu"): Known(1.0, 0.0, "exact"),
    ("square", "eta"): Known(0.25, 0.0, "exact"),
    ("square", "U4"): Known(0.6106901, 5e-7, "Kamieniarz and Bloete 1993"),
    ("square", "xi/L"): Known(0.9050488292, 4e-10, "Salas and Sokal 2000"),
    ("cubic", "beta_c"): Known(0.221654626, 5e-9, "Ferrenberg, Xu and Landau 2018"),
    ("cubic", "nu"): Known(0.629971, 4e-6, "Kos et al. 2016"),
    ("cubic", "eta"): Known(0.0362978, 2e-6, "Kos et al. 2016"),
    ("cubic", "U4"): Known(0.46548, 5e-5, "Hasenbusch 2010"),
    ("cubic", "xi/L"): Known(0.6431, 1e-4, "Hasenbusch 2010"),
    ("glass", "T_c"): Known(1.1019, 0.0029, "Baity-Jesi et al. 2013"),
    ("glass", "xi/L"): Known(0.6516, 0.0032, "Baity-Jesi et al. 2013"),
    ("glass", "kurtosis"): Known(1.4899, 0.0028, "Baity-Jesi et al. 2013"),
}
ASKED = {  # largest error; every difference within two errors
    ("square", "beta_c"): 5e-5,
    ("square", "nu"): 0.01,
    ("cubic", "beta_c"): 2e-5,
    ("cubic", "nu"): 0.01,
    ("glass", "T_c"): 0.05,
}
CLOSED_ASKED = 1e-3  # relative
NAMES = {
    "square": "square Ising",
    "cubic": "cubic Ising",
    "glass": "cubic +-J glass",
    "closed": "closed {5,4}",
    "U4": "U4, critical",
    "xi/L": "xi / L, critical",
    "kurtosis": "<q^4> / <q^2>^2, critical",
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    system, quantity
        Keys of `LITERATURE`.
    value, error
        Ours, one standard deviation that holds the shift.
    shift
        Change without the smallest size.
    known
        What it should be.
    asked
        Largest error, None where none is asked for.
    """

    system: str
    quantity: str
    value: float
    error: float
    shift: float
    known: Known
    asked: float | None

    @property
    def deviation(self) -> float:
        """(ours - literature) in combined errors."""
        return (self.value - self.known.value) / float(np.hypot(self.error, self.known.error))

    @property
    def met(self) -> bool:
        """Within two errors, and precise enough."""
        return abs(self.deviation) <= TOLERANCE and (self.asked is None or self.error <= self.asked)


@dataclass(frozen=True)
class Comparison:
    """All rows, and in words how the glass was equilibrated and how long it took."""

    rows: list[Row]
    notes: list[str]

    @property
    def missed(self) -> list[str]:
        """What is not within its bounds."""
        return [f"{NAMES[row.system]} {NAMES.get(row.quantity, row.quantity)}" for row in self.rows if not row.met]

    def markdown(self) -> str:
        """The table of ours against the literature."""
        head = (
            "| system | quantity | ours | without the smallest size | literature | difference / error | error asked |"
        )
        lines = [head, "|---" * 7 + "|"]
        return "\n".join([*lines, *map(_line, self.rows), "", *self.notes])


def compare(plan: Plan = FULL, seed: int = 0, progress: bool = True) -> Comparison:
    """Measure every critical point of the table.

    Ferromagnets: `flat.transition`; closed {5,4} maps: the joint mean-field fit; the glass: `fit_glass`.

    Parameters
    ----------
    plan
        How much work.
    seed
        Root of all random numbers.
    progress
        Show bars.
    """
    started = time.perf_counter(), time.process_time()
    rows = _flat_rows("square", plan.square, seed, progress) + _flat_rows("cubic", plan.cubic, seed, progress)
    rows.append(_closed_row(plan, seed, progress))
    glass = sample_glass(plan.glass, seed, progress)
    rows += glass_rows(glass)
    minutes = np.subtract((time.perf_counter(), time.process_time()), started) / 60
    notes = [
        "Every error holds the change without the smallest size, those of the glass the error of nu too.",
        *(_equilibration(size) for size in glass),
        _free(glass),
        f"{minutes[0]:.0f} minutes ({minutes[1]:.0f} of processor time) on {machine()}; seed {seed}.",
    ]
    return Comparison(rows, [f"- {note}" for note in notes])


def glass_rows(glass: Sequence[GlassMoments]) -> list[Row]:
    """T_c and the invariants of the glass, smallest size first.

    Their errors join the jackknife's, the change without the smallest size, and that with nu larger by its error.
    """
    fit, less, other = fit_glass(glass), fit_glass(glass[1:]), fit_glass(glass, NU + NU_ERROR)
    rows = []
    for quantity, name in (("T_c", "temperature"), ("xi/L", "xi_over_L"), ("kurtosis", "kurtosis")):
        value, error = getattr(fit, name), getattr(fit, f"{name}_error")
        shift = getattr(less, name) - value
        whole = float(np.linalg.norm([error, shift, getattr(other, name) - value]))
        rows.append(_row("glass", quantity, value, whole, shift))
    return rows


def _flat_rows(system: str, plan: Ferromagnet, seed: int, progress: bool) -> list[Row]:
    figures = transition(sample_ferromagnet(plan, seed, progress))
    return [_row(system, quantity, each.value, each.error, each.shift) for quantity, each in figures.items()]


def _closed_row(plan: Plan, seed: int, progress: bool) -> Row:
    fit = closed_maps.measure(((5, 4),), plan.largest, plan.draws, seed, progress).isel(tiling=0)
    known = Known(float(ising.exact.ctmrg_critical_beta(5)), 0.0, "corner transfer matrices, `ising.exact`")
    value, error, shift = (float(fit[name]) for name in ("beta_c", "beta_c_error", "beta_c_shift"))
    return Row("closed", "beta_c", value, error, shift, known, CLOSED_ASKED * known.value)


def _row(system: str, quantity: str, value: float, error: float, shift: float) -> Row:
    key = (system, quantity)
    return Row(system, quantity, value, error, shift, LITERATURE[key], ASKED.get(key))


def _equilibration(size: GlassMoments) -> str:
    change, error = drift(size)
    worst = int(np.argmax(np.abs(change / error)))
    return (
        f"Glass, L = {size.L}: {size.values.shape[2]:,} samples; chi_sg of the last half less that of the quarter "
        f"before: {100 * change[-1]:+.2f}({100 * error[-1]:.2f}) % at the lowest temperature, at most "
        f"{abs(change[worst] / error[worst]):.1f} errors at any; exchanges accepted {100 * size.swap_acceptance:.0f} %."
    )


def _free(glass: Sequence[GlassMoments]) -> str:
    try:
        free = fit_glass(glass, nu=None)
    except ValueError as error:
        return f"Glass: nu = {NU} and omega = 1.1 are held. With nu free, {error}."
    return (
        f"Glass: nu = {NU} and omega = 1.1 are held. With nu free, T_c = {free.temperature:.3f} +- "
        f"{free.temperature_error:.3f} and nu = {free.nu:.2f} +- {free.nu_error:.2f}: so open do sizes "
        f"up to {glass[-1].L} leave nu."
    )


def _line(row: Row) -> str:
    digits = max(1, 1 - int(np.floor(np.log10(row.error))))
    known = f"{row.known.value:.{digits + 1}f}" + (f" +- {row.known.error:.1g}" if row.known.error else "")
    asked = "" if row.asked is None else f"<= {row.asked:.2g}"
    cells = [
        NAMES[row.system], NAMES.get(row.quantity, row.quantity), f"{row.value:.{digits}f} +- {row.error:.{digits}f}",
        f"{row.shift:+.{digits}f}", f"{known}, {row.known.source}", f"{row.deviation:+.1f}",
        asked + ("" if row.met else " **missed**"),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
