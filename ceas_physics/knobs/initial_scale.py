"""Weight scales before training, so that the rows start near a chosen temperature-gap score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import arguments as rules


@rules.checked(
    measure=rules.function,
    n_layers=rules.count,
    target=rules.positive,
    start=rules.positive,
    tolerance=rules.positive,
    rounds=rules.count,
)
def maxent_scales(
    measure: Callable[[np.ndarray], np.ndarray],
    n_layers: int,
    target: float,
    *,
    start: float = 0.25,
    tolerance: float = 0.01,
    rounds: int = 64,
) -> np.ndarray:
    """Scale of W_Q and W_K in every layer at which T = beta sigma_qk sqrt(2 ln N_eff) is ``target`` at step 0.

    sigma_qk goes with scale^2 and N_eff falls with it, so T rises with at most scale^2, up to a largest value (ln n for
    Gaussian scores): scale <- scale sqrt(target/T) comes up to the target, or down to it, without passing it. Beyond
    the largest T, in condensed rows, it falls again: of the two scales with T = target this is the smaller.

    Parameters
    ----------
    measure : callable
        Mean T of every layer, shape (n_layers,), for scales of that shape.
    n_layers : int
    target : float
        T*, positive.
    start : float
        First scale of every layer, small enough that T still rises with it.
    tolerance : float
        Relative error of T that is good enough.
    rounds : int
        Measurements before giving up.

    Returns
    -------
    ndarray, shape (n_layers,)

    Raises
    ------
    ValueError
        The target is not reached: it lies above the largest T of these scores.
    """
    if not target > 0.0:
        raise ValueError(f"target must be positive, got {target}")
    scales = np.full(n_layers, float(start))
    for _ in range(rounds):
        reached = np.asarray(measure(scales), dtype=float)
        if (np.abs(reached / target - 1.0) <= tolerance).all():
            return scales
        if not (reached > 0.0).all():
            break
        scales = scales * np.sqrt(target / reached)
    raise ValueError(f"target: T = {target} is not reached, the last T is {reached}; give a smaller target")
