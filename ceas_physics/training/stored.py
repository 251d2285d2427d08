"""`train` with a store: checkpoints on the way, the trace at the end, and the call again from the store alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ising.store.whole import WholeRun, copied

from ..plain import made
from ..text import read_text
from ..thermostat import Freezing, Gating, Guard, Thermostat
from ..transformer import TransformerConfig
from .knobs import KINDS, Knobs
from .run import Run

KIND = "train"
PARTS = {"config", "thermostat", "knobs"}  # settings that are dataclasses: kept field by field, to be named so


class TrainingStore(WholeRun):
    """The store of a training run.

    Parameters
    ----------
    folder
        The `store` of ``train``.
    run
        Not yet begun; it is set to where the store has it.
    text
        As given to ``train``; the store keeps all of it.
    steps
        Of the whole run.
    """

    def __init__(self, folder: str | Path, run: Run, text: str | Path | None, steps: int) -> None:
        content = np.frombuffer(read_text(text).encode(), np.uint8)
        known = xr.Dataset({"text": ("byte", content, {"long_name": "the text in UTF-8", "units": "1"})})
        super().__init__(folder, KIND, _fields(run.settings), known, steps, "steps")
        self.run, self.steps = run, steps
        self.latest = self.kept
        if self.kept:
            run.restore(copied(self.kept) | {"settings": run.settings}, self.folder)

    def stored(self) -> xr.Dataset | None:
        """The trace, if the store has that of all steps."""
        return self.result() if self.journal.merged and self.journal.merged_length == self.steps else None

    def offer(self) -> None:
        """After every step: take a checkpoint where one is possible, and write it when it is due."""
        if self.run.at_checkpoint and self.run.tokens < self.run.budget:  # the last step is another in a longer run
            self.latest = copied(self.run.state())
            if self.due:
                self.keep(self.latest)

    def flush(self) -> None:
        """Write the last checkpoint that was taken."""
        if self.latest and self.latest is not self.kept:
            self.keep(self.latest)


def call_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``train`` but for text and steps, from the settings of a store."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        name, _, field = key.partition(".")
        if field:
            nested.setdefault(name, {})[field] = value
        else:
            nested[name] = value
    return arguments(nested)


def arguments(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``train`` from dicts of their fields."""
    thermostat = {"gating": Gating, "freezing": Freezing, "guard": Guard}
    return {
        "config": made(TransformerConfig, nested["config"]),
        "thermostat": made(Thermostat, nested["thermostat"], thermostat),
        "knobs": made(Knobs, nested["knobs"], KINDS),
        "seed": nested["seed"],
    }


def _fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for two runs to be the same but for their length."""
    settings: dict[str, Any] = {}
    for name, value in attributes.items():
        fields = json.loads(value) if name in PARTS else value
        if isinstance(fields, dict):
            settings |= {f"{name}.{field}": inner for field, inner in fields.items()}
        elif name != "steps":
            settings[name] = fields
    return settings | {"ceas_physics_version": version("ceas-physics")}
