"""Parts: what units have measured since their last checkpoint, as HDF5 bytes; a group for each unit."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
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


def read_part(data: bytes, unit: int, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """One array of a part, once it is what the manifest says.

    Raises
    ------
    StoreError
        It is not there, or of another shape or dtype, or larger than the file.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            dataset = file[str(unit)][name]
            if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape or dataset.dtype.str != dtype:
                raise KeyError(f"{name} of unit {unit} is not {dtype} of shape {shape}")
            if math.prod(shape) * np.dtype(dtype).itemsize > len(data) or dataset.external or dataset.is_virtual:
                raise KeyError(f"{name} of unit {unit} is larger than the file")
            return np.asarray(dataset[()])
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise StoreError(f"a part of the store is damaged ({error}); put back a copy, or run again") from None
