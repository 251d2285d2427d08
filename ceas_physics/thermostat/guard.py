"""The loss guard: spikes, rises of the validation loss, and slow rises of the training loss."""

from __future__ import annotations

import math

from .. import arguments as rules
from .settings import Guard
from .state import Stateful


class LossGuard(Stateful):
    """Judges the loss of every training step.

    Attributes
    ----------
    threshold_shift : float
        What the back-offs so far add to T_gate.
    gain_factor : float
        What kappa is to be multiplied by at this step.
    rise_start : int
        The step at which the last slow rise began: where the slow mean of the loss was smallest; -1 before one.
    """

    changing = (
        "readings", "mean", "variance", "slow", "lowest", "lowest_step", "rising", "rise_start",
        "validations", "short", "long", "validation_variance", "threshold_shift", "backed_off", "gain_factor",
    )  # fmt: skip

    @rules.checked(guard=rules.kind(Guard, "Guard()"))
    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.readings = self.validations = 0
        self.mean = self.slow = self.short = self.long = math.nan
        self.variance = self.validation_variance = 0.0
        self.lowest, self.lowest_step = math.inf, -1
        self.rising, self.rise_start = False, -1
        self.threshold_shift, self.gain_factor = 0.0, 1.0
        self.backed_off = -1  # step of the last back-off

    @rules.checked(step=rules.index, loss=rules.reading, validation_loss=rules.optional(rules.reading))
    def step(self, step: int, loss: float, validation_loss: float | None = None) -> str:
        """Take the training loss of a step, and the validation loss where it was measured; return the verdict.

        Returns
        -------
        str
            "spike": go back to the last checkpoint (the spike leaves no trace in the running means). "back_off":
            ``gain_factor`` and ``threshold_shift`` have changed. "slow_rise": once a rise, ``rise_start`` says since
            when. "ok" otherwise.
        """
        if self.backed_off >= 0 and step >= self.backed_off + self.guard.hold:
            self.gain_factor = 1.0
        if self._spikes(loss):
            return "spike"
        self._follow(step, loss)
        if validation_loss is not None and self._validation_rises(step, validation_loss):
            self.threshold_shift += self.guard.gate_shift
            self.gain_factor, self.backed_off = self.guard.gain_factor, step
            return "back_off"
        return "slow_rise" if self._rises_slowly() else "ok"

    def _spikes(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return True
        known = self.readings >= self.guard.memory
        return known and loss - self.mean > self.guard.spike * math.sqrt(self.variance)

    def _follow(self, step: int, loss: float) -> None:
        """Running mean and variance of the loss, the slow mean, and where it was smallest."""
        self.readings += 1
        if self.readings == 1:
            self.mean = self.slow = loss
        share = max(1.0 / self.guard.memory, 1.0 / self.readings)
        self.variance += share * ((1.0 - share) * (loss - self.mean) ** 2 - self.variance)
        self.mean += share * (loss - self.mean)
        self.slow += max(0.25 / self.guard.memory, 1.0 / self.readings) * (loss - self.slow)
        if self.readings >= self.guard.memory and self.slow < self.lowest:
            self.lowest, self.lowest_step, self.rising = self.slow, step, False

    def _rises_slowly(self) -> bool:
        risen = self.slow - self.lowest > self.guard.slow_rise * math.sqrt(self.variance)
        if self.readings < self.guard.memory or self.rising or not risen:
            return False
        self.rising, self.rise_start = True, self.lowest_step
        return True

    def _validation_rises(self, step: int, loss: float) -> bool:
        """Whether the short mean is above the long one by ``rise`` deviations, and the last back-off is over."""
        self.validations += 1
        if self.validations == 1:
            self.short = self.long = loss
        share = max(1.0 / self.guard.long, 1.0 / self.validations)
        self.validation_variance += share * ((loss - self.short) ** 2 - self.validation_variance)
        self.long += share * (loss - self.long)
        self.short += max(1.0 / self.guard.short, 1.0 / self.validations) * (loss - self.short)
        above = self.short - self.long > self.guard.rise * math.sqrt(self.validation_variance)
        held = self.backed_off >= 0 and step < self.backed_off + self.guard.hold
        return above and not held and self.validations > self.guard.short
