"""The table of `ceas search` as Markdown: every number with its standard error over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from .. import quantization
from .conditions import NAMED_BETAS
from .curves import summarize

if TYPE_CHECKING:
    from .report import Results


def markdown(results: Results) -> str:
    """All tables of a run."""
    arms = results.bandit
    parts = ["# Lookups: one head, 64 keys, at many beta\n"]
    for name, data in {"Adam": results.adam, "gradient descent": results.descent}.items():
        parts += [_lengths(name, data), _peaks(name, data)]
    parts += [_conditions(results.conditions), f"## Ternary search\n\n{results.search.statement()}.\n"]
    regret = [
        [
            policy,
            _pair(arms.regret.sel(policy=policy).isel(pull=-1).values, 2),
            _share(arms.last_beta.sel(policy=policy)),
        ]
        for policy in arms.policy.values
    ]
    parts.append(
        _table(f"Bandit, {arms.sizes['pull']} pulls", ["policy", "regret", "beta pulled most at the end"], regret)
    )
    return "\n".join([*parts, *(_redundancy(name, data) for name, data in results.redundancy.items())])


def _lengths(name: str, data: xr.Dataset) -> str:
    """Accuracy and weight at the two named betas, after each training length."""
    header = ["steps"] + [f"{what}, beta {beta:.3g} [%]" for beta in NAMED_BETAS for what in ("answered", "drawn")]
    rows = [
        [str(steps)]
        + [
            _pair(100.0 * data[what].sel(steps=steps, beta=beta).values, 1)
            for beta in NAMED_BETAS
            for what in ("accuracy", "weight")
        ]
        for steps in data.steps.values
    ]
    return _table(f"{name}: right answers (most weight, or drawn from the weights)", header, rows)


def _peaks(name: str, data: xr.Dataset) -> str:
    summary = summarize(data)
    rows = [
        [
            str(steps),
            *(_number(row[k].item(), row[f"{k}_error"].item()) for k in ("best_beta", "threshold_beta")),
            f"{row.plateau_low.item():.3g} to {row.plateau_high.item():.3g}",
            f"{100.0 * row['mean'].max().item():.1f}",
        ]
        for steps in summary.steps.values[1:]
        for row in [summary.sel(steps=steps)]
    ]
    header = ["steps", "peak", "half of the exact posterior's", "not worse than the best", "best [%]"]
    return _table(f"{name}: where the curve peaks and rises, in beta", header, rows)


def _conditions(data: xr.Dataset) -> str:
    rows = [
        [
            str(name),
            *(_pair(100.0 * row.accuracy.sel(beta=beta).values, 1) for beta in NAMED_BETAS),
            _pair(100.0 * row.bayes_accuracy.values, 1),
            f"{100.0 * row.chance.item():.2f}",
        ]
        for name in data.condition.values
        for row in [data.sel(condition=name)]
    ]
    header = ["condition", *(f"beta {beta:.3g} [%]" for beta in NAMED_BETAS), "exact posterior [%]", "chance [%]"]
    return _table("Other conditions", header, rows)


def _redundancy(name: str, data: xr.Dataset) -> str:
    curve = quantization.summarize(data)
    rows = [
        [f"{count} levels", f"{curve.share_at_zero.sel(levels=count):.2f}", *_kept(curve.sel(levels=count), "levels")]
        for count in curve.levels.values
    ]
    rows += [
        [str(scheme), f"{fraction:.2f}", *_kept(curve.sel(scheme=scheme, zero_fraction=fraction), "zero")]
        for scheme in curve.scheme.values
        for fraction in curve.zero_fraction.values
    ]
    before = f"accuracy {100 * curve.accuracy_before.item():.1f} %, loss {curve.loss_before.item():.3f} nats before"
    return _table(f"Redundancy, {name} ({before})", ["matrices", "at zero", "accuracy kept [%]", "loss + [nats]"], rows)


def _kept(row: xr.Dataset, part: str) -> list[str]:
    kept, loss = f"kept_{part}", f"loss_change_{part}"
    return [
        f"{100 * row[kept].item():.1f}({100 * row[f'{kept}_error'].item():.1f})",
        f"{row[loss].item():.3f}({row[f'{loss}_error'].item():.3f})",
    ]


def _pair(samples: np.ndarray, digits: int) -> str:
    """Mean and standard error, such as 96.5(0.2)."""
    error = samples.std(ddof=1) / np.sqrt(samples.size)
    return f"{samples.mean():.{digits}f}({error:.{digits}f})"


def _number(value: float, error: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}({error:.2g})"


def _share(betas: xr.DataArray) -> str:
    values, counts = np.unique(betas.values, return_counts=True)
    return ", ".join(f"{value:.3g} in {count}" for value, count in zip(values, counts)) + " of the replicas"


def _table(title: str, header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join([f"## {title}", "", *lines, ""])
