"""The trace of a training run: what is measured of every head, the Dataset it goes into, and the way back to scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from .. import attention
from ..provenance import versions
from ..text import digest, encode, read_text, split
from ..thermostat import Thermostat, entropy_below
from ..transformer import Arrays, TransformerConfig, forward, unflatten
from . import checkpoint as checkpoints

VARIABLES = {
    "beta": ("factor of the unscaled scores", "1/score", "softmax(beta q.k); 1/sqrt(d_k) is the textbook's"),
    "entropy": ("entropy of attention", "nat", "H = -sum p ln p"),
    "n_eff": ("effective number of competing keys", "1", "mean over rows of exp(H)"),
    "participation": ("participation ratio", "1", "Y2 = sum p^2"),
    "specific_heat": ("specific heat of the rows", "1", "C = beta^2 Var_p[s]"),
    "score_variance": ("variance of the scores under p", "score^2", "Var_p[s] = <s^2>_p - <s>_p^2"),
    "sigma_qk": ("within-row standard deviation of the scores", "score", "over the visible keys of a row"),
    "gap_score": ("temperature-gap score", "1", "T = beta sigma_qk sqrt(2 ln N_eff)"),
    "beta_c": ("measured pseudo-critical point", "1/score", "argmax over beta of the row-averaged C(beta)"),
    "beta_c_low": ("lower end of the half-maximum band of C", "1/score", "C(beta) = C(beta_c)/2"),
    "beta_c_high": ("upper end of the half-maximum band of C", "1/score", "C(beta) = C(beta_c)/2"),
    "log_gauge": ("logarithm of the gauge-invariant scale", "1", "ln(beta |W_Q| |W_K|), Frobenius norms"),
    "blocked": ("updates of beta changed by the margin so far", "1", "count"),
    "loss": ("training loss", "nat per character", "mean of -ln p since the last record; at step 0 on fixed sequences"),
    "validation_loss": ("validation loss", "nat per character", "mean of -ln p on fixed sequences"),
    "entropy_target": ("target of the entropy", "nat", "mean over rows of max(0, ln n - target)"),
    "corridor_low": ("lower end of the entropy corridor", "nat", "mean over rows of max(0, ln n - corridor[1])"),
    "corridor_high": ("upper end of the entropy corridor", "nat", "mean over rows of max(0, ln n - corridor[0])"),
    "parameters": ("parameters after training", "1", "flat, in the order of transformer.parameter_shapes"),
    "initial_parameters": ("parameters before training", "1", "flat, in the order of transformer.parameter_shapes"),
}
CURVES = {
    "training_curve": ("training loss", "nat per character", "mean of -ln p since the last point"),
    "validation_curve": ("validation loss", "nat per character", "mean of -ln p on fixed sequences"),
    "flops": ("floating-point operations of training", "1", "6 N D"),
    "tokens": ("tokens trained on", "1", "sum over the steps of batch size x context"),
}


def spread_sequences(tokens: np.ndarray, sequences: int, context: int) -> np.ndarray:
    """Sequences of context + 1 tokens at even distances through the text, (sequences, context + 1)."""
    starts = np.linspace(0, len(tokens) - context - 1, sequences).astype(np.int64)
    return tokens[starts[:, None] + np.arange(context + 1)]


def unscaled_scores(parameters: Arrays, tokens: np.ndarray, beta: np.ndarray, config: TransformerConfig) -> np.ndarray:
    """Unscaled scores (layer, head, sequence, query, key) in double precision."""
    _, layers, _ = forward(parameters, tokens, beta, config)
    return np.array([layer.scores() for layer in layers], dtype=float).swapaxes(1, 2)


def projection_norms(parameters: Arrays, config: TransformerConfig) -> np.ndarray:
    """|W_Q| |W_K| of every head, (layer, head)."""
    shape = (config.d_model, 3, config.n_heads, config.d_k)
    split = np.array([parameters[f"qkv_{i}"].reshape(shape) for i in range(config.n_layers)], dtype=float)
    norms = np.sqrt(np.sum(split * split, axis=(1, 4)))  # (layer, d_model, 3, head, d_k) -> (layer, 3, head)
    return norms[:, 0] * norms[:, 1]


def measure_heads(scores: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
    """Head means of the observables of scores (layer, head, rows, key), each (layer, head)."""
    row_beta = beta[..., None]
    rows = {
        "entropy": attention.entropy(scores, row_beta),
        "n_eff": attention.n_eff(scores, row_beta),
        "participation": attention.participation(scores, row_beta),
        "specific_heat": attention.specific_heat(scores, row_beta),
        "score_variance": attention.score_variance(scores, row_beta),
        "sigma_qk": attention.sigma_qk(scores),
        "gap_score": attention.gap_score(scores, row_beta),
    }
    heads = {name: attention.head_mean(values, scores) for name, values in rows.items()}
    peak = attention.specific_heat_peak(scores)
    return heads | {"beta_c": peak.beta_c, "beta_c_low": peak.low, "beta_c_high": peak.high}


def trace(state: dict[str, Any]) -> xr.Dataset:
    """The Dataset of a run from its state, see ``Run.state``."""
    settings = state["settings"]
    columns = dict(state["records"])
    steps = {name: columns.pop(name) for name in ("step", "loss_step")}
    table = xr.Dataset(coords=steps)
    for name, values in columns.items():
        dims = ("loss_step",) if name in CURVES else ("step", "layer", "head")[: values.ndim]
        table[name] = dims, values
    thermostat = json.loads(settings["thermostat"]) or asdict(Thermostat())
    levels = {"entropy_target": thermostat["target"]}
    levels |= {"corridor_low": thermostat["corridor"][1], "corridor_high": thermostat["corridor"][0]}
    visible_keys = np.arange(1, json.loads(settings["config"])["context"] + 1)
    for name, depth in levels.items():
        table[name] = xr.full_like(table["entropy"], entropy_below(visible_keys, depth))
    table["parameters"] = "parameter", state["vector"]
    table["initial_parameters"] = "parameter", state["initial"]
    for name, variable in table.data_vars.items():
        variable.attrs = dict(zip(("long_name", "units", "formula"), (VARIABLES | CURVES)[str(name)]))
    table["step"].attrs = {"long_name": "training steps taken", "units": "1"}
    table["loss_step"].attrs = {"long_name": "training steps taken", "units": "1"}
    table.attrs = settings | {"versions": json.dumps(versions())}
    return table


def recover(checkpoint: Path) -> xr.Dataset:
    """The trace up to the checkpoint of a run that did not end; ValueError if the file is not a checkpoint."""
    return trace(checkpoints.load(checkpoint))


def head_scores(
    run: xr.Dataset, text: str | Path | None = None, initial: bool = False, sequences: int = 8
) -> xr.DataArray:
    """Unscaled scores q.k of a run's heads on validation text, with the model rebuilt from the Dataset.

    Parameters
    ----------
    run : xarray.Dataset
        From ``train``.
    text : str, Path or None
        The text of the run (None for the default text); ValueError for another one.
    initial : bool
        The heads before training instead of those after it.
    sequences : int
        Sequences at even distances through the validation text.

    Returns
    -------
    xarray.DataArray
        Dimensions (layer, head, sequence, query, key); -inf where the key comes after the query. Its values reshaped to
        (layer, head, sequence * query, key) suit the functions of ``attention``.
    """
    content = read_text(text)
    if digest(content) != run.attrs["text_sha256"]:
        raise ValueError("this is not the text the run was trained on; give the same text as to train")
    if sequences < 1:
        raise ValueError(f"sequences must be at least 1, got {sequences}")
    config = TransformerConfig(**json.loads(run.attrs["config"]))
    characters = json.loads(run.attrs["characters"])
    vector = run["initial_parameters" if initial else "parameters"].to_numpy()
    beta = run["beta"].isel(step=0 if initial else -1).to_numpy()
    _, validation = split(encode(content, characters), config.context)
    tokens = spread_sequences(validation, sequences, config.context)[:, :-1]
    with threadpool_limits(1):
        scores = unscaled_scores(unflatten(vector, config, len(characters)), tokens, beta, config)
    attrs = {"long_name": "unscaled scores", "units": "score", "formula": "q.k, -inf for hidden keys"}
    return xr.DataArray(scores, dims=("layer", "head", "sequence", "query", "key"), name="scores", attrs=attrs)
