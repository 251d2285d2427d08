"""The call of `anneal` as plain JSON and arrays, and back: what its result and its store hold to be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ising import IsingModel
from ising.provenance import ARRAY, MODEL_DIMS, digest, models_of, settings_of_models

from ..plain import made
from ..thermostat import Freezing, Gating, Guard, Thermostat
from .devices import DEVICES
from .energy_model import EnergyModel
from .realism import Realism
from .schedules import SCHEDULES

if TYPE_CHECKING:
    import xarray as xr

KIND = "anneal"
DIMS = MODEL_DIMS | {"schedule_points": ("schedule_point",)}
OPEN = 2**47  # length of a run that only time or its target ends
Settings = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


def describe(model: IsingModel, schedule: Any, parts: Mapping[str, Any]) -> tuple[Settings, Arrays]:
    """All that decides the numbers but `total_sweeps`: JSON values, and arrays named in `DIMS`.

    Parameters
    ----------
    model
        The model.
    schedule
        A schedule, an array or a function, from which only its name is kept.
    parts
        The other arguments of `anneal`; devices and the like are taken apart.
    """
    settings, arrays = settings_of_models([model], True)
    if isinstance(schedule, np.ndarray):
        arrays["schedule_points"] = schedule
        schedule = ARRAY
    elif not is_dataclass(schedule):
        schedule = {"function": getattr(schedule, "__qualname__", None) or repr(schedule)}
    settings |= {"schedule": schedule, **parts}
    settings = {name: _plain(value) for name, value in settings.items()}
    settings["ceas_physics_version"] = version("ceas-physics")
    return settings | {f"{name}_sha256": digest(array) for name, array in arrays.items()}, arrays


def variables(arrays: Arrays) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    """The arrays as variables of a Dataset."""
    return {name: (DIMS[name][-array.ndim :], array) for name, array in arrays.items()}


def arguments(settings: Mapping[str, Any], data: xr.Dataset) -> dict[str, Any]:
    """Arguments of `anneal` but for `total_sweeps`.

    Parameters
    ----------
    settings
        Of a store, or the attribute `call` of a result.
    data
        That holds the arrays.

    Raises
    ------
    ValueError
        Arrays that are not those of the run, or a schedule that was a function.
    """
    arrays = {name: data[name].to_numpy() for name in DIMS if name in data}
    (model,) = models_of(settings, arrays)
    schedule = settings["schedule"]
    if schedule == ARRAY:
        schedule = arrays["schedule_points"]
    else:
        refuse_function(settings, "this run cannot be run again")
        schedule = _made(SCHEDULES.values(), schedule)
    kept = ("replicas", "seed", "time_limit", "target_energy", "sweeps")
    return {name: settings[name] for name in kept} | {
        "model": model,
        "device": _made(DEVICES.values(), settings["device"]),
        "schedule": schedule,
        "realism": _made([Realism], settings["realism"]),
        "energy_model": _made([EnergyModel], settings["energy_model"]),
    }


def refuse_function(settings: Mapping[str, Any], what: str) -> None:
    """ValueError for a schedule that was a function."""
    schedule = settings["schedule"]
    if isinstance(schedule, dict) and "function" in schedule:
        raise ValueError(
            f"{what}: its schedule is the function {schedule['function']}, of which a file cannot keep what it does; "
            "give an array of its values, such as [f(x) for x in numpy.linspace(0, 1, 1001)]"
        )


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {"kind": type(value).__name__} | {name: _plain(part) for name, part in asdict(value).items()}  # type: ignore[arg-type]
    return value.item() if isinstance(value, np.generic) else value


def _made(kinds: Any, values: Mapping[str, Any]) -> Any:
    values = dict(values)
    kind = {kind.__name__: kind for kind in kinds}[values.pop("kind")]
    if "thermostat" in values:
        parts = {"gating": Gating, "freezing": Freezing, "guard": Guard}
        values["thermostat"] = made(Thermostat, values["thermostat"], parts)
    return made(kind, values)
