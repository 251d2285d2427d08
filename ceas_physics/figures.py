"""Pictures of the comparison and of training runs; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from analysis.drawing import SMALL

from .lanes import FADED, NEAR_CRITICAL, READING_COLORS, corridors, ratio_axis
from .system_figures import binder_crossings, collapse, specific_heats

__all__ = [
    "FADED",
    "NEAR_CRITICAL",
    "beta_bounds",
    "beta_trace",
    "binder_crossings",
    "collapse",
    "corridors",
    "entropy_trace",
    "finite_size_trend",
    "head_heat",
    "losses",
    "ratio_axis",
    "specific_heats",
]

HEAD_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c564b")


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
        if not infinite.size and rows.reading.values[0] != "head":
            continue  # a glass: one published beta_c for all sizes
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
    ax.legend(**SMALL)
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
    ratio_axis(ax, "y", low, high)
    ax.set_ylabel(r"$\beta/\beta_c$")
    ax.legend(**SMALL)
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


def head_heat(curves: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Specific heat of heads against x = beta / beta_c with error bands.

    ``curves`` has specific_heat and specific_heat_error, (head, x).
    """
    ax = ax or plt.subplots(figsize=(5.0, 3.4))[1]
    ax.axvspan(*NEAR_CRITICAL, color="0.93")
    for k in range(curves.sizes["head"]):
        heat, error = (curves[name][k].values for name in ("specific_heat", "specific_heat_error"))
        ax.fill_between(curves["x"], heat - error, heat + error, color=_head_color(k), alpha=0.2, linewidth=0)
        ax.plot(curves["x"], heat, color=_head_color(k), linewidth=1.2, label=str(curves["head"].values[k]))
    ax.axvline(1.0, color="0.3", linewidth=0.8)
    ratio_axis(ax, "x", *curves["x"].values[[0, -1]])
    ax.set_xlabel(r"$\beta/\beta_c$")
    ax.set_ylabel(r"$C=\beta^2\,\mathrm{Var}_p[s]$")
    ax.legend(**SMALL)
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


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
