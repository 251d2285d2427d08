"""Pictures of correlation lengths and relaxation times; offered through `analysis.plots`."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .arguments import as_integer
from .drawing import (
    BETA,
    MARKERS,
    POINTS,
    SMALL,
    UPDATES,
    by_size,
    colors,
    logarithmic_in_size,
    new_axes,
    picture,
    size_label,
    tidy,
)

TIMES = {"energy": "e", "magnetization_abs": "|m|", "magnetization_squared": "m^2"}


@picture(table="analysis.dynamic_exponent")
def dynamics(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Critical slowing down: autocorrelation time against L on logarithmic axes, tau ~ L^z for each update.

    Parameters
    ----------
    table
        From `analysis.dynamic_exponent`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    for i, (color, marker) in enumerate(zip(UPDATES, MARKERS)):
        if i == table.sizes["update"]:
            break
        one = table.isel(update=i).dropna("n_sites", subset=["tau"])
        z, error = one["z"].item(), one["z_error"].item()
        length = one["length"].values[one["n_sites"].values >= one["smallest"].item()]
        ax.plot(length, one["amplitude"].item() * length**z, color=color, linewidth=0.9)
        name = str(one["update"].item()).replace("_", " ")
        style = POINTS | {"marker": marker}
        label = rf"{name}: $z={z:.2f}\pm{error:.2f}$"
        ax.errorbar(one["length"], one["tau"], one["tau_error"], color=color, label=label, **style)
    logarithmic_in_size(ax, table["length"].values)
    ax.set_yscale("log")
    symbol = TIMES[table.attrs["observable"]]
    ax.set_ylabel(rf"$\tau_{{{symbol}}}$  [sweeps]  at  $\beta={table.attrs['beta']:.5g}$")
    ax.legend(**SMALL)
    return tidy(ax)


@picture(table="analysis.slice_correlations", decay="analysis.decay_length")
def slice_decay(table: xr.Dataset, decay: xr.Dataset, period: int, ax: Axes | None = None) -> Axes:
    """Correlation of slices of a torus on a logarithmic axis, one colour per beta, with the fitted cosh.

    Parameters
    ----------
    table
        From `analysis.slice_correlations`, with dimension chain.
    decay
        From `analysis.decay_length` of the same table, with the same period.
    period
        Length of the torus along the axis.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    period = as_integer("period", period, 1)
    values = table["correlation"]
    values = values.mean("configuration") if "configuration" in values.dims else values
    lines = values if "beta" in values.dims else values.expand_dims("beta")
    decay = decay if "beta" in decay.dims else decay.expand_dims("beta")
    r = np.linspace(decay.attrs["r_low"], decay.attrs["r_high"], 100)
    for i, color in enumerate(colors(lines.sizes["beta"])):
        line, fit = lines.isel(beta=i), decay.isel(beta=i)
        error = line.std("chain", ddof=1) / np.sqrt(line.sizes["chain"])
        xi, its_error = fit["decay_length"].item(), fit["decay_length_error"].item()
        name = rf"$\beta$ = {line['beta'].item():.4g}:  " if "beta" in line.coords else ""
        ax.errorbar(line["distance"], line.mean("chain"), error, color=color,
                    label=rf"{name}$\xi$ = {xi:.2f} ± {its_error:.2f}", **POINTS)  # fmt: skip
        ax.plot(r, fit["amplitude"].item() * np.cosh((period / 2 - r) / xi), color=color, linewidth=1.0)
    ax.set_yscale("log", nonpositive="mask")
    ax.set_xlabel(r"distance between slices  $r$  [bonds]")
    ax.set_ylabel(r"$G(r)=\sum_{s\in\mathrm{slice}}\langle s_0 s\rangle$")
    ax.legend(**SMALL)
    return tidy(ax)


@picture(table="analysis.proxy_quality")
def length_proxy(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Measured length against beta on a logarithmic axis with the proxy A zeta of either side as lines.

    Parameters
    ----------
    table
        From `analysis.proxy_quality`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    quantity, beta_c = table.attrs["quantity"], table.attrs["beta_c"]
    sizes = by_size(table)
    for size, color in zip(sizes, colors(len(sizes))):
        error = size[f"{quantity}_error"].values if f"{quantity}_error" in size else None
        rms = size["rms"].sel(side="below").item()
        label = rf"{size_label(size)},  {100 * rms:.0f} % rms below $\beta_c$"
        ax.errorbar(size["beta"], size[quantity], error, color=color, label=label, **POINTS)
        for side in (size["beta"] < beta_c, size["beta"] > beta_c):
            ax.plot(size["beta"].where(side), size["proxy"].where(side), color=color, linewidth=1.0)
    ax.axvline(beta_c, color="0.4", linestyle=":", linewidth=1.0)
    ax.set_yscale("log", nonpositive="mask")
    ax.set_xlabel(BETA)
    ax.set_ylabel(
        r"$\xi$ (points) and $A\,\zeta$ (lines)  [bond lengths]" if quantity == "xi" else f"{quantity}, proxy"
    )
    ax.legend(**SMALL)
    return tidy(ax)
