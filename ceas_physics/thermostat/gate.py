"""The gate: which query rows are worth computing, by their temperature-gap score T."""

from __future__ import annotations

import math

import numpy as np

from .. import arguments as rules
from .settings import Gating
from .state import Stateful


class Gate(Stateful):
    """Chooses the rows to compute; a row that it leaves out is to be skipped, not multiplied by zero.

    T = beta sigma_qk sqrt(2 ln N_eff) is not 1 at criticality: it is 2 ln n at freezing and goes to 0 for a condensed
    row, so with the default settings the condensed rows, and those of a few visible keys, are left out.

    Parameters
    ----------
    gating : Gating
    context : int
        Queries of a sequence.
    n_layers : int

    Attributes
    ----------
    counts : ndarray of int, shape (layer, context, 2)
        Rows that were asked for, and rows that were kept, by layer and query position.
    threshold_shift : float
        Added to T_gate; a back-off lowers it.
    """

    changing = ("counts", "threshold_shift")

    @rules.checked(gating=rules.kind(Gating, "Gating()"), context=rules.count, n_layers=rules.count)
    def __init__(self, gating: Gating, context: int, n_layers: int) -> None:
        self.gating = gating
        self.counts = np.zeros((n_layers, context, 2), dtype=np.int64)
        self.threshold_shift = 0.0

    @rules.checked(step=rules.not_negative)
    def threshold(self, step: float) -> float:
        """T_gate(t) = t_max - (t_max - t_inf)(1 - exp(-t/tau)), plus ``threshold_shift``."""
        settings = self.gating
        fallen = (settings.t_max - settings.t_inf) * (1.0 - math.exp(-step / settings.tau))
        return settings.t_max - fallen + self.threshold_shift

    @rules.checked(step=rules.not_negative)
    def fraction(self, step: float) -> float:
        """q(t), the share of a head's rows that is always kept."""
        start, end = self.gating.fraction
        return start + (end - start) * min(1.0, step / self.gating.fraction_steps)

    @rules.checked(layer=rules.index, estimate=rules.shaped("batch", "head", "query"), step=rules.not_negative)
    def keep(self, layer: int, estimate: np.ndarray, step: int) -> np.ndarray:
        """Rows to compute, from estimates of their T; both of shape (batch, head, query). Counts them."""
        if layer >= len(self.counts):
            raise ValueError(f"layer must be below {len(self.counts)}, the layers of the gate, got {layer}")
        batch, heads, queries = estimate.shape
        if queries != self.counts.shape[1]:
            raise ValueError(f"estimate must have {self.counts.shape[1]} queries, got shape {estimate.shape}")
        limit = self.threshold(step)
        kept = estimate >= limit
        guaranteed = math.ceil(self.fraction(step) * batch * queries)
        short = np.flatnonzero(kept.sum(axis=2).sum(axis=0) < guaranteed)
        if len(short):
            by_head = estimate.transpose(1, 0, 2)[short].reshape(len(short), -1)
            top = np.partition(by_head, by_head.shape[1] - guaranteed, axis=1)[:, -guaranteed]
            kept[:, short] = estimate[:, short] >= top[:, None]
        if self.gating.min_tokens and self.gating.min_heads:
            self._floor(kept, estimate)
        self.counts[layer, :, 0] += batch * heads
        self.counts[layer, :, 1] += kept.sum(axis=0).sum(axis=0)
        return kept

    def _floor(self, kept: np.ndarray, estimate: np.ndarray) -> None:
        """Keep the ``min_tokens`` rows of largest T of every sequence in the ``min_heads`` heads of largest mean T."""
        tokens = min(self.gating.min_tokens, estimate.shape[2])
        if (kept.sum(axis=2) >= tokens).all():  # rows are kept by a limit on T: those of largest T are among them
            return
        heads = np.argsort(estimate.mean(axis=(0, 2)))[-self.gating.min_heads :]
        chosen = estimate[:, heads]
        kept[:, heads] |= chosen >= np.partition(chosen, -tokens, axis=2)[:, :, -tokens, None]

    def pruned_fraction(self) -> float:
        """chi, the rows not computed over the rows asked for; nan before the first."""
        asked, kept = self.counts.sum(axis=(0, 1))
        return 1.0 - float(kept) / float(asked) if asked else math.nan
