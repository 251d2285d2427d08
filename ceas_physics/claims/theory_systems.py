"""Claims A4, A5 and A7: sharpness with size, transitions of hyperbolic lattices, critical slowing down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import stdtrit

import analysis
import ising
from ising.exact import bethe_critical_beta, ctmrg_critical_beta

from ..heads.random_energy import rem_peak
from ..heads.sharpening import model_trend
from ..thermostat import Thermostat
from ..transitions import curvature_formula
from . import rules
from .entry import Curve, Finding, Look, claim
from .stored import HEADS, HYPERBOLIC

KEYS = tuple(2**k for k in range(6, 21, 2))
FACES = (5, 6, 7, 8, 10)  # p of the {p,4} whose transition is known to 9 digits
DISTANCES = (0.03, 0.037, 0.046, 0.06, 0.08, 0.1, 0.12)  # u = 1 - beta/beta_c
L = 64


@claim("A4")
def sharpness(look: Look) -> list[Finding]:
    """Relative width of the peak of C against the number of keys, and of trained models against their size."""
    widths = np.array([rem_peak(n).relative_width for n in KEYS])
    law = analysis.fit_power_law(KEYS, widths)
    half = float(stdtrit(len(KEYS) - 2, 0.975)) * law.exponent_error
    tested = f"exact peaks of rows of {KEYS[0]} to {KEYS[-1]} independent scores"
    curve = Curve(KEYS, widths, 0.0, "visible keys n", "relative width of the peak of C")
    said = "the exponent b of the relative width"
    found = [look.compare(row, law.exponent, half, tested, said, curve=curve) for row in ("sharper", "without bound")]
    return [*found, _models(look)]


def _models(look: Look) -> Finding:
    """Width against parameters of the models that were measured into the folder of results."""
    files = sorted((look.results / HEADS).glob("*/scaling.nc"))
    tested = "peaks of the heads of trained models at 128 keys"
    if len(files) < 3:
        command = f"ceas heads MODEL --scaling --out {look.results / HEADS}/NAME"
        why = f"a trend needs at least 3 trained models, {len(files)} were measured: run {command} for each"
        verdict = rules.in_range(math.nan, -math.inf, 0.0, math.nan)
        return Finding(verdict, why, tested, row="trained models", evidence="none")
    tables = [xr.load_dataset(path) for path in files]
    trend = model_trend(tables)
    half = float(stdtrit(len(files) - 2, 0.975)) * float(trend.exponent_error)
    curve = Curve(trend.n_parameters.values, trend.relative_width.values, trend.relative_width_error.values,
                  "parameters", "relative width at 128 keys")  # fmt: skip
    said = f"the exponent of the relative width over {len(files)} models"
    evidence = ", ".join(map(str, files))
    return look.compare("trained models", float(trend.exponent), half, tested, said, curve=curve, evidence=evidence)


def known_transitions() -> xr.Dataset:
    """Transitions of {p,4} from corner transfer matrices, in the form of `transitions.closed_maps.measure`."""
    names = [f"{{{p},4}}" for p in FACES]
    columns = {
        "beta_c": ("tiling", [ctmrg_critical_beta(p) for p in FACES]),
        "beta_c_error": ("tiling", np.full(len(FACES), 1e-9)),
        "beta_bethe": ("tiling", np.full(len(FACES), bethe_critical_beta(4))),
    }
    return xr.Dataset(columns, {"tiling": names, "p": ("tiling", list(FACES)), "q": ("tiling", [4] * len(FACES))})


@claim("A5", HYPERBOLIC)
def curvature_law(look: Look) -> list[Finding]:
    """Every form of the law with one tiling left out of the fit, against measured transitions and the Bethe value."""
    stored = look.stored(HYPERBOLIC, "closed.nc")
    data = known_transitions() if stored is None else stored
    forms = curvature_formula.test(data)
    geometric = forms.sel(form=[name for name in forms.form.values if "r_eff" in name and "constant" not in name])
    best = geometric.isel(form=int(geometric.rms.values.argmin()))
    error = float(np.sqrt(np.mean((data.beta_c_error / data.beta_c) ** 2)))
    number, bethe = float(best.rms), float(forms.rms.sel(form="Bethe"))
    tilings = ", ".join(map(str, data.tiling.values))
    tested = f"{tilings}; C fitted to all but one, the best of {geometric.sizes['form']} forms with a geometric r_eff"
    evidence = "this run (corner transfer matrices)" if stored is None else str(look.results / HYPERBOLIC.folder)
    where = np.arange(data.sizes["tiling"])
    curve = Curve(where, best.residual.values, (data.beta_c_error / data.beta_c).values,
                  f"tiling ({tilings})", "predicted / measured - 1")  # fmt: skip
    why = f"{best.form.item()}: misses by {number:.2%} (rms), {number / error:.3g} times the relative error of beta_c"
    verdict = rules.equal(number, error, 0.0, look.row("residual")["resolution"])
    residual = Finding(verdict, why, tested, number, rules.TWO_SIDED * error, row="residual",
                       evidence=evidence, curve=curve)  # fmt: skip
    said = f"the rms residual over that of atanh(1/(q - 1)), {bethe:.2%},"
    half = rules.TWO_SIDED * error / bethe
    return [residual, look.compare("gain", number / bethe, half, tested, said, evidence=evidence)]


@claim("A7")
def slowing_down(look: Look) -> list[Finding]:
    """Autocorrelation times of the square Ising model under local updates against the distance from beta_c."""
    taus, errors = np.array(_times(L, DISTANCES, look.seed, draws=10_000)).T
    law = analysis.fit_power_law(DISTANCES, taus, errors)
    spread = float(stdtrit(len(DISTANCES) - 2, 0.975)) * law.scatter if law.scatter > 1.0 else rules.TWO_SIDED
    curve = Curve(DISTANCES, taus, errors, "u = 1 - beta / beta_c", "tau (sweeps)")
    margin = Thermostat().u_min
    at_margin = _slower(L, margin, look.seed, thin=4)
    critical = _slower(L // 2, 0.0, look.seed, thin=40)
    tested = f"heat bath on {L}^2, 64 chains, autocorrelation of the magnetization"
    said = "the exponent nu z of tau"
    edge = f"(at beta_c {critical[0]:.2g} +- {critical[1]:.1g} from {L // 4}^2 to {L // 2}^2)"
    said_edge = f"the factor in tau from {L // 2}^2 to {L}^2 at u = {margin:g} {edge}"
    return [
        look.compare("slowing", -law.exponent, spread * law.exponent_error, tested, said, curve=curve),
        look.compare("margin", at_margin[0], rules.TWO_SIDED * at_margin[1], tested, said_edge),
    ]


def _slower(size: int, u: float, seed: int, thin: int) -> tuple[float, float]:
    """Ratio of tau of a size to that of half the size, with its error."""
    (small, small_error), (large, large_error) = (_times(each, (u,), seed, thin)[0] for each in (size // 2, size))
    return large / small, large / small * math.hypot(small_error / small, large_error / large)


def _times(
    size: int, distances: Sequence[float], seed: int, thin: int = 4, draws: int = 4_000
) -> list[tuple[float, float]]:
    """Autocorrelation time of the magnetization in sweeps, with its error, at each distance below beta_c."""
    betas = ising.exact.SQUARE_CRITICAL_BETA * (1.0 - np.array(distances))
    data = ising.sample(
        ising.ferromagnet(ising.square(size)), betas, ising.Schedule(500 * thin, draws, thin), "heat_bath", 64, seed,
        observables=["magnetization"], progress=False,
    )  # fmt: skip
    found = [analysis.autocorrelation_time(data.magnetization.sel(beta=beta).values) for beta in betas]
    return [(thin * each.tau, thin * each.tau_error) for each in found]
