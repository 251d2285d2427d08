"""The four devices as values: what they are, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ising.arguments import as_choice, as_number


@dataclass(frozen=True)
class PBit:
    """P-bits: at random times s_i = sign(tanh(beta I_i) + u), I_i = sum_j J_ij s_j + h_i, u uniform in (-1, 1).

    An exact Boltzmann sampler at fixed beta (continuous-time Glauber dynamics). All 64 replicas of a word share the
    times at which their spins update and have their own u: each replica is exact. Sharing showed no effect on success:
    its correlation within a word (`success_correlation`) is 0 within 1.6 errors of 0.0001 to 0.002 in ten cases (2D and
    3D +-J, 2D Gaussian, SK, Max-Cut). Times to solution are bootstrapped over words all the same.
    The schedule drives beta. Time is counted in updates per spin.

    Attributes
    ----------
    clock
        ``"poisson"``: independent Poisson clocks of rate 1 at the spins; ``"random"``: the same random order with
        exactly n_sites updates per unit of time; ``"sweep"``: every spin once per unit of time in a fixed order, as
        circuits with a colouring do (the fastest to simulate; of the imperfections only errors of reading).

    References
    ----------
    Camsari, Faria, Sutton, Datta, Phys. Rev. X 7, 031014 (2017).
    """

    clock: str = "poisson"

    def __post_init__(self) -> None:
        as_choice("clock", self.clock, ("poisson", "random", "sweep"))


@dataclass(frozen=True)
class SoftSpin:
    """Soft spins: dx_i = [(p - 1 - x_i^2) x_i + eps e_i I_i] dt + sqrt(2 T) dW, I_i = sum_j J_ij x_j + h_i mean|x|.

    eps = coupling / (root mean square local field of the model). e_i = 1, or with chaotic amplitude control
    de_i = -b e_i (x_i^2 - a) dt, kept within [0, 32]. Euler steps (with noise of weak order 1). Without amplitude
    control, fields, delay and mismatch, at a fixed pump, noise-free soft spins descend
    V = sum_i [x_i^4/4 - (p - 1) x_i^2/2] - (eps/2) sum_ij J_ij x_i x_j; with amplitude control there is no such
    function. The defaults are the best of 100 random settings for 1000 steps on glasses (3D +-J, SK, 2D Gaussian) and
    on Max-Cut: the mean replica ends 1.9 % above the lowest energy of 64 p-bit anneals of 3,000 sweeps.

    Attributes
    ----------
    coupling
        eps times the root mean square local field.
    pump
        (first, last) value of p, driven by the schedule; with ``control="beta"`` p stays at the last.
    amplitude_control
        The rate b, 0 for none: e_i = 1.
    target
        The a of amplitude control.
    dt
        Step.
    temperature
        T of the noise, where the schedule drives the pump.
    control
        ``"pump"``, or ``"beta"``: the schedule drives T = eps (p - 1)/beta, which needs a last p above 1.

    References
    ----------
    Leleu, Khoyratee, Levi, Hamerly, Kohno, Aihara, Commun. Phys. 4, 266 (2021).
    """

    coupling: float = 0.3
    pump: tuple[float, float] = (-1.0, 1.0)
    amplitude_control: float = 1.0
    target: float = 0.5
    dt: float = 0.1
    temperature: float = 0.0
    control: str = "pump"

    def __post_init__(self) -> None:
        for name in ("coupling", "dt", "target"):
            as_number(name, getattr(self, name), above=0)
        for name in ("amplitude_control", "temperature"):
            as_number(name, getattr(self, name), least=0)
        _pair("pump", self.pump)
        as_choice("control", self.control, ("pump", "beta"))
        if self.control == "beta" and self.pump[1] <= 1.0:
            raise ValueError(f"control='beta' needs a last pump above 1, such as pump=(0.0, 2.0), got {self.pump[1]}")


@dataclass(frozen=True)
class Oscillator:
    """Phases: dphi_i = -[K sum_j J_ij sin(phi_i - phi_j) + K h_i sin phi_i + K_s sin 2 phi_i] dt + sqrt(2 T) dW.

    K = coupling / (root mean square local field of the model); s_i = sign cos phi_i. Euler steps (with noise of
    weak order 1). Without noise, delay and mismatch, at fixed injection, the phases descend
    L = -K sum_<ij> J_ij cos(phi_i - phi_j) - K sum_i h_i cos phi_i - (K_s/2) sum_i cos 2 phi_i. The defaults are the
    best of 80 random settings, measured as for `SoftSpin`: the mean replica ends 2.9 % above that energy.

    Attributes
    ----------
    coupling
        K times the root mean square local field.
    injection
        (first, last) value of K_s, driven by the schedule; with ``control="beta"`` K_s stays at the last.
    dt
        Step.
    temperature
        T of the noise, where the schedule drives the injection.
    control
        ``"injection"``, or ``"beta"``: the schedule drives T = K/beta.

    References
    ----------
    Wang, Roychowdhury, Unconventional Computation and Natural Computation 2019, 232.
    """

    coupling: float = 1.0
    injection: tuple[float, float] = (0.0, 0.5)
    dt: float = 0.3
    temperature: float = 0.1
    control: str = "injection"

    def __post_init__(self) -> None:
        for name in ("coupling", "dt"):
            as_number(name, getattr(self, name), above=0)
        as_number("temperature", self.temperature, least=0)
        _pair("injection", self.injection)
        as_choice("control", self.control, ("injection", "beta"))


@dataclass(frozen=True)
class Bifurcation:
    """Simulated bifurcation: dy_i = [-(a0 - a) x_i + c0 (sum_j J_ij f(x_j) + h_i)] dt, dx_i = a0 y_i dt.

    Walls at |x_i| = 1: x_i stops there and y_i = 0. f(x) = x (ballistic) or sign x (discrete). Symplectic Euler steps.
    c0 = coupling sqrt(N - 1)/(sum_ij J_ij^2)^(1/2). Between wall hits, at fixed a, the ballistic form conserves
    H = sum_i [a0 y_i^2/2 + (a0 - a) x_i^2/2 - c0 h_i x_i] - (c0/2) sum_ij J_ij x_i x_j to first order in dt, without
    drift; the discrete form has no such function (its force jumps). Defaults within the published range, the step the
    better of those tried: measured as for `SoftSpin`, the mean replica ends 1.4 % above that energy.

    Attributes
    ----------
    mode
        ``"ballistic"`` or ``"discrete"``.
    coupling
        Of c0.
    a0
        Detuning; the schedule drives a from 0 to it.
    dt
        Step.

    References
    ----------
    Goto, Tatsumura, Dixon, Sci. Adv. 5, eaav2372 (2019); Goto et al., Sci. Adv. 7, eabe7953 (2021).
    """

    mode: str = "discrete"
    coupling: float = 0.5
    a0: float = 1.0
    dt: float = 0.75

    def __post_init__(self) -> None:
        as_choice("mode", self.mode, ("ballistic", "discrete"))
        for name in ("coupling", "a0", "dt"):
            as_number(name, getattr(self, name), above=0)


Device = PBit | SoftSpin | Oscillator | Bifurcation
DEVICES: dict[str, type[Device]] = {
    "p_bit": PBit,
    "soft_spin": SoftSpin,
    "oscillator": Oscillator,
    "bifurcation": Bifurcation,
}


def as_device(device: Any) -> Device:
    """A device from its name or from itself."""
    if isinstance(device, Device):
        return device
    if isinstance(device, str) and device in DEVICES:
        return DEVICES[device]()
    raise ValueError(
        f"device must be one of {', '.join(map(repr, DEVICES))} or an instance such as PBit(), got {device!r}"
    )


def drives_beta(device: Device) -> bool:
    """Whether the schedule drives an inverse temperature."""
    return isinstance(device, PBit) or getattr(device, "control", None) == "beta"


def _pair(name: str, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a tuple (first, last), got {value!r}")
    for number in value:
        as_number(name, number)
