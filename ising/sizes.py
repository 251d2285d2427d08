"""`sample_sizes`: several sizes in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike

from .arguments import as_flag, refuse
from .checks import check_models
from .integers import as_integer
from .model import IsingModel
from .plan import choose, make_plan
from .provenance import MODEL_DIMS, provenance_of_sizes
from .sample import run_in_memory
from .schedule import Schedule

if TYPE_CHECKING:
    import xarray as xr

Models = Mapping[Any, IsingModel | Sequence[IsingModel]]


@overload
def sample_sizes(
    models: Models,
    beta: Mapping[Any, ArrayLike],
    schedule: Any = None,
    progress: bool = True,
    store: Any = None,
    **options: Any,
) -> list[xr.Dataset]: ...
@overload
def sample_sizes(
    models: Models,
    beta: ArrayLike,
    schedule: Schedule | None = None,
    progress: bool = True,
    store: Any = None,
    **options: Any,
) -> xr.Dataset: ...
@overload
def sample_sizes(
    models: Models,
    beta: ArrayLike,
    schedule: Mapping[Any, Schedule],
    progress: bool = True,
    store: Any = None,
    **options: Any,
) -> list[xr.Dataset]: ...
def sample_sizes(
    models: Models,
    beta: ArrayLike | Mapping[Any, ArrayLike],
    schedule: Schedule | Mapping[Any, Schedule] | None = None,
    progress: bool = True,
    store: str | Path | None = None,
    **options: Any,
) -> xr.Dataset | list[xr.Dataset]:
    """`sample` for several sizes.

    Parameters
    ----------
    models
        Size (a number, or a label for closed surfaces) -> model(s).
    beta, schedule
        One for all, or a dict by size.
    store
        A folder, in which every size has a store of its own; else as in `sample`.
    progress, **options
        As in `sample`.

    Returns
    -------
    xarray.Dataset or list of xarray.Dataset
        A leading dimension `L` with coordinates `n_sites(L)` and `momentum(L)`; a list of Datasets with the scalar
        coordinate `L` if beta or schedule is a dict. Final spins are kept in the list only: their
        number differs by size.
    """
    if not isinstance(models, Mapping) or not models:
        refuse("models", "a dict that names at least one size", models)
    as_flag("progress", progress)
    by_size = isinstance(beta, Mapping) or isinstance(schedule, Mapping)
    for name, given in (("beta", beta), ("schedule", schedule)):
        if isinstance(given, Mapping) and (missing := [L for L in models if L not in given]):
            raise ValueError(f"{name} has no entry for size {missing[0]!r}; give one for every key of models")
    if options.get("chains") is None:
        options["chains"] = min(_default_chains_of(model, options) for model in models.values())

    threads, client = options.pop("threads", None), options.pop("client", None)
    plans = {}
    for L, model in models.items():
        b = beta[L] if isinstance(beta, Mapping) else beta
        s = schedule[L] if isinstance(schedule, Mapping) else schedule
        plans[L] = make_plan(model, b, s, **options)
    if store is not None:
        from .store.sizes import run_in_stores

        return run_in_stores(plans, store, not by_size, progress, threads, client)
    if client is not None:
        from .cluster import run_on_cluster

        parts = {L: run_on_cluster(plan, client, progress).assign_coords(L=L) for L, plan in plans.items()}
    else:
        parts = {L: run_in_memory(plan, progress, threads).assign_coords(L=L) for L, plan in plans.items()}
    return list(parts.values()) if by_size else join(parts)


def join(parts: Mapping[Any, xr.Dataset]) -> xr.Dataset:
    """Results of several sizes along a leading dimension L, less what differs in shape."""
    import xarray as xr

    single = ["spins", "configurations", "configuration", *MODEL_DIMS]
    together = xr.concat(
        [part.drop_vars(single, errors="ignore") for part in parts.values()],
        dim="L", coords="different", compat="equals", join="exact", combine_attrs="drop_conflicts",
    )  # fmt: skip
    variables, call = provenance_of_sizes(parts)
    lattices = ", ".join(part.attrs["lattice"] for part in parts.values())
    return together.assign(variables).assign_attrs(lattice=lattices, call=call)


def _default_chains_of(model: IsingModel | Sequence[IsingModel], options: Mapping[str, Any]) -> int:
    models = list(model) if isinstance(model, Sequence) else [model]
    check_models(models)
    names = {"update": "auto", "exchange": False, "isoenergetic": 0, "lanes": "chains"}
    update, exchange, isoenergetic, lanes = (options.get(name, default) for name, default in names.items())
    exchange, isoenergetic = as_flag("exchange", exchange), as_integer("isoenergetic", isoenergetic, 0)
    return choose(models, update, None, bool(exchange), isoenergetic, lanes)[3]
