"""Runs whose whole state is one checkpoint: they write it now and then, and their result at the end."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .manifest import Manifest
from .merging import merged_file, put_in_place
from .read import open_result
from .store import Segment, Store

if TYPE_CHECKING:
    import xarray as xr

SHARE = 100  # the next checkpoint is due after this many times what the last one took
LEAST, MOST = 1.0, 30.0  # seconds between checkpoints


class WholeRun(Store):
    """A store of one unit whose checkpoint is the whole run.

    Parameters
    ----------
    folder
        Where.
    kind, settings, length, step
        As in `Manifest`.
    known
        What must be kept beside the settings, such as the arrays of a model.

    Raises
    ------
    ValueError
        The folder holds another run, or other files.
    StoreError
        The disk refuses, another process writes, or the store is damaged.
    """

    def __init__(
        self, folder: str | Path, kind: str, settings: Mapping[str, Any], known: xr.Dataset, length: int, step: str
    ) -> None:
        plain = json.loads(json.dumps(settings))
        super().__init__(folder, Manifest(kind, plain, length, step, {}, {}, [{}], {}), _bytes(known))
        self.kept: Any = copied(self.checkpoint(0))
        self._due = time.monotonic() + LEAST

    def result(self) -> xr.Dataset | None:
        """The result that stands in the store, also one of fewer steps; None if there is none yet."""
        return open_result(merged_file(self.folder, self.journal)) if self.journal.merged else None

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() > self._due

    def keep(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint; the one before is kept until this one is whole."""
        started, length = time.monotonic(), self.length(0)
        self.commit([Segment(0, length, length, {}, state)])
        self.kept, ended = state, time.monotonic()
        self._due = ended + min(MOST, max(LEAST, SHARE * (ended - started)))

    def finish(self, data: xr.Dataset, steps: int) -> xr.Dataset:
        """Write the result of so many steps beside the last checkpoint; the same, read when used."""
        before = self.length(0)
        reached = max(steps, before)
        self.commit([Segment(0, before, reached, {}, self.kept or {})])
        return open_result(put_in_place(self, reached, lambda file: data.to_netcdf(file, engine="h5netcdf")))

    def stopped(self) -> KeyboardInterrupt:
        """What to raise after Ctrl-C."""
        return KeyboardInterrupt(
            f"stopped; the run up to its last checkpoint is in {self.folder}: give the same call again, "
            f"or `ceas resume {self.folder}`"
        )


def _bytes(known: xr.Dataset) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.nc"
        known.to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()


def copied(tree: Any) -> Any:
    """The same with arrays that can be written to."""
    if isinstance(tree, np.ndarray):
        return tree.copy()
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    return [copied(value) for value in tree] if isinstance(tree, list) else tree
