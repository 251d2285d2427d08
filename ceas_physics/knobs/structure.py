"""Which heads, widths and positions to take: a maximum-entropy trade-off between cost and corridor utility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from .. import arguments as rules
from .. import attention


@dataclass(frozen=True)
class Choice:
    """A distribution over options: p ~ exp((utility - multipliers . cost)/temperature).

    ``best`` is the index of the largest p; ``multipliers``, one a cost, are 0 for a budget that does not bind.
    """

    best: int
    probability: np.ndarray
    multipliers: np.ndarray


@rules.checked(
    utility=rules.shaped("option"),
    cost=rules.shaped("option", "resource"),
    budget=rules.shaped("resource"),
    temperature=rules.positive,
)
def trade_off(utility: ArrayLike, cost: ArrayLike, budget: ArrayLike, temperature: float) -> Choice:
    """The distribution of largest <utility> + temperature * entropy whose mean costs are within the budgets.

    p ~ exp((U - mu . c)/temperature); the multipliers mu >= 0 minimise the convex dual
    temperature ln sum exp((U - mu . c)/temperature) + mu . budget.

    Parameters
    ----------
    utility : array_like, shape (options,)
    cost : array_like, shape (options, costs)
        Positive, any units.
    budget : array_like, shape (costs,)
        In the units of the costs.
    temperature : float
        In the units of the utility, positive; towards 0 the best affordable mixture is all that is left.

    Raises
    ------
    ValueError
        A temperature that is not positive, or a budget that is not above the least cost.
    """
    utility, cost, budget = (np.asarray(array, dtype=float) for array in (utility, cost, budget))
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if cost.shape != (utility.size, budget.size):
        raise ValueError(f"cost must have shape ({utility.size}, {budget.size}), utility x budget, got {cost.shape}")
    if not (cost > 0).all() or not (budget > cost.min(axis=0)).all():
        raise ValueError(
            f"cost must be positive and every budget above the least cost {cost.min(axis=0)}, got {budget}"
        )
    relative = cost / budget  # multipliers of comparable size

    def dual(multipliers: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = (utility - relative @ multipliers) / temperature
        slope = 1.0 - softmax(exponent) @ relative
        return temperature * float(logsumexp(exponent)) + float(multipliers.sum()), slope

    start = np.zeros(cost.shape[1])
    solved = minimize(
        dual, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start), options={"ftol": 1e-14}
    )
    probability = softmax((utility - relative @ solved.x) / temperature)
    return Choice(int(np.argmax(probability)), probability, solved.x / budget)


@rules.checked(
    scores=rules.readings, unit=rules.positive, beta_range=rules.pair, corridor=rules.pair, points=rules.count
)
def corridor_utility(
    scores: ArrayLike,
    unit: float,
    *,
    beta_range: tuple[float, float] = (0.5, 2.0),
    corridor: tuple[float, float] = (0.9, 1.3),
    points: int = 17,
) -> float:
    """How well rows stay in the corridor for moderate beta: the share of (row, beta) with H in ln n - [1.3, 0.9].

    Parameters
    ----------
    scores : array_like, shape (rows, keys)
        Unscaled; -inf at hidden keys. Rows with at least 8 visible keys count, n is the visible keys of the row.
    unit : float
        1/sqrt(d_k).
    beta_range : tuple of float
        In units of 1/sqrt(d_k); ``points`` values evenly in ln beta.
    corridor : tuple of float
        In nats under ln n.
    points : int
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    if beta_range[0] <= 0.0 or beta_range[1] < beta_range[0]:
        raise ValueError(f"beta_range must be two rising numbers > 0, got {beta_range}")
    visible_keys = np.isfinite(scores).sum(axis=-1)
    rows = scores[visible_keys >= attention.MINIMUM_VISIBLE]
    if not len(rows):
        raise ValueError(
            f"scores have no row with {attention.MINIMUM_VISIBLE} visible keys, the most is {visible_keys.max()}"
        )
    depth = np.log(visible_keys[visible_keys >= attention.MINIMUM_VISIBLE])
    betas = unit * np.geomspace(*beta_range, points)
    depths = np.array([depth - attention.entropy(rows, beta) for beta in betas])
    return float(np.mean((depths >= corridor[0]) & (depths <= corridor[1])))


@dataclass(frozen=True)
class Structure:
    """Shape of a transformer layer: heads of width d_k, an MLP of width d_ff on a stream of width d_model."""

    n_heads: int
    d_k: int
    d_ff: int
    d_model: int

    def __post_init__(self) -> None:
        rules.check_fields(self, n_heads=rules.count, d_k=rules.count, d_ff=rules.count, d_model=rules.count)

    @rules.checked(context=rules.count)
    def flops(self, context: int) -> float:
        """Operations of a forward pass of a layer, per token: 2 a multiply-add, (context + 1)/2 visible keys."""
        inner = self.n_heads * self.d_k
        return 2.0 * (4 * self.d_model * inner + 2 * self.d_model * self.d_ff + (context + 1) * inner)

    @rules.checked(context=rules.count)
    def memory(self, context: int) -> float:
        """Numbers held in training: weights with gradient and Adam's two means, and a sequence's activations."""
        inner = self.n_heads * self.d_k
        weights = 4 * self.d_model * inner + 2 * self.d_model * self.d_ff
        activations = context * (4 * self.d_model + 4 * inner + 2 * self.d_ff) + self.n_heads * context * context
        return 4.0 * weights + activations


CATALOGUE = tuple(
    Structure(d_model // d_k, d_k, factor * d_model, d_model)
    for d_model in (16, 32, 64, 128)
    for d_k in (8, 16, 32, 64)
    for factor in (2, 4)
    if d_k <= d_model
)


@rules.checked(
    structure=rules.kind(Structure, "Structure(2, 8, 32, 16)"), context=rules.count, rows=rules.count, seed=rules.seed
)
def structure_utility(structure: Structure, context: int, rows: int = 512, seed: int = 0) -> float:
    """``corridor_utility`` of the heads before training: q and k normal with unit variance, d_k entries each."""
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((rows, 1, structure.d_k))
    keys = rng.standard_normal((rows, structure.d_k, context))
    return corridor_utility((queries @ keys)[:, 0], structure.d_k**-0.5)


@rules.checked(
    budget=rules.kind(Structure, "Structure(2, 8, 32, 16)"),
    context=rules.count,
    utility=rules.optional(rules.numbers),
    temperature=rules.positive,
)
def choose_structure(
    budget: Structure,
    context: int,
    *,
    catalogue: Sequence[Structure] = CATALOGUE,
    utility: Sequence[float] | None = None,
    temperature: float = 0.01,
) -> Choice:
    """Choose from a catalogue by ``trade_off``, with the FLOPs and the memory of ``budget`` as mean costs.

    ``utility`` has one number an option; by default ``structure_utility``.
    """
    if not isinstance(catalogue, Sequence) or not all(isinstance(option, Structure) for option in catalogue):
        rules.refuse("catalogue", "a list of Structure", catalogue)
    if len(catalogue) == 0:
        raise ValueError("catalogue must hold at least one Structure, got none")
    if utility is None:
        by_width = {s.d_k: structure_utility(s, context) for s in catalogue}
        utility = [by_width[structure.d_k] for structure in catalogue]
    cost = [(structure.flops(context), structure.memory(context)) for structure in catalogue]
    return trade_off(utility, cost, (budget.flops(context), budget.memory(context)), temperature)


@rules.checked(unit=rules.positive, budget=rules.positive, temperature=rules.positive)
def choose_positions(
    scores: Mapping[str, ArrayLike],
    cost: Mapping[str, float],
    unit: float,
    budget: float,
    *,
    temperature: float = 0.01,
) -> dict[str, float]:
    """Probability of every kind of positions (rotary, learned, ALiBi, local, ...) by ``trade_off``.

    Parameters
    ----------
    scores : mapping of str to array_like, shape (rows, keys)
        Score rows of heads with these positions, -inf at hidden keys; the utility is ``corridor_utility``.
    cost : mapping of str to float
        Such as FLOPs per token; the same names.
    unit : float
        1/sqrt(d_k).
    budget : float
        Of the mean cost.
    temperature : float
    """
    for name, given in (("scores", scores), ("cost", cost)):
        if not isinstance(given, Mapping) or not given:
            rules.refuse(name, "a dict by the name of the positions", given)
    if set(scores) != set(cost):
        raise ValueError(f"scores and cost must have the same names, got {list(scores)} and {list(cost)}")
    utility = [corridor_utility(rows, unit) for rows in scores.values()]
    choice = trade_off(utility, [[cost[name]] for name in scores], [budget], temperature)
    return dict(zip(scores, choice.probability.tolist()))
