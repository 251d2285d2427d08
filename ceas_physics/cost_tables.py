"""Claimed figures of training cost beside the same figures recomputed by the formulas of ``cost``.

The inputs of the tables and the claimed figures are data of the documents this project tests; the tables hold numbers
and judge nothing.
"""

from __future__ import annotations

import json
import math

import numpy as np
import xarray as xr

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

WARM_SHARE = (0.25, 0.35)
FACTORS = (2.0, 5.0, 10.0)
COMPUTE = (1e17, 1e20, 1e23, 1e26)  # FLOP, where allocations are checked

SCALES = ("9k", "14.4M", "GPT-3", "GPT-4", "GPT-5")
# by scale: s_warm, chi_warm, chi_steady, s_steady, claimed saving
CLAIMED_SAVINGS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "beta alone": (
        ((2.4, 3.2), (0.45, 0.55), (0.22, 0.30), (1.0, 1.0), (0.35, 0.52)),
        ((1.8, 2.4), (0.35, 0.45), (0.18, 0.26), (1.0, 1.0), (0.26, 0.40)),
        ((1.5, 2.0), (0.28, 0.40), (0.15, 0.22), (1.0, 1.0), (0.28, 0.38)),
        ((1.4, 1.8), (0.25, 0.35), (0.12, 0.20), (1.0, 1.0), (0.24, 0.34)),
        ((1.3, 1.6), (0.22, 0.32), (0.10, 0.18), (1.0, 1.0), (0.20, 0.30)),
    ),
    "all knobs": (
        ((2.6, 3.4), (0.45, 0.55), (0.22, 0.30), (1.20, 1.35), (0.45, 0.60)),
        ((2.1, 2.8), (0.38, 0.48), (0.18, 0.26), (1.20, 1.30), (0.38, 0.52)),
        ((1.9, 2.5), (0.30, 0.42), (0.18, 0.24), (1.20, 1.30), (0.35, 0.50)),
        ((1.8, 2.4), (0.28, 0.38), (0.16, 0.22), (1.18, 1.28), (0.32, 0.48)),
        ((1.7, 2.2), (0.25, 0.35), (0.15, 0.20), (1.15, 1.25), (0.30, 0.45)),
    ),
}
EXAMPLE = {"warm_share": 0.30, "chi_warm": 0.30, "chi_steady": 0.20, "s_warm": 2.3, "s_steady": 1.25}
EXAMPLE_CLAIMED = 0.50  # "clears 50 %"

# parameters (nan: not given), tokens, claimed hours, claimed dollars, claimed dollars at the factors
TRAININGS: dict[str, tuple[float, float, float, float, tuple[float, ...]]] = {
    "GPT-1": (117e6, 1e9, 1458, 7.3e3, (3650, 1460, 730)),
    "GPT-2": (1.5e9, 10e9, 12_500, 62.5e3, (31_250, 12_500, 6250)),
    "GPT-3": (175e9, 300e9, 437_500, 2.19e6, (1.09e6, 0.44e6, 0.22e6)),
    "GPT-4 class": (math.nan, 5e12, 9.17e6, 45.8e6, (22.9e6, 9.17e6, 4.58e6)),
    "GPT-5 class": (math.nan, 10e12, 83.3e6, 416.7e6, (208.3e6, 83.3e6, 41.7e6)),
}
# GPUs of the baseline, floor, claimed GPUs at factors 5 and 10
CLUSTERS = {
    "GPT-3": (512, 48, (128, 64)),
    "GPT-4 class": (1024, 60, (205, 103)),
    "GPT-5 class": (4096, 273, (819, 410)),
}
# exponents of the best model size and number of tokens; coefficients (nan: not given)
ALLOCATIONS = {
    "OpenAI, OpenWebText2": (0.73, 0.27, math.nan, math.nan),
    "Chinchilla, MassiveText": (0.49, 0.51, math.nan, math.nan),
    "DeepSeek, early data": (0.450, 0.550, math.nan, math.nan),
    "DeepSeek, current data": (0.524, 0.476, math.nan, math.nan),
    "DeepSeek, OpenWebText2": (0.578, 0.422, math.nan, math.nan),
    "M_opt and D_opt as printed": (0.5243, 0.4757, 0.1715, 5.8316),
}


def tables() -> xr.Dataset:
    """Every table of cost figures recomputed, with the claimed figure of each row in a variable named ``*_claimed``.

    Returns
    -------
    xarray.Dataset
        ``saving`` on (knobs, scale, end); ``example_saving``; GPU-hours and dollars on (model,), and on
        (model, factor) for fewer tokens; ``gpus`` on (cluster, cluster_factor); exponents on (law,), and
        ``product_over_compute`` = M D/C on (law, compute). nan where the inputs were not given.
    """
    parts = (_savings(), _trainings(), _clusters(), _allocations())
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


def _savings() -> xr.Dataset:
    computed = [
        [saving_range(WARM_SHARE, chi_warm, chi_steady, s_warm, s_steady)
         for s_warm, chi_warm, chi_steady, s_steady, _ in rows]
        for rows in CLAIMED_SAVINGS.values()
    ]  # fmt: skip
    claimed = [[row[-1] for row in rows] for rows in CLAIMED_SAVINGS.values()]
    text = "1 - [(1 - chi_warm)/s_warm W + (1 - chi_steady)/s_steady (1 - W)]"
    dims = ("knobs", "scale", "end")
    return xr.Dataset(
        {
            "saving": (dims, computed, _words("saved fraction of training compute", text + ", corners of the ranges")),
            "saving_claimed": (dims, claimed, _words("claimed saved fraction", "as claimed")),
            "example_saving": ((), saving(**EXAMPLE), _words(f"saving of the example {EXAMPLE}", text)),
            "example_saving_claimed": (
                (),
                EXAMPLE_CLAIMED,
                _words("what the example is claimed to clear", "as claimed"),
            ),
        },
        {"knobs": list(CLAIMED_SAVINGS), "scale": list(SCALES), "end": ["low", "high"]},
    )


def _trainings() -> xr.Dataset:
    parameters, tokens, hours, dollars, by_factor = (np.array(column) for column in zip(*TRAININGS.values()))
    ours = gpu_hours(training_flops(parameters, tokens))
    fewer = gpu_hours(training_flops(parameters[:, None], tokens[:, None] / np.array(FACTORS)))
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
        {"model": list(TRAININGS), "factor": list(FACTORS)},
    )


def _clusters() -> xr.Dataset:
    factors = FACTORS[1:]
    ours = [[gpus_for_equal_time(base, factor, floor) for factor in factors] for base, floor, _ in CLUSTERS.values()]
    dims = ("cluster", "cluster_factor")
    return xr.Dataset(
        {
            "gpus": (dims, ours, _words("GPUs for the same wall-clock time", "ceil(max(G_min, G_base/factor))")),
            "gpus_claimed": (dims, [row[2] for row in CLUSTERS.values()], _words("claimed GPUs", "as claimed")),
            "gpus_base": ("cluster", [row[0] for row in CLUSTERS.values()], _words("GPUs of the baseline", "as given")),
            "gpus_floor": ("cluster", [row[1] for row in CLUSTERS.values()], _words("fewest GPUs", "as given")),
        },
        {"cluster": list(CLUSTERS), "cluster_factor": list(factors)},
    )


def _allocations() -> xr.Dataset:
    a, b, model, data = (np.array(column) for column in zip(*ALLOCATIONS.values()))
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
        {"law": list(ALLOCATIONS), "compute": budget},
    )


def _words(long_name: str, formula: str, units: str = "1") -> dict[str, str]:
    return {"long_name": long_name, "units": units, "formula": formula}
