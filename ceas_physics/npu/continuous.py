"""Units of 64 machines with continuous states: soft spins, oscillators, simulated bifurcation."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ising.field_tables import aligned
from ising.streams import Purpose, generator, wide_states

from . import kernels_bifurcation, kernels_oscillator, kernels_soft_spin
from .couplings import Couplings
from .devices import Bifurcation, Oscillator, SoftSpin
from .kernels_fields import Machine, signs
from .kernels_read import LANES, Reader
from .reading import new_record
from .realism import Realism
from .schedules import Array


class State(NamedTuple):
    """64 replicas of continuous elements."""

    x: Array  # (n_sites, 64): positions or phases
    y: Array  # (n_sites, 64): momenta or amplitude control, (0, 64) without
    force: Array  # scratch
    history: Array  # what the neighbours saw, a ring over delay + 1 steps
    words: NDArray[np.uint64]  # (n_sites + 1,)
    rng: NDArray[np.uint64]  # (4, 8)
    done: NDArray[np.int64]  # (1,): steps so far


class BifurcationSettings(NamedTuple):
    """Numbers of a `Bifurcation` on a given model."""

    a0: float
    c0: float
    dt: float
    noise: float
    discrete: bool


class SoftSpinSettings(NamedTuple):
    """Numbers of a `SoftSpin` on a given model."""

    coupling: float
    dt: float
    control_rate: float
    control_target: float
    control_most: float
    has_fields: bool
    noise: float


class OscillatorSettings(NamedTuple):
    """Numbers of an `Oscillator` on a given model."""

    coupling: float
    dt: float
    noise: float


LARGEST_ERROR = 32.0  # of amplitude control
MOST_STATE = 1e6  # positions are of order 1, and the phases of a long run stay far below


class Continuous:
    """64 replicas of one of the devices with continuous states; parameters as for `PBits`.

    Raises
    ------
    ValueError
        From `run`, where the states run away: the step is too large.
    """

    def __init__(
        self, couplings: Couplings, device: SoftSpin | Oscillator | Bifurcation, realism: Realism, reader: Reader,
        seed: int, word: int, rows: int,
    ) -> None:  # fmt: skip
        self.couplings, self.device, self.realism, self.reader = couplings, device, realism, reader
        self.seed, self.word, self.n_sites = seed, word, couplings.n_sites
        self.live = (couplings.stuck == 0).astype(float)
        self.n_live, self.events = int(self.live.sum()), np.zeros(1)
        self.betas = np.zeros(0)
        self.stream = None
        self.machine = Machine(
            couplings.offsets, couplings.neighbors, couplings.weights, couplings.matrix(), couplings.fields, self.live
        )
        self.record = new_record(self.n_sites, rows, self._wide(0, 1))
        self.settings = self._settings()

    def restart(self, repeat: int) -> None:
        """Small random states and fresh streams; the record keeps the best."""
        rng = generator(self.seed, Purpose.DEVICE, self.n_sites, self.word, repeat, 2)
        n, stuck = self.n_sites, self.couplings.stuck[:, None]
        x, y = rng.uniform(-0.1, 0.1, (n, LANES)), rng.uniform(-0.1, 0.1, (n, LANES))
        if isinstance(self.device, Oscillator):
            x = rng.uniform(-np.pi, np.pi, (n, LANES))
            x = np.where(stuck == 0, x, np.where(stuck > 0, 0.0, np.pi))
            y = np.zeros((0, LANES))
        else:
            x = np.where(stuck == 0, x, stuck)
            y = np.where(stuck == 0, y, 0.0)
        if isinstance(self.device, SoftSpin):
            y = np.ones((n if self.device.amplitude_control else 0, LANES))
        force, history = self._force(x), self._history(x)
        words = np.zeros(n + 1, np.uint64)
        x, y, force, history = (_aligned(array) for array in (x, y, force, history))
        self.state = State(x, y, force, history, words, self._wide(repeat, 0), np.zeros(1, np.int64))
        signs(np.cos(x) if isinstance(self.device, Oscillator) else x, self.record.last)

    def run(self, controls: Array, n_steps: NDArray[np.int64]) -> int:
        """Intervals with the control from controls[k, 0] to controls[k, 1], n_steps (n,) steps each, then a read."""
        common = (self.state, self.machine, self.settings)
        steps = n_steps.astype(np.int64)
        if isinstance(self.device, Bifurcation):
            self.betas = np.full(len(controls), np.nan)
            done = kernels_bifurcation.run(*common, controls, steps, self.reader, self.record, 0)
        else:
            ramp, temperatures, self.betas = self._thermal(controls)
            run = kernels_soft_spin.run if isinstance(self.device, SoftSpin) else kernels_oscillator.run
            done = run(*common, ramp, temperatures, self.betas, steps, self.reader, self.record, 0)
        if not (np.abs(self.state.x) < MOST_STATE).all():
            raise ValueError(
                f"the states ran away with dt = {self.device.dt:g}; take a smaller step, weaker coupling or less noise"
            )
        self.events = self.events[-1] + np.cumsum(steps[:done] * self.n_live, dtype=float)
        return int(done)

    def moving(self) -> list[NDArray[Any]]:
        """See `Unit`."""
        return list(self.state)

    def _thermal(self, controls: Array) -> tuple[Array, Array, Array]:
        """Ramp (n, 2) of pump or injection, temperature and beta (n,) of each interval."""
        device, settings = self.device, self.settings
        assert isinstance(device, SoftSpin | Oscillator)
        assert not isinstance(settings, BifurcationSettings)
        strength = settings.coupling
        last = device.pump[1] if isinstance(device, SoftSpin) else device.injection[1]
        unit = strength * (last - 1.0) if isinstance(device, SoftSpin) else strength  # beta = unit / T
        if device.control == "beta":
            betas = controls.mean(axis=1)
            return np.full_like(controls, last), unit / np.maximum(betas, 1e-9), betas
        temperature = np.full(len(controls), device.temperature)
        beta = unit / device.temperature if device.temperature > 0.0 and unit > 0.0 else np.nan
        return controls, temperature, np.full(len(controls), beta)

    def _settings(self) -> BifurcationSettings | SoftSpinSettings | OscillatorSettings:
        device, couplings, realism = self.device, self.couplings, self.realism
        scale = couplings.scale
        if isinstance(device, Bifurcation):
            n, total = self.n_sites, float((couplings.weights**2).sum() + 2.0 * (couplings.fields**2).sum())
            c0 = device.coupling * sqrt(max(n - 1, 1) / total)
            return BifurcationSettings(
                float(device.a0), c0, float(device.dt), realism.noise * c0 * scale, device.mode == "discrete"
            )
        strength = device.coupling / scale
        noise = realism.noise * device.coupling
        if isinstance(device, Oscillator):
            return OscillatorSettings(strength, float(device.dt), noise)
        return SoftSpinSettings(
            strength, float(device.dt), float(device.amplitude_control), float(device.target), LARGEST_ERROR,
            bool(couplings.fields.any()), noise,
        )  # fmt: skip

    def _force(self, x: Array) -> Array:
        return np.zeros((2, *x.shape)) if isinstance(self.device, Oscillator) else np.zeros(x.shape)

    def _history(self, x: Array) -> Array:
        """The delay's ring, filled with the first state."""
        slots = 1 + round(self.realism.delay / self.device.dt)
        if isinstance(self.device, Oscillator):
            first = np.stack([np.sin(x), np.cos(x)])
        elif isinstance(self.device, Bifurcation) and self.device.mode == "discrete":
            first = np.where(x >= 0.0, 1.0, -1.0)
        else:
            first = x
        return np.repeat(first[None], slots, axis=0)

    def _wide(self, repeat: int, purpose: int) -> NDArray[np.uint64]:
        return wide_states(self.seed, Purpose.DEVICE, [(self.n_sites, self.word, repeat, purpose)])[0]


def _aligned(values: Array) -> Array:
    """A copy whose rows of 64 doubles start on cache lines: sums over neighbours take half the time."""
    array = aligned(values.shape, np.float64)
    array[:] = values
    return np.asarray(array)
