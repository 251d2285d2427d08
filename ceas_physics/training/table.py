"""The comparison as Markdown: the scan, the final losses, and what each condition saves."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from .conditions import CONDITIONS


def markdown(table: xr.Dataset) -> str:
    """Tables of the result of ``compare``, with their definitions."""
    plan, n = json.loads(table.attrs["plan"]), table.sizes["seed"]
    baseline, tokens = table.attrs["baseline"], int(table["tokens"][-1])
    parts = [
        f"# Conditions against {baseline} at its best learning rate\n",
        f"{n} paired {'seeds' if n > 1 else 'seed, so no intervals'}, {tokens:,} tokens a run, learning rate "
        f"{table.attrs['learning_rate']:.3g} for all (constant), model {json.dumps(plan['config'])}.\n",
        "Intervals: 95 %, paired over seeds; t: Student, b: bootstrap of the seeds. A target is the smoothed "
        f"validation loss that {baseline} with the same seed has at a fraction of its tokens; a run that never "
        "comes down to it counts with its whole budget (censored), so that its true saving is at most the one given.\n",
        "## Final validation loss (nat per character)\n",
        _losses(table),
    ]
    for fraction in table["target"].values:
        parts += [f"## Saved on the way to the loss at {fraction:g} of the tokens\n", _savings(table, fraction)]
    parts += ["## Conditions\n", *(f"- {name}: {CONDITIONS[name][0]}" for name in table["condition"].values)]
    if "scan_loss" in table:
        parts += ["\n## Learning rate of the baseline\n", _scan(table)]
    return "\n".join(parts) + "\n"


def _rows(header: str, rows: list[list[str]]) -> str:
    names = header.split(", ")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names), *rows)) + "\n"


def _losses(table: xr.Dataset) -> str:
    rows, heads = [], ("layer", "head", "seed")
    last = table.isel(head_tokens=-1)
    inside = (last["entropy"] >= last["corridor_low"]) & (last["entropy"] <= last["corridor_high"])
    ratio = (last["beta"] / last["beta_c"]).median(heads)
    for name in table["condition"].values:
        part = table.sel(condition=name)
        low, high = part["loss_difference_t"].transpose("bound").values
        cells = [
            name,
            f"{float(part['final_loss'].mean()):.4f}",
            f"{float(part['loss_difference_mean']):+.4f}{_interval(low, high, '+.4f')}",
            f"{100 * float(inside.sel(condition=name).mean()):.0f}",
            f"{float(ratio.sel(condition=name)):.2f}",
            f"{int(part['diverged'].sum())}",
        ]
        rows.append(cells)
    return _rows("condition, mean, minus baseline [t], heads in corridor %, median beta/beta_c, diverged", rows)


def _interval(low: float, high: float, form: str, name: str = "") -> str:
    """The interval in brackets; nothing where one seed gives none."""
    return "" if np.isnan(low) else f" {name}[{low:{form}}, {high:{form}}]"


def _savings(table: xr.Dataset, fraction: float) -> str:
    rows = []
    for name in table["condition"].values:
        part, cells = table.sel(condition=name, target=fraction), [name]
        for kind in ("token_saving", "flops_saving"):
            ends = [100 * part[f"{kind}_{how}"].transpose("bound").values for how in ("t", "bootstrap")]
            spans = "".join(_interval(low, high, ".1f", f"{how} ") for how, (low, high) in zip("tb", ends))
            cells.append(f"{100 * float(part[f'{kind}_mean']):.1f}{spans}")
        chi = 100 * float(part["pruned_fraction"].mean())
        rows.append([*cells, f"{chi:.1f}", f"{int(part['censored'].sum())} of {table.sizes['seed']}"])
    return _rows("condition, tokens %, FLOPs %, rows not computed %, censored", rows)


def _scan(table: xr.Dataset) -> str:
    loss = table["scan_loss"]
    mean, error = loss.mean("scan_seed"), loss.std("scan_seed", ddof=1) / np.sqrt(loss.sizes["scan_seed"])
    columns = zip(table["scan_rate"].values, mean.values, error.values)
    rows = [[f"{rate:.3g}", f"{m:.4f}", "-" if np.isnan(e) else f"{e:.4f}"] for rate, m, e in columns]
    return _rows("learning rate, final validation loss, standard error", rows)
