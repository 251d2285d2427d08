"""Heads of trained models on the axis of inverse temperature: where beta_0 = 1/sqrt(d_k) lies relative to beta_c.

A head's scores are the unscaled q.k of all its rows in all passages; rows with at least 8 visible keys count. beta_c is
measured: the argmax over beta of C(beta) = beta^2 Var_p[s] averaged over the rows, with its half-maximum band.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ising.streams import check_seed

from .. import arguments as rules
from ..models import Bert, Llama, load
from ..provenance import versions
from .single import KINDS, Head, measure_head
from .sources import ModelOnText, QueriesKeys, Scores, read_passages

__all__ = ["QueriesKeys", "Scores", "flat_table", "measure", "summary"]

VISIBLE = ("all", "no sink")

VARIABLES = {
    "sigma_qk": ("within-row standard deviation of the scores", "score", "over the visible keys of a row, then mean"),
    "entropy": ("entropy of attention at beta_0", "nat", "H = -sum p ln p"),
    "n_eff": ("effective number of competing keys at beta_0", "1", "mean over rows of exp(H)"),
    "participation": ("participation ratio at beta_0", "1", "Y2 = sum p^2"),
    "score_variance": ("variance of the scores under p at beta_0", "score^2", "Var_p[s] = <s^2>_p - <s>_p^2"),
    "specific_heat": ("specific heat of the rows at beta_0", "1", "C = beta^2 Var_p[s]"),
    "gap_score": ("temperature-gap score at beta_0", "1", "T = beta sigma_qk sqrt(2 ln N_eff)"),
    "log_n": ("logarithm of the number of visible keys", "1", "mean over rows of ln n"),
    "beta_c": ("measured pseudo-critical point", "1/score", "argmax over beta of the row-averaged C(beta)"),
    "beta_c_error": ("error of beta_c (one standard deviation)", "1/score", "jackknife over passages"),
    "peak_height": ("specific heat at beta_c", "1", "C(beta_c)"),
    "beta_c_low": ("lower end of the half-maximum band of C", "1/score", "C(beta) = C(beta_c)/2"),
    "beta_c_high": ("upper end of the half-maximum band of C", "1/score", "C(beta) = C(beta_c)/2"),
    "beta_ratio": ("place on the common axis", "1", "beta_0 / beta_c"),
    "in_band": ("whether beta_0 lies inside the half-maximum band of C", "1", "beta_c_low <= beta_0 <= beta_c_high"),
    "beta_star": ("closed form for beta_c", "1/score", "sqrt(2 ln N_eff) / sigma_qk, three kinds of ln N_eff"),
    "beta_star_ratio": ("closed form against the measured value", "1", "beta_star / beta_c"),
}


@rules.checked(passages=rules.count, length=rules.count, control=rules.flag, seed=rules.seed, progress=rules.flag)
def measure(
    source: str | Path | Bert | Llama | Scores | QueriesKeys,
    text: str | Path | ArrayLike | None = None,
    *,
    passages: int = 40,
    length: int = 128,
    control: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> xr.Dataset:
    """Every head of a model at beta_0 = 1/sqrt(d_k), and its pseudo-critical point.

    Parameters
    ----------
    source
        A model as in `models.load` (file, folder, or name of an installed package), a loaded one, or arrays: `Scores`,
        `QueriesKeys`.
    text : str, Path, array of int, or None
        The text itself, a UTF-8 file, token ids, or the text of Python's documentation; not for arrays.
    passages, length : int
        Up to so many passages of so many tokens, [CLS] and [SEP] included, at even distances, without overlap.
    control : bool
        Also measure the same architecture with random weights (from ``seed``); not for arrays.
    seed : int
    progress : bool
        Show a bar of the layers.

    Returns
    -------
    xarray.Dataset
        Dimensions (weights, visible, layer, head), and kind for ``beta_star``. ``weights``: "trained" and "untrained".
        ``visible``: "all" keys, and "no sink", which hides [CLS] and [SEP] of a BERT, the first token of a decoder, or
        the ``sink`` of arrays; p is normalized over the keys that are left. Variables as in `VARIABLES`.

    Raises
    ------
    ValueError
        The model cannot be read; the text is too short; scores are NaN; a row or a head has too few visible keys.
    """
    check_seed(seed)
    if isinstance(source, Scores | QueriesKeys):
        if text is not None:
            raise ValueError("arrays of scores, q or k already hold a text's passages: leave out the text")
        sources: dict[str, Scores | QueriesKeys | ModelOnText] = {"trained": source}
    elif not isinstance(source, str | Path | Bert | Llama):
        raise ValueError(
            "source must be a model (a path, the name of a package, or one from models.load), Scores(values, d_k) or "
            f"QueriesKeys(q, k), got a {type(source).__name__}"
        )
    else:
        model = source if isinstance(source, Bert | Llama) else load(source)
        tokens = read_passages(model, text, passages, length)
        sources = {"trained": ModelOnText(model, tokens)}
        if control:
            sources["untrained"] = ModelOnText(model.untrained(seed), tokens)
    first = sources["trained"]
    beta_0 = first.d_k**-0.5
    tables = []
    for weights, entry in sources.items():
        total = entry.model.shape.n_layers if isinstance(entry, ModelOnText) else None
        bar = tqdm(total=total, disable=not progress, desc=f"{weights} heads", unit="layer", leave=False)
        with threadpool_limits(1):  # the threads of a BLAS wait for each other at every product, ours once a layer
            tables.append(xr.concat(list(_measure_layers(entry, beta_0, bar)), "layer"))
    data = xr.concat(tables, xr.IndexVariable("weights", list(sources)))
    return _described(data, first, beta_0, seed)


def _measure_layers(source: Scores | QueriesKeys | ModelOnText, beta_0: float, bar: tqdm) -> Iterator[xr.Dataset]:
    """Tables (visible, head) of one layer after the other; heads are shared out among the cores."""
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for scores in source.layers():
            keys = scores.shape[-1]
            if not all(-keys <= key < keys for key in source.sink):
                raise ValueError(f"sink must name keys in [0, {keys}), got {source.sink}")
            kept = np.ones((len(VISIBLE), keys), dtype=bool)
            kept[1, list(source.sink)] = False
            jobs = [pool.submit(_measure_head, head, mask, beta_0) for mask in kept for head in scores]
            found = [job.result() for job in jobs]
            bar.update()
            yield _table(found, len(scores))


def _measure_head(scores: np.ndarray, kept: np.ndarray, beta_0: float) -> dict[str, float | np.ndarray]:
    return measure_head(Head(scores, kept), beta_0)


def _table(found: list[dict[str, float | np.ndarray]], heads: int) -> xr.Dataset:
    """Measurements in the order (visible, head) as a Dataset."""
    variables = {}
    for name in found[0]:
        values = np.array([entry[name] for entry in found], dtype=float)
        dims = ("visible", "head", "kind") if values.ndim == 2 else ("visible", "head")
        variables[name] = dims, values.reshape(len(VISIBLE), heads, *values.shape[1:])
    return xr.Dataset(variables, coords={"visible": list(VISIBLE), "kind": list(KINDS)})


def _described(data: xr.Dataset, source: Scores | QueriesKeys | ModelOnText, beta_0: float, seed: int) -> xr.Dataset:
    """Ratios added, dimensions in order, and every convention written down."""
    data["beta_ratio"] = beta_0 / data.beta_c
    data["in_band"] = (data.beta_c_low <= beta_0) & (beta_0 <= data.beta_c_high)
    data["beta_star_ratio"] = data.beta_star / data.beta_c
    for name in ("layer", "head"):
        data[name] = np.arange(data.sizes[name])
    for name, (long_name, units, formula) in VARIABLES.items():
        data[name].attrs = {"long_name": long_name, "units": units, "formula": formula}
    passages = source.tokens.shape if isinstance(source, ModelOnText) else ()
    data.attrs = {
        "model": source.name, "d_k": source.d_k, "beta_0": beta_0, "sink_keys": list(source.sink), "seed": seed,
        "passages": passages[0] if passages else 0, "length": passages[1] if passages else 0,
        "versions": json.dumps(versions()),
    }  # fmt: skip
    return data.transpose("weights", "visible", "layer", "head", "kind")


@rules.checked(data=rules.table_with("beta_star", "beta_star_ratio", "kind", source="heads.measure"))
def flat_table(data: xr.Dataset) -> xr.Dataset:
    """The same measurement without the dimension kind, a variable for each closed form: one row per head in a table."""
    flat = data.drop_dims("kind")
    for kind in data["kind"].values:
        for name in ("beta_star", "beta_star_ratio"):
            flat[f"{name}_{kind}"] = data[name].sel(kind=kind, drop=True)
    return flat


@rules.checked(
    data=rules.table_with(
        "beta_c", "beta_ratio", "beta_star_ratio", "in_band", "kind", "weights", "visible", source="heads.measure"
    )
)
def summary(data: xr.Dataset) -> str:
    """One screen on a measurement: quartiles over all heads of the place on the axis, and of each closed form.

    Heads whose scores are all equal (beta_c infinite) count as beta_0/beta_c = 0 and have no closed forms.
    """
    missing = [name for name in ("beta_0", "model", "d_k") if name not in data.attrs]
    missing += [name for name in ("layer", "head") if name not in data.dims]
    if missing:
        raise ValueError(f"data must have {', '.join(missing)}, as that of heads.measure does")
    layers, heads, beta_0 = data.sizes["layer"], data.sizes["head"], data.attrs["beta_0"]
    title = f"{data.attrs['model']}: {layers} x {heads} heads, d_k = {data.attrs['d_k']}, beta_0 = {beta_0:.4g}"
    lines = [title, "quartiles over heads     beta_0/beta_c       in [1/2, 2]  in band"]
    names = [f"{str(kind).replace('_', '-')} beta*" for kind in data["kind"].values]
    lines[1] += "".join(f"  {name + '/beta_c':>27}" for name in names)
    for weights in data["weights"].values:
        for visible in data["visible"].values:
            part = data.sel(weights=weights, visible=visible)
            near = float(((part.beta_ratio >= 0.5) & (part.beta_ratio <= 2.0)).mean())
            line = f"{weights:9}, {visible:9} {_quartiles(part.beta_ratio):>21}"
            line += f"  {near:11.0%}  {float(part.in_band.mean()):7.0%}"
            forms = [_quartiles(part.beta_star_ratio.sel(kind=kind)) for kind in data["kind"].values]
            lines.append(line + "".join(f"  {text:>27}" for text in forms))
    return "\n".join(lines)


def _quartiles(values: xr.DataArray) -> str:
    finite = values.values[np.isfinite(values.values)]
    return "  ".join(f"{q:.3f}" for q in np.quantile(finite, [0.25, 0.5, 0.75])) if finite.size else "none"
