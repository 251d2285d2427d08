"""Claims B1, B2, B3 and B7: lookups at many beta, how soon beta is in its corridor, and rounded parameters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from .. import quantization
from ..search import measure, measure_conditions, summarize
from ..search.conditions import NAMED_BETAS
from ..search.lookup_training import LookupTraining
from . import rules, runs
from .entry import Curve, Finding, Look, claim, interval
from .savings import too_large
from .stored import SEARCH

BETAS = (NAMED_BETAS[0], 1.0, 2.0, 4.0, NAMED_BETAS[1], 12.0, 24.0)
LENGTHS = (128, 256, 512)
KEPT_AT = 0.5  # share of the parameters at 0


def _stored(look: Look, name: str) -> xr.Dataset | None:
    """A file of the stored search; None too where its heads were trained for less than those of a run made here."""
    lookup = look.stored(SEARCH, "lookup.nc")
    if lookup is None or json.loads(lookup.attrs["training"])["lengths"][-1] < LENGTHS[-1]:
        return None
    return look.stored(SEARCH, name)


def _lookups(look: Look) -> xr.Dataset:
    """Lookups at many beta: stored, or a coarser grid of this run."""
    stored = _stored(look, "lookup.nc")
    if stored is not None:
        return stored

    def make() -> xr.Dataset:
        return measure(None, LookupTraining(LENGTHS), BETAS, seed=look.seed, progress=False)

    return look.once("lookups", make)


def _evidence(look: Look, name: str) -> str:
    """Where the numbers of a stored file or of this run come from."""
    return "this run" if _stored(look, name) is None else str(look.results / SEARCH.folder / name)


@claim("B1", SEARCH)
def lookup_curve(look: Look) -> list[Finding]:
    """Accuracy of lookups at both named beta, and the best beta, after the training length that suits the claim."""
    data = _at_accuracy(_lookups(look), look.row("beta 6.67")["printed"])
    steps = float(data.steps.item())
    table = summarize(data).isel(steps=0)
    values = (data.beta.values, table["mean"].values, table.error.values)
    curve = Curve(*values, "beta", "share of right answers", NAMED_BETAS[1])
    details: dict[str, Any] = {"curve": curve, "evidence": _evidence(look, "lookup.nc")}
    tested = f"lookup among 64 keys in R^16, {data.sizes['seed']} seeds, Adam; the length that suits 6.67 best"
    found = [
        look.compare(row, *interval(data.accuracy.sel(beta=beta)), tested,
                     f"after {steps:.0f} steps the share of right answers at beta = {beta:.3g}", **details)
        for row, beta in zip(("beta 0.25", "beta 6.67"), NAMED_BETAS)
    ]  # fmt: skip
    half = rules.TWO_SIDED * float(table.best_beta_error.item())
    said = f"after {steps:.0f} steps the beta of the highest accuracy"
    return [*found, look.compare("best beta", float(table.best_beta.item()), half, tested, said, **details)]


def _at_accuracy(data: xr.Dataset, wanted: float) -> xr.Dataset:
    """Accuracies at the training length at which beta = 6.67 first has the wanted one, on a line in ln(steps).

    The nearest length that was measured where that lies beyond all of them.
    """
    trained = data[["accuracy", "bayes_accuracy"]].isel(steps=slice(1, None))
    curve = trained.accuracy.sel(beta=NAMED_BETAS[1]).mean("seed").values
    above = np.flatnonzero(curve >= wanted)
    if not above.size or above[0] == 0:
        return trained.isel(steps=[int(np.abs(curve - wanted).argmin())])
    k = int(above[0])
    share = (wanted - curve[k - 1]) / (curve[k] - curve[k - 1])
    ends = trained.accuracy.values[k - 1 : k + 1]
    steps = float(np.exp(np.log(trained.steps.values[k - 1 : k + 1]) @ [1.0 - share, share]))
    part = trained.isel(steps=[k]).assign_coords(steps=[steps])
    return part.assign(accuracy=(("steps", "beta", "seed"), ((1.0 - share) * ends[0] + share * ends[1])[None]))


@claim("B2", SEARCH)
def other_conditions(look: Look) -> list[Finding]:
    """The gain from beta = 6.67 in every condition of the lookup, and the accuracy with little data."""
    stored = _stored(look, "conditions.nc")

    def make() -> xr.Dataset:
        return measure_conditions(LookupTraining(LENGTHS[-1:]), n_seeds=8, seed=look.seed, progress=False)

    data = look.once("conditions", make) if stored is None else stored
    accuracy = data.accuracy
    gains = accuracy.sel(beta=NAMED_BETAS[1]) - accuracy.sel(beta=NAMED_BETAS[0])
    least = gains.isel(condition=int(gains.mean("seed").values.argmin()))
    names = [str(name) for name in data.condition.values]
    little = next(name for name in names if "(20.0%)" in name)
    tested = f"lookups, {len(names)} conditions, {data.sizes['seed']} seeds: accuracy at beta = 6.67 and at 0.25"
    evidence = _evidence(look, "conditions.nc")
    few = interval(accuracy.sel(condition=little, beta=NAMED_BETAS[1]))
    said = f"the smallest gain, in '{least.condition.item()}',"
    share = f"the share of right answers at beta = 6.67 in '{little}'"
    return [
        look.compare("least gain", *interval(least), tested, said, evidence=evidence),
        look.compare("little data", *few, tested, share, evidence=evidence),
    ]


@claim("B3")
def time_to_corridor(look: Look) -> list[Finding]:
    """Share of a run after which the median head has been in its corridor."""
    shares, made = [], runs.thermostat(look, runs.CLAIMED_RATE, 2 * runs.SEEDS)
    for run in made:
        inside = ((run.entropy >= run.corridor_low) & (run.entropy <= run.corridor_high)).values
        first = np.where(inside.any(axis=0), inside.argmax(axis=0), inside.shape[0] - 1)
        shares.append(float(np.median(run.step.values[first] / run.step.values[-1])))
    tested = (
        f"{len(made)} runs of {runs.STEPS} steps at the learning rate {runs.CLAIMED_RATE:g}, heads recorded every 64 "
        "steps; a head that never gets there counts as 1"
    )
    said = "the share of the run after which the median head has been in its corridor"
    return [look.compare("9k", *interval(shares), tested, said), too_large(look, "14.4M")]


@claim("B7", SEARCH)
def redundancy(look: Look) -> list[Finding]:
    """Accuracy kept by heads and by the character model with half of their parameters at 0 and the rest at +-D."""
    lookup, characters = (_stored(look, f"redundancy_{name}.nc") for name in ("lookup", "characters"))
    if lookup is None:
        lookup = quantization.lookup_redundancy(_lookups(look), NAMED_BETAS[1], look.seed)
    if characters is None:
        characters = quantization.character_redundancy(runs.thermostat(look), seed=look.seed)
    evidence = _evidence(look, "redundancy_lookup.nc")
    return [_kept(look, "lookup head", lookup, evidence), _kept(look, "character model", characters, evidence)]


def _kept(look: Look, row: str, data: xr.Dataset, evidence: str) -> Finding:
    table = quantization.summarize(data)
    spins, random = table.sel(scheme="spins"), table.sel(scheme="random")
    here = spins.sel(zero_fraction=KEPT_AT)
    control = float(random.kept_zero.sel(zero_fraction=KEPT_AT))
    curve = Curve(
        spins.zero_fraction.values, spins.kept_zero.values, spins.kept_zero_error.values,
        "share of the parameters at 0", "accuracy kept", KEPT_AT,
    )  # fmt: skip
    said = f"with half of the parameters at 0 (at random: {control:.2f} kept) the share of the accuracy that is kept"
    half = rules.TWO_SIDED * float(here.kept_zero_error)
    tested = "parameters at -D, 0, +D, the smallest at 0, without further training"
    return look.compare(row, float(here.kept_zero), half, tested, said, evidence=evidence, curve=curve)
