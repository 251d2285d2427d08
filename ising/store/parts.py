"""Parts: what units have measured since their last checkpoint, as HDF5 bytes; a group for each unit."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import StoreError
from .manifest import Manifest

Arrays = Mapping[str, NDArray[Any]]


def pack_part(units: Mapping[int, Arrays], manifest: Manifest) -> bytes:
    """One HDF5 file of the arrays of several units, dimensions labelled."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File("part", "w", driver="core", backing_store=False, track_order=True) as file:
        for unit, arrays in units.items():
            group = file.create_group(str(unit))
            for name, array in arrays.items():
                dataset = group.create_dataset(name, data=array)
                for axis, dim in zip(dataset.dims, manifest.variables[name].dims, strict=True):
                    axis.label = dim
        file.flush()
        return bytes(file.id.get_file_image())


def read_part(
    data: bytes, wanted: Iterable[tuple[int, str]], shape: Callable[[int, str], tuple[int, ...]], manifest: Manifest
) -> Iterator[NDArray[Any]]:
    """Arrays of a part, each as it lies in the bytes, once it is what the manifest says.

    Parameters
    ----------
    data
        Of `pack_part`.
    wanted
        Units and names.
    shape
        What the shape of an array must be.
    manifest
        The run.

    Raises
    ------
    StoreError
        One is not there, or of another shape or dtype, or not within the file.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            for unit, name in wanted:
                yield _array(data, file[str(unit)][name], shape(unit, name), manifest.variables[name].dtype)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise StoreError(f"a part of the store is damaged ({error}); put back a copy, or run again") from None


def _array(data: bytes, dataset: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape or dataset.dtype.str != dtype:
        raise KeyError(f"{dataset.name} is not {dtype} of shape {shape}")
    first = None if dataset.external or dataset.is_virtual or dataset.chunks else dataset.id.get_offset()
    if first is None or first + math.prod(shape) * np.dtype(dtype).itemsize > len(data):
        raise KeyError(f"{dataset.name} does not lie within the file")
    return np.frombuffer(data, dtype, math.prod(shape), first).reshape(shape)
