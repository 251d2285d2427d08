"""What the margin u_min of the thermostat means for the other knobs."""

from __future__ import annotations

import numpy as np

from .. import arguments as rules
from ..thermostat.margin import apply_margin


@rules.checked(value=rules.number, proposed=rules.number, critical=rules.number, u_min=rules.not_negative)
def keep_away(value: float, proposed: float, critical: float, u_min: float) -> float:
    """The proposed value of a knob, shortened so that |value - critical|/critical stays at u_min or more.

    The same rule as for beta: an update that would end inside the margin, or beyond the critical value, ends at its
    edge on the side it came from. What is critical for a knob is said in its class.
    """
    moved, _ = apply_margin(np.array(value), np.array(proposed), np.array(critical), u_min)
    return float(moved)
