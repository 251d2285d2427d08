"""Training the character model, with or without a thermostat, and the trace it leaves; conditions compared."""

from .adam import Adam
from .comparison import QUICK, Plan, compare
from .conditions import CONDITIONS, Condition, condition
from .knobs import Knobs
from .loop import DivergedError, train
from .trace import head_scores, recover

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
