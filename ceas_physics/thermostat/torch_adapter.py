"""The thermostat for ``torch.nn.functional.scaled_dot_product_attention``; needs the extra ``ceas-physics[torch]``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ising.integers import as_integer

from .. import attention
from .controller import Controller, Observables
from .settings import Thermostat

if TYPE_CHECKING:
    from torch import Tensor


class Thermostatted:
    """The betas of one attention layer, which a thermostat moves by what it sees of q and k.

    ``scale`` of scaled_dot_product_attention is one number for all heads; a beta for each goes into the queries::

        heads = Thermostatted(Thermostat(beta_c="rem"), n_heads=12, d_k=64, context=1024)
        ...
        heads.step(q, k)  # once a training step; q and k (batch, head, context, d_k)
        y = scaled_dot_product_attention(heads.fold(q), k, v, is_causal=True, scale=1.0)

    Parameters
    ----------
    thermostat : Thermostat
        ``initial`` must be "standard". With ``beta_c="measured"`` the peak of C(beta) is searched once a window, on the
        rows of the first sequence.
    n_heads, d_k, context : int
        Shape of q and k; every sequence has ``context`` tokens.
    rows : int
        Queries of a sequence that are looked at, spread evenly over those with at least 8 visible keys.
    causal : bool
        Whether query i sees the keys j <= i only, or all of them.

    Attributes
    ----------
    controller : Controller
        Holds beta (head,), ``blocked``, ``state()`` and ``restore()``.
    queries : ndarray of int
        Positions of the rows that are looked at.

    Raises
    ------
    ValueError
        Another ``initial``, or a context without rows of 8 visible keys.
    """

    def __init__(
        self, thermostat: Thermostat, n_heads: int, d_k: int, context: int, rows: int = 64, causal: bool = True
    ) -> None:
        if thermostat.initial != "standard":
            raise ValueError(f'initial must be "standard" here, as there are no scores yet, got {thermostat.initial!r}')
        first = attention.MINIMUM_VISIBLE - 1 if causal else 0
        last = as_integer("context", context, attention.MINIMUM_VISIBLE) - 1
        count = min(as_integer("rows", rows, 1), context - first)
        self.queries = np.unique(np.linspace(first, last, count).round().astype(np.int64))
        visible_keys = self.queries + 1 if causal else np.full(len(self.queries), context)
        self.visible = np.arange(context) < visible_keys[:, None]  # (row, key)
        unit = 1.0 / math.sqrt(d_k)
        self.controller = Controller(thermostat, visible_keys, np.full(n_heads, unit), unit)

    def fold(self, query: Tensor) -> Tensor:
        """Beta times the queries (batch, head, context, d_k), to be used with ``scale=1.0``."""
        return query * query.new_tensor(self.controller.beta)[:, None, None]

    def step(self, query: Tensor, key: Tensor) -> np.ndarray:
        """Observe one training step's q and k, without gradients, and move the thermostat; return beta (head,)."""
        scores = (
            query.detach()[:, :, self.queries] @ key.detach().transpose(-1, -2)
        ).float()  # (batch, head, row, key)
        beta_c = None
        settings = self.controller.thermostat
        if settings.beta_c == "measured" and self.controller.steps % settings.window == 0:
            beta_c = attention.pseudo_critical_beta(scores[0].cpu().numpy(), self.visible)
        return self.controller.step(self.observe(scores, beta_c))

    def observe(self, scores: Tensor, beta_c: np.ndarray | None = None) -> Observables:
        """Head means of H, Var_p[s] and sigma_qk of unscaled scores (batch, head, row, key) at the present beta."""
        hidden = scores.new_tensor(~self.visible) > 0
        beta = scores.new_tensor(self.controller.beta)[:, None, None]
        log_weights = (beta * scores).masked_fill(hidden, -math.inf).log_softmax(dim=-1).masked_fill(hidden, 0.0)
        weights = log_weights.exp().masked_fill(hidden, 0.0)
        entropy = -(weights * log_weights).sum(dim=-1)
        flat = (~hidden) / (~hidden).sum(dim=-1, keepdim=True)
        rows = (entropy, _variance(scores, weights), _variance(scores, flat).sqrt())
        means = [row.mean(dim=(0, 2)).double().cpu().numpy() for row in rows]
        return Observables(means[0], means[1], means[2], beta_c)


def _variance(scores: Tensor, weights: Tensor) -> Tensor:
    """Variance of the scores of each row under weights that sum to 1."""
    centred = scores - (weights * scores).sum(dim=-1, keepdim=True)
    return (weights * centred * centred).sum(dim=-1)
