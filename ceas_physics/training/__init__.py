"""Training the character model, with or without a thermostat, and the trace it leaves."""

from .loop import Adam, observe, train
from .trace import head_scores

__all__ = ["Adam", "head_scores", "observe", "train"]
