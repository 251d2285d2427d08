"""The trace of a training run: what is measured of every head, the Dataset it goes into, and the way back to scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from .. import arguments as rules
from ..provenance import versions
from ..text import digest, encode, read_text, split
from ..transformer import TransformerConfig, forward, unflatten
from . import checkpoint as checkpoints
from .observe import spread_sequences

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
    "zeta": ("proxy of the correlation length", "1", "1/max(|beta - beta_c|/beta_c, u_min)^nu"),
    "log_gauge": ("logarithm of the gauge-invariant scale", "1", "ln(beta |W_Q| |W_K|), Frobenius norms"),
    "blocked": ("updates of beta changed by the margin so far", "1", "count"),
    "loss": ("training loss", "nat per character", "mean of -ln p since the last record; at step 0 on fixed sequences"),
    "validation_loss": ("validation loss", "nat per character", "mean of -ln p on fixed sequences"),
    "entropy_target": ("target of the entropy", "nat", "mean over rows of max(0, ln n - target)"),
    "corridor_low": ("lower end of the entropy corridor", "nat", "mean over rows of max(0, ln n - corridor[1])"),
    "corridor_high": ("upper end of the entropy corridor", "nat", "mean over rows of max(0, ln n - corridor[0])"),
    "parameters": ("parameters after training", "1", "flat, in the order of transformer.parameter_shapes"),
    "initial_parameters": ("parameters before training", "1", "flat, in the order of transformer.parameter_shapes"),
    "training_curve": ("training loss", "nat per character", "mean of -ln p since the last point"),
    "validation_curve": ("validation loss", "nat per character", "mean of -ln p on fixed sequences, all rows computed"),
    "validation_gated": (
        "validation loss under the gate",
        "nat per character",
        "the same, rows left out as in training",
    ),
    "tokens": ("tokens trained on", "1", "sum over the steps of batch size x context"),
    "flops": (
        "floating-point operations of training",
        "1",
        "passes of training and of the knobs, see transformer.flops",
    ),
    "pruned_fraction": ("chi, attention rows not computed", "1", "mean since the last point"),
    "pruned_rows": ("share of a query's rows that were not computed", "1", "over the run, by layer and position"),
    "kappa": ("gain of the thermostat", "1", "kappa(t), capped, times that of a back-off"),
    "t_gate": ("threshold of the gate", "1", "T_gate(t), plus the shifts of back-offs"),
    "frozen": ("heads without a gradient", "1", "H <= ln N_ref - depth long enough"),
    "spikes": ("returns to the last checkpoint so far", "1", "count"),
    "slow_rise_start": ("step at which the last slow rise of the loss began", "1", "-1 before one"),
    "learning_rate": ("learning rate", "1", "eta <- eta exp(kappa_eta (rho* - rho))"),
    "rho": ("curvature in steps", "1", "eta lambda_max of P^(-1/2) H P^(-1/2), before the last update"),
    "raw_eigenvalue": ("largest eigenvalue of the Hessian", "1", "lambda_max of H itself, last measured"),
    "batch_size": ("sequences of a step", "1", "B <- B exp(kappa_B (g/g* - 1))"),
    "noise_scale": ("gradient-noise scale", "sequences", "g = tr(Sigma)/|G|^2, running means"),
    "weight_decay": ("weight decay", "1", "lambda, steered by the size of the weights"),
    "label_smoothing": ("label smoothing", "1", "p, steered by the entropy of the outputs"),
    "dropout": ("dropout", "1", "p, steered by the entropy of the outputs"),
    "activation_gain": ("gain of the activation", "1", "a, steered by the entropy of the outputs"),
}


MEMBERS = ("settings", "model", "records", "initial")  # that the checkpoint of a run cannot lack


def trace(state: dict[str, Any]) -> xr.Dataset:
    """The Dataset of a run from its state, see ``Run.state``."""
    settings = state["settings"]
    records = {axis: dict(columns) for axis, columns in state["records"].items()}
    table = xr.Dataset(coords={axis: columns.pop(axis) for axis, columns in records.items()})
    for axis, columns in records.items():
        for name, values in columns.items():
            table[name] = (axis, "layer", "head")[: values.ndim], values
    gate = (state["model"]["control"] or {}).get("gate")
    if gate:
        asked, kept = np.moveaxis(gate["counts"], -1, 0)
        table["pruned_rows"] = ("layer", "query"), 1.0 - kept / np.maximum(asked, 1)
    table["parameters"] = "parameter", state["model"]["learner"]["vector"]
    table["initial_parameters"] = "parameter", state["initial"]
    for name, variable in table.data_vars.items():
        variable.attrs = dict(zip(("long_name", "units", "formula"), VARIABLES[str(name)]))
    table["step"].attrs = {"long_name": "training steps taken", "units": "1"}
    table["loss_step"].attrs = {"long_name": "training steps taken", "units": "1"}
    table.attrs = settings | {"versions": json.dumps(versions())}
    return table


@rules.checked(checkpoint=rules.path)
def recover(checkpoint: Path) -> xr.Dataset:
    """The trace up to the checkpoint of a run that did not end; ValueError if the file is not a checkpoint."""
    return trace(checkpoints.load(Path(checkpoint), MEMBERS))


@rules.checked(
    run=rules.table_with("initial_parameters", "parameters", source="train"), initial=rules.flag, sequences=rules.count
)
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
    if missing := [name for name in ("text_sha256", "config", "characters", "knobs") if name not in run.attrs]:
        raise ValueError(f"run must have the attributes that train gives it, got none named {', '.join(missing)}")
    if digest(content) != run.attrs["text_sha256"]:
        raise ValueError("this is not the text the run was trained on; give the same text as to train")
    if sequences < 1:
        raise ValueError(f"sequences must be at least 1, got {sequences}")
    config = TransformerConfig(**json.loads(run.attrs["config"]))
    characters = json.loads(run.attrs["characters"])
    vector = run["initial_parameters" if initial else "parameters"].to_numpy()
    beta = run["beta"].isel(step=0 if initial else -1).to_numpy()
    if config.scaling != "fixed":  # the model has its own rule, which starts from the caller's beta
        beta = json.loads(run.attrs["knobs"])["beta_factor"] * config.standard_beta
    gain = float(run["activation_gain"][-1]) if "activation_gain" in run and not initial else None
    _, validation = split(encode(content, characters), config.context)
    tokens = spread_sequences(validation, sequences, config.context)[:, :-1]
    with threadpool_limits(1):
        parameters = unflatten(vector, config, len(characters))
        _, layers, _ = forward(parameters, tokens, beta, config, dropout=0.0, activation_gain=gain)
    scores = np.array([layer.scores() for layer in layers], dtype=float).swapaxes(1, 2)
    attrs = {"long_name": "unscaled scores", "units": "score", "formula": "q.k, -inf for hidden keys"}
    return xr.DataArray(scores, dims=("layer", "head", "sequence", "query", "key"), name="scores", attrs=attrs)
