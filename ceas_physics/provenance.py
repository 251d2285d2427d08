"""What every Dataset that is written carries: seed, versions, and for each variable long_name, units and formula."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

import xarray as xr

PACKAGES = ("ceas-physics", "numpy", "numba", "scipy", "xarray")
SPINS = "s_i = +1 or -1"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that make the numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def stamp(data: xr.Dataset, seed: int) -> xr.Dataset:
    """A copy with the attributes `seed` and `versions`, and a formula for each variable: its own, else the table's."""
    data = data.copy().assign_attrs(seed=seed, versions=json.dumps(versions()))
    shared = data.attrs.get("formula", data.attrs.get("method"))
    for name, variable in data.data_vars.items():
        formula = SPINS if "site" in variable.dims else shared or str(variable.attrs.get("long_name", name))
        variable.attrs = {"long_name": str(name), "units": "1", "formula": formula} | variable.attrs
    return data
