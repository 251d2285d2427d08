"""`anneal`: the lowest energies that an analog machine finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import ising
from ising.arguments import as_flag, as_number
from ising.integers import as_integer
from ising.streams import check_seed

from .call import describe
from .checks import check_memory
from .continuous import Continuous
from .corridor_control import CorridorControl
from .couplings import Couplings, as_model, couplings_of
from .devices import Bifurcation, Device, Oscillator, PBit, SoftSpin, as_device, drives_beta
from .energy_model import EnergyModel
from .kernels_read import LANES, Reader
from .p_bits import PBits
from .pilot import Pilot, measure
from .reading import make_reader
from .realism import Realism
from .result import make_result
from .run import Plan, cores, drive
from .schedules import Corridor, Geometric, Linear, Path, Thermodynamic, as_schedule, ends_of, path_of
from .stored import open_store, put_away, stored
from .sweeps import Sweeps
from .unit import Unit

if TYPE_CHECKING:
    import xarray as xr

READS = 100  # of an anneal, fewer if it has fewer steps
CHUNK_WORK = 4e7  # spin events times their cost between two looks at the clock
PILOT_REPEAT = 2**31  # key of the pilot's streams
BETA_ENDS = (0.5, 8.0)  # default ends of beta in units of 1/(root mean square local field)


def anneal(
    model: Any,
    device: str | Device = "p_bit",
    schedule: Any = "geometric",
    replicas: int = 64,
    seed: int = 0,
    time_limit: float | None = None,
    target_energy: float | None = None,
    progress: bool = True,
    *,
    sweeps: int = 1000,
    total_sweeps: int | None = None,
    realism: Realism | None = None,
    energy_model: EnergyModel | None = None,
    threads: int | None = None,
    store: str | FilePath | None = None,
) -> xr.Dataset:
    """Anneal an Ising model on a simulated analog machine, many replicas at once.

    Parameters
    ----------
    model
        `ising.IsingModel`, or a symmetric coupling matrix with zero diagonal, dense or of scipy.sparse.
    device
        ``"p_bit"``, ``"soft_spin"``, ``"oscillator"``, ``"bifurcation"``, or an instance with other settings.
    schedule
        Path of the device's control, which is beta for p-bits, the pump of soft spins, the injection of oscillators and
        a(t) of the bifurcation: ``"linear"``, ``"geometric"`` (linear where the control starts at 0),
        ``"thermodynamic"``, ``"corridor"`` (both need a device whose control is beta), an instance of their classes, an
        array that is interpolated over the run, or a function of the fraction of the run. Ends that are not given
        follow from the device; those of beta are 0.5 and 8 over the root mean square local field.
    replicas
        Independent machines. They are simulated 64 at a time; replica k is the same however many are asked for.
    seed
        Every random number follows from it.
    time_limit
        Wall seconds, without compilation: anneals are repeated with fresh streams until then. The result is a prefix of
        the run without limit; `total_sweeps` of its attribute `steps` runs it again.
    target_energy
        Total energy; the run ends at the first read at which any replica is there or below, to rounding.
    progress
        Show a progress bar.
    sweeps
        Length of an anneal: updates per spin of a p-bit, steps of the other devices.
    total_sweeps
        Length of the run over repeated anneals; one anneal if there is no time limit.
    realism
        Imperfections; none by default.
    energy_model
        Constants of the energy used.
    threads
        Worker threads, one for each 64 replicas; all cores by default.
    store
        A folder for checkpoints and, at the end, the result. The same call goes on with a run that was stopped at any
        moment, with more `total_sweeps` it lengthens one; any other difference is refused. A time limit counts the time
        of all calls together.

    Returns
    -------
    xarray.Dataset
        (time, replica), at most 200 times: `energy` (total), `beta`, `entropy` (mean conditional entropy per spin in
        nats, NaN where the device has no beta), `magnetization`, `order_parameter` (overlap with the read before),
        `spin_events`, `energy_used` in joules, `best_so_far`; `control` (time, replica); `best_energy(replica)`,
        `best_spins(replica, site)`, `best_time(replica)`. Ctrl-C ends the run and keeps what was found. Attributes say
        how it was made; `stopped_by` is "finished", "target", "time limit" or "interrupt". With `store` it is read from
        the disk when it is used.

    Raises
    ------
    ValueError
        Impossible arguments: they are named; a store of another run, or of a schedule that is a function.
    StoreError
        The store cannot be written, is damaged, or is being written by another process.
    KeyboardInterrupt
        After Ctrl-C, with a store: it says how to go on.

    Examples
    --------
    >>> import ising
    >>> result = anneal(ising.ferromagnet(ising.square(8)), sweeps=200, progress=False)
    >>> float(result.best_energy.min())
    -128.0
    """
    model, chip, plan_of = as_model(model), as_device(device), as_schedule(schedule)
    replicas, sweeps = as_integer("replicas", replicas, 1), as_integer("sweeps", sweeps, 1)
    seed = check_seed(seed)
    threads = cores() if threads is None else as_integer("threads", threads, 1)
    if total_sweeps is not None:
        total_sweeps = as_integer("total_sweeps", total_sweeps, 1)
    if time_limit is not None:
        time_limit = as_number("time_limit", time_limit, above=0)
    if target_energy is not None:
        target_energy = as_number("target_energy", target_energy)
    progress = as_flag("progress", progress)
    realism = Realism() if realism is None else realism
    energy_model = EnergyModel() if energy_model is None else energy_model
    _check_parts(realism, energy_model, chip)
    couplings = couplings_of(model, realism, seed)
    reader = make_reader(model, realism.readout_noise, target_energy)
    n_steps = _intervals(sweeps, couplings)
    chunk = 1 if isinstance(plan_of, Corridor) else _chunk(n_steps, couplings)
    check_memory(_bytes(chip, realism, couplings, replicas), f"{replicas} replicas of {couplings.n_sites} spins")
    readers = [reader._replace(members=min(LANES, replicas - first)) for first in range(0, replicas, LANES)]
    units = [_unit(model, couplings, chip, realism, r, seed, word, chunk) for word, r in enumerate(readers)]
    ends = control_ends(chip, couplings)
    limit = sweeps if time_limit is None and total_sweeps is None else total_sweeps
    call = describe(model, plan_of, {
        "device": chip, "replicas": replicas, "seed": seed, "sweeps": sweeps, "time_limit": time_limit,
        "target_energy": target_energy, "realism": realism, "energy_model": energy_model,
    })  # fmt: skip
    with threadpool_limits(1), open_store(store, call, limit) as kept:
        if kept is not None and (found := stored(kept, limit)) is not None:
            return found
        path, controllers, plan_of = _resolve(
            plan_of, schedule, ends, chip, couplings, len(units),
            lambda settings: _pilot(model, couplings, chip, realism, seed, settings, ends),
        )  # fmt: skip
        _compile(units)
        plan = Plan(n_steps, path, chunk, limit, time_limit)
        outcome = drive(units, controllers, plan, progress, threads, kept)
        result = make_result(model, chip, plan_of, realism, energy_model, couplings, units, plan, outcome, call)
        return result if kept is None else put_away(kept, result)


def control_ends(device: Device, couplings: Couplings) -> tuple[float, float]:
    """Default first and last value of what the schedule drives."""
    if drives_beta(device):
        return BETA_ENDS[0] / couplings.scale, BETA_ENDS[1] / couplings.scale
    if isinstance(device, SoftSpin):
        return device.pump
    if isinstance(device, Oscillator):
        return device.injection
    assert isinstance(device, Bifurcation)
    return 0.0, device.a0


def _intervals(sweeps: int, couplings: Couplings) -> NDArray[np.int64]:
    """Steps between the reads: about 100 reads, more if one interval would take long."""
    work = sweeps * couplings.n_sites * LANES * _cost(couplings)
    count = min(sweeps, max(READS, int(work / CHUNK_WORK)))
    ends = np.round(np.linspace(0, sweeps, count + 1)).astype(np.int64)
    return ends[1:] - ends[:-1]


def _chunk(n_steps: NDArray[np.int64], couplings: Couplings) -> int:
    work = int(n_steps.max()) * couplings.n_sites * LANES * _cost(couplings)
    return int(np.clip(CHUNK_WORK / work, 1, len(n_steps)))


def _cost(couplings: Couplings) -> float:
    return 1.0 + couplings.mean_degree / 8.0


def _bytes(device: Device, realism: Realism, couplings: Couplings, replicas: int) -> float:
    """Memory of the machines and of the result, roughly."""
    if isinstance(device, PBit):
        spin, late = 2.0, 12.0 * realism.delay / LANES  # bits, the best spins as bytes; updates on their way
    else:
        arrays = 2 if isinstance(device, Oscillator) else 1
        spin, late = 8.0 * (3 + arrays), 8.0 * arrays * (1 + realism.delay / device.dt)
    return replicas * (couplings.n_sites * (spin + late) + 200.0 * 10 * 8)


def _unit(
    model: ising.IsingModel, couplings: Couplings, device: Device, realism: Realism, reader: Reader,
    seed: int, word: int, rows: int,
) -> Any:  # fmt: skip
    if isinstance(device, PBit) and device.clock == "sweep":
        return Sweeps(model, reader, seed, word, rows, control_ends(device, couplings)[1])
    if isinstance(device, PBit):
        return PBits(model, couplings, device, realism, reader, seed, word, rows)
    return Continuous(couplings, device, realism, reader, seed, word, rows)


def _resolve(
    plan: Any, given: Any, ends: tuple[float, float], device: Device, couplings: Couplings, n_units: int, pilot: Any
) -> tuple[Path | None, list[CorridorControl], Any]:
    """The path, or a thermostat for each unit, and the schedule that runs."""
    if isinstance(plan, Thermodynamic | Corridor):
        if not drives_beta(device):
            raise ValueError(
                f"schedule {type(plan).__name__.lower()!r} moves beta, which this {type(device).__name__} does not "
                "have: use device 'p_bit', SoftSpin(control='beta') or Oscillator(control='beta')"
            )
        bounds = ends_of(plan, ends)
        if not 0.0 < bounds[0] < bounds[1]:
            raise ValueError(f"schedule needs 0 < start < end in beta, got {bounds[0]:g} to {bounds[1]:g}")
        plan = replace(plan, start=bounds[0], end=bounds[1])
        if isinstance(plan, Thermodynamic):
            return pilot(plan).constant_speed(), [], plan
        if plan.beta_c is None or plan.entropy_c is None:
            plan = pilot(plan).settle(plan)
        return None, [CorridorControl(plan, 1.0 / couplings.scale) for _ in range(n_units)], plan
    if isinstance(given, str) and given == "geometric" and min(ends) <= 0.0:
        plan = Linear()
    path = path_of(plan, ends)
    path(np.linspace(0.0, 1.0, 11))
    if isinstance(plan, Linear | Geometric) and min(ends) >= 0.0:
        start, end = ends_of(plan, ends)
        plan = replace(plan, start=start, end=end)
    return path, [], plan


def _pilot(
    model: ising.IsingModel, couplings: Couplings, device: Device, realism: Realism, seed: int, settings: Any,
    ends: tuple[float, float],
) -> Pilot:  # fmt: skip
    """A pilot run on streams of its own."""
    unit = _unit(model, couplings, device, realism, make_reader(model, 0.0, None), seed, 0, settings.pilot)
    unit.restart(PILOT_REPEAT)
    per_sweep = 1 if isinstance(device, PBit) else max(1, round(1.0 / device.dt))
    return measure(unit, ends_of(settings, ends), settings.points, settings.pilot, per_sweep)


def _compile(units: Sequence[Unit]) -> None:
    """Load or build the kernels before the clock starts."""
    units[0].restart(0)
    events = units[0].events
    units[0].run(np.zeros((0, 2)), np.zeros(0, np.int64))
    units[0].events = events


def _check_parts(realism: Any, energy_model: Any, device: Device) -> None:
    if not isinstance(realism, Realism):
        raise ValueError(f"realism must be a Realism(...), got {realism!r}")
    if not isinstance(energy_model, EnergyModel):
        raise ValueError(f"energy_model must be an EnergyModel(...), got {energy_model!r}")
    if getattr(device, "clock", "") == "sweep" and replace(realism, readout_noise=0.0) != Realism():
        raise ValueError(f"the clock 'sweep' is simulated with read errors only, got {realism}; use 'random'")
