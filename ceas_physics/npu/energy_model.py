"""The energy a device uses, from three assumed constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ising.arguments import as_number, as_numbers

from ..arguments import check_broadcast


@dataclass(frozen=True)
class EnergyModel:
    """Energy used = n_events (spin_event + degree coupling_read) + static_power t, by replica.

    The defaults are assumptions of the order of magnitude of CMOS with stochastic bits, not measurements of a chip;
    ``print(EnergyModel(...))`` says what is assumed.

    Attributes
    ----------
    spin_event
        Joules for a spin to decide (p-bit) or to move on by a step.
    coupling_read
        Joules to read one neighbour through its coupling.
    static_power
        Watts of a replica, whatever it does.
    time_unit
        Seconds that one unit of the result's `time` takes on the device.

    Raises
    ------
    ValueError
        A constant that is negative or not finite.
    """

    spin_event: float = 2e-15
    coupling_read: float = 1e-15
    static_power: float = 1e-3
    time_unit: float = 1e-9

    def __post_init__(self) -> None:
        for name in ("spin_event", "coupling_read", "static_power", "time_unit"):
            as_number(name, getattr(self, name), least=0)

    def __str__(self) -> str:
        """The assumptions."""
        return (
            f"assumed: {self.spin_event:g} J a spin event, {self.coupling_read:g} J a coupling read, "
            f"{self.static_power:g} W a replica at rest, {self.time_unit:g} s a unit of time"
        )

    def used(
        self, spin_events: NDArray[np.float64], mean_degree: float, time: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Joules after that many events of one replica and that much device time."""
        events, time = as_numbers("spin_events", spin_events, least=0), as_numbers("time", time, least=0)
        check_broadcast(spin_events=events, time=time)
        dynamic = events * (self.spin_event + as_number("mean_degree", mean_degree, least=0) * self.coupling_read)
        return np.asarray(dynamic + self.static_power * self.time_unit * time)
