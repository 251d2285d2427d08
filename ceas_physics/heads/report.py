"""The command `ceas heads`: a model's heads measured, put beside Ising systems on one axis, and written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import ising

from .. import corridor, figures, heads
from ..folders import Contents, new_folder
from ..lanes import height
from ..provenance import stamp
from . import scaling_report
from .scaling import SIZES as SCALING_SIZES
from .scaling import check_sizes

CONTENTS = Contents(r"(heads|scaling|laws)\.(nc|csv|png)|systems\.nc", "heads.nc", b"ceas-physics")
SIZES = (8, 16, 32)
GRID = np.array([-4.5, -3.3, -2.2, *np.linspace(-1.4, 1.1, 8), 1.8, 3.0, 4.6])  # (beta / beta_c - 1) L
STYLES = {
    ("trained", "all"): ("trained, all keys", "#2a6f97", 0.0),
    ("trained", "no sink"): ("trained, sink keys left out", "#e09f3e", 0.22),
    ("untrained", "all"): ("random weights", "0.55", -0.22),
}


def report(
    model: str | Path,
    out: Path,
    text: Path | None,
    progress: bool = False,
    scaling: list[int] | None = None,
    **options: Any,
) -> str:
    """Write ``heads.nc``, ``heads.csv``, ``systems.nc`` and ``heads.png`` to ``out``; returns the summary.

    ``scaling`` (the n, [] for the usual ones) adds those of `scaling_report.write`. Options as in
    `heads.measure`. ValueError as there, or if ``out`` holds other files.
    """
    sizes = check_sizes(scaling or SCALING_SIZES)
    with new_folder(out, CONTENTS) as folder:
        data = heads.measure(model, text, progress=progress, **options)
        systems = reference_systems(data.attrs["seed"], progress)
        stamp(data, data.attrs["seed"]).to_netcdf(folder / "heads.nc")
        stamp(systems, data.attrs["seed"]).to_netcdf(folder / "systems.nc")
        heads.flat_table(data).to_dataframe().to_csv(folder / "heads.csv")
        draw(data, systems).savefig(folder / "heads.png", dpi=130)
        tables = [heads.summary(data)]
        if scaling is not None:
            shared = {name: options[name] for name in ("control", "passages", "seed") if name in options}
            tables.append(scaling_report.write(model, folder, text, sizes, progress, **shared))
    return "\n".join(tables)


def reference_systems(seed: int = 0, progress: bool = False) -> xr.Dataset:
    """Square Ising systems, sampled, and random energy models as `corridor.compare` lists them."""
    models: dict[Any, ising.IsingModel] = {L: ising.ferromagnet(ising.square(L)) for L in SIZES}
    betas = {L: ising.exact.SQUARE_CRITICAL_BETA * (1.0 + GRID / L) for L in models}
    schedule = ising.Schedule(100, 400)
    data = ising.sample_sizes(models, betas, schedule, update="swendsen_wang", seed=seed, progress=progress)
    systems = corridor.spin_systems("square Ising", models, data, seed=seed, progress=progress)
    return corridor.compare(systems + corridor.rem_systems((16, 128), rows=512, seed=seed))


def draw(data: xr.Dataset, systems: xr.Dataset) -> Figure:
    """All heads of a model on the axis beta_0/beta_c, layer by layer, under Ising systems on beta/beta_c."""
    heights = (height(systems), 0.2 * data.sizes["layer"] + 1.2)
    figure = Figure(figsize=(8.5, sum(heights)), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=heights)
    figures.corridors(systems, above)
    above.set_xlabel("")
    heads_by_layer(data, below)
    low = min(above.get_xlim()[0], below.get_xlim()[0])
    high = max(above.get_xlim()[1], below.get_xlim()[1])
    for ax in (above, below):
        figures.ratio_axis(ax, "x", low, high)
    return figure


def heads_by_layer(data: xr.Dataset, ax: Axes) -> Axes:
    """Points beta_0/beta_c of all heads, one row a layer; the line is the layer's median half-maximum band of C."""
    part = data.sel(weights="trained", visible="all")
    layers = data["layer"].values
    low, high = ((part[f"beta_c_{end}"] / part.beta_c).median("head").values for end in ("low", "high"))
    ax.axvspan(*figures.NEAR_CRITICAL, color="0.93", zorder=0)
    ax.axvline(1.0, color="0.3", linewidth=1.0, zorder=1)
    shown = [0.5, 2.0]
    for (weights, visible), (label, color, shift) in STYLES.items():
        if weights not in data["weights"].values:
            continue
        ratio = data.beta_ratio.sel(weights=weights, visible=visible).values
        ax.scatter(ratio, np.broadcast_to(layers[:, None] + shift, ratio.shape), s=7, color=color, label=label)
        shown += ratio[ratio > 0].tolist()
    limits = max(0.8 * min(shown), 0.01), min(1.25 * max(shown), 20.0)
    ax.hlines(layers, np.clip(low, 0.01, 20.0), np.clip(high, 0.01, 20.0), color="0.6", linewidth=1.0, zorder=1,
              label="half-maximum band of C, median of the layer")  # fmt: skip
    figures.ratio_axis(ax, "x", *limits)
    ax.set_ylim(layers[-1] + 0.6, layers[0] - 0.6)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("layer")
    ax.set_xlabel(rf"$\beta/\beta_c$; heads at $\beta_0/\beta_c$, $\beta_0 = 1/\sqrt{{{data.attrs['d_k']}}}$")
    ax.set_title(data.attrs["model"], fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.5 / (0.2 * len(layers) + 0.2)), ncol=2,
              frameon=False, fontsize="small")  # fmt: skip
    return ax
