"""Size and options of the transformer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import arguments as rules

POSITIONS = ("learned", "rotary", "alibi", "local", "none")
SCALINGS = ("fixed", "learned", "log_n", "adaptive", "entropy")


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the model, its attention and its optimiser's settings; about 9,000 parameters by default.

    Attributes
    ----------
    n_layers, n_heads, d_model, context : int
        ``d_model`` must be a multiple of ``n_heads``; ``d_k = d_model / n_heads``.
    batch_size : int
        Sequences of ``context`` tokens in a training step.
    learning_rate : float
        Step of Adam, constant.
    positions : str
        "learned": an embedding of every position is added to that of the token. "rotary": q and k are rotated by angles
        proportional to their position (``d_k`` even). "alibi": the unscaled score is lowered by slope * distance.
        "local": a query sees the last ``context // 4`` keys only. "none": order is known by the causal mask alone. Only
        "learned" has position parameters.
    qk_norm : bool
        q and k of every head divided by their root mean square, so |q| = |k| = sqrt(d_k).
    scaling : str
        beta of a row: "fixed" as given by the caller; "learned" exp(log_beta), one parameter a head; "log_n"
        s ln(n)/sqrt(d_k), with n the visible keys of the row and s a parameter of the head; "adaptive" the caller's
        times max(1, polynomial in H) where H > 0.5; "entropy" such that H = entropy_fraction ln n. No gradient passes
        through beta in the last two.
    entropy_fraction : float
        In (0, 1).
    label_smoothing : float
        In [0, 1): share of the target distribution that is spread evenly over the characters.
    dropout : float
        In [0, 1): share of the entries of each residual branch set to 0 in training, the rest divided by 1 - dropout.
    """

    n_layers: int = 2
    n_heads: int = 2
    d_model: int = 16
    context: int = 64
    batch_size: int = 16
    learning_rate: float = 3e-3
    positions: str = "learned"
    qk_norm: bool = False
    scaling: str = "fixed"
    entropy_fraction: float = 0.5
    label_smoothing: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_heads", "d_model", "context", "batch_size"):
            rules.count(name, getattr(self, name))
        for name in ("learning_rate", "entropy_fraction", "label_smoothing", "dropout"):
            rules.number(name, getattr(self, name))
        rules.flag("qk_norm", self.qk_norm)
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got {self.d_model} and {self.n_heads}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        for name, allowed in (("positions", POSITIONS), ("scaling", SCALINGS)):
            rules.one_of(*allowed)(name, getattr(self, name))
        if self.positions == "rotary" and self.d_k % 2:
            raise ValueError(f"rotary positions need an even d_k = d_model / n_heads, got {self.d_k}")
        if self.scaling == "log_n" and self.window < 2:
            raise ValueError(f"scaling 'log_n' needs rows of at least 2 visible keys, got {self.window}")
        if not 0.0 < self.entropy_fraction < 1.0:
            raise ValueError(f"entropy_fraction must lie in (0, 1), got {self.entropy_fraction}")
        for name in ("label_smoothing", "dropout"):
            check_share(name, getattr(self, name))

    @property
    def d_k(self) -> int:
        """Width of a head."""
        return self.d_model // self.n_heads

    @property
    def standard_beta(self) -> np.ndarray:
        """1/sqrt(d_k) for every head, shape (layer, head)."""
        return np.full((self.n_layers, self.n_heads), 1.0 / math.sqrt(self.d_k))

    @property
    def window(self) -> int:
        """The most keys that a query sees."""
        return max(1, self.context // 4) if self.positions == "local" else self.context

    @property
    def visible_keys(self) -> np.ndarray:
        """Number of keys that each query sees, shape (context,)."""
        return np.minimum(np.arange(1, self.context + 1), self.window)


def check_share(name: str, value: float) -> float:
    """The value, or ValueError outside [0, 1)."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), got {value}")
    return value
