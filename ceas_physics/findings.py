"""What a report says in words: every sentence is computed from the numbers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import analysis
import ising

from .corridor import RESOLVED, groups
from .figures import beta_bounds

if TYPE_CHECKING:
    from .report import Results

MOVES = 3.0  # standard deviations from which a corridor is said to drift with size


def conclusion(results: Results) -> list[str]:
    """The answer to the question whether the corridor is critical, in three sentences."""
    counted = results.table.isel(entry=results.table.resolved.values)
    on_point = contains_critical(counted)
    total = counted.sizes["entry"]
    answer = "Yes" if on_point.all() else "No" if not on_point.any() else "Not in general"
    hits = [(name, contains_critical(rows)) for name, rows in groups(counted)]
    names = ", ".join(f"{name} {hit.sum()} of {hit.size}" for name, hit in hits if hit.any())
    count = int(on_point.sum())
    first = (
        f"{answer}: {count or 'none'} of {total} corridors contain{'s' if count == 1 else ''} beta_c"
        f"{f' ({names})' if names else ''}, {int(counted.near_critical.sum())} lie whole between beta_c/2 and 2 beta_c."
    )
    return [first, _drift_sentence(counted), _heads_sentence(results)]


def omitted(table: xr.Dataset) -> str:
    """Which entries do not count, and why; empty if all do."""
    left_out = table.isel(entry=~table.resolved.values)
    names = [f"{system} {size}" for system, size in zip(left_out.system.values, left_out["size"].values)]
    reason = f"Left out, as the error of beta_c exceeds {RESOLVED:.0%} of it (competing peaks of C): "
    return f"{reason}{', '.join(names)}." if names else ""


def contains_critical(table: xr.Dataset) -> NDArray[np.bool_]:
    """Whether beta_c lies in the corridor, entry by entry."""
    return ((table.beta_low <= table.beta_c) & (table.beta_c <= table.beta_high)).values


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
    words: dict[str, list[str]] = {"away from beta_c": [], "towards beta_c": [], "neither way clearly": []}
    for name, (first, last, significance) in drifts(table).items():
        nearer = abs(np.log(last)) < abs(np.log(first))
        way = "neither way clearly" if not significance >= MOVES else f"{'towards' if nearer else 'away from'} beta_c"
        words[way].append(f"{_spoken(name)} ({first:.2f} to {last:.2f})")
    parts = [f"{way} for {', '.join(names)}" for way, names in words.items() if names]
    if not parts:
        return "No system has two sizes that count, so nothing is said about the way it moves with size."
    return f"From the smallest size to the largest its middle, in units of beta_c, moves {'; '.join(parts)}."


def _spoken(name: str) -> str:
    return re.sub(r", site, n=\d+$", " by site", name).replace(", total", " over all states")


def _heads_sentence(results: Results) -> str:
    """Where heads run, and how many the thermostat holds."""
    inside, heads = held(results.steered)
    ranges: list[str] = []
    for name, rows in groups(results.table):
        ratio = (rows.beta_in_use / rows.beta_c).values
        if np.isfinite(ratio).any():
            kept = f" ({inside} of {heads} end in the corridor)" if "thermostat" in name else ""
            ranges.append(f"{name} {'at' if ranges else 'run at'} {ratio.min():.2f} to {ratio.max():.2f}{kept}")
    return f"In units of beta_c, {', '.join(ranges)}."


def held(run: xr.Dataset) -> tuple[int, int]:
    """How many heads end with their entropy in the corridor, and how many there are."""
    last = run.isel(step=-1)
    within = ((last.corridor_low <= last.entropy) & (last.entropy <= last.corridor_high)).values
    return int(within.sum()), within.size


def steering(run: xr.Dataset) -> str:
    """Where the heads end under the thermostat."""
    settings = json.loads(run.attrs["thermostat"])
    last, before = run.isel(step=-1), run.isel(step=-2)  # beta moved after the record before, with its beta_c
    low, high = (np.isclose(last.beta, bound) for bound in beta_bounds(run))
    edges = [np.isclose(last.beta, (1.0 + side * settings["u_min"]) * before.beta_c) for side in (-1.0, 1.0)]
    margin = (edges[0] | edges[1]) & (last.blocked > 0).values
    off = (last.entropy - last.entropy_target).values
    return (
        f"Trained under the thermostat, {low.sum()} of {low.size} heads end on the lower bound of beta, {high.sum()} "
        f"on the upper, {margin.sum()} held at the margin around beta_c, {held(run)[0]} with their entropy in the "
        f"corridor ({off.min():+.2f} to {off.max():+.2f} nats off target)."
    )


def losses(results: Results) -> str:
    """Both validation losses at the end."""
    first, last = (run["validation_loss"].values[-1] for run in (results.standard, results.steered))
    return (
        f"validation loss after {int(results.standard.step[-1])} steps: {first:.3f} at 1/sqrt(d_k), {last:.3f} with "
        "the thermostat, in nats per character (one seed each: no claim about which is better)"
    )


def details(results: Results) -> list[str]:
    """One line for each critical point and for each group of corridors, and the losses."""
    lines = []
    for data, name, exact in (
        (results.square, "square Ising", ising.exact.SQUARE_CRITICAL_BETA),
        (results.hyperbolic, "closed hyperbolic {5,4} Ising", ising.exact.ctmrg_critical_beta(5)),
    ):
        estimate = analysis.critical_beta(data)
        known = f" (exact {exact:.5f}, {abs(estimate.value - exact) / estimate.error:.1f} errors away)"
        lines.append(f"{name}: beta_c = {estimate.value:.5f} +- {estimate.error:.5f}{known}, {estimate.method}")
    for name, rows in groups(results.table.isel(entry=results.table.resolved.values)):
        low, high = (rows[f"beta_{end}"].values / rows.beta_c.values for end in ("low", "high"))
        inside, total = int(rows.near_critical.sum()), rows.sizes["entry"]
        place = f"corridor at {np.nanmin(low):.2f} to {np.nanmax(high):.2f} beta_c"
        lines.append(f"{name}: {place}, near-critical for {inside} of {total}")
    counted = results.table.isel(entry=results.table.resolved.values)
    banded = counted.isel(entry=np.isfinite((counted.band_low + counted.band_high).values))
    inside = ((banded.beta_low >= banded.band_low) & (banded.beta_high <= banded.band_high)).values
    lines.append(f"{inside.sum()} of the {inside.size} corridors whose half-maximum band of C is known lie inside it")
    lines += [steering(results.steered), losses(results)]
    return [*lines, *filter(None, [omitted(results.table)])]


def summary(results: Results) -> str:
    """One screen of text."""
    total = sum(results.seconds.values())
    return "\n".join([*conclusion(results), "", *details(results), f"{total:.0f} s in all, seed {results.seed}."])
