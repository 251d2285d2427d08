"""Configurations of one p-bit machine during an anneal, for `figures.disk_film`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ising import IsingModel
from ising.arguments import as_kind, as_numbers
from ising.bits import unpack
from ising.integers import as_integer
from ising.streams import check_seed

from .reading import make_reader
from .sweeps import Sweeps


def film(model: IsingModel, beta: ArrayLike, sweeps: int = 1, seed: int = 0) -> NDArray[np.int8]:
    """Spins after `sweeps` sweeps at every beta in turn, from random spins.

    Parameters
    ----------
    model
        The model.
    beta
        (n_frames,) inverse temperatures in 1/J, such as ``result.beta`` of one replica of an anneal.
    sweeps
        Updates per spin at each.
    seed
        Every random number follows from it.

    Returns
    -------
    (n_frames, n_sites) int8 of +-1.

    Raises
    ------
    ValueError
        Impossible arguments.
    """
    model = as_kind("model", model, IsingModel, "ising.ferromagnet(ising.square(8))")
    betas, sweeps = as_numbers("beta", beta, least=0).ravel(), as_integer("sweeps", sweeps, 1)
    unit = Sweeps(model, make_reader(model, 0.0, None), check_seed(seed), 0, 1, float(betas.max()))
    unit.restart(0)
    frames = np.empty((len(betas), model.lattice.n_sites), np.int8)
    for frame, b in zip(frames, betas):
        unit.run(np.full((1, 2), b), np.array([sweeps]))
        frame[:] = unpack(unit.record.last[:-1], 1)[0]
    return frames
