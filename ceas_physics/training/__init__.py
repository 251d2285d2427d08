"""Training the character model, with or without a thermostat, and the trace it leaves; conditions compared."""

from typing import TYPE_CHECKING, Any

from .adam import Adam
from .conditions import CONDITIONS, Condition, condition
from .knobs import Knobs
from .loop import DivergedError, train
from .trace import head_scores, recover

if TYPE_CHECKING:
    from .comparison import QUICK, Plan, compare

__all__ = [
    "CONDITIONS",
    "QUICK",
    "Adam",
    "Condition",
    "DivergedError",
    "Knobs",
    "Plan",
    "compare",
    "condition",
    "head_scores",
    "recover",
    "train",
]


def __getattr__(name: str) -> Any:
    """The comparison is read when it is asked for: most runs do without."""
    if name not in ("QUICK", "Plan", "compare"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import comparison

    return getattr(comparison, name)
