"""Training the character model, with or without a thermostat, and the trace it leaves."""

from .adam import Adam
from .knobs import Knobs
from .loop import DivergedError, train
from .observe import observe
from .trace import head_scores, recover

__all__ = ["Adam", "DivergedError", "Knobs", "head_scores", "observe", "recover", "train"]
