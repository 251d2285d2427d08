"""Which beta an attention head should have: lookups trained at many beta, n-ary search, and a bandit."""

from .bandit import compare
from .conditions import measure_conditions
from .curves import summarize
from .lookup import LookupTask
from .lookup_training import LookupTraining, measure
from .search import Search, nary_search

__all__ = [
    "LookupTask",
    "LookupTraining",
    "Search",
    "compare",
    "measure",
    "measure_conditions",
    "nary_search",
    "summarize",
]
