"""Heads of trained models on the axis of inverse temperature; `measure` is the way in."""

from .measurement import flat_table, measure, summary
from .sources import QueriesKeys, Scores

__all__ = ["QueriesKeys", "Scores", "flat_table", "measure", "summary"]
