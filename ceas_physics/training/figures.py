"""Pictures of the comparison of conditions; each function takes the Dataset of ``compare`` and an Axes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GROUP = 7  # conditions in a panel of lines, besides the baseline
SHOWN = (-100.0, 60.0)  # per cent of tokens saved
COLORS = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]


def _color(table: xr.Dataset, name: str) -> tuple[float, float, float]:
    """Black for the baseline; of a ``page`` the same colour in the panel of a group and in the savings."""
    others = [c for c in table["condition"].values if c != table.attrs["baseline"]]
    return (0.0, 0.0, 0.0) if name == table.attrs["baseline"] else COLORS[others.index(name) % GROUP]


def losses(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Validation loss minus the baseline's, paired by seed: mean over the seeds and its standard error as a band."""
    ax = ax or plt.subplots()[1]
    loss = table["validation_loss"]
    difference = loss - loss.sel(condition=table.attrs["baseline"], drop=True)
    mean, error = difference.mean("seed"), difference.std("seed", ddof=1) / np.sqrt(table.sizes["seed"])
    for name in table["condition"].values:
        middle, half, color = mean.sel(condition=name), error.sel(condition=name), _color(table, name)
        ax.plot(table["tokens"], middle, color=color, label=name, linewidth=1.3)
        ax.fill_between(table["tokens"], middle - half, middle + half, color=color, alpha=0.15, linewidth=0)
    late = mean.isel(tokens=slice(table.sizes["tokens"] // 10, None)).values
    ax.set_ylim(1.2 * min(np.nanmin(late), -1e-3), 1.2 * max(np.nanmax(late), 1e-3))
    ax.set_xlabel("tokens")
    ax.set_ylabel("validation loss minus the baseline's\n(nat per character)")
    ax.legend(frameon=False, fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return _tidy(ax)


def loss_curves(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Validation loss against tokens, mean over the seeds; dotted: the targets, at the baseline's tokens."""
    ax = ax or plt.subplots()[1]
    mean = table["validation_loss"].mean("seed")
    for name in table["condition"].values:
        ax.plot(table["tokens"][1:], mean.sel(condition=name)[1:], color=_color(table, name), linewidth=0.8)
    for fraction, level in zip(table["target"].values, table["target_loss"].mean("seed").values):
        ax.axhline(level, color="0.6", linestyle=":", linewidth=1.0)
        ax.annotate(f"target {fraction:g}", (table["tokens"].values[1], level), fontsize="x-small", va="bottom")
    ax.set_xscale("log")
    ax.set_xlabel("tokens")
    ax.set_ylabel("validation loss (nat per character)")
    return _tidy(ax)


def savings_bars(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Tokens saved to each target: paired mean, 95 % interval of Student's t; dots are seeds, hollow where censored."""
    ax = ax or plt.subplots()[1]
    names = [name for name in table["condition"].values if name != table.attrs["baseline"]]
    fractions = table["target"].values
    ax.axvline(0.0, color="0.3", linewidth=1.0)
    for i, name in enumerate(names):
        for j, fraction in enumerate(fractions):
            part, y = table.sel(condition=name, target=fraction), -i - 0.7 * (j + 0.5) / len(fractions) + 0.35
            color, marker = _color(table, name), "os^D"[j % 4]
            low, high = part["token_saving_t"].transpose("bound").values
            ax.hlines(y, 100 * low, 100 * high, color=color, linewidth=2.0)
            ax.plot(100 * part["token_saving_mean"], y, marker, color=color, markersize=5)
            fill = np.where(part["censored"], "none", "0.6")
            ax.scatter(
                100 * part["token_saving"], np.full(part.sizes["seed"], y), s=9, c=fill, edgecolors="0.6", zorder=0
            )
    ax.set_yticks(-np.arange(len(names)), names)
    ax.set_ylim(0.6 - len(names), 0.6)
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, SHOWN[0]), min(high, SHOWN[1]))
    where = ", ".join(
        f"{shape} {f:g}" for shape, f in zip(("circles:", "squares:", "triangles:", "diamonds:"), fractions)
    )
    ax.set_xlabel(f"tokens saved (%) to the loss that the baseline has at a fraction of its tokens; {where}")
    return _tidy(ax)


def heads_entropy(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Entropy of the heads against tokens, median over heads and seeds and the middle half; shaded: the corridor."""
    ax = ax or plt.subplots()[1]
    low, high = (float(table[f"corridor_{end}"].mean()) for end in ("low", "high"))
    ax.axhspan(low, high, color="0.9", zorder=0)
    dims = ("seed", "layer", "head")
    for name in table["condition"].values:
        entropy, color = table["entropy"].sel(condition=name).dropna("head_tokens", how="all"), _color(table, name)
        first, middle, third = entropy.quantile([0.25, 0.5, 0.75], dims).values
        ax.plot(entropy["head_tokens"], middle, color=color, linewidth=1.3)
        ax.fill_between(entropy["head_tokens"], first, third, color=color, alpha=0.1, linewidth=0)
    ax.set_xlabel("tokens")
    ax.set_ylabel("entropy of the heads (nat)")
    return _tidy(ax)


def scan(table: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Final validation loss of the baseline against the learning rate: seeds, mean and standard error."""
    ax = ax or plt.subplots()[1]
    loss = table["scan_loss"]
    error = loss.std("scan_seed", ddof=1) / np.sqrt(loss.sizes["scan_seed"])
    ax.plot(table["scan_rate"], loss, ".", color="0.6")
    ax.errorbar(table["scan_rate"], loss.mean("scan_seed"), error, color="black", capsize=2)
    ax.set_xscale("log")
    rates = table["scan_rate"].values
    ax.set_xticks(rates, [f"{rate:.3g}" for rate in rates], rotation=45)
    ax.minorticks_off()
    ax.set_xlabel("learning rate")
    ax.set_ylabel("final validation loss of the baseline")
    return _tidy(ax)


def page(table: xr.Dataset) -> Figure:
    """All of them on one sheet; lines of the conditions in groups, each with the baseline."""
    baseline = table.attrs["baseline"]
    others = [name for name in table["condition"].values if name != baseline]
    groups = [others[i : i + GROUP] for i in range(0, len(others), GROUP)]
    heights = [3.2] * (1 + len(groups)) + [1.2 + 0.17 * len(others) * table.sizes["target"]]
    figure = Figure(figsize=(11.0, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    loss_curves(table, figure.add_subplot(grid[0, 0]))
    if "scan_loss" in table:
        scan(table, figure.add_subplot(grid[0, 1]))
    for row, names in enumerate(groups, 1):
        part = table.sel(condition=[baseline, *names])
        heads_entropy(part, figure.add_subplot(grid[row, 0]))
        losses(part, figure.add_subplot(grid[row, 1]))
    savings_bars(table, figure.add_subplot(grid[-1, :]))
    return figure


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
