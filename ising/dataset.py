"""From the arrays of a run to an xarray.Dataset that says how it was made."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from .driver import Kept
from .engine import Unit
from .model import IsingModel
from .observables import PAIR_OBSERVABLES, STATISTICS, VARIABLES, Arrays
from .schedule import Schedule

if TYPE_CHECKING:
    import xarray as xr


def make_dataset(
    models: Sequence[IsingModel],
    betas: NDArray[np.float64],
    results: list[Arrays],
    kept: Kept,
    statistics: dict[str, NDArray[Any]],
    schedule: Schedule,
    attrs: dict[str, Any],
    squeeze: bool,
) -> xr.Dataset:
    """Variables, coordinates and provenance of a run; `squeeze` drops the disorder dimension."""
    import xarray as xr

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
        data["configurations"] = (
            dims,
            stack(list(kept.some)),
            {"long_name": "spins of every k-th draw", "units": "1", "formula": "s_i"},
        )
        data = data.assign_coords(configuration=kept.draws)
    if kept.last is not None:
        dims = (*lead, "beta", "chain", "site")
        data["spins"] = (dims, stack(list(kept.last)), {"long_name": "final spins", "units": "1", "formula": "s_i"})
    for name, values in statistics.items():
        dims = (*lead, "beta_pair", "chain") if name == "swap_acceptance" else (*lead, "chain")
        data[name] = (dims, values[0] if squeeze else values, {"long_name": STATISTICS[name], "units": "1"})
    lattice, first = models[0].lattice, models[0]
    momentum = lattice.momentum.magnitude if lattice.momentum else float("nan")
    data = data.assign_coords(n_sites=lattice.n_sites, momentum=momentum)
    data.momentum.attrs = {"long_name": "2 sin(k_min / 2)", "units": "1/bond"}
    return data.assign_attrs(_provenance(first, schedule), **attrs)


def collect_statistics(
    units: list[tuple[int | slice, Unit]], disorder: int, n_beta: int, chains: int
) -> dict[str, NDArray[Any]]:
    """Swap acceptance (disorder, beta_pair, chain) and round trips (disorder, chain) of all units."""
    swaps, trips = np.zeros((disorder, n_beta - 1, chains)), np.zeros((disorder, chains), np.int64)
    for index, unit in units:
        for name, (first, values) in unit.statistics().items():
            out = swaps if name == "swap_acceptance" else trips
            real = values[: disorder - index.start] if isinstance(index, slice) else values
            out[index, ..., first : first + values.shape[-1]] = real
    return {"swap_acceptance": swaps, "round_trips": trips}


def _provenance(model: IsingModel, schedule: Schedule) -> dict[str, Any]:
    lattice = model.lattice
    facts = {  # files know no booleans
        f"lattice_{key}": int(value) if isinstance(value, bool) else value for key, value in lattice.attrs.items()
    }
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
