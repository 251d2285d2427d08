"""Going on with a stored run from the store alone, and running a result again to see whether it comes out the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arguments import as_path
from ..dataset import describe
from ..driver import run_on_threads
from ..plan import Plan
from ..provenance import plan_of, settings_in
from ..segments import UnitRun
from .errors import StoreError
from .manifest import read_manifest
from .read import SIZES, open_run
from .sampling import manifest_of, run_in_store, stored_plan
from .sizes import folder_of_size

PIECE = 2**24  # bytes of a unit that wait to be compared
VERSIONS = ("ceas_physics_version", "numpy_version", "numba_version", "python_version")


def resume(path: str | Path, progress: bool = True, threads: int | None = None) -> Any:
    """Carry the run of a store to its end, as the call that began it would.

    Parameters
    ----------
    path
        The folder given as ``store=``.
    progress, threads
        As in `ising.sample`.

    Returns
    -------
    xarray.Dataset, or a list of them
        What that call returns.

    Raises
    ------
    ValueError
        A store of another function, or what was made by other versions.
    StoreError
        No store, damaged, being written, or the disk refuses.
    """
    manifest = read_manifest(as_path("path", path).absolute())
    if manifest.kind != SIZES:
        return run_in_store(stored_plan(path), path, progress, threads)
    folders = [folder_of_size(path, number) for number in range(len(manifest.settings["sizes"]))]
    for folder in folders:
        run_in_store(stored_plan(folder), folder, progress, threads).close()
    return open_run(path)


@dataclass(frozen=True)
class Rerun:
    """Whether a run came out the same.

    Attributes
    ----------
    equal
        Whether all numbers are equal, bit for bit.
    compared
        Names of the variables that were compared.
    different
        Name -> number of values that differ.
    versions
        Package -> (version then, version now), where they differ.
    """

    equal: bool
    compared: tuple[str, ...]
    different: dict[str, int]
    versions: dict[str, tuple[str, str]]


def rerun(source: str | Path | xr.Dataset, progress: bool = True, threads: int | None = None) -> Rerun:
    """Run again what a result of `sample` or `sample_sizes` says it was, and compare every number.

    What is measured is compared with what stands there and forgotten, so that a result of any size takes little memory.

    Parameters
    ----------
    source
        A result, its file, or a store.
    progress, threads
        As in `ising.sample`.

    Raises
    ------
    ValueError
        It does not say how it was made.
    StoreError
        A damaged store.

    Examples
    --------
    >>> import ising
    >>> data = ising.sample(ising.ferromagnet(ising.square(4)), 0.3, ising.Schedule(5, 10), progress=False)
    >>> ising.rerun(data, progress=False).equal
    True
    """
    if isinstance(source, xr.Dataset):
        return _compare(source, progress, threads)
    if as_path("source", source).is_dir():
        found = open_run(source)
        runs = found if isinstance(found, list) else [found]
        return _together([_compare(data, progress, threads) for data in runs])
    try:
        data = xr.open_dataset(source, engine="h5netcdf")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise StoreError(f"{source} {'does not exist' if missing else 'is not a NetCDF-4 file'}") from None
    with data:
        return _compare(data, progress, threads)


def _compare(data: xr.Dataset, progress: bool, threads: int | None) -> Rerun:
    if "L" in data.dims:
        sizes = [data.isel(L=number) for number in range(data.sizes["L"])]
        return _together([_compare(one, progress, threads) for one in sizes])
    settings, arrays = settings_in(data)
    plan = plan_of(settings, arrays, data.sizes.get("draw", 0))
    again = describe(plan)
    counts = {str(name): differences(data[name], again[name]) for name in again.data_vars if name in data}
    counts |= _Comparison(data, plan).run(progress, threads)
    different = {name: count for name, count in counts.items() if count}
    then_and_now = {key: (str(data.attrs.get(key)), str(again.attrs[key])) for key in VERSIONS}
    versions = {key.removesuffix("_version"): pair for key, pair in then_and_now.items() if pair[0] != pair[1]}
    return Rerun(not different, tuple(counts), different, versions)


class _Comparison:
    """A run that keeps nothing: what its units measure is compared with a result piece by piece."""

    def __init__(self, data: xr.Dataset, plan: Plan) -> None:
        self.data, self.plan, self.manifest = data, plan, manifest_of(plan)
        self.adding = threading.Lock()
        shapes = {name: self.manifest.shape(name, plan.schedule.draws) for name in self.manifest.variables}
        self.fitting = {name for name in shapes if name in data and data[name].shape == shapes[name]}
        self.counts = {
            name: 0 if name in self.fitting else max(data[name].size, prod(shape))
            for name, shape in shapes.items()
            if name in data
        }

    def run(self, progress: bool, threads: int | None) -> dict[str, int]:
        """Name -> number of values that differ."""
        units = range(len(self.plan.blocks))
        works = [self._work(unit) for unit in units]
        run_on_threads(works, len(units) * self.plan.schedule.sweeps, "sweep", progress, threads)
        return self.counts

    def _work(self, unit: int) -> Iterator[int]:
        run, start, draws = UnitRun(self.plan, self.plan.blocks[unit]), 0, self.plan.schedule.draws
        for n in run.steps():
            if run.size > PIECE or run.draws == draws:
                self._compare(unit, start, run.draws, run.take())
                start = run.draws
            yield n
        self._compare(unit, 0, 0, run.result())

    def _compare(self, unit: int, start: int, stop: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name in self.fitting & arrays.keys():
            then = self.data[name].variable[self.manifest.index(name, unit, start, stop)].values
            with self.adding:
                self.counts[name] += _unequal(then, arrays[name])


def differences(then: xr.DataArray, now: xr.DataArray) -> int:
    """How many values differ, read row by row; NaN equals NaN."""
    if then.shape != now.shape:
        return max(then.size, now.size)
    return sum(_unequal(then[r].values, now[r].values) for r in (range(len(then)) if then.ndim else [()]))


def _unequal(a: NDArray[Any], b: NDArray[Any]) -> int:
    return int(np.sum((a != b) & ((a == a) | (b == b))))


def _together(reruns: list[Rerun]) -> Rerun:
    different: dict[str, int] = {}
    for one in reruns:
        different |= {name: different.get(name, 0) + count for name, count in one.different.items()}
    compared = tuple(dict.fromkeys(name for one in reruns for name in one.compared))
    return Rerun(all(one.equal for one in reruns), compared, different, reruns[0].versions)
