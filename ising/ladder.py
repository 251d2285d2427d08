"""A temperature ladder whose neighbouring replicas exchange equally often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arguments import as_flag, as_number
from .integers import as_integer
from .model import IsingModel
from .sample import sample
from .schedule import Schedule

PILOT = Schedule(warmup=300, draws=300)
ROUNDS = 4


def temperature_ladder(
    model: IsingModel, beta_min: float, beta_max: float, n: int, seed: int = 0, progress: bool = True
) -> NDArray[np.float64]:
    """N inverse temperatures at equal thermodynamic distance, so that all swaps are accepted about equally often.

    For Gaussian energies a swap over a distance d is accepted with erfc(d), d = (b' - b) sigma_E / 2 (Predescu et al.
    2004). Short pilot runs measure d = erfcinv(acceptance) of every gap; the betas are moved to equal distances, and
    again with the next pilot on the ladder so found.

    Parameters
    ----------
    model
        The model that will be sampled (of a disordered ensemble, one typical realisation).
    beta_min, beta_max
        Ends, 0 <= beta_min < beta_max.
    n
        Number of betas, at least 3.
    seed, progress
        As in `sample`.

    Returns
    -------
    (n,) increasing.

    Raises
    ------
    ValueError
        Impossible ends or n.
    """
    beta_min, beta_max = as_number("beta_min", beta_min), as_number("beta_max", beta_max)
    progress = as_flag("progress", progress)
    if not 0 <= beta_min < beta_max:
        raise ValueError(f"a ladder needs 0 <= beta_min < beta_max, got {beta_min} and {beta_max}")
    if not isinstance(model, IsingModel):
        raise ValueError(f"model must be one IsingModel, got {type(model).__name__}; take one realisation")
    n = as_integer("n", n, 3)
    from scipy.special import erfcinv  # loaded here: it would double the time to import ising

    betas = np.linspace(beta_min, beta_max, n)
    for _ in range(ROUNDS):
        data = sample(
            model, betas, PILOT, update="heat_bath", seed=seed, exchange=True, observables=["energy"], progress=progress
        )
        accepted = np.clip(data.swap_acceptance.mean("chain").values, 1e-4, 1 - 1e-9)
        length = np.concatenate([[0.0], np.cumsum(erfcinv(accepted))])
        betas = np.interp(np.linspace(0.0, length[-1], n), length, betas)
        betas[0], betas[-1] = beta_min, beta_max
    return betas
