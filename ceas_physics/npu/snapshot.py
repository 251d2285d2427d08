"""A run of machines between two looks at the clock as plain numbers and arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .corridor_control import CorridorControl
from .history import History
from .kernels_read import Record
from .schedules import Array
from .unit import Unit

Tree = dict[str, Any]


@dataclass
class Place:
    """Where a run stands: what is recorded, steps done, number of the anneal, its next interval, seconds spent."""

    history: History
    steps: int = 0
    repeat: int = 0
    position: int = 0
    seconds: float = 0.0


def snapshot(units: Sequence[Unit], controllers: Sequence[CorridorControl], place: Place) -> Tree:
    """All that `put_back` needs, nothing of it shared with the run."""
    history = place.history
    latest = history.latest and [history.latest[0], dict(history.latest[1])]
    kept = {"stride": history.stride, "seen": history.seen, "steps": list(history.steps), "latest": latest}
    return {
        "place": [place.steps, place.repeat, place.position, place.seconds],
        "history": kept | {"rows": _columns(history.rows)},
        "controllers": [[controller.beta, controller.reads] for controller in controllers],
        "units": [_of_unit(unit) for unit in units],
    }


def put_back(tree: Tree, units: Sequence[Unit], controllers: Sequence[CorridorControl]) -> Place:
    """Set units and thermostats to where they were."""
    steps, repeat, position, seconds = tree["place"]
    for unit, kept in zip(units, tree["units"], strict=True):
        unit.restart(repeat)
        for array, values in zip([*_lasting(unit.record), *unit.moving()], kept["arrays"], strict=True):
            array[...] = values
        unit.events = np.array([kept["events"]])
        if unit.stream is not None:
            unit.stream.bit_generator.state = kept["stream"]
    for controller, (beta, reads) in zip(controllers, tree["controllers"], strict=True):
        controller.beta, controller.reads = beta, reads
    kept = tree["history"]
    latest = kept["latest"] and (kept["latest"][0], kept["latest"][1])
    count = len(kept["steps"])
    rows = [{name: values[k] for name, values in kept["rows"].items()} for k in range(count)]
    history = History(kept["stride"], kept["seen"], list(kept["steps"]), rows, latest)
    return Place(history, steps, repeat, position, seconds)


def _of_unit(unit: Unit) -> Tree:
    arrays = [array.copy() for array in [*_lasting(unit.record), *unit.moving()]]
    stream = None if unit.stream is None else unit.stream.bit_generator.state
    return {"arrays": arrays, "events": float(unit.events[-1]), "stream": stream}


def _lasting(record: Record) -> list[Any]:
    """What one read leaves to the next."""
    return [record.best, record.best_read, record.best_words, record.last, record.rng, record.reads]


def _columns(rows: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}
