"""The claims ledger: every claim of the documents this project came from, tested.

A claim is an entry of ``claimed.json`` (its words and numbers) and one function with the decorator ``claim`` in one of
the modules below, which returns what it measured; verdicts are made by ``rules`` alone.
"""

from . import arithmetic, experiments, machines, savings, theory_heads, theory_systems  # noqa: F401  they register
from .entry import REGISTRY, claimed_numbers
from .ledger import read, run

__all__ = ["REGISTRY", "claimed_numbers", "read", "run"]
