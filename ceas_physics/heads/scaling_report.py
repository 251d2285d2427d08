"""Tables of `heads.scaling` as text, and the files that `ceas heads --scaling` adds to its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..provenance import stamp
from .law_fits import fit_laws
from .rows import GaussianRows
from .scaling import scaling
from .scaling_figures import draw
from .sharpening import corridor_separation, curie_weiss_peaks, size_trends


def law_table(fits: xr.Dataset) -> str:
    """The laws against beta_c(n), one block a system, best first by the error at an n left out of the fit.

    Means over heads, in percent with the error of the mean; medians of chi2/dof, of the difference in AIC from the best
    law of a head, and of the parameter. "as it stands" is without any fit, for laws that come with their numbers.
    """
    lines = []
    for system in fits["system"].values:
        part = fits.sel(system=system).stack(every=("layer", "head")).dropna("every", subset=["chi2"], how="all")
        part = part.dropna("law", subset=["chi2"])
        lines.append(f"{system}: {part.sizes['every']} heads")
        title = f"  {'law':17} {'misfit %':>12} {'n left out %':>12} {'as it stands':>13}"
        lines.append(f"{title}  chi2/dof    dAIC  parameter   shift")
        difference = part.aic - part.aic.min("law")
        for name in part["law"].values[np.argsort(part.left_out.mean("every").values)]:
            law = part.sel(law=name)
            own = _percent(law.as_stands) if np.isfinite(law.as_stands).all() else "-"
            reduced, best, value, shift = (
                float(x.median()) for x in (law.chi2 / law.dof, difference.sel(law=name), law.parameter, law["shift"])
            )
            cells = f"{_percent(law.misfit):>12} {_percent(law.left_out):>12} {own:>13}"
            lines.append(f"  {name:17} {cells} {reduced:9.3g} {best:8.3g} {value:10.4g} {shift:+10.2g}")
    return "\n".join(lines)


def _percent(values: xr.DataArray) -> str:
    mean = 100.0 * float(values.mean())
    if values.size < 2:
        return f"{mean:.1f}"
    return f"{mean:.1f} +- {100.0 * float(values.std(ddof=1)) / values.size**0.5:.1f}"


def trend_table(trends: xr.Dataset) -> str:
    """Exponents of width and height with n: relative width ~ n^b, b < 0 where peaks sharpen."""
    lines = ["  system                              relative width ~ n^b    height ~ n^b         heads"]
    for name in trends["system"].values:
        row = trends.sel(system=name)
        width, height = (row.sel(quantity=quantity) for quantity in ("relative_width", "height"))
        cells = [f"{float(x.exponent):+.4f} +- {float(x.exponent_error):.4f}" for x in (width, height)]
        lines.append(f"  {name!s:34}  {cells[0]:22}  {cells[1]:20} {int(np.nan_to_num(width.n_heads)):4}")
    return "\n".join(lines)


def corridor_table(separation: xr.Dataset) -> str:
    """Medians over heads of the corridor's ends in units of beta_c, for every n, and the heads it is in the band of."""
    lines = ["  the corridor [ln n - 1.3, ln n - 0.9] in units of beta_c, medians; heads whose band holds all of it"]
    for name in separation["system"].values:
        part = separation.sel(system=name)
        lines.append(f"  {name}")
        for n in separation["n"].values:
            row = part.sel(n=n)
            low, high = float(row.low.median()), float(row.high.median())
            lines.append(f"    n = {n:5}: {low:.3f} to {high:.3f}, {float(row.inside.mean()):.0%} of heads")
    return "\n".join(lines)


def write(
    model: Any, folder: Path, text: Path | None, sizes: Sequence[int], progress: bool = False, **options: Any
) -> str:
    """Write ``scaling.nc``, ``laws.nc``, ``laws.csv`` and ``scaling.png`` of a model to a folder; returns the tables.

    Options as in `heads.scaling`.
    """
    data = scaling(model, text, sizes=sizes, progress=progress, **options)
    fits = fit_laws(data)
    rem = scaling(GaussianRows(), sizes=sizes, seed=data.attrs["seed"])
    others = [rem, curie_weiss_peaks()]
    trends = xr.concat([size_trends(table) for table in (data, *others)], "system")
    stamp(data, data.attrs["seed"]).to_netcdf(folder / "scaling.nc")
    stamp(fits, data.attrs["seed"]).to_netcdf(folder / "laws.nc")
    fits.to_dataframe().to_csv(folder / "laws.csv")
    draw(data, fits, others).savefig(folder / "scaling.png", dpi=130)
    rows = ", ".join(f"{count} at n = {n}" for n, count in zip(data["n"].values, data.n_rows.isel(system=0).values))
    blocks = [f"rows of a head: {rows}", law_table(fits), law_table(fit_laws(rem)), "sharpening with size",
              trend_table(trends), corridor_table(corridor_separation(data))]  # fmt: skip
    return "\n".join(blocks)
