"""`sample_sizes` with a store: a store for each size in one folder, read side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..plan import Plan
from .manifest import Manifest, read_manifest
from .read import SIZES, open_run
from .sampling import open_store, run_in_store
from .store import Store

if TYPE_CHECKING:
    import xarray as xr


def run_in_stores(
    plans: Mapping[Any, Plan], folder: str | Path, joined: bool, progress: bool, threads: int | None, client: Any = None
) -> Any:
    """All sizes one after the other, each in a store of its own; what `sample_sizes` returns.

    The stores of all sizes are made first, so that `resume` needs nothing but the folder.
    """
    labels = [label.item() if isinstance(label, np.generic) else label for label in plans]
    settings = {"sizes": labels, "joined": joined}
    with Store(folder, Manifest(SIZES, settings, 0, "draws", {}, {}, [], {}), b""):
        for number, plan in enumerate(plans.values()):
            open_store(plan, folder_of_size(folder, number)).close()
        for number, plan in enumerate(plans.values()):
            if client is None:
                run_in_store(plan, folder_of_size(folder, number), progress, threads).close()
            else:
                from ..cluster import run_on_cluster

                run_on_cluster(plan, client, progress, folder_of_size(folder, number)).close()
    return open_sizes(folder)


def folder_of_size(folder: str | Path, number: int) -> Path:
    """Where the store of one of the sizes is."""
    return Path(folder) / f"size-{number}"


def open_sizes(folder: str | Path) -> Any:
    """What `sample_sizes` returns, of a store that may still grow; raises as `open_run`."""
    from ..sizes import join

    settings = read_manifest(Path(folder).expanduser().absolute()).settings
    runs = [open_run(folder_of_size(folder, number)) for number in range(len(settings["sizes"]))]
    parts = {L: run.assign_coords(L=L) for L, run in zip(settings["sizes"], runs)}
    if not settings["joined"]:
        return list(parts.values())
    draws = min(run.sizes["draw"] for run in runs)
    parts = {L: part.isel(draw=slice(draws)) for L, part in parts.items()}
    grown = [name for name, variable in runs[0].data_vars.items() if "draw" in variable.dims]
    together = join({L: part.drop_vars(grown) for L, part in parts.items()})
    return together.assign({name: stack(list(parts.values()), str(name)) for name in grown})


def stack(parts: Sequence[xr.Dataset], name: str) -> xr.Variable:
    """A variable of several runs along a leading dimension L, read when used."""
    import xarray as xr

    variables = [part[name].variable for part in parts]
    array = indexing.LazilyIndexedArray(StackedArray(variables))
    return xr.Variable(("L", *variables[0].dims), array, dict(variables[0].attrs))


class StackedArray(BackendArray):
    """Variables of one shape behind each other."""

    def __init__(self, variables: Sequence[xr.Variable]) -> None:
        self.variables, self.dtype = variables, np.dtype(variables[0].dtype)
        self.shape = (len(variables), *variables[0].shape)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """The values asked for, as xarray wants it."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        first, rest = key[0], key[1:]
        if isinstance(first, slice):
            chosen = [self.variables[number][rest].values for number in range(len(self.variables))[first]]
            return np.stack(chosen) if chosen else np.empty((0, *self.variables[0][rest].shape), self.dtype)
        return np.asarray(self.variables[first][rest].values)
