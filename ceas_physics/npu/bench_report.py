"""`ceas bench anneal`: every solver on every instance in turn, as a Dataset and a table."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from ..bench import machine, spread
from ..folders import Contents, new_folder
from ..provenance import stamp
from . import bench_peers, bench_rates
from .bench_instances import Instance, agree, cubic_glass, flat_glass, gset_folder, mean_field_glass
from .bench_overview import overview
from .bench_solvers import Run, Solver, Trial, solvers
from .energy_model import EnergyModel
from .success import TimeToSolution, time_to_solution, tts

if TYPE_CHECKING:
    import xarray as xr

CUTS = ("G22",)  # also solved against the clock
CONTENTS = Contents(r"bench\.nc|table\.md|tts_\d+\.png", "bench.nc", b"ceas-physics")
FIGURES = {
    "probability": ("success probability of a run", "1"),
    "tts": ("time to solution with 99 %, all rounds together", "s"),
    "tts_low": ("its lower end (95 %), or lower bound without a hit", "s"),
    "tts_high": ("its upper end (95 %), or upper bound without a miss", "s"),
    "runs": ("runs in all rounds", "1"),
    "run_seconds": ("mean wall time of a run, one core", "s"),
    "replica_probability": ("success probability of a replica", "1"),
    "energy_to_solution": ("energy of a device until 99 %, replica by replica", "joule"),
    "lowest_energy": ("lowest energy found", "J"),
}


@dataclass(frozen=True)
class Plan:
    """How long it takes.

    Attributes
    ----------
    rounds
        Solvers take turns; TTS99 is given over all runs and as the median over the rounds.
    seconds
        Wall time of a solver on an instance in a round; one run at least.
    """

    rounds: int = 5
    seconds: float = 2.0


QUICK = Plan(rounds=2, seconds=0.3)


def instances(quick: bool = False, folder: str | Path | None = None) -> list[Instance]:
    """The benchmark's instances, and those of a folder of G-set files."""
    if quick:
        chosen = [flat_glass(8), flat_glass(12, free=True), cubic_glass(4), mean_field_glass(64)]
    else:
        chosen = [
            flat_glass(10),
            flat_glass(32),
            flat_glass(32, 2),
            flat_glass(16, free=True),
            flat_glass(32, free=True),
        ]
        chosen += [cubic_glass(6), cubic_glass(8)] + [cubic_glass(10, seed) for seed in (1, 2, 3)]
        chosen += [mean_field_glass(n) for n in (128, 256, 512)]
    return chosen + (gset_folder(folder) if folder else [])


def measure(
    cases: Sequence[Instance], sides: Sequence[Solver], plan: Plan, seed: int = 0, progress: bool = True
) -> xr.Dataset:
    """Success, TTS99 and energy to solution of every solver on every instance.

    Each solver is called once outside the clock (compilation, pilot runs); its seeds differ from call to call.

    Parameters
    ----------
    cases, sides
        What is solved, and by whom.
    plan
        Rounds and seconds.
    seed
        Of the calls: seed 2^20 + number of the call.
    progress
        Show a bar.

    Returns
    -------
    xarray.Dataset
        (instance, solver): see `FIGURES`; `tts_rounds` (instance, solver, round). NaN where a solver does not suit.
    """
    import xarray as xr

    shape = len(cases), len(sides)
    table = {name: np.full(shape, np.nan) for name in FIGURES}
    rounds = np.full((*shape, plan.rounds), np.nan)
    settled: list[Instance] = []
    with tqdm(total=len(cases) * plan.rounds, desc="bench", disable=not progress, leave=False) as bar:
        for row, case in enumerate(cases):
            trials = _trials(case, sides, plan, seed, bar)
            case = agree(case, [min(t.lowest.min() for of in side for t in of) for side in trials.values()])
            settled.append(case)
            for column, by_round in trials.items():
                figures, rounds[row, column] = _figures(case, by_round, seed)
                for name, value in figures.items():
                    table[name][row, column] = value
    data = xr.Dataset({name: (("instance", "solver"), values) for name, values in table.items()})
    for name, (text, units) in FIGURES.items():
        data[name].attrs = {"long_name": text, "units": units}
    data["tts_rounds"] = (("instance", "solver", "round"), rounds, {"long_name": "TTS99 by round", "units": "s"})
    data = data.assign_coords(instance=[c.name for c in settled], solver=[s.name for s in sides])
    data["family"] = ("instance", [c.family for c in settled])
    data["size"] = ("instance", [c.size for c in settled])
    data["n_sites"] = ("instance", [c.model.lattice.n_sites for c in settled])
    data["target"] = ("instance", [float(c.target) for c in settled if c.target is not None], {"units": "J"})
    data["source"] = ("instance", [c.source for c in settled])
    return data.assign_attrs(
        rounds=plan.rounds, seconds=plan.seconds, energy_model=str(EnergyModel()), machine=machine(),
        python=platform.python_version(),
    )  # fmt: skip


def _trials(case: Instance, sides: Sequence[Solver], plan: Plan, seed: int, bar: Any) -> dict[int, list[list[Trial]]]:
    """Column -> rounds -> trials, the solvers in turn."""
    runs: dict[int, Run] = {k: side.prepare(case) for k, side in enumerate(sides) if side.suits(case)}
    first = (seed + 1) << 20
    for run in runs.values():
        run(first - 1)
    trials: dict[int, list[list[Trial]]] = {k: [] for k in runs}
    for _ in range(plan.rounds):
        for k, run in runs.items():
            done = sum(len(of) for of in trials[k])
            trials[k].append(_until(run, plan.seconds, first + done))
        bar.update()
    return trials


def _until(run: Run, seconds: float, first: int) -> list[Trial]:
    trials = [run(first)]
    while sum(trial.seconds for trial in trials) < seconds:
        trials.append(run(first + len(trials)))
    return trials


def summary(case: Instance, trials: Sequence[Trial], seed: int = 0) -> TimeToSolution:
    """TTS99 over the runs of all trials: a run hits if any of its members does."""
    hits = np.concatenate([[case.solved(float(run.min())) for run in trial.lowest] for trial in trials])
    seconds = np.concatenate([np.full(len(trial.lowest), trial.seconds / len(trial.lowest)) for trial in trials])
    return time_to_solution(seconds, hits, seed)


def _figures(case: Instance, by_round: Sequence[Sequence[Trial]], seed: int) -> tuple[dict[str, float], list[float]]:
    trials = [trial for of in by_round for trial in of]
    whole = summary(case, trials, seed)
    rounds = [summary(case, of, seed).seconds for of in by_round]
    members = np.concatenate([[case.solved(float(energy)) for energy in trial.lowest.ravel()] for trial in trials])
    joules = float(np.mean([trial.joules for trial in trials]))
    figures = {
        "probability": whole.probability, "tts": whole.seconds, "tts_low": whole.low,
        "tts_high": whole.high, "runs": whole.runs,
        "run_seconds": sum(trial.seconds for trial in trials) / whole.runs,
        "replica_probability": float(members.mean()), "energy_to_solution": joules * float(tts(1.0, members.mean())),
        "lowest_energy": float(min(trial.lowest.min() for trial in trials)),
    }  # fmt: skip
    return figures, rounds


def markdown(data: xr.Dataset, found: dict[str, str] | None = None) -> str:
    """A table for every instance."""
    head = ["solver", "TTS99 in s, all rounds [95 %]", "median of rounds", "p of a run", "runs", "s a run",
            "p of a replica", "J to solution", "lowest energy"]  # fmt: skip
    attrs = data.attrs
    lines = [
        f"{attrs['machine']}; one core a solver, {attrs['rounds']} rounds of {attrs['seconds']:g} s.",
        "",
        "A run is a word of 64 replicas, a ladder, or a peer's read; TTS counts whole calls but not compilation and "
        f"pilot runs. Energy to solution: {attrs['energy_model']}.",
        "",
        overview(data),
    ]
    for name in data.instance.values:
        part = data.sel(instance=name)
        of = f"target {part.target.item():.10g} ({part.source.item()}), {part.n_sites.item()} spins"
        lines += ["", f"### {name}: {of}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for solver in part.solver.values[np.argsort(part.tts.values, kind="stable")]:
            row = part.sel(solver=solver)
            if not np.isnan(row.probability.item()):
                lines.append("| " + " | ".join(_cells(str(solver), row)) + " |")
    if found is not None:
        lines += ["", _peer_line(found)]
    return "\n".join(lines) + "\n"


def _cells(solver: str, row: xr.Dataset) -> list[str]:
    value = {name: row[name].item() for name in FIGURES}
    text = f"{value['tts']:.3g} [{value['tts_low']:.3g} .. {value['tts_high']:.3g}]"
    if value["probability"] == 0.0:
        text = f"> {value['tts_low']:.3g} (no hit)"
    joules = "" if np.isnan(value["energy_to_solution"]) else f"{value['energy_to_solution']:.3g}"
    return [
        solver, text, spread(row.tts_rounds.values), f"{value['probability']:.3g}", f"{value['runs']:.0f}",
        f"{value['run_seconds']:.3g}", f"{value['replica_probability']:.3g}", joules, f"{value['lowest_energy']:.10g}",
    ]  # fmt: skip


def _peer_line(found: dict[str, str]) -> str:
    ran = ", ".join(f"{name} {number}" for name, number in found.items()) or "none"
    missing = [name for name in bench_peers.MODULES if name not in found]
    return f"Peers: {ran}." + (f" Not installed: {', '.join(missing)}." if missing else "")


def run(
    out: Path, quick: bool = False, with_peers: bool = False, folder: Path | None = None, seed: int = 0,
    progress: bool = True,
) -> str:  # fmt: skip
    """Benchmark everything; a folder with bench.nc, table.md and a picture for each family. Returns the table."""
    from matplotlib import pyplot as plt

    from . import figures

    found = bench_peers.available() if with_peers else {}
    cases, sides = instances(quick, folder), solvers() + bench_peers.peer_solvers(found)
    with new_folder(out, CONTENTS) as staging:
        data = measure(cases, sides, QUICK if quick else Plan(), seed, progress)
        text = markdown(data, found if with_peers else None)
        if not quick:
            text = "\n".join([text, "### Raw speed", "", *bench_rates.rates(found, seed, progress), ""])
        text += "".join(f"\n{bench_rates.timed_cuts(case, seed, progress)}\n" for case in cases if case.name in CUTS)
        stamp(data, seed).to_netcdf(staging / "bench.nc")
        (staging / "table.md").write_text(text, encoding="utf-8")
        for k, family in enumerate(dict.fromkeys(data.family.values.tolist())):
            picture, ax = plt.subplots(figsize=(9.0, 4.0), layout="constrained")
            figures.time_to_solution(data, family, ax)
            picture.savefig(staging / f"tts_{k}.png", dpi=130)
            plt.close(picture)
    return text
