"""Heads of trained models on the axis of inverse temperature; `measure` and `scaling` are the ways in."""

from .measurement import flat_table, measure, summary
from .rows import GaussianRows
from .scaling import scaling
from .sources import QueriesKeys, Scores

__all__ = ["GaussianRows", "QueriesKeys", "Scores", "flat_table", "measure", "scaling", "summary"]
