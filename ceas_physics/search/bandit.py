"""The choice of beta as a bandit: arms are values of beta, a pull is some lookups, its reward the share done right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ising.streams import check_seed

from .. import arguments as rules

POLICIES = ("thompson", "ucb1", "uniform")
Pull = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def binomial(accuracy: ArrayLike, trials: int) -> Pull:
    """Pulls of arms with known accuracy: the number of right answers among ``trials``."""
    chances = np.asarray(accuracy, dtype=float)
    if trials < 1 or chances.ndim != 1 or not np.all((chances >= 0.0) & (chances <= 1.0)):
        raise ValueError(f"accuracy must be a list of numbers in [0, 1] and trials at least 1, got {trials} trials")
    return lambda arms, rng: rng.binomial(trials, chances[arms])


def play(
    pull: Pull, n_arms: int, trials: int, pulls: int, policy: str, replicas: int = 64, seed: int = 0
) -> np.ndarray:
    """Arms chosen by a policy, (replica, pull), independent replicas at once.

    "thompson": the arm with the largest draw from Beta(1 + right, 1 + wrong). "ucb1": the arm with the largest
    mean reward + sqrt(2 ln t/pulls of the arm), after each was pulled once (Auer et al. 2002). "uniform": one after the
    other, round and round.

    Parameters
    ----------
    pull : callable
        Takes the arms (replica,) and a generator, returns the number of right answers out of ``trials``, (replica,).
    n_arms, trials, pulls, replicas : int
        At least 1 each, n_arms at least 2.

    Raises
    ------
    ValueError
        Another policy, or too small a number.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {POLICIES}, got {policy!r}")
    if n_arms < 2 or min(trials, pulls, replicas) < 1:
        given = f"got {n_arms}, {trials}, {pulls} and {replicas}"
        raise ValueError(f"there must be at least 2 arms and 1 trial, pull and replica, {given}")
    rng = np.random.default_rng([check_seed(seed), POLICIES.index(policy)])
    right, wrong = np.zeros((2, replicas, n_arms))
    chosen = np.empty((replicas, pulls), dtype=np.int16)
    rows = np.arange(replicas)
    for t in range(pulls):
        chosen[:, t] = _choose(policy, t, right, wrong, trials, rng)
        rewards = pull(chosen[:, t], rng)
        right[rows, chosen[:, t]] += rewards
        wrong[rows, chosen[:, t]] += trials - rewards
    return chosen


def _choose(
    policy: str, t: int, right: np.ndarray, wrong: np.ndarray, trials: int, rng: np.random.Generator
) -> np.ndarray:
    n_arms = right.shape[1]
    if policy == "thompson":
        return np.argmax(rng.beta(1.0 + right, 1.0 + wrong), axis=1)
    if policy == "uniform" or t < n_arms:
        return np.full(len(right), t % n_arms)
    seen = right + wrong
    return np.argmax(right / seen + np.sqrt(2.0 * np.log(t) * trials / seen), axis=1)


@rules.checked(
    accuracy=rules.shaped("beta"),
    betas=rules.shaped("beta"),
    trials=rules.count,
    pulls=rules.count,
    replicas=rules.count,
    seed=rules.seed,
)
def compare(
    accuracy: ArrayLike, betas: ArrayLike, trials: int = 64, pulls: int = 1000, replicas: int = 64, seed: int = 0
) -> xr.Dataset:
    """Regret of each policy on arms with binomial rewards, against searching all values of beta alike.

    Parameters
    ----------
    accuracy, betas : array_like, shape (arm,)
    trials : int
        Lookups of a pull.
    pulls, replicas : int

    Returns
    -------
    xarray.Dataset
        ``regret`` on (policy, replica, pull): the sum so far of max(accuracy) - accuracy of the arm pulled;
        ``last_beta`` on (policy, replica): the value pulled most often in the last tenth.
    """
    chances, values = np.asarray(accuracy, dtype=float), np.asarray(betas, dtype=float)
    if chances.shape != values.shape:
        raise ValueError(f"accuracy and betas must be lists of one length, got {chances.shape} and {values.shape}")
    pull = binomial(chances, trials)
    chosen = np.array([play(pull, len(values), trials, pulls, policy, replicas, seed) for policy in POLICIES])
    regret = np.cumsum(chances.max() - chances[chosen], axis=-1)
    late = chosen[..., -max(pulls // 10, 1) :]
    counts = np.stack([(late == k).sum(axis=-1) for k in range(len(values))], axis=-1)
    formula = "sum over pulls of max(accuracy) - accuracy of the arm"
    return xr.Dataset(
        {
            "regret": (("policy", "replica", "pull"), regret, {"units": "pulls", "formula": formula}),
            "last_beta": (("policy", "replica"), values[counts.argmax(axis=-1)], {"units": "1/score"}),
        },
        {"policy": list(POLICIES), "pull": np.arange(1, pulls + 1)},
        {"seed": seed, "trials": trials},
    )
