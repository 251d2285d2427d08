"""Claims A1, A2, A3 and A6: heads against their critical points, and the thermostat."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from scipy.stats import linregress, t

from .. import attention
from ..heads.random_energy import rem_averages
from ..heads.sharpening import curve_peak
from ..thermostat import Thermostat, settle
from ..training import train
from ..transformer import TransformerConfig
from . import runs
from .entry import Curve, Finding, Look, claim, interval
from .savings import saving
from .stored import TRAINING

KEYS = 64
SIZES = ((16, 2, 2), (32, 2, 2), (64, 4, 4), (128, 4, 4))  # width, heads, layers
STARTS = 8


@claim("A1")
def final_address(look: Look) -> list[Finding]:
    """Typical factor between beta and beta* of trained heads: under the thermostat, and with beta learned."""
    made = {"thermostat": runs.thermostat(look), "learned": runs.learned(look)}
    tested = f"{runs.SEEDS} runs of {runs.STEPS} steps of the 9k model, beta* self-consistent on validation rows"
    said = "the typical factor between beta and beta* of a head"
    return [look.compare(row, *interval([_factor(run) for run in found]), tested, said) for row, found in made.items()]


def _factor(run: xr.Dataset) -> float:
    star = attention.beta_star(runs.final_rows(run))
    return float(np.exp(np.abs(np.log(run.beta.isel(step=-1).values / star)).mean()))


@claim("A2")
def newton_update(look: Look) -> list[Finding]:
    """dH/dbeta by differences; heads in the corridor on frozen scores, and at the end of training."""
    rng = np.random.default_rng(look.seed)
    scores, h = 4.0 * rng.standard_normal((8, KEYS, KEYS)), 1e-4
    slope = (attention.entropy(scores, 0.3 + h) - attention.entropy(scores, 0.3 - h)) / (2.0 * h)
    gap = float(np.max(np.abs(slope / (-0.3 * attention.score_variance(scores, 0.3)) - 1.0)))
    settled = settle(scores, Thermostat(), d_k=16)
    low, high = Thermostat().corridor
    depth = math.log(KEYS) - settled.entropy.isel(step=slice(settled.sizes["step"] // 2, None))
    held = ((depth >= low) & (depth <= high)).mean("step").values
    ends = [run.isel(step=-1) for run in runs.thermostat(look)]
    trained = [float(((end.entropy >= end.corridor_low) & (end.entropy <= end.corridor_high)).mean()) for end in ends]
    errors = "the largest relative error of -beta Var as a derivative"
    return [
        look.compare("derivative", gap, 0.0, f"central differences on normal rows of {KEYS} keys", errors),
        look.compare("frozen rows", *interval(held), "second half of 2048 steps on scores that do not change",
                     "the share of steps that a head is in the corridor"),
        look.compare("training", *interval(trained), f"end of {runs.SEEDS} training runs of {runs.STEPS} steps",
                     "the share of heads in the corridor"),
    ]  # fmt: skip


@claim("A3", TRAINING)
def information(look: Look) -> list[Finding]:
    """Where -dH/dbeta is largest on independent scores; tokens saved by the target H(beta_c)."""
    log_beta = np.linspace(-2.0, 2.0, 161)
    heat = rem_averages(KEYS, np.exp(log_beta)).specific_heat.values
    beta_c = curve_peak(log_beta, heat)[0]
    gain = heat / np.exp(log_beta)
    place = curve_peak(log_beta, gain)[0] / beta_c
    curve = Curve(np.exp(log_beta) / beta_c, gain, 0.0, "beta / beta_c", "-dH/dbeta (nat score)", 1.0)
    tested = f"exact averages over rows of {KEYS} independent normal scores"
    where = look.compare(
        "information", place, 0.0, tested, "the beta of the largest -dH/dbeta over beta_c", curve=curve
    )
    return [where, saving(look, "learning", "thermostat_own_target")]


@claim("A6")
def textbook_factor(look: Look) -> list[Finding]:
    """beta_0 = 1/sqrt(d_k) against beta_c of untrained heads, for growing models."""
    sizes, offsets = [], []
    for width, heads, layers in SIZES:
        config = TransformerConfig(n_layers=layers, n_heads=heads, d_model=width)
        for k in range(STARTS):
            run = train(config, seed=look.seed + k, steps=1, progress=False)
            beta_c = attention.pseudo_critical_beta(runs.final_rows(run, initial=True))
            offsets.append(float(np.mean(np.log(config.standard_beta / beta_c))))
            sizes.append(float(run.parameters.size))
    distance = np.abs(offsets)
    first = interval(distance[:STARTS])
    fit = linregress(np.log(sizes), distance)
    half = float(t.ppf(0.975, len(sizes) - 2) * fit.stderr)
    by_size = np.reshape(distance, (len(SIZES), STARTS))
    spread = by_size.std(axis=1, ddof=1) / math.sqrt(STARTS)
    curve = Curve(sizes[::STARTS], by_size.mean(axis=1), spread, "parameters", "|ln(beta_0 / beta_c)|")
    tested = f"untrained heads on text, {KEYS} keys, {len(SIZES)} sizes, {STARTS} seeds each"
    return [
        look.compare("location", *first, tested, "|ln(beta_0 / beta_c)| of the 9k model", curve=curve),
        look.compare("trend", float(fit.slope), half, tested, "the slope of |ln(beta_0 / beta_c)| in ln(parameters)"),
    ]
