"""From the reads of a run to an xarray.Dataset that says how it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import ising

from ..provenance import versions
from .call import Arrays, Settings, variables
from .couplings import Couplings
from .devices import Device, PBit
from .energy_model import EnergyModel
from .kernels_read import LANES
from .realism import Realism
from .run import Outcome, Plan
from .schedules import Array
from .unit import Unit

if TYPE_CHECKING:
    import xarray as xr

VARIABLES = {
    "energy": ("total energy", "J", "H = -sum J_ij s_i s_j - sum h_i s_i of the spins as read"),
    "best_so_far": ("lowest total energy so far", "J", "min over the reads of H"),
    "beta": ("inverse temperature; NaN where the device has none", "1/J", "beta"),
    "control": ("what the schedule drives", "1", "beta, pump p, injection K_s or a, by device"),
    "entropy": ("mean conditional entropy per spin", "nat", "mean_i h2(1/(1 + exp(-2 beta I_i)))"),
    "magnetization": ("magnetization per spin, signed", "1", "sum_i s_i / n_sites"),
    "order_parameter": ("overlap with the read before", "1", "sum_i s_i(t) s_i(t') / n_sites"),
    "spin_events": ("updates of spins so far", "1", "events (p-bit) or steps times live spins"),
    "energy_used": ("energy used so far", "joule", "n_events (e_spin + degree e_read) + P t"),
    "entropy_target": ("target of the corridor", "nat", "H(beta_c), then a ramp to final ln 2"),
    "best_energy": ("lowest total energy", "J", "min over the reads of H"),
    "best_spins": ("configuration of the lowest energy", "1", "s_i"),
    "best_time": ("device time of the lowest energy", "device time", "t"),
}


def make_result(
    model: ising.IsingModel, device: Device, schedule: Any, realism: Realism, energy_model: EnergyModel,
    couplings: Couplings, units: Sequence[Unit], plan: Plan, outcome: Outcome, call: tuple[Settings, Arrays],
) -> xr.Dataset:  # fmt: skip
    """Variables, coordinates and provenance of a run."""
    import xarray as xr

    settings, arrays = call
    replicas, step_time = settings["replicas"], 1.0 if isinstance(device, PBit) else device.dt
    steps, rows = outcome.history.finish()
    time = np.array(steps) * step_time
    values = _series(rows, replicas, len(units))
    values["energy_used"] = energy_model.used(values["spin_events"], couplings.mean_degree, time[:, None])
    best = [unit.record for unit in units]
    spins = np.concatenate([_unpack(record.best_words[:-1]) for record in best])[:replicas]
    reads = np.concatenate([record.best_read for record in best])[:replicas]
    data = xr.Dataset({name: (("time", "replica"), value) for name, value in values.items()})
    data["best_energy"] = ("replica", np.concatenate([record.best for record in best])[:replicas])
    data["best_spins"] = (("replica", "site"), spins)
    data["best_time"] = ("replica", _steps_of(reads, plan, outcome.steps) * step_time)
    if rows[0]["entropy_target"].size:
        data["entropy_target"] = ("time", np.array([row["entropy_target"][0] for row in rows]))
    for name, variable in data.data_vars.items():
        variable.attrs = dict(zip(("long_name", "units", "formula"), VARIABLES[str(name)]))
    data = data.assign(variables(arrays))
    unit_of_time = "updates per spin" if isinstance(device, PBit) else "device time"
    data = data.assign_coords(time=("time", time, {"long_name": "device time", "units": unit_of_time}))
    return data.assign_attrs(
        _attributes(model), device=repr(device), schedule=_text(schedule), realism=repr(realism),
        energy_model=str(energy_model), steps=outcome.steps, anneals=outcome.anneals, stopped_by=outcome.stopped_by,
        interrupted=int(outcome.stopped_by == "interrupt"), run_seconds=outcome.seconds,
        versions=_versions(), call=json.dumps(settings),
        **{name: settings[name] for name in ("replicas", "seed", "sweeps")},
    )  # fmt: skip


def _series(rows: Sequence[dict[str, Array]], replicas: int, n_units: int) -> dict[str, Array]:
    """(time, replica) of what was read; what is common to a unit is repeated."""
    names = ("energy", "best_so_far", "entropy", "magnetization", "order_parameter")
    values = {name: np.array([row[name][:replicas] for row in rows]) for name in names}
    for name, source in (("control", "control"), ("beta", "beta"), ("spin_events", "events")):
        by_unit = np.array([row[source] for row in rows])
        values[name] = np.repeat(by_unit, LANES, axis=1)[:, :replicas]
    return values


def _steps_of(reads: NDArray[np.int64], plan: Plan, steps: int) -> NDArray[np.int64]:
    """Steps done at each read, counted over all anneals."""
    ends = np.cumsum(plan.n_steps)
    anneal, within = np.divmod(reads, len(ends))
    return np.minimum(anneal * ends[-1] + ends[within], steps)


def _unpack(words: NDArray[np.uint64]) -> NDArray[np.int8]:
    """(n_sites,) words -> (64, n_sites) of +-1."""
    bits = words[None] >> np.arange(LANES, dtype=np.uint64)[:, None] & np.uint64(1)
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


@cache
def _versions() -> str:
    return json.dumps(versions())


def _text(schedule: Any) -> str:
    if isinstance(schedule, np.ndarray):
        return json.dumps(schedule.tolist())
    return getattr(schedule, "__qualname__", None) or repr(schedule)


def _attributes(model: ising.IsingModel) -> dict[str, Any]:
    lattice = model.lattice
    facts = {f"lattice_{k}": int(v) if isinstance(v, bool) else v for k, v in lattice.attrs.items()}
    return {
        "model": model.name, "lattice": lattice.name, "n_sites": lattice.n_sites, "n_bonds": lattice.n_bonds,
        **facts, **{f"model_{k}": v for k, v in model.attrs.items()},
    }  # fmt: skip
