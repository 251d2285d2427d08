"""The experiment: conditions against a tuned baseline, over paired seeds, in tokens and FLOPs to a target loss."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from ising.integers import as_integer

from .. import arguments as rules
from ..folders import check_file, write_file
from ..provenance import versions
from ..text import digest, read_text
from ..transformer import TransformerConfig
from .collect import FINAL_POINTS, collect
from .conditions import CONDITIONS, condition
from .experiment import DIVERGED, Task, run_tasks
from .savings import paired_interval, savings

SCAN_SEED = 1_000  # the scan's seeds start so far behind those of the comparison
FINER = math.sqrt(2.0)


@dataclass(frozen=True)
class Plan:
    """Size of the experiment.

    Attributes
    ----------
    config : TransformerConfig
        The model of all conditions; its learning rate is replaced by the best of the scan.
    conditions : tuple of str
        Names of ``conditions.CONDITIONS``; the first is the baseline, for which the learning rate is tuned.
    seeds : int
        Seed k gives all conditions the same initial parameters and the same batches.
    tokens : int
        Budget of a run.
    learning_rates : tuple of float
        Grid of the scan, rising; it goes on by factors of 2 while the best is at an end, then both neighbours of the
        best at a factor sqrt(2) are tried. One value: no scan.
    scan_seeds : int
        Seeds of the scan, none of which the comparison uses.
    fractions : tuple of float
        Targets: the baseline's loss at these fractions of its tokens.
    """

    config: TransformerConfig = field(default_factory=TransformerConfig)
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    seeds: int = 10
    tokens: int = 1_000_000
    learning_rates: tuple[float, ...] = (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2)
    scan_seeds: int = 3
    fractions: tuple[float, ...] = (0.3, 0.8)

    def __post_init__(self) -> None:
        for name in ("seeds", "tokens", "scan_seeds"):
            as_integer(name, getattr(self, name), 1)
        if self.seeds > SCAN_SEED:
            raise ValueError(f"seeds must be at most {SCAN_SEED}, got {self.seeds}")
        rules.kind(TransformerConfig, "TransformerConfig()")("config", self.config)
        for name in ("conditions", "learning_rates", "fractions"):
            if not isinstance(getattr(self, name), tuple | list):
                rules.refuse(name, "a tuple", getattr(self, name))
        for condition_name in self.conditions:
            if not isinstance(condition_name, str) or condition_name not in CONDITIONS:
                raise ValueError(
                    f"conditions must be one of {', '.join(CONDITIONS)}, got {rules.shown(condition_name)}"
                )
        rules.numbers("learning_rates", self.learning_rates)
        rules.numbers("fractions", self.fractions)
        if len(self.conditions) < 2 or len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions must be two or more different names, got {self.conditions}")
        rates = np.array(self.learning_rates)
        if rates.size == 0 or not (np.diff(rates, prepend=0.0) > 0).all():
            raise ValueError(f"learning_rates must be positive and rising, got {self.learning_rates}")
        if not all(0.0 < f <= 1.0 for f in self.fractions) or not self.fractions:
            raise ValueError(f"fractions must be in (0, 1], got {self.fractions}")

    @property
    def steps(self) -> int:
        """Steps of a run with a constant batch size."""
        return math.ceil(self.tokens / (self.config.batch_size * self.config.context))


QUICK = Plan(
    conditions=("standard", "x2", "thermostat"),
    seeds=2,
    tokens=100_000,
    learning_rates=(1e-2, 2e-2),
    scan_seeds=1,
)


@rules.checked(folder=rules.path, processes=rules.count, seed=rules.seed, progress=rules.flag)
def compare(
    folder: str | Path,
    plan: Plan | None = None,
    text: str | Path | None = None,
    seed: int = 0,
    processes: int = 2,
    progress: bool = True,
) -> xr.Dataset:
    """Tune the baseline's learning rate, run all conditions on the same seeds, and compare them.

    Parameters
    ----------
    folder : str or Path
        Each finished run is kept there in ``runs/``; called again, the experiment goes on where it stopped, also with
        more seeds or conditions.
    plan : Plan, optional
    text : str, Path or None
        As for ``train``.
    seed : int
        Seed of the first of ``plan.seeds`` runs of a condition; the others follow.
    processes : int
        Runs at a time; the numbers do not depend on it.
    progress : bool
        A bar of tokens, with the time left.

    Returns
    -------
    xarray.Dataset
        Loss curves on (condition, seed, tokens), what was saved on (target, condition, seed) with intervals (see
        ``savings``), the heads on (condition, seed, head_tokens, layer, head), the scan on (scan_rate, scan_seed).

    Raises
    ------
    ValueError
        The folder holds a run of that name with other settings, or cannot be written.
    """
    plan = Plan() if plan is None else rules.kind(Plan, "Plan()")("plan", plan)
    check_file(Path(folder) / "compare.nc")
    experiment = _Experiment(plan, read_text(text), Path(folder) / "runs", seed, processes, progress)
    with experiment.bar:
        scan, rate = experiment.tune()
        tasks = {(name, k): experiment.task(name, k, rate) for name in plan.conditions for k in range(plan.seeds)}
        experiment.run(tasks.values())
    paths = {key: task.path(experiment.folder) for key, task in tasks.items()}
    runs = collect(paths, plan.steps, _batch(plan.config))
    if runs["diverged"].isel(condition=0).any():
        raise ValueError(f"{plan.conditions[0]} diverged at the learning rate {rate:.3g}; give smaller learning_rates")
    table = runs.merge(savings(runs, plan.conditions[0], plan.fractions)).merge(scan)
    difference = (table["final_loss"] - table["final_loss"].isel(condition=0, drop=True)).rename("loss_difference")
    table = table.merge(difference).merge(paired_interval(difference))
    table.attrs = {"plan": json.dumps(asdict(plan)), "learning_rate": rate, "seed": seed}
    table.attrs |= {"baseline": plan.conditions[0], "text_sha256": experiment.text_sha256}
    return table.assign_attrs(versions=json.dumps(versions()))


def _batch(config: TransformerConfig) -> int:
    return config.batch_size * config.context


class _Experiment:
    """What all runs of an experiment share."""

    def __init__(self, plan: Plan, text: str, folder: Path, seed: int, processes: int, progress: bool) -> None:
        self.plan, self.text, self.folder, self.seed, self.processes = plan, text, folder, seed, processes
        self.text_sha256 = digest(text)
        planned = len(plan.conditions) * plan.seeds * plan.steps * _batch(plan.config)
        self.bar = tqdm(total=planned, desc="compare", unit="token", unit_scale=True, disable=not progress)

    def task(self, name: str, k: int, rate: float, prefix: str = "") -> Task:
        """Run k of a condition at a learning rate."""
        setting = condition(name, replace(self.plan.config, learning_rate=rate))
        return Task(f"{prefix}{name}-{self.seed + k}", setting, self.seed + k, self.plan.steps)

    def run(self, tasks: Iterable[Task]) -> None:
        """Run those that are not in the folder."""
        tasks = list(tasks)
        done = [task.is_done(self.folder, self.text_sha256) for task in tasks]
        self.bar.total -= sum(task.tokens for task, ready in zip(tasks, done) if ready)
        waiting = [task for task, ready in zip(tasks, done) if not ready]
        run_tasks(waiting, self.text, self.folder, self.processes, lambda task: self.bar.update(task.tokens))

    def tune(self) -> tuple[xr.Dataset, float]:
        """Final validation losses of the baseline on (scan_rate, scan_seed), and the rate of the lowest mean."""
        losses: dict[float, list[float]] = {}
        rates = list(self.plan.learning_rates)
        if len(rates) == 1:
            return xr.Dataset(), rates[0]
        self._scan(rates, losses)
        best = min(losses, key=lambda rate: np.mean(losses[rate]))
        while best in (min(losses), max(losses)):
            self._scan([best / 2.0 if best == min(losses) else 2.0 * best], losses)
            best = min(losses, key=lambda rate: np.mean(losses[rate]))
        self._scan([best / FINER, best * FINER], losses)
        best = min(losses, key=lambda rate: np.mean(losses[rate]))
        rates = sorted(losses)
        coords = {"scan_rate": rates, "scan_seed": self.seed + SCAN_SEED + np.arange(self.plan.scan_seeds)}
        values = [losses[rate] for rate in rates]
        return xr.Dataset({"scan_loss": (("scan_rate", "scan_seed"), values)}, coords), best

    def _scan(self, rates: list[float], losses: dict[float, list[float]]) -> None:
        name = self.plan.conditions[0]
        ks = range(SCAN_SEED, SCAN_SEED + self.plan.scan_seeds)
        tasks = {rate: [self.task(name, k, rate, f"scan-{rate:.3g}-") for k in ks] for rate in rates}
        self.bar.total += sum(task.tokens for group in tasks.values() for task in group)
        self.run(task for group in tasks.values() for task in group)
        for rate, group in tasks.items():
            losses[rate] = [_final_loss(task.path(self.folder)) for task in group]


def _final_loss(path: Path) -> float:
    """Validation loss at the end of a run; inf if it diverged."""
    with h5py.File(path) as run:
        return math.inf if run.attrs[DIVERGED] else float(np.mean(run["validation_curve"][-FINAL_POINTS:]))


def write(table: xr.Dataset, folder: str | Path) -> str:
    """Write ``compare.nc``, ``table.md`` and ``compare.png`` to the folder of the runs; returns the table."""
    from . import figures
    from .table import markdown

    place = Path(folder)
    write_file(table, place / "compare.nc")
    text = markdown(table)
    (place / "table.md").write_text(text, encoding="utf-8")
    figures.page(table).savefig(place / "compare.png", dpi=120)
    return text
