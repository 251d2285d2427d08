"""What a report says in words: every sentence is computed from the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import analysis
import ising

from .corridor import RESOLVED
from .figures import beta_bounds

if TYPE_CHECKING:
    from .report import Results

MOVES = 3.0  # standard deviations from which a corridor is said to drift with size


def conclusion(results: Results) -> list[str]:
    """The answer to the question whether the corridor is critical, first sentence first."""
    table = results.table
    counted = table.isel(entry=table.resolved.values)
    total = counted.sizes["entry"]
    on_point = contains_critical(counted)
    banded = np.isfinite(counted.band_low.values) & np.isfinite(counted.band_high.values)
    inside = banded & (counted.beta_low >= counted.band_low).values & (counted.beta_high <= counted.band_high).values
    answer = "Yes" if on_point.all() else "No" if not on_point.any() else "Not in general"
    names = f" ({', '.join(_names(counted.isel(entry=on_point)))})" if on_point.any() else ""
    lines = [
        f"{answer}: the corridor contains beta_c for {on_point.sum()} of {total} entries{names}, "
        f"and lies inside the half-maximum band of C for {inside.sum()} of the {banded.sum()} whose band is known; "
        f"for {int(counted.near_critical.sum())} of {total} it is near-critical (beta / beta_c between 1/2 and 2)."
    ]
    lines += [sentence for sentence in (_drift_sentence(counted), _held(results.steered)) if sentence]
    if total < table.sizes["entry"]:
        lines.append(
            f"Left out, as the error of beta_c exceeds {RESOLVED:.0%} of it (competing peaks of C): "
            f"{', '.join(_names(table.isel(entry=~table.resolved.values)))}."
        )
    return lines


def contains_critical(table: xr.Dataset) -> NDArray[np.bool_]:
    """Whether beta_c lies in the corridor, entry by entry."""
    return ((table.beta_low <= table.beta_c) & (table.beta_c <= table.beta_high)).values


def groups(table: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """The entries of each system and reading, with their name."""
    labels = np.array([f"{s.item()}, {r.item()}" for s, r in zip(table.system, table.reading)])
    for label in dict.fromkeys(labels.tolist()):
        yield label.removesuffix(", head"), table.isel(entry=labels == label)


def drifts(table: xr.Dataset) -> dict[str, tuple[float, float, float]]:
    """By system: the corridor's middle over beta_c at the smallest and largest size, and |change| in its errors."""
    found = {}
    for name, rows in groups(table):
        rows = rows.isel(entry=[str(size).isdigit() for size in rows["size"].values])
        if rows.sizes["entry"] < 2:
            continue
        ends = rows.isel(entry=[0, -1])
        middle = np.sqrt(ends.beta_low * ends.beta_high).values / ends.beta_c.values
        parts = [ends.beta_c_error / ends.beta_c]
        parts += [0.5 * ends[f"beta_{end}_error"] / ends[f"beta_{end}"] for end in ("low", "high")]
        error = middle * np.sqrt(sum(part.values**2 for part in parts))
        found[name] = float(middle[0]), float(middle[1]), float(abs(middle[1] - middle[0]) / np.hypot(*error))
    return found


def _drift_sentence(table: xr.Dataset) -> str:
    words: dict[str, list[str]] = {"away from": [], "towards": [], "not clearly relative to": []}
    for name, (first, last, significance) in drifts(table).items():
        nearer = abs(np.log(last)) < abs(np.log(first))
        way = "not clearly relative to" if not significance >= MOVES else "towards" if nearer else "away from"
        words[way].append(f"{name} ({first:.2f} to {last:.2f} beta_c)")
    parts = [f"{way} beta_c for {'; '.join(names)}" for way, names in words.items() if names]
    return f"From the smallest size to the largest it moves {', '.join(parts)}." if parts else ""


def _held(run: xr.Dataset) -> str:
    """Where the heads end under the thermostat."""
    settings = json.loads(run.attrs["thermostat"])
    last, before = run.isel(step=-1), run.isel(step=-2)  # beta moved after the record before, with its beta_c
    low, high = (np.isclose(last.beta, bound) for bound in beta_bounds(run))
    edges = [np.isclose(last.beta, (1.0 + side * settings["u_min"]) * before.beta_c) for side in (-1.0, 1.0)]
    margin = (edges[0] | edges[1]) & (last.blocked > 0).values
    within = ((last.corridor_low <= last.entropy) & (last.entropy <= last.corridor_high)).values
    off = (last.entropy - last.entropy_target).values
    return (
        f"Trained under the thermostat, {low.sum()} of {low.size} heads end on the lower bound of beta, {high.sum()} "
        f"on the upper, {margin.sum()} held at the margin around beta_c, and {within.sum()} with their entropy in the "
        f"corridor ({off.min():+.2f} to {off.max():+.2f} nats off target)."
    )


def _names(table: xr.Dataset) -> list[str]:
    return [f"{row.system.item()} {row['size'].item()}" for _, row in table.groupby("entry", squeeze=False)]


def details(results: Results) -> list[str]:
    """One line for each critical point and for each group of corridors, and the losses."""
    lines = []
    for data, name, exact in (
        (results.square, "square Ising", ising.exact.SQUARE_CRITICAL_BETA),
        (results.hyperbolic, "closed hyperbolic {5,4} Ising", None),
    ):
        estimate = analysis.critical_beta(data)
        known = f" (exact {exact:.5f}, {abs(estimate.value - exact) / estimate.error:.1f} errors away)" if exact else ""
        lines.append(f"{name}: beta_c = {estimate.value:.5f} +- {estimate.error:.5f}{known}, {estimate.method}")
    for name, rows in groups(results.table.isel(entry=results.table.resolved.values)):
        low, high = (rows[f"beta_{end}"].values / rows.beta_c.values for end in ("low", "high"))
        inside, total = int(rows.near_critical.sum()), rows.sizes["entry"]
        place = f"corridor at {np.nanmin(low):.2f} to {np.nanmax(high):.2f} beta_c"
        lines.append(f"{name}: {place}, near-critical for {inside} of {total}")
    first, last = (run["validation_loss"].values[-1] for run in (results.standard, results.steered))
    lines.append(
        f"validation loss after {int(results.standard.step[-1])} steps: {first:.3f} at 1/sqrt(d_k), {last:.3f} with "
        "the thermostat, in nats per character (one seed each: no claim about which is better)"
    )
    return lines


def summary(results: Results) -> str:
    """One screen of text."""
    total = sum(results.seconds.values())
    return "\n".join([*conclusion(results), "", *details(results), f"{total:.0f} s in all, seed {results.seed}."])
