"""Claims C: arithmetic that must follow from its own formulas, those of ``cost``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cost import gpu_hours, gpus_for_equal_time, optimal_allocation, saving, saving_range, training_flops
from . import rules
from .entry import Finding, Look, claim

SAVING = "1 - [(1 - chi_warm)/s_warm W + (1 - chi_steady)/s_steady (1 - W)] over all corners of the given ranges"


def _savings(look: Look) -> list[Finding]:
    return [_saving(look, name, row) for name, row in look.claimed["rows"].items()]


def _saving(look: Look, name: str, row: Mapping[str, Any]) -> Finding:
    inputs = [tuple(row[key]) for key in ("chi_warm", "chi_steady", "s_warm", "s_steady")]
    low, high = saving_range(tuple(look.claimed["warm_share"]), *inputs)
    verdict = rules.reachable((low, high), (row["low"], row["high"]), look.claimed["rounding"])
    gaps = {"below that": low - row["low"], "above that": row["high"] - high}
    beyond = [f"{100 * gap:.1f} points {where}" for where, gap in gaps.items() if gap > 0.0]
    why = (
        f"the formula gives {low:.1%} to {high:.1%} for the given inputs; the claimed {row['low']:.0%} to "
        f"{row['high']:.0%} reach {' and '.join(beyond) or 'no further'}"
    )
    return Finding(verdict, why, SAVING, low, 0.0, high, name)


@claim("C-beta")
def beta_alone(look: Look) -> list[Finding]:
    """Savings of beta alone against the formula with the table's own inputs."""
    return _savings(look)


@claim("C-all")
def all_knobs(look: Look) -> list[Finding]:
    """Savings of all knobs against the formula with the table's own inputs."""
    return _savings(look)


@claim("C1")
def example(look: Look) -> list[Finding]:
    """Save of one set of inputs against the half that it is said to clear."""
    number, low = saving(**look.claimed["inputs"]), look.row("example")["low"]
    verdict = rules.REPRODUCED if number > low else rules.INCONSISTENT
    why = f"the formula gives {number:.2%}, which {'clears' if number > low else 'does not clear'} {low:.0%}"
    return [Finding(verdict, why, SAVING, number, 0.0, row="example")]


@claim("C2")
def training_costs(look: Look) -> list[Finding]:
    """Hours against 6 N D, then dollars against the claimed hours: two rows a model."""
    return [
        finding
        for name, row in look.claimed["rows"].items()
        for finding in (_hours(look, name, row), _dollars(look, name, row))
    ]


def _hours(look: Look, name: str, row: Mapping[str, Any]) -> Finding:
    throughput, claimed = look.claimed["throughput"], row["hours"]
    tested = f"6 N D/(3600 s x {throughput:.3g} FLOP/s)"
    if row["parameters"] is None:
        implied = claimed * 3600.0 * throughput / (6.0 * row["tokens"])
        why = f"no number of parameters is given; the claimed {claimed:,.0f} h need {implied:.3g} parameters"
        return Finding(rules.follows([math.nan], [1.0], 0.0), why, tested, row=name, claimed=(claimed, claimed))
    hours = float(gpu_hours(training_flops(row["parameters"], row["tokens"]), throughput))
    verdict = rules.follows([hours / claimed], [1.0], look.claimed["rounding"])
    why = f"the formula gives {hours:,.6g} h, claimed are {claimed:,.6g} h, {claimed / hours:.5g} times that"
    return Finding(verdict, why, tested, hours, 0.0, row=name, claimed=(claimed, claimed))


def _dollars(look: Look, name: str, row: Mapping[str, Any]) -> Finding:
    """The dollars over those of the claimed hours, the furthest from 1 of all columns."""
    price = look.claimed["price"]
    full = row["hours"] * price
    ratios = [
        row["dollars"] / full,
        *(cost * f / full for cost, f in zip(row["dollars_fewer"], look.claimed["factors"])),
    ]
    worst = max(ratios, key=lambda ratio: abs(ratio - 1.0))
    verdict = rules.follows(ratios, [1.0] * len(ratios), look.claimed["rounding"])
    why = f"the claimed dollars are up to {worst - 1.0:+.2%} off the claimed hours at ${price:g}, fewer tokens included"
    return Finding(
        verdict,
        why,
        f"${price:g} an hour, tokens divided by the factors",
        worst,
        0.0,
        row=f"{name} cost",
        claimed=(1.0, 1.0),
    )


@claim("C3")
def clusters(look: Look) -> list[Finding]:
    """ceil(max(G_min, G_base/factor)) against the claimed GPUs, one row a cluster and factor."""
    return [
        _gpus(look, name, row, factor, claimed)
        for name, row in look.claimed["rows"].items()
        for factor, claimed in zip(look.claimed["factors"], row["gpus"])
    ]


def _gpus(look: Look, name: str, given: Mapping[str, Any], factor: float, claimed: int) -> Finding:
    number = gpus_for_equal_time(given["base"], factor, given["floor"])
    verdict = rules.follows([number], [claimed], look.claimed["rounding"])
    why = f"{given['base']} GPUs over {factor:g}, at least {given['floor']}, are {number}; claimed are {claimed}"
    row = f"{name} factor {factor:g}"
    return Finding(verdict, why, "ceil(max(G_min, G_base/factor))", number, 0.0, row=row, claimed=(claimed, claimed))


@claim("C4")
def allocations(look: Look) -> list[Finding]:
    """Exponents a + b = 1, and M D = C where the coefficients are given."""
    rows = [_exponents(name, row) for name, row in look.claimed["rows"].items()]
    return rows + [_product(look, name, row) for name, row in look.claimed["rows"].items() if "model" in row]


def _exponents(name: str, row: Mapping[str, Any]) -> Finding:
    total = row["a"] + row["b"]
    verdict = rules.follows([total], [1.0], row["rounding"])
    why = f"the exponents {row['a']:g} and {row['b']:g} add up to {total:.4g}"
    return Finding(verdict, why, "a + b = 1", total, 0.0, row=name, claimed=(1.0, 1.0))


def _product(look: Look, name: str, row: Mapping[str, Any]) -> Finding:
    budget = np.array(look.claimed["compute"])
    size, tokens = optimal_allocation(budget, row["a"], row["b"], row["model"], row["data"])
    ratios = (size * tokens / budget).tolist()
    verdict = rules.follows(ratios, [1.0] * len(ratios), row["rounding"])
    why = f"M D/C is {min(ratios):.5f} to {max(ratios):.5f} for C of {budget[0]:.0e} to {budget[-1]:.0e} FLOP"
    return Finding(verdict, why, "M_opt D_opt = C", ratios[0], 0.0, ratios[-1], f"{name} product", (1.0, 1.0))
