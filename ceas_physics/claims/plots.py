"""The picture of a claim: its curve with errors, and where the claim points."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes


def curve(entry: xr.Dataset, ax: Axes) -> Axes:
    """Draw the curve of one entry of a ledger; logarithmic where x spans more than a factor of 30."""
    x, y, error = (entry[name].values for name in ("curve_x", "curve_y", "curve_error"))
    there = np.isfinite(x)
    ax.errorbar(x[there], y[there], error[there], fmt="o-", color="#2a6f97", markersize=3.5, linewidth=1.2, capsize=2)
    low, high = x[there].min(), x[there].max()
    if low > 0 and high > 30.0 * low:
        ax.set_xscale("log")
    if np.isfinite(entry.curve_mark):
        ax.axvline(float(entry.curve_mark), color="0.4", linestyle="--", linewidth=1.0)
    labels = entry.curve_labels.item().split(" | ")
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.spines[["top", "right"]].set_visible(False)
    return ax
