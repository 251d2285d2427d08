"""Pictures of the comparison and of training runs; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

import json
from collections.abc import Hashable

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import NullLocator

READING_COLORS = {"head": "#2a6f97", "site": "#e09f3e", "total": "#9e2a2b"}
HEAD_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c564b")
NEAR_CRITICAL = (0.5, 2.0)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FADED = 0.3  # opacity of entries whose beta_c is not resolved


def corridors(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Every system's corridor on the axis beta / beta_c: bar = corridor, thin line = half-maximum band of C.

    A diamond is the beta that a head ran at, the dark bar at 1 the error of beta_c, the shaded band beta / beta_c in
    [1/2, 2]. Entries whose beta_c is not resolved are faded; bars end at the frame.
    """
    ax = ax or plt.subplots(figsize=(8.5, 0.26 * table.sizes["entry"] + 1.6))[1]
    rows = np.arange(table.sizes["entry"])[::-1]
    ratio = {name: (table[name] / table.beta_c).values for name in table if str(name).startswith(("beta_", "band_"))}
    left, right = _limits(ratio, table.resolved.values)
    ratio = {name: np.clip(values, left, right) for name, values in ratio.items()}
    error = (table.beta_c_error / table.beta_c).values
    opacity = np.where(table.resolved.values, 1.0, FADED)
    colors = [to_rgba(READING_COLORS[str(r).split(",")[0]], a) for r, a in zip(table.reading.values, opacity)]
    light, dark = [to_rgba("0.6", a) for a in opacity], [to_rgba("0.2", a) for a in opacity]
    ends = np.clip(1.0 - error, left, 1.0), np.clip(1.0 + error, 1.0, right)
    ax.axvspan(*NEAR_CRITICAL, color="0.93", zorder=0)
    ax.axvline(1.0, color="0.3", linewidth=1.0, zorder=1)
    ax.hlines(rows, ratio["band_low"], ratio["band_high"], colors=light, linewidth=1.0, zorder=1)
    ax.hlines(rows, ratio["beta_low"], ratio["beta_high"], colors=colors, linewidth=6.0, zorder=2)
    ax.hlines(rows, *ends, colors=dark, linewidth=2.0, zorder=3)
    ax.scatter(ratio["beta_in_use"], rows, s=22, c="white", marker="D", edgecolors=dark, zorder=4)
    _corridor_legend(table, ax)
    _ratio_axis(ax, "x", left, right)
    ax.set_yticks(rows, [_name(table.isel(entry=k)) for k in range(len(rows))], fontsize=7.5)
    ax.set_ylim(-1, len(rows))
    ax.set_xlabel(r"$\beta/\beta_c$")
    return _tidy(ax)


def _limits(ratio: dict[Hashable, np.ndarray], resolved: np.ndarray) -> tuple[float, float]:
    """Range of beta / beta_c that shows all resolved entries, between 0.01 and 20."""
    shown = np.concatenate([ratio[name][resolved] for name in ("beta_low", "beta_high", "band_low", "band_high")])
    shown = np.clip(shown[np.isfinite(shown)], 0.01, 20.0)
    return float(min(shown.min(initial=0.5) * 0.8, 0.5)), float(max(shown.max(initial=2.0) * 1.25, 2.0))


def _ratio_axis(ax: Axes, which: str, low: float, high: float) -> None:
    """Make the axis "x" or "y" a logarithmic one of beta / beta_c with plain numbers."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ax.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _corridor_legend(table: xr.Dataset, ax: Axes) -> None:
    for reading, color in READING_COLORS.items():
        if any(str(value).startswith(reading) for value in table.reading.values):
            ax.plot([], [], color=color, linewidth=6.0, label=f"corridor, {reading} entropy")
    ax.plot([], [], "D", color="#111111", markerfacecolor="white", markersize=4.5, label=r"$\beta$ in use")
    ax.plot([], [], color="0.6", linewidth=1.0, label="half-maximum band of C")
    ax.plot([], [], color="0.2", linewidth=2.0, label=r"error of $\beta_c$")
    if not table.resolved.values.all():
        ax.plot([], [], color="0.2", linewidth=6.0, alpha=FADED, label=r"faded: $\beta_c$ not resolved")
    place = (0.4, -0.45 / (0.026 * table.sizes["entry"] + 0.16) / 10)
    ax.legend(loc="upper center", bbox_to_anchor=place, ncol=3, frameon=False, fontsize="small")


def finite_size_trend(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Pseudo-critical beta of every size in units of the infinite system's, against the number of states of a row.

    Spin systems are divided by their entry of size `infinite`; random energy models by sqrt(2 ln n) (sigma = 1).
    """
    ax = ax or plt.subplots(figsize=(5.5, 3.6))[1]
    table = table.isel(entry=(table.reading != "total").values & table.resolved.values)
    for k, system in enumerate(dict.fromkeys(table.system.values.tolist())):
        rows = table.isel(entry=(table.system == system).values)
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
    """Ratio beta / beta_c of every head during training, beta_c measured at each record.

    Triangles point to the bound of beta where a thermostat's head sits on it.
    """
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    ax.axhspan(*NEAR_CRITICAL, color="0.93")
    ax.axhline(1.0, color="0.3", linewidth=0.8)
    ratio = run["beta"] / run["beta_c"]
    _by_head(run, ratio, ax)
    for marker, bound in zip("v^", beta_bounds(run)):
        for k, (layer, head) in enumerate(np.ndindex(run.sizes["layer"], run.sizes["head"])):
            held = np.isclose(run["beta"][:, layer, head], bound)
            line = ratio[:, layer, head].where(held)
            ax.plot(run["step"], line, marker, color=_head_color(k), markersize=4.5, markeredgecolor="white")
    shown = ratio.values[np.isfinite(ratio.values)]
    low, high = min(0.2, 0.8 * shown.min(initial=0.2)), max(5.0, 1.2 * shown.max(initial=5.0))
    _ratio_axis(ax, "y", low, high)
    ax.set_ylabel(r"$\beta/\beta_c$")
    return ax


def beta_bounds(run: xr.Dataset) -> tuple[float, ...]:
    """Smallest and largest beta of the run's thermostat, none without one."""
    thermostat, config = json.loads(run.attrs["thermostat"]), json.loads(run.attrs["config"])
    if thermostat is None:
        return ()
    low, high = thermostat["bounds"]
    unit = float(np.sqrt(config["n_heads"] / config["d_model"]))
    return low * unit, high * unit


def losses(runs: dict[str, xr.Dataset], ax: Axes | None = None) -> Axes:
    """Validation loss of several runs during training."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    for (name, run), color in zip(runs.items(), plt.get_cmap("viridis")(np.linspace(0.1, 0.75, len(runs)))):
        ax.plot(run["step"], run["validation_loss"], color=color, label=name.replace("1/sqrt(d_k)", r"$1/\sqrt{d_k}$"))
    ax.set_xlabel("training step")
    ax.set_ylabel("validation loss  [nats / character]")
    ax.legend(frameon=False, fontsize="small")
    return _tidy(ax)


def head_heat(curves: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Specific heat of heads against beta / beta_c: curves (head, x) with x = beta / beta_c."""
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    ax.axvspan(*NEAR_CRITICAL, color="0.93")
    for k in range(curves.sizes["head"]):
        ax.plot(curves["x"], curves[k], color=_head_color(k), linewidth=1.2, label=str(curves["head"].values[k]))
    ax.axvline(1.0, color="0.3", linewidth=0.8)
    _ratio_axis(ax, "x", *curves["x"].values[[0, -1]])
    ax.set_xlabel(r"$\beta/\beta_c$")
    ax.set_ylabel(r"$C=\beta^2\,\mathrm{Var}_p[s]$")
    return _tidy(ax)


def _by_head(run: xr.Dataset, values: xr.DataArray, ax: Axes) -> None:
    for k, (layer, head) in enumerate(np.ndindex(run.sizes["layer"], run.sizes["head"])):
        label = f"layer {layer} head {head}"
        ax.plot(run["step"], values[:, layer, head], color=_head_color(k), linewidth=1.3, label=label)
    ax.set_xlabel("training step")
    _tidy(ax)


def _head_color(k: int) -> str:
    """One colour a head, in every picture; k counts layer by layer."""
    return HEAD_COLORS[k % len(HEAD_COLORS)]


def _name(row: xr.Dataset) -> str:
    size = str(row["size"].values)
    reading = str(row["reading"].values)
    note = f" ({reading})" if reading != "head" else ""
    return f"{row['system'].values}, {size}{note}".replace("1/sqrt(d_k)", r"$1/\sqrt{d_k}$")


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
