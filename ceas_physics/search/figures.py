"""Pictures of the lookups, the search, the bandit and redundancy; each takes data and an Axes and returns the Axes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .search import RESOLVED, Search

POLICY_COLORS = {"thompson": "#2a6f97", "ucb1": "#e09f3e", "uniform": "0.45"}
SCHEME_STYLES = {
    "spins": ("#9e2a2b", "o", "spins {-D, 0, +D}"),
    "values kept": ("#2a6f97", "s", "smallest weights at 0, others kept"),
    "random": ("0.55", "^", "zeros at random, others kept"),
}


def accuracy_curves(summary: xr.Dataset, ax: Axes, bayes: float, chance: float) -> Axes:
    """Accuracy against beta after each training length, with errors over seeds; a star marks the peak of a curve."""
    lengths = summary["steps"].values[1:]
    for steps, color in zip(lengths, mpl.colormaps["viridis"](np.linspace(0.05, 0.9, len(lengths)))):
        row = summary.sel(steps=steps)
        ax.errorbar(row["beta"], row["mean"], row["error"], color=color, marker="o", markersize=3, linewidth=1.3,
                    capsize=2, label=f"{steps} steps")  # fmt: skip
        ax.plot(row["best_beta"], row["mean"].max(), "*", color=color, markersize=11, markeredgecolor="black", zorder=4)
    ax.axhline(bayes, color="0.3", linestyle="--", linewidth=1.0, label="exact posterior")
    ax.axhline(chance, color="0.3", linestyle=":", linewidth=1.0, label="chance")
    ax.set_xscale("log", base=2)
    ax.set_xlabel(r"$\beta$  [1/score]")
    ax.set_ylabel("share of lookups answered right")
    ax.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _tidy(ax)


def search_path(search: Search, ax: Axes) -> Axes:
    """The interval of every round with its points; the filled one was kept, rounds that luck may decide are pale."""
    for k, (points, means) in enumerate(zip(search.points, search.means)):
        color = "#2a6f97" if search.evidence[k] >= RESOLVED else "#a9c6d8"
        ax.hlines(k + 1, *search.intervals[k], color=color, linewidth=5.0, alpha=0.6)
        ax.plot(points, np.full(len(points), k + 1), "o", color=color, markerfacecolor="white", markersize=5)
        ax.plot(points[means.argmax()], k + 1, "o", color=color, markersize=5)
    ax.axvspan(*search.resolved_interval, color="0.93", zorder=0, label="resolved")
    ax.invert_yaxis()
    ax.set_xlabel(r"$\beta$  [1/score]")
    ax.set_ylabel("round")
    ax.legend(frameon=False, fontsize="small", loc="lower left")
    return _tidy(ax)


def regret(data: xr.Dataset, ax: Axes) -> Axes:
    """Mean regret of each policy against pulls, with the range of two standard errors over replicas."""
    for policy, color in POLICY_COLORS.items():
        values = data["regret"].sel(policy=policy)
        mean, error = values.mean("replica"), values.std("replica", ddof=1) / np.sqrt(data.sizes["replica"])
        ax.plot(data["pull"], mean, color=color, linewidth=1.5, label=policy)
        ax.fill_between(data["pull"], mean - 2 * error, mean + 2 * error, color=color, alpha=0.25, linewidth=0)
    ax.set(xscale="log", yscale="log")
    ax.set_xlabel(f"pulls of {data.attrs['trials']} lookups")
    ax.set_ylabel("regret  [pulls]")
    ax.legend(frameon=False, fontsize="small")
    return _tidy(ax)


def redundancy(curve: xr.Dataset, ax: Axes) -> Axes:
    """Share of the accuracy kept against the fraction of parameters set to zero; crosses are evenly spaced levels.

    ``curve`` is from ``quantization.summarize``: the crosses stand at the share of parameters on level 0.
    """
    for scheme, (color, marker, label) in SCHEME_STYLES.items():
        rows = curve.sel(scheme=scheme)
        ax.errorbar(rows["zero_fraction"], rows["kept_zero"], rows["kept_zero_error"], color=color, marker=marker,
                    markersize=4, linewidth=1.3, capsize=2, label=label)  # fmt: skip
    ax.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    ax.errorbar(curve["share_at_zero"], curve["kept_levels"], curve["kept_levels_error"], color="black", marker="x",
                linestyle="none", markersize=6, label="number of levels, nearest")  # fmt: skip
    for count, x, y in zip(curve["levels"].values, curve["share_at_zero"].values, curve["kept_levels"].values):
        ax.annotate(str(count), (x, y), (4, -9), textcoords="offset points", fontsize="x-small")
    ax.set_xlabel("fraction of parameters set to zero")
    ax.set_ylabel("accuracy kept, relative to before")
    ax.set_ylim(bottom=0.0)
    ax.legend(frameon=False, fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncol=2)
    return _tidy(ax)


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
