"""Spin quantization: parameters rounded to a few evenly spaced levels, and how much of a model can be set to zero."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from .provenance import versions
from .search.lookup import score
from .search.lookup_training import books_of
from .text import digest, encode, read_text, split
from .training.trace import spread_sequences
from .transformer import TransformerConfig, forward, unflatten

Rounding = Callable[[np.ndarray], np.ndarray]

LEVELS = (2, 3, 4, 5, 7, 9, 17)
ZERO_FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SCHEMES = ("spins", "values kept", "random")
STARTS = np.geomspace(0.02, 1.0, 24)  # first guesses of D in units of the largest useful one
MOST_ROUNDS = 100


def spin_levels(weights: ArrayLike, levels: int) -> tuple[np.ndarray, float]:
    """Spins t and scale D that minimise sum (w - D t)^2, with t on ``levels`` evenly spaced values around 0.

    An odd count has t = -m, ..., 0, ..., m (3: {-D, 0, +D}), an even one the odd numbers (2: {-D, +D},
    4: {-3D, -D, +D, +3D}). For given D the nearest level is best, for given t D = sum w t/sum t^2: the two alternate
    from many first guesses, and the best end is taken. With 2 levels D = mean |w|.

    Parameters
    ----------
    weights : array_like
        One matrix; one D for all of it.
    levels : int
        At least 2.

    Returns
    -------
    spins : ndarray of int, the shape of ``weights``
    scale : float

    Raises
    ------
    ValueError
        Fewer than 2 levels, no weights, or one that is not finite.
    """
    w = _finite(weights)
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    largest = np.abs(w).max() / (levels // 2 if levels % 2 else levels - 1)
    if largest == 0.0:
        return _nearest(w, levels), 0.0
    best, scale = np.inf, 0.0
    for start in STARTS * max(largest, np.abs(w).mean()):
        D = _settle(w, levels, start)
        error = float(np.sum((w - D * _nearest(w / D, levels)) ** 2))
        if error < best:
            best, scale = error, D
    return _nearest(w / scale, levels), scale


def _settle(w: np.ndarray, levels: int, D: float) -> float:
    """Alternate nearest levels and least squares until D stays."""
    for _ in range(MOST_ROUNDS):
        spins = _nearest(w / D, levels)
        square = int(np.sum(spins * spins))
        if square == 0:
            return D
        previous, D = D, float(np.sum(w * spins)) / square
        if previous == D:
            break
    return D


def _nearest(x: np.ndarray, levels: int) -> np.ndarray:
    """The level next to x: integers for an odd count, odd integers for an even one."""
    if levels % 2:
        return np.clip(np.rint(x), -(levels // 2), levels // 2).astype(np.int64)
    return np.clip(2 * np.floor(x / 2.0) + 1, 1 - levels, levels - 1).astype(np.int64)


def ternary(weights: ArrayLike, zero_fraction: float) -> tuple[np.ndarray, float]:
    """Spins in {-1, 0, +1}, the smallest ``zero_fraction`` of |w| at 0, and D = mean |w| of the others.

    D minimises sum (w - D t)^2 for these spins. ``zero_fraction`` = 0 is ``spin_levels(weights, 2)``, 1 all zeros.
    """
    w = _finite(weights)
    kept = ~_smallest(np.abs(w), zero_fraction)
    spins = np.where(kept, np.where(w < 0.0, -1, 1), 0)
    return spins, float(np.abs(w[kept]).mean()) if kept.any() else 0.0


def _smallest(size: np.ndarray, fraction: float) -> np.ndarray:
    """True at the smallest ``fraction`` of the entries, rounded to a whole number of them."""
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"zero_fraction must be between 0 and 1, got {fraction}")
    chosen = np.zeros(size.size, dtype=bool)
    chosen[np.argsort(size, axis=None, kind="stable")[: round(fraction * size.size)]] = True
    return chosen.reshape(size.shape)


def _finite(weights: ArrayLike) -> np.ndarray:
    w = np.asarray(weights, dtype=float)
    if w.size == 0 or not np.isfinite(w).all():
        raise ValueError(f"weights must be finite and at least one, got an array of shape {w.shape}")
    return w


def redundancy(
    measure: Callable[[Rounding], xr.Dataset],
    levels: Sequence[int] = LEVELS,
    zero_fractions: Sequence[float] = ZERO_FRACTIONS,
    seed: int = 0,
) -> xr.Dataset:
    """What is left of a model when its matrices are rounded to spin levels or partly set to zero.

    Parameters
    ----------
    measure : callable
        Takes a function of a matrix that returns it rounded, applies it to every matrix of a model and returns what is
        measured then, with at least ``accuracy`` and ``loss``, on any dimensions of its own.
    levels : sequence of int
    zero_fractions : sequence of float
    seed : int
        Of the zeros placed at random.

    Returns
    -------
    xarray.Dataset
        Each variable X of ``measure`` as ``X_before``, ``X_levels`` on (levels, ...) and ``X_zero`` on
        (scheme, zero_fraction, ...): "spins" has the smallest |w| at 0 and +-D elsewhere, "values kept" leaves the
        other weights as they are, "random" is its control with the zeros placed at random. ``share_at_zero_*`` is the
        fraction of the parameters that is 0.
    """
    rng = np.random.default_rng(seed)

    def zeros(fraction: float) -> list[Rounding]:
        return [
            lambda w: np.multiply(*ternary(w, fraction)),
            lambda w: np.where(_smallest(np.abs(w), fraction), 0.0, w),
            lambda w: np.where(_smallest(rng.random(w.shape), fraction), 0.0, w),
        ]

    before = _count_zeros(measure, lambda w: w)
    rounded = [_count_zeros(measure, partial(_rounded, levels=count)) for count in levels]
    cut = [
        xr.concat([_count_zeros(measure, f) for f in zeros(part)], "scheme", join="exact") for part in zero_fractions
    ]
    by_level = xr.concat(rounded, "levels", join="exact").assign_coords(levels=list(levels))
    by_zero = xr.concat(cut, "zero_fraction", join="exact").assign_coords(
        scheme=list(SCHEMES), zero_fraction=list(zero_fractions)
    )
    names = {part: {name: f"{name}_{part}" for name in before} for part in ("before", "levels", "zero")}
    parts = [before.rename(names["before"]), by_level.rename(names["levels"]), by_zero.rename(names["zero"])]
    return xr.merge(parts, join="exact").assign_attrs(seed=seed, versions=json.dumps(versions()))


def _count_zeros(measure: Callable[[Rounding], xr.Dataset], rounding: Rounding) -> xr.Dataset:
    """What is measured with rounded matrices, and the share of their entries at 0."""
    zeros, sizes = [], []

    def counting(w: np.ndarray) -> np.ndarray:
        rounded = rounding(w)
        zeros.append(np.count_nonzero(rounded == 0.0))
        sizes.append(rounded.size)
        return rounded

    return measure(counting).assign(share_at_zero=lambda _: sum(zeros) / sum(sizes))


def summarize(curve: xr.Dataset) -> xr.Dataset:
    """Share of the accuracy kept, and the change of the loss, with standard errors: a table of ``redundancy``'s result.

    ``kept_*`` = mean accuracy after/mean accuracy before, ``loss_change_*`` in nats, on (levels,) and on
    (scheme, zero_fraction). Errors come from the spread over seeds or runs, with one run over its sequences, always of
    the difference to the same model before.
    """
    over = next(name for name in ("seed", "run", "sequence") if curve.sizes.get(name, 1) > 1)
    means = curve.mean([name for name in ("run", "sequence") if name in curve.dims and name != over])
    root, table = np.sqrt(curve.sizes[over]), xr.Dataset(coords=curve.drop_dims(over).coords)
    before, loss = means["accuracy_before"], means["loss_before"]
    for part in ("levels", "zero"):
        after, change = means[f"accuracy_{part}"], means[f"loss_{part}"] - loss
        kept = after.mean(over) / before.mean(over)
        table[f"kept_{part}"] = kept
        table[f"kept_{part}_error"] = (after - kept * before).std(over, ddof=1) / root / before.mean(over)
        table[f"loss_change_{part}"] = change.mean(over)
        table[f"loss_change_{part}_error"] = change.std(over, ddof=1) / root
    table["share_at_zero"] = curve["share_at_zero_levels"]
    table["accuracy_before"], table["loss_before"] = before.mean(over), loss.mean(over)
    return table


def _rounded(weights: np.ndarray, levels: int) -> np.ndarray:
    spins, scale = spin_levels(weights, levels)
    return scale * spins


def character_redundancy(
    runs: xr.Dataset | Sequence[xr.Dataset], text: str | Path | None = None, sequences: int = 64, seed: int = 0
) -> xr.Dataset:
    """``redundancy`` of trained character models: loss and next-character accuracy on (run, sequence).

    All matrices are rounded, embeddings included; gains and other vectors are left alone.

    Parameters
    ----------
    runs : xarray.Dataset or several
        From ``train``, one for each seed.
    text : str, Path or None
        The text of the runs.
    sequences : int
        Sequences at even distances through the validation text.

    Raises
    ------
    ValueError
        Another text than the runs were trained on.
    """
    models = [_Characters(run, text, sequences) for run in ([runs] if isinstance(runs, xr.Dataset) else runs)]
    with threadpool_limits(1):
        return redundancy(lambda f: xr.concat([model.measure(f) for model in models], "run"), seed=seed)


class _Characters:
    """A trained character model and the validation text it is measured on."""

    def __init__(self, run: xr.Dataset, text: str | Path | None, sequences: int) -> None:
        content = read_text(text)
        if digest(content) != run.attrs["text_sha256"]:
            raise ValueError("this is not the text the run was trained on; give the same text as to train")
        settings = json.loads(run.attrs["config"])
        self.config = TransformerConfig(**settings)
        characters = json.loads(run.attrs["characters"])
        self.parameters = unflatten(run["parameters"].to_numpy(), self.config, len(characters))
        self.beta = run["beta"].isel(step=-1).to_numpy()
        _, validation = split(encode(content, characters), self.config.context)
        self.tokens = spread_sequences(validation, sequences, self.config.context)

    def measure(self, rounding: Rounding) -> xr.Dataset:
        """Loss and accuracy of every sequence with all matrices rounded."""
        parameters = {
            name: rounding(array).astype(array.dtype) if array.ndim == 2 else array
            for name, array in self.parameters.items()
        }
        targets = self.tokens[:, 1:]
        logits, _, _ = forward(parameters, self.tokens[:, :-1], self.beta, self.config)
        logits = logits.reshape(*targets.shape, -1).astype(float)
        logits -= logits.max(axis=-1, keepdims=True)
        right = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        loss = np.log(np.exp(logits).sum(axis=-1)) - right
        found = {"accuracy": (logits.argmax(axis=-1) == targets).mean(axis=-1), "loss": loss.mean(axis=-1)}
        return xr.Dataset({name: ("sequence", values) for name, values in found.items()})


def lookup_redundancy(data: xr.Dataset, beta: float, seed: int = 0) -> xr.Dataset:
    """``redundancy`` of the lookup heads trained at one beta of ``search.lookup_training.measure``, on (seed,)."""
    if beta not in data["beta"].values:
        raise ValueError(f"beta must be one that was trained, {data['beta'].values.tolist()}, got {beta}")
    projections = data["projections"].sel(beta=[beta]).to_numpy()  # (2, seed, 1, width, width)
    with threadpool_limits(1):
        books = books_of(data)

        def measure(rounding: Rounding) -> xr.Dataset:
            rounded = np.array([rounding(matrix) for matrix in projections.reshape(-1, *projections.shape[-2:])])
            rounded = rounded.reshape(projections.shape).astype(np.float32)
            found = score(rounded, books, np.array([beta], dtype=np.float32))
            return xr.Dataset({name: ("seed", found[name][0]) for name in ("accuracy", "loss")})

        return redundancy(measure, seed=seed)
