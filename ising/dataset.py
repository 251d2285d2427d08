"""From the arrays of a run to an xarray.Dataset that says how it was made."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numba
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .driver import Kept
from .engine import PAIR_OBSERVABLES, Arrays
from .model import IsingModel
from .schedule import Schedule

VARIABLES = {
    "energy": ("energy per site", "J", "H / n_sites"),
    "magnetization": ("magnetization per site, signed", "1", "sum_i s_i / n_sites"),
    "structure_factor": (
        "structure factor at the smallest momentum, mean over axes",
        "1",
        "|sum_j s_j exp(i k_min x_j)|^2 / n_sites",
    ),
    "overlap": ("overlap of chains (2k, 2k + 1)", "1", "sum_i s_i^a s_i^b / n_sites"),
    "link_overlap": ("link overlap of chains (2k, 2k + 1)", "1", "sum_<ij> s_i^a s_j^a s_i^b s_j^b / n_bonds"),
    "overlap_k": ("overlap structure factor at k_min", "1", "|sum_j s_j^a s_j^b exp(i k_min x_j)|^2 / n_sites"),
}


def make_dataset(
    models: Sequence[IsingModel],
    betas: NDArray[np.float64],
    results: list[Arrays],
    kept: Kept,
    schedule: Schedule,
    attrs: dict[str, Any],
    squeeze: bool,
) -> xr.Dataset:
    """Variables, coordinates and provenance of a run; `squeeze` drops the disorder dimension."""
    lead = () if squeeze else ("disorder",)

    def stack(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return arrays[0] if squeeze else np.stack(arrays)

    data = xr.Dataset(coords={"beta": ("beta", betas, {"long_name": "inverse temperature", "units": "1/J"})})
    for name in results[0]:
        dims = (*lead, "beta", "pair" if name in PAIR_OBSERVABLES else "chain", "draw")
        long_name, units, formula = VARIABLES[name]
        info = {"long_name": long_name, "units": units, "formula": formula}
        data[name] = (dims, stack([arrays[name] for arrays in results]), info)
    if kept.some is not None:
        dims = (*lead, "beta", "chain", "configuration", "site")
        data["configurations"] = (dims, stack(list(kept.some)), {"long_name": "spins of every k-th draw", "units": "1"})
        data = data.assign_coords(configuration=kept.draws)
    if kept.last is not None:
        dims = (*lead, "beta", "chain", "site")
        data["spins"] = (dims, stack(list(kept.last)), {"long_name": "final spins", "units": "1"})
    lattice, first = models[0].lattice, models[0]
    momentum = lattice.momentum.magnitude if lattice.momentum else float("nan")
    data = data.assign_coords(n_sites=lattice.n_sites, momentum=momentum)
    data.momentum.attrs = {"long_name": "2 sin(k_min / 2)", "units": "1/bond"}
    return data.assign_attrs(_provenance(first, schedule), **attrs)


def _provenance(model: IsingModel, schedule: Schedule) -> dict[str, Any]:
    lattice = model.lattice
    facts = {f"lattice_{key}": value for key, value in lattice.attrs.items()}
    return {
        "model": model.name,
        "lattice": lattice.name,
        "dimension": "unknown" if lattice.dimension is None else lattice.dimension,
        **facts,
        **{f"model_{key}": value for key, value in model.attrs.items()},
        "warmup": schedule.warmup,
        "draws": schedule.draws,
        "thin": schedule.thin,
        "ceas_physics_version": version("ceas-physics"),
        "numpy_version": np.__version__,
        "numba_version": numba.__version__,
        "python_version": platform.python_version(),
    }
