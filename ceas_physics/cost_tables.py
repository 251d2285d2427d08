"""Claimed figures of training cost beside the same figures recomputed by the formulas of ``cost``.

The inputs of the tables and the claimed figures are those of the claims C in ``claims/claimed.json``; the tables hold
numbers and judge nothing, which `claims` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .claims.entry import claimed_numbers
from .cost import (
    FLOPS_PER_PARAMETER,
    PRICE,
    SPOT_PRICE,
    THROUGHPUT,
    gpu_hours,
    gpus_for_equal_time,
    optimal_allocation,
    saving,
    saving_range,
    training_flops,
)
from .provenance import versions

INPUTS = ("chi_warm", "chi_steady", "s_warm", "s_steady")
KNOBS = {"beta alone": "C-beta", "all knobs": "C-all"}  # name -> claim
COMPUTE = (1e17, 1e20, 1e23, 1e26)  # FLOP, where allocations are checked


def tables() -> xr.Dataset:
    """Every table of cost figures recomputed, with the claimed figure of each row in a variable named ``*_claimed``.

    Returns
    -------
    xarray.Dataset
        ``saving`` on (knobs, scale, end); ``example_saving``; GPU-hours and dollars on (model,), and on
        (model, factor) for fewer tokens; ``gpus`` on (cluster, cluster_factor); exponents on (law,), and
        ``product_over_compute`` = M D/C on (law, compute). nan where the inputs were not given.
    """
    numbers = claimed_numbers()
    parts = (
        _savings(numbers),
        *(make(numbers[id]) for make, id in ((_trainings, "C2"), (_clusters, "C3"), (_allocations, "C4"))),
    )
    return xr.merge(parts, join="exact", compat="no_conflicts").assign_attrs(versions=json.dumps(versions()))


def markdown(data: xr.Dataset) -> str:
    """The Dataset of ``tables`` as Markdown, computed beside claimed; "-" where an input is missing."""
    savings = [
        [knobs, scale, _percent(data.saving.sel(place)), _percent(data.saving_claimed.sel(place))]
        for knobs in data.knobs.values
        for scale in data.scale.values
        for place in [{"knobs": knobs, "scale": scale}]
    ]
    savings.append(["one example", "", f"{data.example_saving:.1%}", f"above {data.example_saving_claimed:.0%}"])
    columns = ["parameters", "tokens", "hours", "hours_claimed", "parameters_implied"]
    columns += ["dollars", "dollars_claimed", "dollars_spot"]
    fewer = [f"D/{factor:g}: $" for factor in data.factor.values]
    gpus = [f"factor {factor:g}" for factor in data.cluster_factor.values]
    sums = ["exponent_model", "exponent_data", "exponent_sum"]
    parts = [
        _lines("Saved compute", ["knobs", "scale", "computed", "claimed"], savings),
        _table("Training", data.model, columns, [data[name] for name in columns]),
        _table("Training on fewer tokens", data.model, *_beside(fewer, data.dollars_fewer, data.dollars_fewer_claimed)),
        _table("GPUs for the same time", data.cluster, *_beside(gpus, data.gpus, data.gpus_claimed)),
        _table("Allocations", data.law, [*sums, "M D/C"], [data[k] for k in sums] + [data.product_over_compute[:, 0]]),
    ]
    return "\n".join(parts)


def _beside(names: list[str], computed: xr.DataArray, claimed: xr.DataArray) -> tuple[list[str], list[xr.DataArray]]:
    """Headers and columns, a computed one and then the claimed one for each name."""
    columns = [part[:, k] for k in range(len(names)) for part in (computed, claimed)]
    return [header for name in names for header in (name, "claimed")], columns


def _table(title: str, rows: xr.DataArray, header: list[str], columns: list[xr.DataArray]) -> str:
    body = [
        [name, *("-" if math.isnan(column[k]) else f"{column[k].item():.5g}" for column in columns)]
        for k, name in enumerate(rows.values)
    ]
    return _lines(title, [str(rows.name), *header], body)


def _percent(ends: xr.DataArray) -> str:
    return " to ".join(f"{value:.1%}" for value in ends.values)


def _lines(title: str, header: list[str], body: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *body]
    return "\n".join([f"## {title}", "", *("| " + " | ".join(row) + " |" for row in rows), ""])


def _savings(numbers: Mapping[str, Any]) -> xr.Dataset:
    claims = [numbers[id] for id in KNOBS.values()]
    computed = [
        [saving_range(claim["warm_share"], *(row[key] for key in INPUTS)) for row in claim["rows"].values()]
        for claim in claims
    ]
    claimed = [[(row["low"], row["high"]) for row in claim["rows"].values()] for claim in claims]
    inputs, least = numbers["C1"]["inputs"], numbers["C1"]["rows"]["example"]["low"]
    text = "1 - [(1 - chi_warm)/s_warm W + (1 - chi_steady)/s_steady (1 - W)]"
    dims = ("knobs", "scale", "end")
    return xr.Dataset(
        {
            "saving": (dims, computed, _words("saved fraction of training compute", text + ", corners of the ranges")),
            "saving_claimed": (dims, claimed, _words("claimed saved fraction", "as claimed")),
            "example_saving": ((), saving(**inputs), _words(f"saving of the example {inputs}", text)),
            "example_saving_claimed": (
                (),
                least,
                _words("what the example is claimed to clear", "as claimed"),
            ),
        },
        {"knobs": list(KNOBS), "scale": list(claims[0]["rows"]), "end": ["low", "high"]},
    )


def _trainings(claim: Mapping[str, Any]) -> xr.Dataset:
    parameters, tokens, hours, dollars, by_factor = (
        _column(claim, key) for key in ("parameters", "tokens", "hours", "dollars", "dollars_fewer")
    )
    ours = gpu_hours(training_flops(parameters, tokens))
    fewer = gpu_hours(training_flops(parameters[:, None], tokens[:, None] / np.array(claim["factors"])))
    implied = hours * 3600.0 * THROUGHPUT / (FLOPS_PER_PARAMETER * tokens)
    formula = "6 N D/throughput"
    return xr.Dataset(
        {
            "parameters": ("model", parameters, _words("parameters N", "as given; nan: not given")),
            "tokens": ("model", tokens, _words("tokens D", "as given")),
            "hours": ("model", ours, _words("GPU-hours", formula, "h")),
            "hours_claimed": ("model", hours, _words("claimed GPU-hours", "as claimed", "h")),
            "parameters_implied": ("model", implied, _words("N that the claimed hours need", "hours throughput/(6 D)")),
            "dollars": ("model", PRICE * ours, _words("cost", f"{PRICE} dollars an hour", "$")),
            "dollars_claimed": ("model", dollars, _words("claimed cost", "as claimed", "$")),
            "dollars_spot": ("model", SPOT_PRICE * ours, _words("cost, spot", f"{SPOT_PRICE} dollars an hour", "$")),
            "dollars_fewer": (("model", "factor"), PRICE * fewer, _words("cost with D/factor tokens", formula, "$")),
            "dollars_fewer_claimed": (("model", "factor"), by_factor, _words("the same as claimed", "as claimed", "$")),
        },
        {"model": list(claim["rows"]), "factor": np.array(claim["factors"], float)},
    )


def _clusters(claim: Mapping[str, Any]) -> xr.Dataset:
    rows, factors = claim["rows"].values(), claim["factors"]
    ours = [[gpus_for_equal_time(row["base"], factor, row["floor"]) for factor in factors] for row in rows]
    dims = ("cluster", "cluster_factor")
    return xr.Dataset(
        {
            "gpus": (dims, ours, _words("GPUs for the same wall-clock time", "ceil(max(G_min, G_base/factor))")),
            "gpus_claimed": (dims, [row["gpus"] for row in rows], _words("claimed GPUs", "as claimed")),
            "gpus_base": ("cluster", [row["base"] for row in rows], _words("GPUs of the baseline", "as given")),
            "gpus_floor": ("cluster", [row["floor"] for row in rows], _words("fewest GPUs", "as given")),
        },
        {"cluster": list(claim["rows"]), "cluster_factor": np.array(factors, float)},
    )


def _allocations(claim: Mapping[str, Any]) -> xr.Dataset:
    a, b, model, data = (_column(claim, key) for key in ("a", "b", "model", "data"))
    budget = np.array(COMPUTE)
    size, tokens = optimal_allocation(budget, a[:, None], b[:, None], model[:, None], data[:, None])
    return xr.Dataset(
        {
            "exponent_model": ("law", a, _words("exponent a of M_opt", "as claimed")),
            "exponent_data": ("law", b, _words("exponent b of D_opt", "as claimed")),
            "exponent_sum": ("law", a + b, _words("a + b", "1 if M D = C")),
            "product_over_compute": (
                ("law", "compute"),
                size * tokens / budget,
                _words("M_opt D_opt/C", "1 if M D = C"),
            ),
        },
        {"law": list(claim["rows"]), "compute": budget},
    )


def _column(claim: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """Numbers of all rows of a claim; nan where one is not given."""
    return np.array([math.nan if row.get(key) is None else row[key] for row in claim["rows"].values()], float)


def _words(long_name: str, formula: str, units: str = "1") -> dict[str, str]:
    return {"long_name": long_name, "units": units, "formula": formula}
