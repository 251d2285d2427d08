"""Reading a store, finished or growing: arrays come from the disk when they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..arguments import as_path
from .disk import check_file, damaged, read_checked
from .errors import StoreError
from .journal import Journal, read_journal
from .manifest import Manifest, read_manifest
from .merging import frame_of, merged_file
from .parts import read_part

if TYPE_CHECKING:
    import xarray as xr

SIZES = "sample_sizes"  # kind of a folder of stores


def open_run(path: str | Path) -> Any:
    """A run in a store, also while it grows: the steps that all its units have finished, read when they are used.

    Parameters
    ----------
    path
        The folder given as ``store=``.

    Returns
    -------
    xarray.Dataset, or a list of them
        Of a finished run what the unbroken call without a store returns. Of a growing one the variables that grow, up
        to the last draw that all units have reached; call again for more.

    Raises
    ------
    StoreError
        No store, another format, or damaged.
    """
    folder = as_path("path", path).absolute()
    try:
        return _open(folder)
    except StoreError:
        return _open(folder)  # a writer may have replaced files between two looks; damage is still there


def _open(folder: Path) -> Any:
    import xarray as xr

    manifest = read_manifest(folder)
    if manifest.kind == SIZES:
        from .sizes import open_sizes

        return open_sizes(folder)
    journal, _ = read_journal(folder, manifest)
    if journal.merged and journal.merged_length == journal.common_length:
        return _open_merged(folder, manifest, journal)
    if not manifest.variables:
        raise StoreError(f"the {manifest.kind} run in {folder} is not finished; go on with it: `ceas resume {folder}`")
    length = journal.common_length
    data = frame_of(folder, manifest, length)
    for name, one in manifest.variables.items():
        if one.every:
            array = indexing.LazilyIndexedArray(GrowingArray(folder, manifest, journal, name, length))
            data[name] = xr.Variable(one.dims, array, dict(one.attrs))
    return data


def open_result(path: Path) -> xr.Dataset:
    """A merged file, read when used."""
    import xarray as xr

    return xr.open_dataset(path, engine="h5netcdf", cache=False)


def _open_merged(folder: Path, manifest: Manifest, journal: Journal) -> xr.Dataset:
    path = merged_file(folder, journal)
    data = open_result(path)
    for name, one in manifest.variables.items():
        shape = manifest.shape(name, journal.merged_length)
        if name not in data or data[name].shape != shape or data[name].dtype.str != one.dtype:
            data.close()
            raise damaged(path, f"{name} is not {one.dtype} of shape {shape}")
    return data


class GrowingArray(BackendArray):
    """A variable whose values lie in the parts, and in a merged file of earlier steps, of a store."""

    def __init__(self, folder: Path, manifest: Manifest, journal: Journal, name: str, length: int) -> None:
        self.folder, self.manifest, self.journal, self.name, self.length = folder, manifest, journal, name, length
        self.shape, self.dtype = manifest.shape(name, length), np.dtype(manifest.variables[name].dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """The values asked for, as xarray wants it."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        chosen = [range(n)[k] if isinstance(k, slice) else range(k, k + 1) for k, n in zip(key, self.shape)]
        box = tuple(slice(min(r), max(r) + 1) if len(r) else slice(0, 0) for r in chosen)
        values = np.empty([part.stop - part.start for part in box], self.dtype)
        try:
            self._fill(values, box)
        except FileNotFoundError:  # merged meanwhile
            self.journal, _ = read_journal(self.folder, self.manifest)
            try:
                self._fill(values, box)
            except FileNotFoundError as error:
                raise damaged(Path(error.filename), "it is missing") from None
        return values[tuple(slice(None, None, r.step) if isinstance(k, slice) else 0 for k, r in zip(key, chosen))]

    def _fill(self, values: NDArray[Any], box: tuple[slice, ...]) -> None:
        manifest, name = self.manifest, self.name
        for part in self.journal.parts:
            data = None
            for unit, (start, stop) in part.units.items():
                here, there = overlap(manifest.index(name, unit, start, stop), box)
                if all(piece.stop > piece.start for piece in here):
                    data = data or read_checked(self.folder, part.file)
                    (array,) = read_part(data, [(unit, name)], part.shape(manifest), manifest)
                    values[there] = array[here]
        if self.journal.merged:
            self._fill_from_merged(values, box)

    def _fill_from_merged(self, values: NDArray[Any], box: tuple[slice, ...]) -> None:
        import h5netcdf  # type: ignore[import-untyped]

        assert self.journal.merged is not None
        shape = self.manifest.shape(self.name, self.journal.merged_length)
        here, there = overlap(tuple(slice(0, n) for n in shape), box)
        if all(piece.stop > piece.start for piece in here):
            with h5netcdf.File(check_file(self.folder, self.journal.merged), "r") as file:
                if file.variables[self.name].shape != shape:
                    raise damaged(self.folder / self.journal.merged["file"], f"{self.name} is not of shape {shape}")
                values[there] = file.variables[self.name][here]


def overlap(part: tuple[slice, ...], box: tuple[slice, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the overlap of two boxes lies in each of them; empty slices if they have none."""
    bounds = [(max(p.start, b.start), min(p.stop, b.stop)) for p, b in zip(part, box, strict=True)]
    here, there = (
        tuple(slice(low - one.start, max(low, high) - one.start) for (low, high), one in zip(bounds, boxes))
        for boxes in (part, box)
    )
    return here, there
