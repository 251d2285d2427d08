"""Settings of the thermostat, of gating, freezing and the loss guard, with presets by scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ising.integers import as_integer

from .checks import ascending, choice, fraction, not_negative, number, pair, positive


@dataclass(frozen=True)
class Gating:
    """Which query rows are computed: those with T >= T_gate(t), or in the top fraction q(t) by T of their head.

    Attributes
    ----------
    t_max, t_inf, tau : float
        T_gate(t) = t_max - (t_max - t_inf)(1 - exp(-t/tau)), t in training steps.
    fraction : tuple of float
        q(t) goes from the first to the second, linearly over ``fraction_steps`` steps.
    fraction_steps : int
    min_tokens, min_heads : int
        In every layer at least ``min_heads`` heads keep at least ``min_tokens`` tokens of every sequence.
    """

    t_max: float = 1.8
    t_inf: float = 1.05
    tau: float = 600.0
    fraction: tuple[float, float] = (0.55, 0.75)
    fraction_steps: int = 2000
    min_tokens: int = 16
    min_heads: int = 2

    def __post_init__(self) -> None:
        not_negative(self, ("t_max", "t_inf"))
        positive(self, ("tau",))
        low_high = pair("fraction", self.fraction)
        if not all(0.0 <= value <= 1.0 for value in low_high):
            raise ValueError(f"fraction must be two numbers in [0, 1], got {self.fraction}")
        as_integer("fraction_steps", self.fraction_steps, 1)
        as_integer("min_tokens", self.min_tokens, 0)
        as_integer("min_heads", self.min_heads, 0)


@dataclass(frozen=True)
class Freezing:
    """A head with H <= ln N_ref - depth for ``window`` steps in a row gets no gradient until H leaves that band.

    At least ``min_heads`` heads of a layer stay on, so a layer of so few heads never freezes one.
    """

    depth: float = 0.9
    window: int = 50
    min_heads: int = 2

    def __post_init__(self) -> None:
        not_negative(self, ("depth",))
        as_integer("window", self.window, 1)
        as_integer("min_heads", self.min_heads, 0)


@dataclass(frozen=True)
class Guard:
    """When a loss counts as a spike, as a rise to back off from, or as a slow rise.

    Attributes
    ----------
    rise : float
        Back off when the short running mean of the validation loss is more than ``rise`` standard deviations of that
        loss above the long one. On noise around a constant that happens at 1 in 10 readings outside a hold.
    short, long : float
        Time constants of the two, in readings of the validation loss.
    gate_shift, gain_factor : float
        A back-off adds ``gate_shift`` to T_gate, for good, and multiplies kappa by ``gain_factor`` for ``hold`` steps.
    hold : int
        No further back-off within so many steps.
    spike : float
        A spike is a training loss so many standard deviations above its running mean, or not finite.
    memory : float
        Time constant of the mean and the deviation of the training loss, in steps; no verdicts in the first ``memory``.
    slow_rise : float
        A slow rise: the running mean over 4 ``memory`` is so many standard deviations above its smallest value, whose
        step, late by about that time, is the start.
    """

    rise: float = 0.2
    short: float = 4.0
    long: float = 8.0
    gate_shift: float = -0.05
    gain_factor: float = 0.5
    hold: int = 200
    spike: float = 8.0
    memory: float = 64.0
    slow_rise: float = 1.0

    def __post_init__(self) -> None:
        positive(self, ("rise", "spike", "slow_rise"))
        number("gate_shift", self.gate_shift)
        if not 0.0 <= number("gain_factor", self.gain_factor) <= 1.0:
            raise ValueError(f"gain_factor must be in [0, 1], got {self.gain_factor}")
        as_integer("hold", self.hold, 0)
        for name in ("short", "long", "memory"):
            if not 1.0 <= number(name, getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be finite and >= 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Thermostat:
    """Settings of the controller; the defaults are those for about 9,000 parameters, see ``preset`` for others.

    Attributes
    ----------
    initial : str
        "standard": beta starts at 1/sqrt(d_k). "final_address": at beta* of the untrained head, within ``bounds``.
    beta_star : str
        Kind of beta* for "final_address", see ``attention.beta_star``.
    reading : str
        "window": H and Var_p[s] averaged over ``window`` steps, then one move of beta. "ema": exponential running means
        of both over ``window`` steps and a full move at every step, which is an oscillator of decay time 2 ``window``.
        "ema_beta": a move from the present H and Var_p[s] at every step, of which beta takes the share 1/``window``.
    kappa_max, kappa_inf, tau_kappa : float
        kappa(t) = kappa_max exp(-t/tau_kappa) + kappa_inf, t in training steps. Both 0: beta stays where it starts.
    raw_gain : bool
        False: kappa is capped at 1, as a Newton step multiplies the error by 1 - kappa. True: as the formula has it.
    dbeta_max : float
        Largest change of beta at one move, in units of 1/sqrt(d_k).
    bounds : tuple of float
        Smallest and largest beta, in units of 1/sqrt(d_k).
    target : float
        H_target = ln N_ref - target, row by row and floored at 0, in nats.
    tighten : float, optional
        Takes the place of ``target`` once every head has been inside the corridor for ``window`` steps in a row.
    reference : str
        N_ref. "visible": the visible keys of the row. "initial": exp(H) of the head at step 0.
    per_head_target : bool
        True: H_target is the head's own, given to the controller as ``reference_entropy``, such as H(beta_c).
    corridor : tuple of float
        The corridor is [ln N_ref - corridor[1], ln N_ref - corridor[0]].
    window, sigma_window : int
        Steps over which H and Var_p[s], and sigma_qk, are averaged.
    beta_c : str
        Where the margin lies: around the "measured" peak of C(beta), or around the "rem" value sqrt(2 ln n)/sigma_qk.
    u_min, nu : float
        Half-width |beta - beta_c|/beta_c of the margin, and the exponent in [0.5, 1] of zeta = 1/max(u, u_min)^nu.
    patience : int, optional
        After so many blocked moves in a row with the target beyond beta_c, beta jumps to the other edge of the margin.
    gating, freezing, guard : optional
        Their settings; None: off.
    """

    initial: str = "standard"
    beta_star: str = "self_consistent"
    reading: str = "window"
    kappa_max: float = 2.2
    kappa_inf: float = 1.0
    tau_kappa: float = 750.0
    raw_gain: bool = False
    dbeta_max: float = 0.75
    bounds: tuple[float, float] = (0.25, 4.0)
    target: float = 1.1
    tighten: float | None = None
    reference: str = "visible"
    per_head_target: bool = False
    corridor: tuple[float, float] = (0.9, 1.3)
    window: int = 64
    sigma_window: int = 128
    beta_c: str = "measured"
    u_min: float = 0.06
    nu: float = 1.0
    patience: int | None = None
    gating: Gating | None = None
    freezing: Freezing | None = None
    guard: Guard | None = None

    def __post_init__(self) -> None:
        choice(self, "initial", ("standard", "final_address"))
        choice(self, "beta_star", ("self_consistent", "effective", "visible"))
        choice(self, "reading", ("window", "ema", "ema_beta"))
        choice(self, "reference", ("visible", "initial"))
        choice(self, "beta_c", ("measured", "rem"))
        for name in ("raw_gain", "per_head_target"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        for name in ("window", "sigma_window"):
            as_integer(name, getattr(self, name), 1)
        if self.patience is not None:
            as_integer("patience", self.patience, 1)
        not_negative(self, ("kappa_max", "kappa_inf", "dbeta_max", "target"))
        if self.tighten is not None:
            not_negative(self, ("tighten",))
        positive(self, ("tau_kappa",))
        if not 0.5 <= number("nu", self.nu) <= 1.0:
            raise ValueError(f"nu must be in [0.5, 1], got {self.nu}")
        fraction(self, ("u_min",))
        ascending(self, ("bounds", "corridor"))
        if pair("bounds", self.bounds)[0] <= 0.0 or math.isinf(self.bounds[1]):
            raise ValueError(f"bounds must be positive and finite, got {self.bounds}")
        for name, kind in (("gating", Gating), ("freezing", Freezing), ("guard", Guard)):
            if not isinstance(getattr(self, name), kind | None):
                raise ValueError(f"{name} must be a {kind.__name__}(...) or None, got {getattr(self, name)!r}")

    @classmethod
    def preset(cls, scale: str, **changes: Any) -> Thermostat:
        """Settings for a scale, "9k" or "14.4M" parameters or "gpt", with gating, freezing and guard; then changes.

        Examples
        --------
        >>> Thermostat.preset("14.4M", gating=None).kappa_max
        1.8
        """
        if not isinstance(scale, str) or scale not in PRESETS:
            raise ValueError(f"scale must be one of {', '.join(PRESETS)}, got {scale!r}")
        return cls(**PRESETS[scale] | {"guard": Guard()} | changes)


PRESETS: dict[str, dict[str, Any]] = {
    "9k": {
        "kappa_max": 2.2, "tau_kappa": 750.0, "dbeta_max": 0.75, "u_min": 0.06,
        "gating": Gating(1.8, 1.05, 600.0, min_tokens=16, min_heads=2), "freezing": Freezing(window=50, min_heads=2),
    },
    "14.4M": {
        "kappa_max": 1.8, "tau_kappa": 1500.0, "dbeta_max": 0.5, "u_min": 0.05,
        "gating": Gating(1.6, 1.02, 1200.0, min_tokens=24, min_heads=3), "freezing": Freezing(window=100, min_heads=3),
    },
    "gpt": {
        "kappa_max": 1.5, "tau_kappa": 3500.0, "dbeta_max": 0.3, "u_min": 0.04,
        "gating": Gating(1.5, 1.0, 3000.0, min_tokens=32, min_heads=4), "freezing": Freezing(window=200, min_heads=4),
    },
}  # fmt: skip
