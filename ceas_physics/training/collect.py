"""The runs of an experiment in one Dataset, on one axis of tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from .experiment import DIVERGED
from .run import HEADS_EVERY, LOSS_EVERY

FINAL_POINTS = 5  # of the validation curve, whose mean is the final loss
CURVES = {"validation_curve": "validation_loss", "training_curve": "training_loss", "flops": "flops"}
OPTIONAL = {"pruned_fraction": 0.0, "validation_gated": np.nan, "rho": np.nan, "learning_rate": np.nan,
            "batch_size": np.nan, "noise_scale": np.nan, "weight_decay": np.nan, "label_smoothing": np.nan,
            "dropout": np.nan, "activation_gain": np.nan}  # fmt: skip
HEADS = ("beta", "beta_c", "entropy", "entropy_target", "corridor_low", "corridor_high", "log_gauge", "gap_score")


def collect(paths: dict[tuple[str, int], Path], steps: int, step_tokens: int) -> xr.Dataset:
    """All runs at the same numbers of tokens, by linear interpolation where the batch size changed.

    Parameters
    ----------
    paths : dict
        File of each (condition, number of the seed).
    steps, step_tokens : int
        Steps of a run with a constant batch size, and tokens of such a step.

    Returns
    -------
    xarray.Dataset
        ``validation_loss``, ``training_loss``, ``flops`` on (condition, seed, tokens), ``final_loss`` and ``diverged``
        on (condition, seed), the heads on (condition, seed, head_tokens, layer, head); the curves of gate and knobs are
        nan where a run has none. A run that diverged has the loss of its start from there on, and a final loss of nan.
    """
    grids = [step_tokens * np.union1d(np.arange(0, steps, every), steps) for every in (LOSS_EVERY, HEADS_EVERY)]
    runs = {key: _regular(path, *grids) for key, path in paths.items()}
    conditions = list(dict.fromkeys(name for name, _ in paths))
    seeds = [xr.concat([run for (name, _), run in runs.items() if name == each], "seed") for each in conditions]
    table = xr.concat(seeds, xr.DataArray(conditions, dims="condition", name="condition"))
    return table.assign_coords(seed=[k for name, k in paths if name == conditions[0]])


def _regular(path: Path, grid: np.ndarray, head_grid: np.ndarray) -> xr.Dataset:
    """One run at the tokens of ``grid``, and its heads at those of ``head_grid``."""
    with xr.open_dataset(path) as run:
        run.load()
    diverged = bool(run.attrs[DIVERGED])
    tokens = run["tokens"].to_numpy()
    table = xr.Dataset(coords={"tokens": grid, "head_tokens": head_grid})
    for name, renamed in CURVES.items():
        curve = run[name].to_numpy()
        after = curve[0] if diverged and renamed != "flops" else None
        table[renamed] = ("tokens",), np.interp(grid, tokens, curve, right=after), run[name].attrs
    for name, absent in OPTIONAL.items():
        curve = run[name].to_numpy() if name in run else np.full(len(tokens), absent)
        table[name] = "tokens", np.interp(grid, tokens, curve)
    head_tokens = run["tokens"].sel(loss_step=run["step"].values).to_numpy()
    for name in HEADS:
        heads = run[name].transpose("step", "layer", "head").to_numpy()
        after = np.nan if diverged else None
        values = [np.interp(head_grid, head_tokens, head, right=after) for head in heads.reshape(len(heads), -1).T]
        shape = (-1, *heads.shape[1:])
        table[name] = ("head_tokens", "layer", "head"), np.transpose(values).reshape(shape), run[name].attrs
    table["final_loss"] = np.nan if diverged else run["validation_curve"][-FINAL_POINTS:].mean()
    table["diverged"] = diverged
    return table
