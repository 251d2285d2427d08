"""From the arrays of a run to an xarray.Dataset that says how it was made."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from .driver import Kept
from .engine import Unit, kernel_name
from .model import IsingModel
from .observables import PAIR_OBSERVABLES, SPINS, STATISTICS, VARIABLES, Arrays
from .plan import Plan
from .provenance import MODEL_DIMS, settings_of
from .schedule import Schedule

if TYPE_CHECKING:
    import xarray as xr


def make_dataset(plan: Plan, results: list[Arrays], kept: Kept, statistics: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    """Variables, coordinates and provenance of a run in memory."""
    data, variables = describe(plan), layout(plan)

    def add(name: str, arrays: Sequence[NDArray[Any]] | NDArray[Any]) -> None:
        dims, attrs = variables[name]
        data[name] = (dims, arrays[0] if plan.single else np.stack(list(arrays)), attrs)

    for name in plan.observables:
        add(name, [arrays[name] for arrays in results])
    if kept.some is not None:
        add("configurations", kept.some)
    if kept.last is not None:
        add("spins", kept.last)
    for name, values in statistics.items():
        add(name, values)
    return data


def layout(plan: Plan) -> dict[str, tuple[tuple[str, ...], dict[str, str]]]:
    """Dimensions and attributes of every variable that a run may have."""
    lead = () if plan.single else ("disorder",)
    variables: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {}
    for name in plan.observables:
        dims = (*lead, "beta", "pair" if name in PAIR_OBSERVABLES else "chain", "draw")
        variables[name] = dims, dict(zip(("long_name", "units", "formula"), VARIABLES[name]))
    for name, (dims, long_name) in SPINS.items():
        variables[name] = (*lead, *dims), {"long_name": long_name, "units": "1", "formula": "s_i"}
    for name, (dims, long_name) in STATISTICS.items():
        variables[name] = (*lead, *dims), {"long_name": long_name, "units": "1"}
    return variables


def describe(plan: Plan) -> xr.Dataset:
    """Coordinates, provenance, and what of the model no attribute can tell: a result without its results."""
    import xarray as xr

    lattice, first = plan.models[0].lattice, plan.models[0]
    momentum = lattice.momentum.magnitude if lattice.momentum else float("nan")
    coords: dict[str, Any] = {
        "beta": ("beta", plan.betas, {"long_name": "inverse temperature", "units": "1/J"}),
        "n_sites": lattice.n_sites,
        "momentum": ((), momentum, {"long_name": "2 sin(k_min / 2)", "units": "1/bond"}),
    }
    if plan.configurations:
        coords["configuration"] = np.arange(plan.configurations - 1, plan.schedule.draws, plan.configurations)
    attrs = _provenance(first, plan.schedule) | {
        "update": plan.update,
        "update_reason": plan.reason,
        "kernel": kernel_name(plan.kernel, plan.models, plan.betas),
        "exchange": int(plan.exchange),
        "isoenergetic": plan.isoenergetic,
        "seed": plan.seed,
        "initial": plan.initial if isinstance(plan.initial, str) else "array",
    }
    settings, arrays = settings_of(plan)
    del settings["configurations"]  # the coordinate tells
    variables = {name: (MODEL_DIMS[name][-np.ndim(array) :], array) for name, array in arrays.items()}
    return xr.Dataset(variables, coords, attrs | {"call": json.dumps(settings)})


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
