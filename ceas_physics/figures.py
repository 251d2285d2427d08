"""Pictures of the comparison and of training runs; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

READING_COLORS = {"head": "#2a6f97", "site": "#e09f3e", "total": "#9e2a2b"}
NEAR_CRITICAL = (0.5, 2.0)


def corridors(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Every system's corridor on the axis beta / beta_c: bar = corridor, thin line = half-maximum band of C.

    A diamond is the beta that a head ran at; the shaded band is beta / beta_c in [1/2, 2].
    """
    ax = ax or plt.subplots(figsize=(8.5, 0.26 * table.sizes["entry"] + 1.6))[1]
    rows = np.arange(table.sizes["entry"])[::-1]
    ratio = {name: (table[name] / table.beta_c).values for name in table if str(name).startswith(("beta_", "band_"))}
    colors = [READING_COLORS[str(reading).split(",")[0]] for reading in table.reading.values]
    ax.axvspan(*NEAR_CRITICAL, color="0.93", zorder=0)
    ax.axvline(1.0, color="0.3", linewidth=1.0, zorder=1)
    ax.hlines(rows, ratio["band_low"], ratio["band_high"], color="0.6", linewidth=1.0, zorder=1)
    ax.hlines(rows, ratio["beta_low"], ratio["beta_high"], color=colors, linewidth=6.0, zorder=2)
    ax.errorbar(
        np.ones(len(rows)), rows, xerr=(table.beta_c_error / table.beta_c).values, fmt="|", color="0.2", markersize=7,
        elinewidth=2.0, zorder=3,
    )  # fmt: skip
    ax.plot(ratio["beta_in_use"], rows, "D", color="#111111", markersize=4.5, markerfacecolor="white", zorder=4)
    for reading, color in READING_COLORS.items():
        if any(str(value).startswith(reading) for value in table.reading.values):
            ax.plot([], [], color=color, linewidth=6.0, label=f"corridor, {reading} entropy")
    ax.plot([], [], "D", color="#111111", markerfacecolor="white", markersize=4.5, label="beta in use")
    ax.plot([], [], color="0.6", linewidth=1.0, label="half-maximum band of C")
    ax.set_xscale("log")
    ax.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0], ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"])
    ax.minorticks_off()
    ax.set_yticks(rows, [_name(table.isel(entry=k)) for k in range(len(rows))], fontsize=7.5)
    ax.set_ylim(-1, len(rows))
    ax.set_xlabel(r"$\beta/\beta_c$")
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.4, -0.45 / (0.026 * len(rows) + 0.16) / 10),
        ncol=3,
        frameon=False,
        fontsize="small",
    )
    return _tidy(ax)


def finite_size_trend(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Pseudo-critical beta of every size in units of the infinite system's, against the number of states of a row.

    Spin systems are divided by their entry of size `infinite`; random energy models by sqrt(2 ln n) (sigma = 1).
    """
    ax = ax or plt.subplots(figsize=(5.5, 3.6))[1]
    for k, system in enumerate(dict.fromkeys(table.system.values.tolist())):
        rows = table.isel(entry=(table.system == system).values & (table.reading != "total").values)
        finite = rows.isel(entry=(rows["size"] != "infinite").values)
        if not all(str(size).isdigit() for size in finite["size"].values):
            continue
        size = finite["size"].values.astype(float)
        infinite = rows.isel(entry=(rows["size"] == "infinite").values).beta_c.values
        scale = infinite[0] if infinite.size else np.sqrt(2 * np.log(size))
        ax.errorbar(
            size, finite.beta_c.values / scale, finite.beta_c_error.values / scale, marker="osD^v"[k % 5],
            color=plt.get_cmap("viridis")(0.15 + 0.3 * (k % 3)), linewidth=1.2, markersize=4.5, capsize=2, label=system,
        )  # fmt: skip
    ax.axhline(1.0, color="0.3", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlabel("size: L, number of sites, or visible keys n")
    ax.set_ylabel(r"$\beta_c(\mathrm{size})\,/\,\beta_c(\infty)$")
    ax.legend(frameon=False, fontsize="small")
    return _tidy(ax)


def entropy_trace(run: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Entropy of every head during training, with the corridor."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    low, high = (float(run[f"corridor_{end}"].isel(step=0, layer=0, head=0)) for end in ("low", "high"))
    ax.axhspan(low, high, color=READING_COLORS["head"], alpha=0.18, label="corridor")
    _by_head(run, run["entropy"], ax)
    ax.set_ylabel("entropy $H$  [nats]")
    return ax


def beta_trace(run: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Ratio beta / beta_c of every head during training, beta_c measured at each record."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    ax.axhspan(*NEAR_CRITICAL, color="0.93")
    ax.axhline(1.0, color="0.3", linewidth=0.8)
    _by_head(run, run["beta"] / run["beta_c"], ax)
    ax.set_yscale("log")
    ax.set_yticks([0.2, 0.5, 1.0, 2.0, 5.0], ["0.2", "0.5", "1", "2", "5"])
    ax.minorticks_off()
    ax.set_ylabel(r"$\beta/\beta_c$")
    return ax


def losses(runs: dict[str, xr.Dataset], ax: Axes | None = None) -> Axes:
    """Validation loss of several runs during training."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    for (name, run), color in zip(runs.items(), plt.get_cmap("viridis")(np.linspace(0.1, 0.75, len(runs)))):
        ax.plot(run["step"], run["validation_loss"], color=color, label=name)
    ax.set_xlabel("training step")
    ax.set_ylabel("validation loss  [nats / character]")
    ax.legend(frameon=False, fontsize="small")
    return _tidy(ax)


def head_heat(curves: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Specific heat of heads against beta / beta_c: curves (head, x) with x = beta / beta_c."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    ax.axvspan(*NEAR_CRITICAL, color="0.93")
    for k in range(curves.sizes["head"]):
        ax.plot(curves["x"], curves[k], color=f"C{k}", linewidth=1.2, label=str(curves["head"].values[k]))
    ax.axvline(1.0, color="0.3", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlabel(r"$\beta/\beta_c$")
    ax.set_ylabel(r"$C=\beta^2\,\mathrm{Var}_p[s]$")
    ax.legend(frameon=False, fontsize="x-small")
    return _tidy(ax)


def _by_head(run: xr.Dataset, values: xr.DataArray, ax: Axes) -> None:
    for layer in range(run.sizes["layer"]):
        for head in range(run.sizes["head"]):
            style = ("-", "--", ":", "-.")[head % 4]
            label = f"layer {layer} head {head}"
            ax.plot(run["step"], values[:, layer, head], style, color=f"C{layer}", linewidth=1.3, label=label)
    ax.set_xlabel("training step")
    ax.legend(frameon=False, fontsize="x-small")
    _tidy(ax)


def _name(row: xr.Dataset) -> str:
    size = str(row["size"].values)
    reading = str(row["reading"].values)
    return f"{row['system'].values}, {size}" + (f" ({reading})" if reading != "head" else "")


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
