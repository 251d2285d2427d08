"""`manifest.json`: what run a store holds, how it is cut into units, and what its variables are."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .codec import DTYPES
from .disk import Entry, write_files
from .errors import StoreError

NAME = "manifest.json"
FORMAT = 1
LARGEST = 2**48


@dataclass(frozen=True)
class Variable:
    """A variable of the result.

    Attributes
    ----------
    dims
        Names of its dimensions.
    dtype
        As numpy writes it, such as ``"<f8"``.
    attrs
        Its attributes.
    every
        The last but `site` of its dimensions that grows has an entry for every `every`-th step; 0: it does not grow,
        and comes from the last checkpoint.
    grows
        The dimension that grows.
    """

    dims: tuple[str, ...]
    dtype: str
    attrs: Mapping[str, Any]
    every: int = 0
    grows: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a store says of itself.

    Attributes
    ----------
    kind
        The function whose run it is, such as ``"sample"``.
    settings
        All that decides the numbers but the length: JSON values.
    length, step
        Steps of the whole run, and the attribute of the result that counts them, such as ``"draws"``.
    sizes
        Lengths of the dimensions that do not grow.
    variables
        By name.
    units
        For each unit, dimension -> [first, stop): the part of every variable that it fills.
    frame
        The file `frame.nc` with coordinates, attributes and what else is known beforehand.
    """

    kind: str
    settings: Mapping[str, Any]
    length: int
    step: str
    sizes: Mapping[str, int]
    variables: Mapping[str, Variable]
    units: Sequence[Mapping[str, Sequence[int]]]
    frame: Entry

    def shape(self, name: str, length: int, unit: int | None = None) -> tuple[int, ...]:
        """Shape of a variable, or of a unit's part of it, after so many steps."""
        variable = self.variables[name]
        place = {} if unit is None else self.units[unit]

        def size(dim: str) -> int:
            if dim == variable.grows:
                return length // variable.every
            return place[dim][1] - place[dim][0] if dim in place else self.sizes[dim]

        return tuple(size(dim) for dim in variable.dims)

    def index(self, name: str, unit: int, start: int, stop: int) -> tuple[slice, ...]:
        """Where in a variable the steps start .. stop of a unit stand."""
        variable, place = self.variables[name], self.units[unit]
        rows = slice(start // variable.every, stop // variable.every) if variable.every else slice(0, 0)
        return tuple(
            rows if dim == variable.grows else slice(*place.get(dim, (0, self.sizes.get(dim)))) for dim in variable.dims
        )

    def part_shape(self, name: str, unit: int, start: int, stop: int) -> tuple[int, ...]:
        """Shape of a variable in the part that holds the steps start .. stop of a unit."""
        index = self.index(name, unit, start, stop)
        return tuple(piece.stop - piece.start for piece in index)

    def bytes(self, unit: int, start: int, stop: int) -> int:
        """What a unit measures in these steps."""
        shapes = ((one, self.part_shape(name, unit, start, stop)) for name, one in self.variables.items() if one.every)
        return sum(math.prod(shape) * np.dtype(one.dtype).itemsize for one, shape in shapes)

    def write(self, folder: Path) -> None:
        """Put it in its place."""
        body = asdict(self)
        text = json.dumps({"format": FORMAT, "sha256": _sum(body), "run": body}, indent=1)
        write_files(folder, [(NAME, text.encode())])

    def longer(self, length: int) -> Manifest:
        """The same run with more steps."""
        return replace(self, length=length)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store.

    Raises
    ------
    StoreError
        None there, another format, damaged, or impossible.
    """
    path = folder / NAME
    try:
        whole = json.loads(path.read_bytes())
        found = whole["format"]
    except FileNotFoundError:
        raise StoreError(f"{folder} is no store: it has no {NAME}; give the folder of a run with store=") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} is damaged ({error}); put back a copy, or remove the store and run again") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; see that the disk is there") from None
    if found != FORMAT:
        raise StoreError(
            f"{path} has format {found!r}, this version reads format {FORMAT}; use the version that wrote it"
        )
    try:
        body = whole["run"]
        if whole["sha256"] != _sum(body):
            raise ValueError("its SHA-256 sum is not that of what was written")
        return _checked(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path} is damaged ({error}); put back a copy, or remove the store and run again") from None


def _checked(body: Mapping[str, Any]) -> Manifest:
    """The manifest, if everything in it is possible."""
    variables = {name: Variable(**values) for name, values in body["variables"].items()}
    variables = {name: replace(one, dims=tuple(one.dims)) for name, one in variables.items()}
    manifest = Manifest(**{**body, "variables": variables})
    counts = [manifest.length, *manifest.sizes.values(), *(one.every for one in variables.values())]
    counts += [bound for place in manifest.units for bounds in place.values() for bound in bounds]
    if not isinstance(manifest.settings, dict):
        raise ValueError("it has no settings")
    if not all(type(count) is int and 0 <= count < LARGEST for count in counts):
        raise ValueError("it holds impossible sizes")
    for place in manifest.units:
        for dim, (first, stop) in place.items():
            if not 0 <= first < stop <= manifest.sizes[dim]:
                raise ValueError(f"a unit fills [{first}, {stop}) of {manifest.sizes[dim]} {dim}")
    for name, one in variables.items():
        known = all(dim in manifest.sizes or dim == one.grows for dim in one.dims)
        if one.dtype not in DTYPES or not known or bool(one.every) != (one.grows in one.dims):
            raise ValueError(f"variable {name} is {one}")
    return manifest


def _sum(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
