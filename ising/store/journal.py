"""`journal.jsonl`: what is finished. A line is added and flushed for each commit; one that is not whole is none.

A line is the SHA-256 sum of the rest, a space, and JSON: ``{"serial", "part", "checkpoint", "units": {unit: [start,
stop]}}`` for a commit, ``{"serial", "merged", "length"}`` for the merged file that replaces all parts before it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .disk import Entry, damaged, write_files
from .errors import StoreError, writing
from .manifest import Manifest

NAME = "journal.jsonl"


@dataclass(frozen=True)
class Part:
    """A finished part: a file, and which steps of which units it holds."""

    file: Entry
    units: Mapping[int, tuple[int, int]]

    def shape(self, manifest: Manifest) -> Callable[[int, str], tuple[int, ...]]:
        """Of a unit and a variable: the shape of what the part holds of it."""
        return lambda unit, name: manifest.part_shape(name, unit, *self.units[unit])


@dataclass
class Journal:
    """What is finished.

    Attributes
    ----------
    n_units
        Units of the run.
    serial
        Number of the next commit.
    merged, merged_length
        The merged file, if there is one, and its steps.
    parts
        In the order of their writing.
    lengths, checkpoints
        Of each unit: its finished steps, and the file of its last checkpoint.
    """

    n_units: int
    serial: int = 0
    merged: Entry | None = None
    merged_length: int = 0
    parts: list[Part] = field(default_factory=list)
    lengths: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, Entry] = field(default_factory=dict)

    def files(self) -> set[str]:
        """Names of all files that count."""
        entries = [part.file for part in self.parts] + list(self.checkpoints.values())
        return {one["file"] for one in entries + ([self.merged] if self.merged else [])}

    @property
    def common_length(self) -> int:
        """Steps that all units have finished."""
        return min(self.lengths.values(), default=0) if len(self.lengths) == self.n_units else 0

    def take(self, line: Mapping[str, Any]) -> None:
        """Apply a line; ValueError if it does not follow from those before."""
        self.serial = int(line["serial"]) + 1
        if "merged" in line:
            self.merged, self.merged_length, self.parts = _entry(line["merged"]), int(line["length"]), []
            self.lengths = dict.fromkeys(range(self.n_units), self.merged_length)
            return
        units = {int(unit): (int(start), int(stop)) for unit, (start, stop) in line["units"].items()}
        for unit, (start, stop) in units.items():
            if not 0 <= unit < self.n_units:
                raise ValueError(f"there is no unit {unit}")
            if self.lengths.get(unit, 0) != start or stop < start:
                raise ValueError(f"unit {unit} goes from {start} to {stop}, it stood at {self.lengths.get(unit, 0)}")
            self.lengths[unit] = stop
        if line["checkpoint"]:
            self.checkpoints |= dict.fromkeys(units, _entry(line["checkpoint"]))
        if any(stop > start for start, stop in units.values()):
            grown = {unit: steps for unit, steps in units.items() if steps[1] > steps[0]}
            self.parts.append(Part(_entry(line["part"]), grown))


def read_journal(folder: Path, manifest: Manifest) -> tuple[Journal, int]:
    """What is finished, and how many bytes of the file say so.

    Raises
    ------
    StoreError
        A whole line is damaged, or does not fit the manifest.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Journal(len(manifest.units)), 0
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; see that the disk is there") from None
    journal, end = Journal(len(manifest.units)), data.rfind(b"\n") + 1
    for line in data[:end].splitlines():
        total, _, text = line.partition(b" ")
        if hashlib.sha256(text).hexdigest().encode() != total:
            raise damaged(path, "a line is not what was written")
        try:
            journal.take(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, str(error)) from None
    for file, sizes in [(part.file, part.units) for part in journal.parts]:
        if file["size"] < sum(manifest.bytes(unit, *steps) for unit, steps in sizes.items()):
            raise damaged(path, f"{file['file']} cannot hold what it should")
    if any(length > manifest.length for length in journal.lengths.values()):
        raise damaged(path, "a unit is longer than the run")
    return journal, end


def add_line(folder: Path, end: int, line: Mapping[str, Any]) -> int:
    """Add a line behind the whole ones and flush it; the new end."""
    data, path = _line(line), folder / NAME
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.ftruncate(descriptor, end)
            if os.pwrite(descriptor, data, end) != len(data):
                raise OSError(28, os.strerror(28))  # the disk took only the beginning
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return end + len(data)


def rewrite(folder: Path, lines: list[Mapping[str, Any]]) -> int:
    """Put these lines in the place of all others, at once; the new end."""
    data = b"".join(_line(line) for line in lines)
    write_files(folder, [(NAME, data)])
    return len(data)


def _line(line: Mapping[str, Any]) -> bytes:
    text = json.dumps(line).encode()
    return hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"


def _entry(value: Any) -> Entry:
    if set(value) != {"file", "size", "sha256"} or type(value["size"]) is not int or value["size"] < 0:
        raise ValueError(f"a file is described as {value}")
    return dict(value)
