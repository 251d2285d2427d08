"""Layers of the sites as the cluster kernels sum over them."""

from __future__ import annotations

import numpy as np

from .kernels_bonds import PAD, Momenta
from .lattice import Lattice


def momenta(lattice: Lattice) -> Momenta:
    """Layers of the sites, cut into runs in which the layer stays or goes up by one, if these are long."""
    if lattice.momentum is None:
        none = np.zeros((0, 4), np.int64)
        return Momenta(none[:, 0], none, none, none.astype(np.int32), np.zeros((2, 0)))
    layers, length = np.ascontiguousarray(lattice.momentum.layers), lattice.momentum.length
    steps, runs = [], []
    for axis, layer in enumerate(layers):
        change = np.diff(layer)
        step = int((change == 1).sum() > (change == 0).sum())
        first = np.concatenate([[0], np.flatnonzero(change != step) + 1])
        if 8 * len(first) > lattice.n_sites > 64:
            step, first = -1, first[:1]
        number = np.diff(first, append=lattice.n_sites)
        steps.append(step)
        runs.append(np.stack([np.full(len(first), axis), first + PAD, layer[first], number], axis=1))
    sizes = np.stack([np.bincount(layer, minlength=length) for layer in layers])
    phase = 2 * np.pi / length * np.arange(length)
    waves = np.array([np.cos(phase), np.sin(phase)])
    return Momenta(np.array(steps), np.concatenate(runs).astype(np.int64), sizes, layers, waves)
