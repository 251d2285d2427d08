"""From run files of several sizes to tables, fits and pictures of their critical point: the work of `ceas scaling`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import analysis

from .folders import Contents

CONTENTS = Contents(
    r"data_\d+\.nc|(summary|crossings|critical|scaling|collapse)\.nc|table\.md|"
    r"(specific_heat|susceptibility_connected|binder|collapse|drift)\.png",
    "critical.nc",
    b"ceas-physics",
)
SAME = ("model", "dimension", "lattice_p", "lattice_q", "lattice_boundary", "model_h")
PICTURES = ("specific_heat", "susceptibility_connected", "binder")


def read_sizes(paths: Sequence[Path]) -> list[xr.Dataset]:
    """One dataset per size from files of `ceas sample` (one size each) or of `ising.sample_sizes`, by size.

    Raises
    ------
    ValueError
        If a file cannot be read or is no run, is of another model than the first, does not tell its size, or a size
        comes twice, or there is one size only.
    """
    parts: list[tuple[Path, xr.Dataset]] = []
    for path in paths:
        data = _read(path)
        sizes = [data.isel(L=i) for i in range(data.sizes["L"])] if "L" in data.dims else [data]
        parts += [(path, _with_size(size, path)) for size in sizes]
    for path, data in parts[1:]:
        _check_same(parts[0], (path, data))
    parts.sort(key=lambda part: int(part[1]["n_sites"]))
    for (first, small), (second, large) in pairwise(parts):
        if int(small["n_sites"]) == int(large["n_sites"]):
            raise ValueError(f"{first} and {second} both hold {int(small['n_sites'])} sites: give one file per size")
    if len(parts) < 2:
        raise ValueError(f"scaling needs at least two different sizes, got one ({paths[0]}): give more files")
    return [data for _, data in parts]


def _read(path: Path) -> xr.Dataset:
    if not path.is_file():
        raise ValueError(f"{path} is no file: give NetCDF files of ceas sample")
    try:
        data = xr.load_dataset(path)
    except Exception:  # h5py and xarray raise errors of many kinds for damaged files
        raise ValueError(f"{path} is no NetCDF file that can be read: give files of ceas sample") from None
    missing = [name for name in ("beta", "chain", "draw") if name not in data.dims]
    if missing or "magnetization" not in data or "n_sites" not in data.coords:
        raise ValueError(f"{path} is no run file (dimensions {list(map(str, data.sizes))}): give files of ceas sample")
    return data.drop_vars(["spins", "configurations"], errors="ignore")


def _with_size(data: xr.Dataset, path: Path) -> xr.Dataset:
    """The coordinate L: as it is, else from the attributes, else the number of sites where space has no dimension."""
    if "L" in data.coords:
        return data
    size = data.attrs.get("L", data.attrs.get("lattice_L"))
    if size is None:
        if not isinstance(data.attrs.get("dimension"), str):
            raise ValueError(f"{path} does not tell its size: add an attribute L, or a coordinate L")
        size = int(data["n_sites"])
    return data.assign_coords(L=size)


def _facts(data: xr.Dataset) -> dict[str, Any]:
    """What files of one model have in common; couplings of complete graphs are J / N."""
    lattice = str(data.attrs.get("lattice", "")).partition("(")[0]
    coupling = data.attrs.get("model_J")
    if coupling is not None:
        coupling = round(float(coupling) * (int(data["n_sites"]) if lattice == "complete" else 1), 9)
    facts = {name: data.attrs.get(name) for name in SAME}
    plain = {
        name: fact.item() if isinstance(fact, np.generic) else fact for name, fact in facts.items()
    }  # files give scalars
    return {"lattice": lattice, "model_J": coupling} | plain


def _check_same(first: tuple[Path, xr.Dataset], other: tuple[Path, xr.Dataset]) -> None:
    one, two = _facts(first[1]), _facts(other[1])
    for name, value in one.items():
        if two[name] != value:
            raise ValueError(
                f"the files are of different models: {name} is {value!r} in {first[0]} and {two[name]!r} in {other[0]}"
            )


def analyse(parts: list[xr.Dataset]) -> dict[str, xr.Dataset]:
    """Summary, crossings and critical beta of several sizes; with 3 sizes the joint fit, and a collapse of chi.

    Warns
    -----
    UserWarning
        Where the joint fit or the collapse is not possible, and why.
    """
    results = {
        "summary": analysis.summarize(parts),
        "crossings": analysis.crossings(parts),
        "critical": analysis.critical_beta(parts).to_dataset(),
    }
    if len(parts) >= 3:
        _add(results, "scaling", lambda: analysis.fit_scaling(parts).to_dataset())
        _add(results, "collapse", lambda: analysis.fit_collapse(parts, "susceptibility", corrections=True).to_dataset())
    return results


def _add(results: dict[str, xr.Dataset], name: str, make: Callable[[], xr.Dataset]) -> None:
    try:
        results[name] = make()
    except ValueError as error:
        warnings.warn(f"no {name} fit: {error}", UserWarning, stacklevel=3)


def table(results: dict[str, xr.Dataset]) -> str:
    """Markdown table of the estimates, one line a method."""
    lines = [
        "| method | beta_c | nu | gamma/nu | chi2 / dof | N of the smallest size | shift of beta_c without it |",
        "|---|---|---|---|---|---|---|",
    ]
    critical = results["critical"]
    lines.append(f"| {critical.attrs['method']} | {_value(critical, 'beta_c')} | | | | | |")
    for name in ("scaling", "collapse"):
        if name in results:
            fit = results[name]
            exponent = _value(fit, "exponent") if name == "collapse" else ""
            cells = [fit.attrs["quantity"] + ": " + fit.attrs["method"], _value(fit, "beta_c"), _value(fit, "nu")]
            cells += [exponent, f"{fit['chi2'].item():.1f} / {fit['dof'].item():.4g}", f"{fit['smallest'].item()}"]
            shift = fit["beta_c_shift"].item()
            cells += ["" if np.isnan(shift) else f"{shift:+.2g}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _value(fit: xr.Dataset, name: str) -> str:
    return f"{fit[name].item():.6f} ± {fit[f'{name}_error'].item():.6f}"


def pictures(results: dict[str, xr.Dataset], folder: Path) -> None:
    """Curves with their crossings, the drift of the crossings, and the collapse beside the raw data."""
    from matplotlib.figure import Figure

    from analysis import plots

    summary, crossings, critical = results["summary"], results["crossings"], results["critical"]
    for quantity in PICTURES:
        figure = Figure(layout="constrained")
        ax = figure.subplots()
        if quantity == "binder":
            plots.binder_crossing(summary, crossings, ax)
        else:
            plots.observable(summary, quantity, ax)
        figure.savefig(folder / f"{quantity}.png", dpi=130)
    figure = Figure(layout="constrained")
    joint = "joint" in critical.attrs["method"]
    estimates = {"joint fit, shift joined" if joint else "crossings, extrapolated": critical}
    estimates |= {"joint fit": results["scaling"]} if "scaling" in results else {}
    bands = {name: (fit["beta_c"].item(), fit["beta_c_error"].item()) for name, fit in estimates.items()}
    plots.crossing_drift(crossings, bands, figure.subplots())
    figure.savefig(folder / "drift.png", dpi=130)
    if "collapse" in results:
        figure = Figure(figsize=(10, 4), layout="constrained")
        raw, scaled = figure.subplots(1, 2)
        plots.observable(summary, "susceptibility", raw)
        plots.collapsed(results["collapse"], scaled)
        figure.savefig(folder / "collapse.png", dpi=130)
