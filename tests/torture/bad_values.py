"""Bad values for arguments: wrong types, shapes and dtypes, NaN, infinities, huge and negative numbers.

Each value is made when it is used, from a name: a call can be told to another process, and printed.
"""

from __future__ import annotations

import decimal
import fractions
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from calls_of_commands import Option, Surely
from calls_of_files import KINDS, Content, damaged
from hypothesis import strategies as st

Change = Callable[[Any], Any]


class Foreign:
    """An object of somebody else."""


class Hostile:
    """An object that refuses everything it is asked."""

    def __len__(self):
        raise RuntimeError("no length")

    def __bool__(self):
        raise RuntimeError("no truth")


SCALARS: dict[str, Any] = {
    "None": None,
    "NaN": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "0": 0,
    "-1": -1,
    "-0.5": -0.5,
    "0.5": 0.5,
    "1": 1,
    "2": 2,
    "3.0": 3.0,
    "1e300": 1e300,
    "-1e300": -1e300,
    "1e-300": 1e-300,
    "2**63": 2**63,
    "10**30": 10**30,
    "-2**70": -(2**70),
    "10**400": 10**400,
    "'x'": "x",
    "''": "",
    "'3'": "3",
    "'nan'": "nan",
    "b'3'": b"3",
    "True": True,
    "False": False,
    "1+2j": 1 + 2j,
    "np.float64(nan)": np.float64("nan"),
    "np.int8(-1)": np.int8(-1),
    "np.uint8(255)": np.uint8(255),
    "np.datetime64": np.datetime64("2020-01-01"),
    "Decimal": decimal.Decimal("0.4"),
    "Fraction": fractions.Fraction(1, 3),
    "Ellipsis": ...,
    "type": int,
    "function": len,
    "object": Foreign(),
    "hostile": Hostile(),
    "Path": Path("/dev/null/x"),
    "slice": slice(3),
}
CONTAINERS: dict[str, Callable[[], Any]] = {
    "[]": list,
    "()": tuple,
    "{}": dict,
    "set()": set,
    "[None]": lambda: [None],
    "['a', 'b']": lambda: ["a", "b"],
    "[1, 'a']": lambda: [1, "a"],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "nested": lambda: [[[0.3]]],
    "[nan]": lambda: [float("nan")],
    "[0.3, inf]": lambda: [0.3, float("inf")],
    "[-1.0, 2.0]": lambda: [-1.0, 2.0],
    "[0.3, 0.3]": lambda: [0.3, 0.3],
    "[2**70]": lambda: [2**70],
    "{1: 2}": lambda: {1: 2},
    "{'a': None}": lambda: {"a": None},
    "generator": lambda: (x for x in (0.3, 0.4)),
    "range": lambda: range(3),
    "(1, 2, 3)": lambda: (1, 2, 3),
    "0-d array": lambda: np.array(0.4),
    "0-d int": lambda: np.array(3),
    "empty array": lambda: np.empty(0),
    "empty (0, 3)": lambda: np.empty((0, 3)),
    "empty (3, 0)": lambda: np.empty((3, 0)),
    "zeros": lambda: np.zeros(4),
    "object array": lambda: np.array([object(), None], dtype=object),
    "complex array": lambda: np.array([1 + 1j, 2j]),
    "string array": lambda: np.array(["a", "b"]),
    "bool array": lambda: np.array([True, False]),
    "masked array": lambda: np.ma.masked_array([0.3, 0.4], mask=[True, False]),
    "5-d array": lambda: np.ones((1,) * 5),
    "record array": lambda: np.zeros(2, dtype=[("a", int)]),
    "matrix 3x2": lambda: np.ones((3, 2)),
    "uint8 array": lambda: np.array([0, 255], np.uint8),
    "time array": lambda: np.array(["2020-01-01"], "M8[D]"),
    "xr.Dataset": xr.Dataset,
    "xr.DataArray": lambda: xr.DataArray([0.3, np.nan], dims="x"),
    "Dataset of another": lambda: xr.Dataset({"energy": ("time", [1.0, 2.0])}),
}


def _spoil(fill: Any) -> Change:
    def spoiled(good: np.ndarray) -> np.ndarray:
        bad = np.array(good, dtype=np.result_type(np.asarray(good), np.asarray(fill)))
        if bad.size:
            bad.flat[bad.size // 2] = fill
        return bad

    return spoiled


ARRAYS: dict[str, Change] = {  # of a good array, another
    "with a NaN": _spoil(np.nan),
    "with an inf": _spoil(np.inf),
    "with a -inf": _spoil(-np.inf),
    "with 1e300": _spoil(1e300),
    "all NaN": lambda good: np.full(np.shape(good), np.nan),
    "negative": lambda good: -np.abs(np.asarray(good, float)),
    "all zero": lambda good: np.zeros(np.shape(good)),
    "as objects": lambda good: np.asarray(good).astype(object),
    "as strings": lambda good: np.asarray(good).astype(str),
    "complex": lambda good: np.asarray(good) + 1j,
    "as bool": lambda good: np.asarray(good).astype(bool),
    "float16": lambda good: np.asarray(good).astype(np.float16),
    "one axis more": lambda good: np.asarray(good)[np.newaxis],
    "without first axis": lambda good: np.asarray(good)[0],
    "one entry less": lambda good: np.asarray(good)[..., :-1],
    "one entry": lambda good: np.asarray(good)[:1],
    "transposed": lambda good: np.asarray(good).T,
    "masked": lambda good: np.ma.masked_array(good, mask=True),
    "read-only": lambda good: _frozen(good),
    "reversed": lambda good: np.asarray(good)[::-1],
    "times 1e200": lambda good: np.asarray(good) * 1e200,
    "times 1e-200": lambda good: np.asarray(good) * 1e-200,
}


def _frozen(good: Any) -> np.ndarray:
    array = np.array(good)
    array.setflags(write=False)
    return array


def _of_variables(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(good: xr.Dataset) -> xr.Dataset:
        numbers = {
            name: good[name].copy(data=change(good[name].values)) for name in good if good[name].dtype.kind in "fi"
        }
        return good.assign(numbers)

    return changed


DATASETS: dict[str, Change] = {  # of a good Dataset, another
    "without variables": lambda good: good.drop_vars(list(good.data_vars)),
    "without coordinates": lambda good: good.drop_vars(list(good.coords)),
    "without half the variables": lambda good: good.drop_vars(list(good.data_vars)[::2]),
    "without attrs": lambda good: _without_attrs(good),
    "one entry of each dimension": lambda good: good.isel({name: slice(1) for name in good.dims}),
    "no entry of each dimension": lambda good: good.isel({name: slice(0) for name in good.dims}),
    "first of each dimension": lambda good: good.isel(dict.fromkeys(good.dims, 0)),
    "other dimension names": lambda good: good.rename({name: f"{name}_x" for name in good.dims}),
    "variables NaN": _of_variables(lambda a: np.full(a.shape, np.nan)),
    "variables 0": _of_variables(np.zeros_like),
    "variables with a NaN": _of_variables(_spoil(np.nan)),
    "variables with an inf": _of_variables(_spoil(np.inf)),
    "variables as strings": _of_variables(lambda a: a.astype(str)),
    "variables complex": _of_variables(lambda a: a + 1j),
    "variables as objects": _of_variables(lambda a: a.astype(object)),
    "variables 1e300": _of_variables(_spoil(1e300)),
    "beta negative": lambda good: good.assign_coords(beta=-abs(good["beta"])) if "beta" in good.coords else good,
    "beta a string": lambda good: good.assign_coords(beta=good["beta"].astype(str)) if "beta" in good.coords else good,
    "n_sites NaN": lambda good: good.assign_coords(n_sites=np.nan),
    "n_sites a string": lambda good: good.assign_coords(n_sites="x"),
}


def _without_attrs(good: xr.Dataset) -> xr.Dataset:
    bare = good.copy()
    bare.attrs = {}
    return bare


def _is_array(good: Any) -> bool:
    if isinstance(good, (list, tuple)):
        good = np.asarray(good) if good and all(isinstance(x, (int, float, list, tuple)) for x in good) else None
    return isinstance(good, np.ndarray) and good.ndim > 0 and good.dtype.kind in "fiub"


TEXTS = (
    "", "x", "nan", "inf", "-inf", "-1", "0", "1", "0.5", "-0.5", "1e400", "99999999999999999999", "1,2,3", "3:1:0",
    "0.1:0.2:99999999999", "1:2", "é", "None", "1 2", "1 2 3", "/dev/null/dir/x", "/proc/x", "/dev/null/x", ".",
    "..", "a" * 5000, "[1]", "--", "0x10", "1_000", "klein", "True", "' '",
)  # fmt: skip
ENDLESS = ("99999999999999999999", "np.uint8(255)")  # seconds or sweeps: what is asked for is done


def changes_of(good: Any) -> list[str]:
    """Names of the bad values that can take the place of this good one."""
    if isinstance(good, Content):
        return [f"{kind} {number}" for kind in KINDS for number in range(100)]
    if isinstance(good, Option):
        return list(good.refused if isinstance(good, Surely) else TEXTS)
    names = [*SCALARS, *CONTAINERS]
    if _is_array(good):
        names += [f"array {name}" for name in ARRAYS] * 2
    if isinstance(good, (xr.Dataset, list)) and (isinstance(good, xr.Dataset) or isinstance(good[0], xr.Dataset)):
        names += [f"data {name}" for name in DATASETS] * 3
    if isinstance(good, (list, tuple)) and len(good):
        names += ["short", "long", "doubled", "one None", "one string", "bare"]
    return names


def changed(name: str, good: Any) -> Any:
    """The bad value of this name."""
    if isinstance(good, Content):
        return damaged(name, good)
    if isinstance(good, Option):
        return name
    if name in SCALARS:
        return SCALARS[name]
    if name in CONTAINERS:
        return CONTAINERS[name]()
    kind, _, change = name.partition(" ")
    if kind == "array":
        return ARRAYS[change](good)
    if kind == "data":
        return DATASETS[change](good) if isinstance(good, xr.Dataset) else [DATASETS[change](one) for one in good]
    one = {"one None": None, "one string": "x"}.get(name)
    shapes = {"short": list(good[:-1]), "long": [*good, good[-1]], "doubled": [good[0]] * len(good), "bare": good[0]}
    return shapes[name] if name in shapes else [*good[:-1], one]


@st.composite
def bad_calls(draw: st.DrawFn, table: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """A function of the table and bad values, by name, for one or two of its arguments."""
    name = draw(st.sampled_from(sorted(table)))
    call = table[name]
    count = draw(st.integers(1, min(2, len(call.arguments))))
    chosen = draw(st.permutations(sorted(call.arguments)))[:count]
    values = {argument: changes_of(call.arguments[argument]) for argument in chosen}
    for argument in call.counts.intersection(chosen):
        values[argument] = [value for value in values[argument] if value not in ENDLESS]
    return name, {argument: draw(st.sampled_from(values[argument])) for argument in chosen}
