"""Many training runs into a folder, over processes: finished ones are kept, runs with other settings are refused."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import h5py  # type: ignore[import-untyped]

from ..folders import write_file
from .conditions import Condition
from .loop import DivergedError, train
from .run import call_settings

DIVERGED = "diverged"  # attribute of a run's file: the message of the run that diverged, or empty


@dataclass(frozen=True)
class Task:
    """One run of ``train``; ``name`` is that of its file."""

    name: str
    condition: Condition
    seed: int
    steps: int

    @property
    def tokens(self) -> int:
        """What the run trains on."""
        return self.steps * self.condition.config.batch_size * self.condition.config.context

    def path(self, folder: Path) -> Path:
        """Where its trace goes."""
        return folder / f"{self.name}.nc"

    def is_done(self, folder: Path, text_sha256: str) -> bool:
        """Whether its file is there; ValueError if that file is of a run with other settings or another text."""
        path = self.path(folder)
        if not path.is_file():
            return False
        condition = self.condition
        wanted = call_settings(condition.config, condition.thermostat, condition.knobs, self.seed, self.steps)
        wanted["text_sha256"] = text_sha256
        with h5py.File(path) as run:  # a tenth of the time of opening a Dataset
            other = [name for name, value in wanted.items() if run.attrs.get(name) != value]
        if other:
            raise ValueError(f"{path} is a run with another {', '.join(other)}; give a new folder, or delete that file")
        return True


def run_tasks(tasks: Sequence[Task], text: str, folder: Path, processes: int, done: Callable[[Task], None]) -> None:
    """Run what is not in the folder yet; ``done`` is called after each. The files do not depend on ``processes``."""
    if processes == 1:
        for task in tasks:
            run_task(task, text, folder)
            done(task)
        return
    context = multiprocessing.get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops this process, which lets the runs at work end
    with ProcessPoolExecutor(processes, context, signal.signal, ignore) as pool:
        futures = {pool.submit(run_task, task, text, folder): task for task in tasks}
        try:
            for future in as_completed(futures):
                future.result()
                done(futures[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_task(task: Task, text: str, folder: Path) -> None:
    """Train and write the trace; of a run that diverges, the trace up to then."""
    condition, message = task.condition, ""
    try:
        run = train(
            condition.config, text, condition.thermostat, task.seed, task.steps, progress=False, knobs=condition.knobs
        )
    except DivergedError as error:
        run, message = error.trace, str(error)
    write_file(run.assign_attrs({DIVERGED: message}), task.path(folder))
