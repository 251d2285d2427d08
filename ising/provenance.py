"""A run as plain JSON and arrays, and back: what a file or a store must hold to be reproduced from itself alone.

Lattices are kept by the name and the arguments of their maker, seeded couplings by their seed and a SHA-256 sum; what
has neither is kept as an array.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arguments import refuse
from .lattice import Lattice, from_bonds
from .model import IsingModel, realisation, sherrington_kirkpatrick
from .plan import Plan, make_plan
from .schedule import Schedule

if TYPE_CHECKING:
    import xarray as xr

Settings = dict[str, Any]
MODEL_DIMS = {  # leading dimensions may be missing
    "bonds": ("bond", "bond_end"),
    "couplings": ("disorder", "bond"),
    "fields": ("disorder", "site"),
    "initial_spins": ("beta", "chain", "site"),
}
MAKERS = ("chain", "square", "cubic", "hypercubic", "triangular", "honeycomb", "complete", "random_regular",
          "hyperbolic", "closed_hyperbolic")  # fmt: skip
ARRAY = "array"  # stands where the arrays have it


def settings_of(plan: Plan) -> tuple[Settings, dict[str, NDArray[Any]]]:
    """All that decides the numbers of a run but the number of draws: JSON values, and arrays named in `MODEL_DIMS`."""
    settings, arrays = settings_of_models(plan.models, plan.single)
    if not isinstance(plan.initial, str):
        arrays["initial_spins"] = _without_repeats(plan.initial)
    settings |= {
        "beta": plan.betas.tolist(),
        "warmup": plan.schedule.warmup,
        "thin": plan.schedule.thin,
        "update": plan.asked,
        "chains": plan.chains,
        "seed": plan.seed,
        "exchange": plan.exchange,
        "observables": plan.observables,
        "configurations": plan.configurations,
        "initial": plan.initial if isinstance(plan.initial, str) else ARRAY,
        "isoenergetic": plan.isoenergetic,
        "lanes": plan.lanes,
        "ceas_physics_version": version("ceas-physics"),
    }
    return settings | {f"{name}_sha256": digest(array) for name, array in arrays.items()}, arrays


def settings_of_models(models: Sequence[IsingModel], single: bool) -> tuple[Settings, dict[str, NDArray[Any]]]:
    """The models alone, without the sums of their arrays; `models_of` makes them again."""
    lattice = models[0].lattice
    arrays: dict[str, NDArray[Any]] = {}
    described: Settings = {"n_sites": lattice.n_sites, "name": lattice.name, "dimension": lattice.dimension}
    if lattice.recipe is None:
        arrays["bonds"] = np.asarray(lattice.bonds)
    else:
        described = {"maker": lattice.recipe[0], "arguments": dict(lattice.recipe[1])}
    couplings = _drawn(models)
    if couplings is None:
        couplings = _values([model.couplings for model in models], "couplings", single, arrays)
    return {
        "lattice": described,
        "single": single,
        "couplings": couplings,
        "fields": _values([model.fields for model in models], "fields", single, arrays),
        "names": _shared([model.name for model in models]),
        "facts": _shared([json.loads(json.dumps(model.attrs, default=_plain)) for model in models]),
    }, arrays


def plan_of(settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], draws: int) -> Plan:
    """The plan whose `settings_of` these are.

    Raises
    ------
    ValueError
        Arrays or seeded couplings that are not those of the run.
    """
    models = models_of(settings, arrays)
    return make_plan(
        models[0] if settings["single"] else models,
        settings["beta"],
        Schedule(settings["warmup"], draws, settings["thin"]),
        settings["update"],
        settings["chains"],
        settings["seed"],
        settings["exchange"],
        settings["observables"],
        settings["configurations"],
        arrays["initial_spins"] if settings["initial"] == ARRAY else settings["initial"],
        settings["isoenergetic"],
        settings["lanes"],
    )


def model_from(data: xr.Dataset) -> IsingModel | list[IsingModel]:
    """The model, or the realisations, that a result of `sample` was made with, from the result alone.

    Raises
    ------
    ValueError
        A Dataset that does not say how it was made, or whose variables are not those of the run.

    Examples
    --------
    >>> import ising
    >>> model = ising.from_matrix([[0, 2], [2, 0]], [0.5, 0])
    >>> data = ising.sample(model, 0.3, ising.Schedule(0, 1), progress=False)
    >>> ising.model_from(data).fields.tolist()
    [0.5, 0.0]
    """
    settings, arrays = settings_in(data)
    plan = plan_of(settings, arrays, int(data.attrs["draws"]))
    return plan.models[0] if plan.single else list(plan.models)


def settings_in(data: xr.Dataset) -> tuple[Settings, dict[str, NDArray[Any]]]:
    """The settings and arrays that a Dataset carries; ValueError if it has none."""
    if not isinstance(getattr(data, "attrs", None), Mapping):
        refuse("data", "a Dataset from ising.sample", data)
    try:
        settings = json.loads(data.attrs["call"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("the data do not say how they were made: there is no attribute `call`, "
                         "which results of ising.sample have from version 0.3 on") from None  # fmt: skip
    suffix = ""
    if "sizes" in settings:
        if data.get("L", data.beta).ndim:
            raise ValueError(f"the file holds the sizes {', '.join(settings['sizes'])}; take one, with data.sel(L=...)")
        suffix = f"_{data.L.item()}"
        settings = settings["sizes"][suffix[1:]]
    kept = data.coords.get("configuration", np.empty(0))
    settings["configurations"] = int(kept[0]) + 1 if kept.size else 0
    return settings, {name: data[name + suffix].values for name in MODEL_DIMS if name + suffix in data}


def provenance_of_sizes(parts: Mapping[Any, xr.Dataset]) -> tuple[dict[str, Any], str]:
    """The `MODEL_DIMS` variables of results of several sizes, the size in their names, and the joint `call`."""
    variables = {}
    for L, part in parts.items():
        for name in MODEL_DIMS:
            if name in part:
                dims = [dim if dim in ("disorder", "beta", "chain") else f"{dim}_{L}" for dim in part[name].dims]
                variables[f"{name}_{L}"] = (dims, part[name].values)
    return variables, json.dumps({"sizes": {str(L): json.loads(part.attrs["call"]) for L, part in parts.items()}})


def digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array: dtype, shape and bytes."""
    head = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def models_of(settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> list[IsingModel]:
    """The models of a run; ValueError for arrays or seeded couplings that are not those of the run."""
    for key, wanted in settings.items():
        name = key.removesuffix("_sha256")
        if key != name and (name not in arrays or digest(arrays[name]) != wanted):
            raise ValueError(f"the variable {name} is not what the run was made with: its SHA-256 sum differs")
    lattice, couplings = _lattice(settings["lattice"], arrays), settings["couplings"]
    if isinstance(couplings, dict):
        return _draw_again(couplings, lattice)
    single = settings["single"]
    J, h = (
        [arrays[name]] if settings[name] == ARRAY and single else arrays[name] if settings[name] == ARRAY else
        [settings[name]] if single else settings[name]
        for name in ("couplings", "fields")
    )  # fmt: skip
    count = len(J)
    names, facts = (_spread(settings[name], count) for name in ("names", "facts"))
    return [IsingModel(lattice, *one) for one in zip(J, h, names, facts, strict=True)]


def _lattice(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Lattice:
    if "maker" not in described:
        bonds, dimension = arrays["bonds"], described["dimension"]
        return from_bonds(described["n_sites"], bonds, described["name"], dimension)
    if described["maker"] not in MAKERS:
        raise ValueError(f"lattices are made by one of {', '.join(MAKERS)}, got {described['maker']!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a small radius: said when the lattice was first made
        lattice: Lattice = getattr(import_module("ising"), described["maker"])(**described["arguments"])
    return lattice


def _drawn(models: Sequence[IsingModel]) -> Settings | None:
    """How the couplings were drawn from a seed, if they were, with their sum; None for all others."""
    first, name = models[0].attrs, models[0].name
    if name not in ("edwards_anderson", "sherrington_kirkpatrick") or any(model.has_field for model in models):
        return None
    keys = {"coupling_seed", "distribution", "realisation"} if name == "edwards_anderson" else {"coupling_seed"}
    common = keys - {"realisation"}
    if any(m.name != name or set(m.attrs) != keys or any(m.attrs[k] != first[k] for k in common) for m in models):
        return None
    numbers = [int(model.attrs.get("realisation", 0)) for model in models]
    run = numbers == list(range(len(models)))
    return {
        "drawn": name,
        "seed": int(first["coupling_seed"]),
        "distribution": first.get("distribution", "gaussian"),
        "realisations": len(models) if run else numbers,
        "sha256": _digest_of_couplings(models),
    }


def _draw_again(drawn: Mapping[str, Any], lattice: Lattice) -> list[IsingModel]:
    numbers = drawn["realisations"]
    numbers = range(numbers) if isinstance(numbers, int) else numbers
    if drawn["drawn"] == "edwards_anderson":
        models = [realisation(lattice, drawn["seed"], drawn["distribution"], index) for index in numbers]
    else:
        models = [sherrington_kirkpatrick(lattice.n_sites, drawn["seed"])]
    if _digest_of_couplings(models) != drawn["sha256"]:
        raise ValueError(f"the couplings drawn from seed {drawn['seed']} are not those of the run: other versions?")
    return models


def _digest_of_couplings(models: Sequence[IsingModel]) -> str:
    total = hashlib.sha256()
    for model in models:
        total.update(np.ascontiguousarray(model.couplings).tobytes())
    return total.hexdigest()


def _values(values: Sequence[Any], name: str, single: bool, arrays: dict[str, NDArray[Any]]) -> Any:
    """Numbers as they are; if any model has an array, all of them in `arrays`, the smallest dtype that is exact."""
    if not any(isinstance(value, np.ndarray) for value in values):
        return values[0] if single else list(values)
    together = np.stack(np.broadcast_arrays(*values)) if len(values) > 1 else np.asarray(values)
    small = together.astype(np.int8) if np.abs(together).max(initial=0) <= 127 else together
    exact = small if np.array_equal(small, together) else together
    arrays[name] = exact[0] if single else exact
    return ARRAY


def _without_repeats(spins: NDArray[np.int8]) -> NDArray[np.int8]:
    """Spins broadcast to (beta, chain, site), without leading axes that only repeat."""
    while spins.ndim > 1 and spins.strides[0] == 0:
        spins = spins[0]
    return np.ascontiguousarray(spins)


def _shared(values: list[Any]) -> list[Any]:
    return values[:1] if all(value == values[0] for value in values) else values


def _spread(values: list[Any], count: int) -> list[Any]:
    return values * count if len(values) == 1 else values


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else str(value)
