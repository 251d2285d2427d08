"""Runs on the disk that lose nothing: written in parts with checkpoints, read lazily, resumed with the same bits.

`Store`, `Manifest`, `Segment` and `merge` know nothing of physics: any run that is a dict of settings and a list of
units, each of which goes on from a checkpoint, can use them.
"""

from .errors import StoreError
from .manifest import Manifest, Variable
from .merging import merge
from .read import open_run
from .resume import Rerun, rerun, resume
from .store import RESULT, Segment, Store

__all__ = [
    "RESULT",
    "Manifest",
    "Rerun",
    "Segment",
    "Store",
    "StoreError",
    "Variable",
    "merge",
    "open_run",
    "rerun",
    "resume",
]
