"""Pictures of anneals and of the benchmark; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

from math import log

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from analysis.arguments import as_table
from analysis.disk import animate_disk
from analysis.drawing import check_axes, picture
from ising import Lattice
from ising.arguments import as_kind, as_number, refuse

from .. import arguments as rules

ENTROPY_COLOR = "#2a6f97"
CORRIDOR_COLOR = "#e09f3e"
ENERGY_COLOR = "#9e2a2b"
MARKERS = "osD^vPX*<>hdp8"


@picture(result="anneal")
def entropy_corridor(result: xr.Dataset, width: float = 0.05, ax: Axes | None = None) -> Axes:
    """Conditional entropy per spin against time, mean and extremes of the replicas.

    With a thermostat the corridor, target +- width ln 2, is drawn in.

    Parameters
    ----------
    result
        Of `anneal`, with one word of replicas.
    width
        `Corridor.width`.
    ax
        Axes; a new figure's by default.
    """
    width = as_number("width", width, least=0)
    ax = ax or plt.subplots(figsize=(5.6, 3.4))[1]
    time = result["time"].values
    if "entropy_target" in result:
        target = result["entropy_target"].values
        low, high = np.maximum(target - width * log(2), 0.0), target + width * log(2)
        ax.fill_between(time, low, high, color=CORRIDOR_COLOR, alpha=0.3, linewidth=0, label="corridor")
        ax.plot(time, target, color=CORRIDOR_COLOR, linewidth=1.2, linestyle="--", label="target")
    _band(ax, result["entropy"], ENTROPY_COLOR, "entropy")
    ax.axhline(log(2), color="0.6", linewidth=0.8)
    ax.annotate("ln 2", (0.99, log(2)), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="0.4")
    ax.set(xlabel=_time(result), ylabel="entropy per spin  [nats]", ylim=(0.0, 0.8))
    ax.legend(frameon=False, fontsize="small", loc="center right")
    return _tidy(ax)


@picture(result="anneal")
def energy_trace(result: xr.Dataset, ground_energy: float | None = None, ax: Axes | None = None) -> Axes:
    """Energy per spin against time, mean and extremes of the replicas, and the lowest energy if it is known."""
    if ground_energy is not None:
        ground_energy = as_number("ground_energy", ground_energy)
    ax = ax or plt.subplots(figsize=(5.6, 3.4))[1]
    n_sites = result.attrs["n_sites"]
    _band(ax, result["energy"] / n_sites, ENERGY_COLOR, "energy")
    if ground_energy is not None:
        ax.axhline(ground_energy / n_sites, color="0.2", linewidth=0.9, linestyle=":", label="ground state")
    ax.set(xlabel=_time(result), ylabel="energy per spin  [J]")
    ax.legend(frameon=False, fontsize="small")
    return _tidy(ax)


def time_to_solution(data: xr.Dataset, family: str, ax: Axes | None = None) -> Axes:
    """TTS99 against the number of spins, a line for every solver.

    Open triangles are lower bounds without a hit; an arrow up says that the interval has no upper end.

    Parameters
    ----------
    data
        Of `ceas_physics.npu.bench_report.measure`.
    family
        Which instances.
    ax
        Axes; a new figure's by default.
    """
    check_axes(ax)
    as_table("data", data, "bench_report.measure", ("probability", "tts", "tts_low", "tts_high", "n_sites"))
    if not {"solver", "instance"} <= set(data.dims) or data["n_sites"].dims != ("instance",) or data["tts"].size == 0:
        raise ValueError(f"data must have the dimensions solver and instance, got {dict(data.sizes)}")
    if not isinstance(family, str) or family not in data["family"].values:
        refuse("family", f"one of {', '.join(map(str, np.unique(data['family'].values)))}", family)
    ax = ax or plt.subplots(figsize=(6.4, 4.0))[1]
    part = data.isel(instance=np.flatnonzero(data["family"].values == family)).sortby("n_sites")
    sizes = part["n_sites"].values
    colors = mpl.colormaps["tab20"](np.linspace(0, 1, 20))
    for k, solver in enumerate(part["solver"].values):
        row = part.sel(solver=solver)
        if np.isnan(row["probability"].values).all():
            continue
        hit = (row["probability"] > 0.0).values
        missed = (row["probability"] == 0.0).values
        tts, low, high = (row[name].values for name in ("tts", "tts_low", "tts_high"))
        endless = np.isinf(high[hit])
        error = np.maximum([tts[hit] - low[hit], np.where(endless, tts[hit], high[hit] - tts[hit])], 0.0)
        style = {"color": colors[(2 * k) % 20 + (2 * k) // 20], "markersize": 5.0, "linewidth": 1.2}
        ax.errorbar(sizes[hit], tts[hit], error, lolims=endless, marker=MARKERS[k % len(MARKERS)], capsize=2,
                    label=str(solver), **style)  # fmt: skip
        ax.plot(sizes[missed], low[missed], "^", markerfacecolor="white", **(style | {"linewidth": 0.0}))
    ax.set(xscale="log", yscale="log", xlabel="number of spins", ylabel="TTS99  [s, one core]", title=family)
    shown = np.unique(sizes)
    ax.set_xticks(shown, [str(size) for size in shown])
    ax.set_xlim(shown[0] / 1.25, shown[-1] * 1.25)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _tidy(ax)


def disk_film(lattice: Lattice, frames: NDArray[np.int8], ax: Axes | None = None, interval: int = 80) -> FuncAnimation:
    """Spins of one machine on the Poincare disk during an anneal, with their domain walls.

    Parameters
    ----------
    lattice
        `ising.hyperbolic(p, q, ...)`.
    frames
        (n_frames, n_sites) +-1, of `ceas_physics.npu.film.film`.
    ax
        Axes; a new figure's by default.
    interval
        Milliseconds a frame.

    Raises
    ------
    ValueError
        A lattice without coordinates, or frames that do not fit.
    """
    check_axes(ax)
    coordinates = as_kind("lattice", lattice, Lattice, "ising.hyperbolic(5, 4, 3)").coordinates
    if coordinates is None:
        raise ValueError(f"{lattice.name} has no coordinates in the disk; take ising.hyperbolic(p, q, layers)")
    frames = rules.array("frames", frames)
    if np.ndim(frames) != 2 or np.shape(frames)[1] != lattice.n_sites:
        raise ValueError(f"frames must be (n_frames, {lattice.n_sites}), got shape {np.shape(frames)}")
    return animate_disk(coordinates, frames, lattice.bonds, ax, interval=interval, walls=True)


def _band(ax: Axes, values: xr.DataArray, color: str, name: str) -> None:
    time = values["time"].values
    low, high = values.min("replica").values, values.max("replica").values
    ax.fill_between(time, low, high, color=color, alpha=0.25, linewidth=0, label="all replicas")
    ax.plot(time, values.mean("replica").values, color=color, linewidth=1.4, label=f"mean {name}")


def _time(result: xr.Dataset) -> str:
    return f"time  [{result['time'].attrs['units']}]"


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
