"""More entries for the comparison: spin glasses, whose transition is known from the literature, and trained models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from math import sqrt

import numpy as np
from threadpoolctl import threadpool_limits

import ising
from ising.streams import derived_seed

from . import models
from .corridor import System, head_system
from .heads.sources import ModelOnText, read_passages
from .spin_corridor import Corridor, site_corridor, total_corridor
from .transitions.literature import LITERATURE

GLASS = "3D +-J glass"
PASSAGES, LENGTH = 8, 96


def glass_systems(
    sizes: Iterable[int] = (4, 6, 8),
    realisations: int = 4,
    visible_keys: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> list[System]:
    """Two entries (readings `site` and `total`) for each size of the cubic +-J glass.

    The specific heat of a glass has its peak far above the transition, so beta_c is the published one of the infinite
    system for every size. Corridors are means over realisations of the couplings, their errors from the spread.

    Parameters
    ----------
    sizes
        Edges of the cube.
    realisations
        Of the couplings, two or more.
    visible_keys, seed, progress
        As in `spin_systems`.

    Raises
    ------
    ValueError
        Fewer than two realisations.
    """
    if realisations < 2:
        raise ValueError(f"errors need 2 realisations or more, got {realisations}")
    known = LITERATURE["glass", "T_c"]
    beta_c, error = 1.0 / known.value, known.error / known.value**2
    entries = []
    for L in sizes:
        couplings = [ising.edwards_anderson(ising.cubic(L), derived_seed(seed, L, k)) for k in range(realisations)]
        found = {
            f"site, n={visible_keys}": [site_corridor(m, beta_c, visible_keys, seed, progress) for m in couplings],
            "total": [total_corridor(m, seed, progress) for m in couplings],
        }
        for reading, corridors in found.items():
            (low, high), (low_error, high_error) = _mean(corridors)
            entries.append(
                System(
                    GLASS, str(L), reading, beta_c, error, f"infinite system: {known.source}", low, high,
                    beta_low_error=low_error, beta_high_error=high_error,
                )
            )  # fmt: skip
    return entries


def _mean(corridors: list[Corridor]) -> tuple[list[float], list[float]]:
    """Means of both ends and their standard errors."""
    ends = np.array([astuple(corridor)[:2] for corridor in corridors])
    return ends.mean(axis=0).tolist(), (ends.std(axis=0, ddof=1) / sqrt(len(ends))).tolist()


def model_systems(name: str, source: str, heads: int = 24) -> list[System]:
    """Entries of some heads of a trained model, chosen at even distances, at its own beta = 1/sqrt(d_k).

    Parameters
    ----------
    name
        Printed in the table.
    source
        As in `models.load`; the text is that of Python's documentation.
    heads
        How many, all if there are fewer.
    """
    model = models.load(source)
    reader = ModelOnText(model, read_passages(model, None, PASSAGES, LENGTH))
    n_layers, n_heads = model.shape.n_layers, model.shape.n_heads
    chosen = np.unique(np.linspace(0, n_layers * n_heads - 1, heads).round().astype(int))
    entries = []
    with threadpool_limits(1):
        for layer, scores in enumerate(reader.layers()):
            for head in chosen[chosen // n_heads == layer] % n_heads:
                blocks = scores[head].astype(float)
                entries.append(head_system(name, f"layer {layer} head {head}", blocks, reader.d_k**-0.5))
    return entries
