"""The measurement of the hyperbolic transitions: closed maps, open patches, and the proposed formula, into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ising.exact import dual_beta

from ..folders import Contents, new_folder
from ..provenance import stamp
from . import closed_maps, curvature_formula, figures, free_boundary

OPEN = ((4, 5), (7, 3))
CONTENTS = Contents(r"(closed|formula|free_\d+_\d+)\.nc|(closed|formula|free)\.png", "closed.nc", b"ceas-physics")
AGREEMENT, UNDECIDED = 0.03, 0.06  # relative: what passes beside two errors, two errors that say nothing


@dataclass(frozen=True)
class Plan:
    """How much work a measurement does."""

    tilings: tuple[tuple[int, int], ...] = closed_maps.TILINGS
    largest: int = 60_000
    draws: int = 2_000
    layers: tuple[tuple[int, ...], ...] = ((4, 5, 6, 7, 8, 9), (10, 12, 14, 16, 18, 20))
    open_draws: int = 5_000


QUICK = Plan(((5, 4), (6, 4), (3, 7)), 7_000, 2_000, ((3, 4, 5, 6, 7), (6, 8, 10, 12, 14)), 1_000)


def run(out: Path, plan: Plan, seed: int, progress: bool) -> str:
    """Measure, write tables and pictures to the folder `out`, and return the summary in words."""
    with new_folder(out, CONTENTS) as folder:
        closed = closed_maps.measure(plan.tilings, plan.largest, plan.draws, seed, progress)
        patches = [
            free_boundary.measure(p, q, layers, plan.open_draws, seed, progress)
            for (p, q), layers in zip(OPEN, plan.layers)
        ]
        free = [conclude(data, closed) for data in patches]
        formula = curvature_formula.test(closed)
        files = {"closed": closed, "formula": formula}
        files |= {f"free_{data.p}_{data.q}": data for data in free}
        for name, data in files.items():
            stamp(data, seed).to_netcdf(folder / f"{name}.nc")
        _pictures(closed, free, formula, folder)
    return "\n".join([*_closed_lines(closed), "", *(line for data in free for line in _free_lines(data)), "",
                      f"The formula: {formula.verdict}."])  # fmt: skip


def conclude(data: xr.Dataset, closed: xr.Dataset) -> xr.Dataset:
    """Add beta_f from both signals, and what duality makes of the measured bulk transition of {q,p}, if it is there."""
    signals = {"energy": free_boundary.from_energy(data), "m2": free_boundary.from_second_moment(data)}
    data = data.assign_coords(signal=list(signals))
    data["beta_f"] = ("signal", [result.beta for result in signals.values()], {"units": "1/J"})
    data["beta_f_error"] = ("signal", [result.error for result in signals.values()], {"units": "1/J"})
    for name in ("chi2_per_dof", "smallest"):
        data[name] = ("signal", [getattr(result, name) for result in signals.values()])
    dual = f"{{{data.q},{data.p}}}"
    if dual in closed.tiling:
        data["beta_f_dual"] = dual_beta(float(closed.beta_c.sel(tiling=dual)))
    return data


def judge(value: float, error: float, known: float) -> str:
    """``"agrees with"`` in 3 % or two errors, else ``"FAILS against"``; ``"cannot decide"`` if two errors are > 6 %."""
    if 2 * error > UNDECIDED * known:
        return "cannot decide"
    return "agrees with" if abs(value - known) <= max(AGREEMENT * known, 2 * error) else "FAILS against"


def _closed_lines(closed: xr.Dataset) -> list[str]:
    lines = ["tiling   beta_c      error     scatter   shift      chi2/dof   maps   largest   beta_c / Bethe"]
    for k in range(closed.sizes["tiling"]):
        row = closed.isel(tiling=k)
        lines.append(
            f"{row.tiling.item():6}   {row.beta_c:.6f}   {row.beta_c_error:.6f}  {row.beta_c_scatter:.6f}"
            f"  {row.beta_c_shift:+.6f}  {row.chi2 / row.dof:7.2f}     {int(row.n_runs):3}   {int(row.largest):8,}"
            f"   {row.beta_c / row.beta_bethe:.4f}"
        )
    return lines


def _free_lines(data: xr.Dataset) -> list[str]:
    name = f"{{{data.p},{data.q}}}"
    values, errors = data.beta_f.values, data.beta_f_error.values
    lines = []
    for signal, value, error in zip(data.signal.values, values, errors):
        line = f"free transition of {name} from {signal}: {value:.4f} +- {error:.4f}"
        if "beta_f_dual" in data:
            known = float(data.beta_f_dual)
            line += f", {judge(value, error, known)} {known:.4f}, the dual of {{{data.q},{data.p}}}"
        lines.append(line)
    between = judge(values[1], float(np.hypot(*errors)), values[0])
    return [*lines, f"    the second signal {between} the first"]


def _pictures(closed: xr.Dataset, free: list[xr.Dataset], formula: xr.Dataset, folder: Path) -> None:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    figures.transitions(closed, figure.subplots())
    figure.savefig(folder / "closed.png", dpi=130)
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    for axes, data in zip(figure.subplots(len(free), 2), free):
        figures.gap(data, axes[0])
        figures.loss(data, axes[1])
    figure.savefig(folder / "free.png", dpi=130)
    figure = Figure(figsize=(7, 6), layout="constrained")
    figures.residuals(formula, figure.subplots())
    figure.savefig(folder / "formula.png", dpi=130)
