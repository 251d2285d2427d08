"""What a real device gets wrong: coupling resolution, mismatch, noise, delay, dead spins, read errors."""

from __future__ import annotations

from dataclasses import dataclass

from ising.arguments import as_number
from ising.integers import as_integer


@dataclass(frozen=True)
class Realism:
    """Imperfections of a device; every default is ideal.

    Attributes
    ----------
    bits
        Couplings and fields are rounded to multiples of max|J|/(2^(bits-1) - 1) (and of max|h| likewise); None: exact.
    mismatch
        Every input i <- j has its own coupling J_ij (1 + mismatch g_ij), g_ij normal and static, so J_ij and J_ji
        differ: 0.05 is 5 %. Fields likewise.
    noise
        Thermal noise on the input of a spin, in units of the root mean square local field
        (mean_i sum_j J_ij^2 + h_i^2)^(1/2): drawn afresh at every event of a p-bit, white with unit correlation time
        on devices with continuous states.
    delay
        Time until the others see a change, in units of the device's time (a p-bit's mean time between updates),
        rounded to whole updates of a machine or steps.
    dead
        Fraction of spins stuck at a random value.
    readout_noise
        Probability that a spin is read wrong; reads do not disturb the device.

    Raises
    ------
    ValueError
        A value outside its range.
    """

    bits: int | None = None
    mismatch: float = 0.0
    noise: float = 0.0
    delay: float = 0.0
    dead: float = 0.0
    readout_noise: float = 0.0

    def __post_init__(self) -> None:
        if self.bits is not None and as_integer("bits", self.bits, 2) > 52:
            raise ValueError(f"bits must be 2 to 52 or None, got {self.bits}")
        for name in ("mismatch", "noise", "delay"):
            as_number(name, getattr(self, name), least=0)
        as_number("dead", self.dead, least=0, below=1)
        as_number("readout_noise", self.readout_noise, least=0, most=0.5)
