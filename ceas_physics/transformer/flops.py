"""Floating-point operations of a training step, counted from the shapes."""

from __future__ import annotations

from dataclasses import dataclass

from .. import arguments as rules
from .config import TransformerConfig


@dataclass(frozen=True)
class Flops:
    """Multiplications and additions of matrix products, forward and backward together.

    Attributes
    ----------
    attention_rows : float
        Scores and mixed values of the visible keys, and their backward pass.
    projections, mlp, output : float
        The products with qkv and output matrices, with the up and down matrices, and with the embedding for the logits.
    """

    attention_rows: float
    projections: float
    mlp: float
    output: float

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return self.attention_rows + self.projections + self.mlp + self.output


@rules.checked(
    config=rules.kind(TransformerConfig, "TransformerConfig()"),
    n_characters=rules.count,
    kept_fraction=rules.not_negative,
    backward_fraction=rules.not_negative,
    tokens=rules.not_negative,
)
def flops(
    config: TransformerConfig,
    n_characters: int,
    *,
    kept_fraction: float = 1.0,
    backward_fraction: float = 1.0,
    tokens: float = 1,
) -> Flops:
    """Operations for ``tokens`` tokens of training.

    A visible key costs 4 d_k operations forward (q.k and p v) and 8 d_k backward a head; a weight costs 2 forward and 4
    backward. Exponentials, norms and activations, the search for beta of scaling "entropy" and the estimate which
    decides what is skipped are not counted.

    Parameters
    ----------
    kept_fraction : float
        Share of the (row, visible key) pairs that are computed.
    backward_fraction : float
        Share of those that also have a backward pass.
    """
    for name, value in (("kept_fraction", kept_fraction), ("backward_fraction", backward_fraction)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must lie in [0, 1], got {value}")
    d, layers = config.d_model, config.n_layers
    pairs = float(config.visible_keys.mean()) * kept_fraction
    rows = layers * d * pairs * (4.0 + 8.0 * backward_fraction)
    products = 6.0 * tokens  # one multiplication and one addition, forward once and backward twice
    return Flops(
        attention_rows=tokens * rows,
        projections=products * layers * 4 * d * d,
        mlp=products * layers * 8 * d * d,
        output=products * d * n_characters,
    )
