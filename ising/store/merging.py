"""From parts to one NetCDF-4 file, piece by piece: never more than a part in memory."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .disk import SUFFIX, check_file, damaged, entry_of_file, flush_folder, read_checked, remove
from .errors import StoreError, writing
from .filling import Filling
from .journal import Journal
from .manifest import NAME as MANIFEST
from .manifest import Manifest
from .parts import read_part
from .store import RESULT, Store

CHUNK = 8192  # steps
CACHE = 32 * 2**20  # bytes a variable: the chunks that parts of some units of 64 chains touch
SLAB = 16 * 2**20  # bytes copied at once from an earlier merged file
LARGEST_STILL = 2**28  # entries of what does not grow
Piece = tuple[str, tuple[slice, ...], NDArray[Any]]


def merge(store: Store) -> Path:
    """Write the file that replaces the parts of a run all of whose units are finished, and record it.

    Raises
    ------
    StoreError
        The disk refuses, or a part is damaged; parts stay as they are.
    """

    def write(file: Filling) -> None:
        _start(store, file)
        file.check()
        _fill(store, file)

    length = store.manifest.length
    if store.journal.merged and store.journal.merged_length == length:
        return merged_file(store.folder, store.journal)
    return put_in_place(store, length, write)


def put_in_place(store: Store, length: int, write: Callable[[Filling], None]) -> Path:
    """The file of a result of so many steps, whole or not at all; it replaces the parts."""
    path = store.folder / f"run-{length}.nc"
    part = path.with_name(path.name + SUFFIX)
    try:
        with writing(path):
            with Filling(part) as file, _own_locks():
                write(file)
                file.finish()
            entry = entry_of_file(part) | {"file": path.name}
            os.replace(part, path)
            flush_folder(store.folder)
    except BaseException:
        remove(part)
        raise
    store.replace_parts(entry, length)
    return path


@contextmanager
def _own_locks() -> Iterator[None]:
    """While a Dask client is active, xarray would ask its scheduler for a lock on what only this process writes."""
    if "dask" in sys.modules:
        import dask

        with dask.config.set(scheduler="threads"):
            yield
    else:
        yield


def merged_file(folder: Path, journal: Journal) -> Path:
    """The merged file, its bytes checked; StoreError if it is not what was written."""
    assert journal.merged is not None
    try:
        return check_file(folder, journal.merged)
    except FileNotFoundError:
        raise damaged(folder / journal.merged["file"], "it is missing") from None


def frame_of(folder: Path, manifest: Manifest, length: int) -> Any:
    """The Dataset of everything but what grows or is measured last, for a run of so many steps."""
    import io

    import xarray as xr

    try:
        data = xr.load_dataset(io.BytesIO(read_checked(folder, manifest.frame)), engine="h5netcdf")
    except FileNotFoundError:
        raise damaged(folder / manifest.frame["file"], "it is missing") from None
    for variable in manifest.variables.values():
        if variable.every > 1:
            steps = np.arange(variable.every - 1, length, variable.every)
            data = data.assign_coords({variable.grows: steps})
    return data.assign_attrs({manifest.step: length})


def _start(store: Store, filling: Filling) -> None:
    """The frame, and the variables that do not grow, put together from the last checkpoints."""
    manifest = store.manifest
    still = {name: one for name, one in manifest.variables.items() if not one.every}
    shapes = {name: manifest.shape(name, 0) for name in still}
    if sum(math.prod(shape) for shape in shapes.values()) > LARGEST_STILL:
        raise damaged(store.folder / MANIFEST, f"variables of the shapes {shapes}")
    arrays = {name: np.empty(shapes[name], one.dtype) for name, one in still.items()}
    for unit in range(len(manifest.units)):
        result = (store.checkpoint(unit) or {}).get(RESULT, {})
        for name, array in arrays.items():
            if name not in result or result[name].shape != manifest.shape(name, 0, unit):
                raise StoreError(f"the last checkpoint of unit {unit} has no {name} that fits; run again")
            array[manifest.index(name, unit, 0, 0)] = result[name]
    data = frame_of(store.folder, manifest, manifest.length)
    for name, array in arrays.items():
        data[name] = (still[name].dims, array, dict(still[name].attrs))
    data.to_netcdf(filling, engine="h5netcdf")


def _fill(store: Store, filling: Filling) -> None:
    """Add the variables that grow."""
    import h5netcdf  # type: ignore[import-untyped]
    import h5py  # type: ignore[import-untyped]

    manifest, length = store.manifest, store.manifest.length
    with h5netcdf.File(filling, "a") as file:
        for name, one in manifest.variables.items():
            if one.every:
                shape = manifest.shape(name, length)
                for dim, size in zip(one.dims, shape, strict=True):
                    if dim not in file.dimensions:
                        file.dimensions[dim] = size
                variable = file.create_variable(
                    name, one.dims, np.dtype(one.dtype), chunks=_chunks(one.dims, one.grows, shape), fletcher32=True
                )
                for key, value in one.attrs.items():
                    variable.attrs[key] = value
    with h5py.File(filling, "r+", rdcc_nbytes=CACHE, rdcc_nslots=20011) as file:
        open_ones = {name: file[name] for name, one in manifest.variables.items() if one.every}  # keep their caches
        for name, index, array in pieces(store):
            open_ones[name][index] = array
            filling.check()


def pieces(store: Store) -> Iterator[Piece]:
    """All that was measured: variable, where it stands, values; first an earlier merged file, then the parts."""
    manifest, journal = store.manifest, store.journal
    if journal.merged:
        yield from _earlier(merged_file(store.folder, journal), manifest)
    for part in journal.parts:
        wanted = [
            (unit, name)
            for unit, steps in part.units.items()
            for name, one in manifest.variables.items()
            if one.every and 0 not in manifest.part_shape(name, unit, *steps)
        ]
        arrays = read_part(store.part(part), wanted, part.shape(manifest), manifest)
        for (unit, name), array in zip(wanted, arrays, strict=True):
            yield name, manifest.index(name, unit, *part.units[unit]), array


def _earlier(path: Path, manifest: Manifest) -> Iterator[Piece]:
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        for name, one in manifest.variables.items():
            variable = file.variables[name] if one.every else None
            if variable is None or 0 in variable.shape:
                continue
            axis = one.dims.index(one.grows)
            row = variable.dtype.itemsize * max(1, int(np.prod(variable.shape)) // variable.shape[axis])
            step = max(1, SLAB // row)
            for first in range(0, variable.shape[axis], step):
                index = tuple(slice(first, min(first + step, n)) if k == axis else slice(0, n)
                              for k, n in enumerate(variable.shape))  # fmt: skip
                yield name, index, variable[index]


def _chunks(dims: tuple[str, ...], grows: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A chunk is a stretch of one chain; of configurations, whole ones."""
    longest = {grows: CHUNK if dims[-1] == grows else 1, dims[-1]: CHUNK}
    return tuple(max(1, min(size, longest.get(dim, 1))) for dim, size in zip(dims, shape, strict=True))
