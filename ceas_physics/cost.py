"""What training costs, and what pruning and fewer steps would save: plain arithmetic."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from . import arguments as rules

Range = float | tuple[float, float]

FLOPS_PER_PARAMETER = 6.0  # forward and backward, for every token
THROUGHPUT = 200e12  # FLOP/s of one GPU
PRICE, SPOT_PRICE = 5.0, 2.253  # dollars for a GPU-hour


@rules.checked(
    warm_share=rules.number, chi_warm=rules.number, chi_steady=rules.number, s_warm=rules.number, s_steady=rules.number
)
def saving(warm_share: float, chi_warm: float, chi_steady: float, s_warm: float, s_steady: float = 1.0) -> float:
    """Save = 1 - [(1 - chi_warm)/s_warm W + (1 - chi_steady)/s_steady (1 - W)], a fraction of the baseline's compute.

    Parameters
    ----------
    warm_share : float
        W, the share of the baseline that is warm-up, in [0, 1].
    chi_warm, chi_steady : float
        Pruned fractions of the work in the two phases, in [0, 1].
    s_warm, s_steady : float
        By how much fewer steps the phases need, > 0. With beta alone s_steady = 1.

    Raises
    ------
    ValueError
        A share or fraction outside [0, 1], or a speedup that is not positive.
    """
    for name, value in {"warm_share": warm_share, "chi_warm": chi_warm, "chi_steady": chi_steady}.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is a fraction in [0, 1], got {value}; divide percent by 100")
    for name, value in {"s_warm": s_warm, "s_steady": s_steady}.items():
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}; 1 is no speedup")
    return 1.0 - ((1.0 - chi_warm) / s_warm * warm_share + (1.0 - chi_steady) / s_steady * (1.0 - warm_share))


def saving_range(
    warm_share: Range, chi_warm: Range, chi_steady: Range, s_warm: Range, s_steady: Range = 1.0
) -> tuple[float, float]:
    """Smallest and largest ``saving`` for inputs that are numbers or intervals (low, high).

    The saving is monotone in each input, so the extremes lie at corners of the box of intervals. It assumes nothing
    about which inputs go together: low corners and high ones combine freely.

    Examples
    --------
    >>> low, high = saving_range((0.25, 0.35), (0.45, 0.55), (0.22, 0.30), (2.4, 3.2))
    >>> f"{low:.3f} to {high:.3f}"
    '0.358 to 0.496'
    """
    inputs = (warm_share, chi_warm, chi_steady, s_warm, s_steady)
    names = ("warm_share", "chi_warm", "chi_steady", "s_warm", "s_steady")
    for name, value in zip(names, inputs):
        if np.size(rules.numbers(name, value)) > 2 or np.ndim(value) > 1:
            rules.refuse(name, "a number or an interval (low, high)", value)
    corners = [saving(*corner) for corner in itertools.product(*(np.atleast_1d(value).tolist() for value in inputs))]
    return min(corners), max(corners)


@rules.checked(parameters=rules.readings, tokens=rules.readings)
def training_flops(parameters: ArrayLike, tokens: ArrayLike) -> np.ndarray:
    """6 N D, the FLOPs of training N parameters on D tokens; a saving by a factor divides D."""
    rules.check_broadcast(parameters=parameters, tokens=tokens)
    return FLOPS_PER_PARAMETER * np.asarray(parameters, dtype=float) * np.asarray(tokens, dtype=float)


@rules.checked(flops=rules.readings, throughput=rules.positive)
def gpu_hours(flops: ArrayLike, throughput: float = THROUGHPUT) -> np.ndarray:
    """Hours of one GPU: FLOPs/(3600 throughput), throughput in FLOP/s."""
    return np.asarray(flops, dtype=float) / (3600.0 * throughput)


@rules.checked(base=rules.count, factor=rules.positive, floor=rules.count)
def gpus_for_equal_time(base: int, factor: float, floor: int = 1) -> int:
    """GPUs that finish in the baseline's wall-clock time: ceil(max(G_min, G_base/factor)).

    Parameters
    ----------
    base, floor : int
        G_base, the GPUs of the baseline, and G_min, what the model needs to fit; at least 1.
    factor : float
        By how much less work there is, > 0.
    """
    return math.ceil(max(floor, base / factor))


@rules.checked(
    compute=rules.readings,
    a=rules.readings,
    b=rules.readings,
    model_coefficient=rules.readings,
    data_coefficient=rules.readings,
)
def optimal_allocation(
    compute: ArrayLike, a: ArrayLike, b: ArrayLike, model_coefficient: ArrayLike, data_coefficient: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Best model size M = m C^a in FLOPs per token and tokens D = d C^b for compute C.

    With M in FLOPs per token M D = C must hold, so a + b = 1 and m d = 1.
    """
    rules.check_broadcast(
        compute=compute, a=a, b=b, model_coefficient=model_coefficient, data_coefficient=data_coefficient
    )
    budget = np.asarray(compute, dtype=float)
    if not (budget > 0).all():
        raise ValueError(f"compute must be positive, got {rules.shown(compute)}")
    for name, exponent in (("a", a), ("b", b)):
        if (np.abs(exponent) > 2).any():
            raise ValueError(f"{name} must be an exponent from -2 to 2, got {rules.shown(exponent)}")
    model = np.multiply(model_coefficient, np.power(budget, a))
    return model, np.multiply(data_coefficient, np.power(budget, b))
