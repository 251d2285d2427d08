"""Claims B4, B5 and B6: what the thermostat and the other knobs save against a tuned baseline."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from . import rules
from .entry import Finding, Look, claim, interval
from .stored import SEEDS, TRAINING

EARLY, LATE = 0.3, 0.8  # targets: the baseline's loss at these shares of its tokens
RUNS = 20  # ten pairs
NEED = f"savings need a tuned baseline and {SEEDS} paired seeds (about 10 minutes)"
BY_KNOB = {
    "beta": "thermostat", "learning rate": "learning_rate_adam", "batch size": "batch_size",
    "regularisation": "weight_decay", "product": "all_knobs_adam",
}  # fmt: skip


def too_large(look: Look, row: str) -> Finding:
    """What is said of a size that cannot be trained here: what ten pairs of runs would take."""
    flops = RUNS * look.row(row)["flops"]
    why = (
        f"{RUNS} paired runs of this size take {flops:.2g} FLOP ({flops / 7.2e17:,.3g} GPU-hours at 200 TFLOP/s), "
        "and this package trains on processors"
    )
    return Finding(rules.in_range(math.nan, -math.inf, math.inf, math.nan), why, "not run", row=row, evidence="none")


def comparison(look: Look, *conditions: str) -> tuple[xr.Dataset | None, str]:
    """The stored comparison if it can bear a verdict on these conditions; else None, and why not."""
    table = look.stored(TRAINING, TRAINING.witness)
    place = look.results / TRAINING.folder / TRAINING.witness
    if table is None:
        return None, f"{NEED}; {place} was not found: ceas claims --full makes it"
    if absent := [name for name in conditions if name not in table.condition.values]:
        return None, f"{place} has no condition {absent[0]}"
    if table.sizes["seed"] < SEEDS or "scan_loss" not in table:
        scan = "a" if "scan_loss" in table else "no"
        found = f"{place} has {table.sizes['seed']} seeds and {scan} scan of learning rates"
        return None, f"{NEED}; {found}"
    return table, str(place)


def undecided(row: str, why: str) -> Finding:
    """A row without data."""
    verdict = rules.in_range(math.nan, -math.inf, math.inf, math.nan)
    return Finding(verdict, why, "stored comparison of training runs", row=row, evidence="none")


def saving(look: Look, row: str, condition: str) -> Finding:
    """Tokens that a condition saves on the way to the late target, paired over seeds, against the claimed range."""
    table, place = comparison(look, condition)
    if table is None:
        return undecided(row, place)
    part = table.sel(condition=condition, target=LATE)
    flops = interval(part.flops_saving)
    censored = int(part.censored.sum())
    tested = f"{table.sizes['seed']} paired seeds, the baseline at its best learning rate, {condition}"
    said = f"the share of tokens saved (FLOPs: {flops[0]:.3f} +- {flops[1]:.2g}; {censored} runs never got there)"
    return look.compare(row, *interval(part.token_saving), tested, said, evidence=place)


@claim("B4", TRAINING)
def beta_alone(look: Look) -> list[Finding]:
    """Thermostat and gating at 9k parameters; larger models by what they would cost."""
    others = [too_large(look, row) for row in look.claimed["rows"] if row != "9k"]
    return [saving(look, "9k", "thermostat_gated"), *others]


@claim("B5", TRAINING)
def all_knobs(look: Look) -> list[Finding]:
    """All knobs, and the initial scale of maximum entropy besides, at 9k parameters."""
    here = {"9k all knobs": "all_knobs_adam", "9k MaxEnt": "all_knobs_initial_gap"}
    return [saving(look, row, here[row]) if row in here else too_large(look, row) for row in look.claimed["rows"]]


@claim("B6", TRAINING)
def speedups(look: Look) -> list[Finding]:
    """Tokens of the baseline over those of each knob, to the early target."""
    return [_speedup(look, row, condition) for row, condition in BY_KNOB.items()]


def _speedup(look: Look, row: str, condition: str) -> Finding:
    table, place = comparison(look, condition)
    if table is None:
        return undecided(row, place)
    tokens = table.tokens_to_target.sel(target=EARLY)
    ratios = np.asarray(tokens.isel(condition=0) / tokens.sel(condition=condition))
    tested = f"{table.sizes['seed']} paired seeds, the baseline at its best learning rate, {condition}"
    return look.compare(row, *interval(ratios), tested, "the speedup of the warm-up", evidence=place)
