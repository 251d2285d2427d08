"""Train the transformer, with or without a thermostat, and keep the thermodynamics of every head as a Dataset."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ising.arguments import as_flag, as_path
from ising.integers import as_integer
from ising.streams import check_seed

from ..folders import check_file
from ..text import corpus
from ..thermostat import Thermostat
from ..transformer import TransformerConfig
from . import checkpoint as checkpoints
from .knobs import Knobs
from .run import Run
from .stored import TrainingStore
from .trace import MEMBERS, trace


class DivergedError(FloatingPointError):
    """The loss is no longer finite; ``trace`` is the Dataset of the run up to then."""

    def __init__(self, message: str, trace: xr.Dataset) -> None:
        super().__init__(message)
        self.trace = trace


def train(
    config: TransformerConfig | None = None,
    text: str | Path | None = None,
    thermostat: Thermostat | None = None,
    seed: int = 0,
    steps: int = 2048,
    progress: bool = True,
    *,
    knobs: Knobs | None = None,
    checkpoint: Path | None = None,
    store: str | Path | None = None,
) -> xr.Dataset:
    """Train a character model by Adam; record every head before training, every 64 steps and at the end.

    Parameters
    ----------
    config : TransformerConfig, optional
    text : str, Path or None
        A text, a UTF-8 file, or None for ``text.default_text()``. The last 10 % validate.
    thermostat : Thermostat, optional
        None keeps beta = 1/sqrt(d_k); so does a thermostat with kappa_max = kappa_inf = 0, bit for bit.
    seed : int
        Root of independent streams: initial parameters, batches, dropout. Runs of one seed share the first two whatever
        their thermostat. Same seed, same numbers, bit for bit, on one CPU type (BLAS uses one thread).
    steps : int
        At least 1: the run ends with the step that completes ``steps * batch_size * context`` tokens.
    progress : bool
        Show a bar.
    knobs : Knobs, optional
        Other settings under control; none by default.
    checkpoint : Path, optional
        A file that is written every 256 steps and at the end. If it exists, the run goes on from there, and ends with
        the numbers of a run that was never interrupted.
    store : str or Path, optional
        A folder for checkpoints, the text, and at the end the result. The same call goes on with a run that was
        stopped at any moment, with more steps it lengthens one; any other difference is refused.

    Returns
    -------
    xarray.Dataset
        On (step, layer, head) the observables of the heads over fixed validation rows with the beta in use up to that
        step; on (step,) and, finer, (loss_step,) the losses and what was spent; flat float32 ``parameters`` and
        ``initial_parameters``. Each variable has its formula, the attributes reproduce the run. With `store` it is read
        from the disk when it is used.

    Raises
    ------
    ValueError
        A text too short for the context, a context without rows of 8 visible keys, steps < 1, a seed outside
        [0, 2^63), a setting of the wrong kind, or a checkpoint or a store of another run.
    StoreError
        The store cannot be written, is damaged, or is being written by another process.
    KeyboardInterrupt
        After Ctrl-C; with a store it says how to go on.
    DivergedError
        The loss is no longer finite. A FloatingPointError: the message names the step and the last checkpoint, and
        ``.trace`` holds the Dataset so far.
    """
    for name, value, kind in (
        ("config", config, TransformerConfig),
        ("thermostat", thermostat, Thermostat),
        ("knobs", knobs, Knobs),
    ):
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{name} must be a {kind.__name__}(...) or None, got {value!r}")
    config = config or TransformerConfig()
    steps, seed, progress = as_integer("steps", steps), check_seed(seed), as_flag("progress", progress)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if thermostat is not None and config.scaling != "fixed":
        raise ValueError(f"a thermostat steers beta itself: scaling must be 'fixed', got {config.scaling!r}")
    if checkpoint is not None and store is not None:
        raise ValueError("give checkpoint= or store=, not both: a store has checkpoints of its own")
    path = None if checkpoint is None else check_file(as_path("checkpoint", checkpoint))
    with threadpool_limits(1):
        run = Run(config, corpus(text, config.context), thermostat, knobs or Knobs(), seed, steps)
        if store is not None:
            with TrainingStore(store, run, text, steps) as kept:
                return _in_store(run, kept, progress)
        if path and path.is_file():
            run.restore(checkpoints.load(path, MEMBERS), path)
        _finish(run, path, progress)
    return trace(run.state())


def _in_store(run: Run, store: TrainingStore, progress: bool) -> xr.Dataset:
    """The remaining steps of a stored run; its result, read when used."""
    if (stored := store.stored()) is not None:
        return stored
    try:
        _finish(run, store, progress)
    except KeyboardInterrupt:
        store.flush()
        raise store.stopped() from None
    store.flush()
    return store.finish(trace(run.state()), store.steps)


def _finish(run: Run, keep: Path | TrainingStore | None, progress: bool) -> None:
    """Take the remaining steps; a checkpoint on the way and, in a file, at the end."""
    saved = run.steps
    with tqdm(total=run.budget, initial=run.tokens, desc="train", unit="token", unit_scale=True, leave=False,
              disable=not progress) as bar:  # fmt: skip
        while run.tokens < run.budget:
            before = run.tokens
            try:
                run.step()
            except FloatingPointError as error:
                where = f"; the last checkpoint, of step {saved}, is {keep}" if isinstance(keep, Path) and saved else ""
                raise DivergedError(f"{error}{where}", trace(run.state())) from None
            bar.update(run.tokens - before)
            if isinstance(keep, TrainingStore):
                keep.offer()
            elif keep and run.at_checkpoint:
                checkpoints.save(keep, run.state())
                saved = run.steps
