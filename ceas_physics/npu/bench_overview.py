"""The benchmark of annealers in one table: for every instance the best of ours, the corridor, and each peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .bench_peers import PEER_NAMES

if TYPE_CHECKING:
    import xarray as xr

CORRIDOR, GEOMETRIC = "p-bit, corridor", "p-bit, geometric"


def overview(data: xr.Dataset) -> str:
    """TTS99 in seconds with its 95 % interval, by instance; "> x" is a lower bound of that confidence (no hit)."""
    names = [str(name) for name in data.solver.values]
    peers = [name for name in names if name in PEER_NAMES]
    exchange = [name for name in names if "exchange" in name]
    fixed = [name for name in names if name not in (*peers, *exchange, CORRIDOR)]
    columns = ["instance", "target", "our replica exchange", "our best device, fixed schedule", "p-bit, corridor",
               "corridor / geometric", *peers]  # fmt: skip
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for k in range(data.sizes["instance"]):
        row = data.isel(instance=k)
        cells = [str(row.instance.item()), f"{row.target.item():.10g}, {row.source.item()}", _best(row, exchange)]
        cells += [_best(row, fixed), _tts(row, CORRIDOR), _ratio(row), *(_tts(row, peer) for peer in peers)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _best(row: xr.Dataset, names: list[str]) -> str:
    """The solver of least TTS; without any hit, of the least lower bound."""
    ran = [name for name in names if np.isfinite(row.probability.sel(solver=name))]
    if not ran:
        return ""
    best = min(ran, key=lambda name: (float(row.tts.sel(solver=name)), float(row.tts_low.sel(solver=name))))
    return f"{best.removeprefix('replica exchange').lstrip(', ')} {_tts(row, best)}".lstrip()


def _tts(row: xr.Dataset, name: str) -> str:
    """The interval, the bound, or nothing where the solver did not run."""
    if name not in row.solver.values:
        return ""
    probability, tts, low, high = (
        float(row[key].sel(solver=name)) for key in ("probability", "tts", "tts_low", "tts_high")
    )
    if np.isnan(probability):
        return ""
    return f"> {low:.2g}" if probability == 0.0 else f"{tts:.2g} [{low:.2g} .. {high:.2g}]"


def _ratio(row: xr.Dataset) -> str:
    ratio = float(row.tts.sel(solver=CORRIDOR) / row.tts.sel(solver=GEOMETRIC)) if CORRIDOR in row.solver else np.nan
    return f"{ratio:.2g}" if np.isfinite(ratio) else ""
