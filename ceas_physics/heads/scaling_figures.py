"""Pictures of `heads.scaling`, as for an Ising system; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from scipy.interpolate import CubicSpline

from analysis.drawing import LINE, SMALL, UPDATES, colors, new_axes, tidy

from .law_fits import predicted

SYSTEM_COLORS = ("#2a6f97", "0.55", "#e09f3e", "#9e2a2b", "#009e73", "#cc79a7")
DRAWN_LAWS = ("freezing", "random_energy", "logarithm", "fixed_entropy", "corridor_depth")


def heat_curves(data: xr.Dataset, ax: Axes | None = None) -> Axes:
    """C(beta) of one head, a line for each n, with its peak and half-maximum band: the head's specific heat.

    ``data`` from `heads.scaling` with one system, layer and head chosen: ``data.isel(system=0, layer=2, head=5)``.
    """
    ax = new_axes(ax)
    for k, rgba in enumerate(colors(data.sizes["n"])):
        row, color = data.isel(n=k), to_hex((rgba[0], rgba[1], rgba[2]))
        x, heat = _smooth(row)
        ax.plot(x / row.sigma.item(), heat, color=color, linewidth=1.2, label=f"n = {row['n'].item()}")
        ax.errorbar(row.beta_c, row.height, row.height_error, row.beta_c_error, **LINE | {"color": color})
        ax.hlines(row.height / 2, row.low, row.high, colors=color, linewidth=0.8, linestyles="dotted")
    finite = data.where(np.isfinite(data.high) & (data.low > 0))
    _plain_ticks(ax, float(0.4 * finite.low.min()), float(2.5 * finite.high.max()))
    ax.set_xlabel(r"$\beta$  [1/score]")
    ax.set_ylabel(r"$C=\beta^2\,\mathrm{Var}_p[s]$")
    ax.legend(**SMALL)
    return tidy(ax)


def collapse(data: xr.Dataset, ax: Axes | None = None) -> Axes:
    """C / C(beta_c) against beta sigma / sqrt(2 ln n), a line for each n, of one head as for `heat_curves`."""
    ax = new_axes(ax)
    for k, color in enumerate(colors(data.sizes["n"])):
        row = data.isel(n=k)
        x, heat = _smooth(row)
        ax.plot(
            x / np.sqrt(2.0 * np.log(row["n"].item())),
            heat / row.height.item(),
            color=color,
            linewidth=1.2,
            label=f"n = {row['n'].item()}",
        )
    ax.axvline(1.0, color="0.3", linewidth=0.8)
    _plain_ticks(ax, 0.15, 6.0)
    ax.set_xlabel(r"$\beta\sigma_{qk}\,/\,\sqrt{2\ln n}$")
    ax.set_ylabel(r"$C\,/\,C(\beta_c)$")
    ax.legend(**SMALL)
    return tidy(ax)


def beta_against_n(data: xr.Dataset, fits: xr.Dataset, ax: Axes | None = None) -> Axes:
    """beta_c sigma against n, median of a system's heads (bars: quartiles), and laws fitted to the medians' head.

    ``data`` and ``fits`` (`fit_laws`) of one system. Each law is the median over heads of its fitted values.
    """
    ax = new_axes(ax)
    n = data["n"].values
    values = (data.beta_c * data.sigma).values.reshape(-1, len(n))
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    spread = [middle - low, high - middle]
    if len(values) == 1:
        spread = [values[0] * data.log_beta_c_sigma_error.values.ravel()] * 2
    ax.errorbar(n, middle, spread, **LINE | {"color": "black", "label": "measured", "linestyle": "none", "zorder": 5})
    for name, color in zip(DRAWN_LAWS, UPDATES):
        lines = predicted(name, data, fits) * data.sigma
        found = np.nanmedian(lines.values.reshape(-1, len(n)), axis=0)
        error = float(fits.left_out.sel(law=name).mean())
        ax.plot(n, found, color=color, linewidth=1.2, label=f"{name.replace('_', ' ')} ({error:.1%})")
    _size_axis(ax, n)
    ax.set_ylabel(r"$\beta_c\,\sigma_{qk}$")
    ax.legend(**SMALL, title="law (rms error, n left out)", title_fontsize="small")
    return tidy(ax)


def width_against_n(tables: list[xr.Dataset], ax: Axes | None = None) -> Axes:
    """Relative width of the peak against size, mean over the heads of every system with its error; log-log.

    ``tables`` from `heads.scaling` and `curie_weiss_peaks`.
    """
    ax = new_axes(ax)
    systems = [(table, str(name)) for table in tables for name in table["system"].values]
    sizes: set[int] = set()
    for (table, name), color, marker in zip(systems, SYSTEM_COLORS * 4, "osD^vP" * 4):
        width = table.relative_width.sel(system=name).values.reshape(-1, table.sizes["n"])
        width = np.where(np.isfinite(width), width, np.nan)
        error = np.nanstd(width, axis=0) / np.sqrt(np.isfinite(width).sum(axis=0))
        if len(width) == 1 and "relative_width_error" in table:
            error = table.relative_width_error.sel(system=name).values.ravel()
        ax.errorbar(
            table["n"], np.nanmean(width, axis=0), error, **LINE | {"color": color, "marker": marker}, label=name
        )
        sizes |= set(table["n"].values.tolist())
    _size_axis(ax, np.array(sorted(sizes)))
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if ax.get_ylim()[0] <= tick <= ax.get_ylim()[1]]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel("size: visible keys n, or sites N")
    ax.set_ylabel(r"relative width of the peak  $(\beta_+-\beta_-)/\beta_c$")
    ax.legend(**SMALL)
    return tidy(ax)


def draw(data: xr.Dataset, fits: xr.Dataset, tables: list[xr.Dataset]) -> Figure:
    """The four pictures of the first system; C(beta) and its collapse are those of the head with the median beta_c."""
    figure = Figure(figsize=(12.0, 8.4), layout="constrained")
    axes = figure.subplots(2, 2)
    part = data.isel(system=0)
    head = median_head(part)
    name = f"{part['system'].item()}, layer {head['layer'].item()}, head {head['head'].item()}"
    heat_curves(head, axes[0, 0]).set_title(name, fontsize="medium")
    collapse(head, axes[0, 1]).set_title("the same head", fontsize="medium")
    beta_against_n(part, fits.isel(system=0), axes[1, 0]).set_title(part["system"].item(), fontsize="medium")
    width_against_n([data, *tables], axes[1, 1])
    return figure


def median_head(data: xr.Dataset) -> xr.Dataset:
    """The head of one system whose beta_c at the largest n is the median of all."""
    largest = data.beta_c.isel(n=-1).values
    order = np.argsort(largest, axis=None)[: np.isfinite(largest).sum()]
    if not order.size:
        raise ValueError("no head has a peak of C at the largest n: all their scores are equal")
    layer, head = np.unravel_index(order[len(order) // 2], largest.shape)
    return data.isel(layer=int(layer), head=int(head))


def _smooth(row: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The stored C between its grid points, a spline in ln beta: (beta sigma, C)."""
    fine = np.linspace(row["log_beta_sigma"].values[0], row["log_beta_sigma"].values[-1], 500)
    return np.exp(fine), CubicSpline(row["log_beta_sigma"], row.heat)(fine)


def _plain_ticks(ax: Axes, low: float, high: float) -> None:
    """Logarithmic axis of beta with the ticks 1, 2, 5 of every decade written out."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    ticks = [tick for tick in np.outer(decades, (1.0, 2.0, 5.0)).ravel() if low <= tick <= high]
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def _size_axis(ax: Axes, n: np.ndarray) -> None:
    ax.set_xscale("log")
    ax.set_xticks(n, [str(size) for size in n])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("visible keys n")
