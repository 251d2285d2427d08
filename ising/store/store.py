"""`Store`: one run on the disk, open for writing. It knows units, steps and arrays, and nothing of physics."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from ..arguments import refuse
from . import codec
from .disk import SUFFIX, damaged, read_checked, remove, write_files
from .errors import writing
from .journal import NAME as JOURNAL
from .journal import Part, add_line, read_journal, rewrite
from .lock import NAME as LOCK
from .lock import Lock
from .manifest import NAME as MANIFEST
from .manifest import Manifest, read_manifest

FRAME = "frame.nc"
NUMBERED = ("part", "checkpoint")  # files of a commit, with its number
LEFT = re.compile(r"(part|checkpoint|run)-\d+\.(nc|bin)(\.part)?|.*\.part")  # what a killed writer may leave
RESULT = "result"  # key of a checkpoint: arrays of the variables that do not grow, by name


@dataclass(frozen=True)
class Segment:
    """What a unit has done since its last checkpoint.

    Attributes
    ----------
    unit
        Its number.
    start, stop
        Steps it has gone; equal if it only warmed up.
    arrays
        Variables that grow, by name, their part for these steps.
    checkpoint
        A tree (`codec`) from which the unit goes on exactly; at the end of the run with the key `RESULT`.
    """

    unit: int
    start: int
    stop: int
    arrays: Mapping[str, NDArray[Any]]
    checkpoint: Mapping[str, Any]


class Store:
    """Opens a store for writing, makes it if it is not there, and lengthens it if asked for more steps.

    Parameters
    ----------
    folder
        Where.
    manifest
        The run; its `frame` is an empty dict.
    frame
        The bytes of `frame.nc` of a new store.

    Raises
    ------
    ValueError
        The folder holds another run, or other files.
    StoreError
        The disk refuses, another process writes, or the store is damaged.
    """

    def __init__(self, folder: str | Path, manifest: Manifest, frame: bytes) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            refuse("store", "the path of a folder", folder)
        self.folder = Path(folder).expanduser().absolute()
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"store must be a folder, got the file {folder}; give another name")
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        _check_ours(self.folder)
        self._lock, self._adding = Lock(self.folder), threading.Lock()
        self._latest: tuple[str, Any] = ("", {})
        self._written: set[str] = set()
        try:
            self.manifest = self._open(manifest, frame)
            self.journal, self._end = read_journal(self.folder, self.manifest)
            self._sweep_up()
        except BaseException:
            self.close()
            raise

    def _open(self, manifest: Manifest, frame: bytes) -> Manifest:
        if not (self.folder / MANIFEST).exists():
            (entry,) = write_files(self.folder, [(FRAME, frame)])
            made = Manifest(**{**manifest.__dict__, "frame": entry})
            made.write(self.folder)
            return made
        stored = read_manifest(self.folder)
        refuse_differences(self.folder, stored, manifest)
        if manifest.length > stored.length:
            stored = stored.longer(manifest.length)
            stored.write(self.folder)
        return stored

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        self._lock.release()

    def length(self, unit: int) -> int:
        """Finished steps of a unit."""
        return self.journal.lengths.get(unit, 0)

    def checkpoint(self, unit: int) -> Any:
        """The tree of a unit's last checkpoint, or None."""
        wanted = self.journal.checkpoints.get(unit)
        if wanted is None:
            if self.length(unit):
                raise damaged(self.folder / JOURNAL, f"the checkpoint of unit {unit} is not in it")
            return None
        latest, tree = self._latest  # units are committed, and asked for, many together
        if latest == wanted["sha256"]:
            return tree[str(unit)]
        try:
            tree = codec.unpack(read_checked(self.folder, wanted))
        except FileNotFoundError:
            raise damaged(self.folder / wanted["file"], "it is missing") from None
        self._latest = wanted["sha256"], tree
        return tree[str(unit)]

    def part(self, part: Part) -> bytes:
        """The bytes of a part; those that this process wrote itself are not summed again."""
        try:
            return read_checked(self.folder, part.file, summed=part.file["sha256"] not in self._written)
        except FileNotFoundError:
            raise damaged(self.folder / part.file["file"], "it is missing") from None

    def commit(self, segments: Sequence[Segment]) -> None:
        """Put what units have done on the disk: all of it or, if this fails, nothing.

        Raises
        ------
        StoreError
            The disk refuses; all earlier commits are kept.
        """
        from .parts import pack_part

        with self._adding:
            if wrong := [one.unit for one in segments if one.start != self.length(one.unit) or one.stop < one.start]:
                raise ValueError(f"segments must go on where their units stand; those of units {wrong} do not")
            serial, contents = self.journal.serial, []
            grown = {one.unit: one.arrays for one in segments if one.stop > one.start}
            if grown:
                contents.append((f"part-{serial:08d}.nc", pack_part(grown, self.manifest)))
            tree = codec.pack({str(one.unit): one.checkpoint for one in segments})
            contents.append((f"checkpoint-{serial:08d}.bin", tree))
            *part, checkpoint = write_files(self.folder, contents)
            self._written |= {entry["sha256"] for entry in part}
            line = {"serial": serial, "part": part[0] if part else None, "checkpoint": checkpoint}
            line |= {"units": {str(one.unit): [one.start, one.stop] for one in segments}}
            self._end = add_line(self.folder, self._end, line)
            before = {entry["file"] for entry in map(self.journal.checkpoints.get, (s.unit for s in segments)) if entry}
            self.journal.take(line)
            self._remove(before)

    def replace_parts(self, merged: Mapping[str, Any], length: int) -> None:
        """From now on a merged file stands for all parts; they are removed."""
        before = {part.file["file"] for part in self.journal.parts}
        before |= {self.journal.merged["file"]} if self.journal.merged else set()
        serial, journal = self.journal.serial, self.journal
        lines: list[Mapping[str, Any]] = [{"serial": serial, "merged": dict(merged), "length": length}]
        by_file: dict[str, list[int]] = {}
        for unit, entry in journal.checkpoints.items():
            by_file.setdefault(entry["file"], []).append(unit)
        for units in by_file.values():
            places = {str(unit): [self.length(unit)] * 2 for unit in units}
            entry = journal.checkpoints[units[0]]
            lines.append({"serial": serial, "part": None, "checkpoint": entry, "units": places})
        self._end = rewrite(self.folder, lines)
        self.journal, self._end = read_journal(self.folder, self.manifest)
        self._remove(before)

    def _remove(self, names: set[str]) -> None:
        for name in names - self.journal.files():
            remove(self.folder / name)

    def _sweep_up(self) -> None:
        """Remove what a killed writer left: files that the journal does not count."""
        keep = self.journal.files() | {MANIFEST, JOURNAL, FRAME, LOCK}
        left = [path for path in self.folder.iterdir() if path.name not in keep and LEFT.fullmatch(path.name)]
        for path in left:  # a commit that is not in the journal can only be the next one
            number = path.name.split(".")[0].split("-")
            if number[0] in NUMBERED and int(number[1]) > self.journal.serial:
                raise damaged(self.folder / JOURNAL, f"{path.name} is not in it")
        for path in left:
            remove(path)


def refuse_differences(folder: Path, stored: Manifest, given: Manifest) -> None:
    """ValueError naming what another run than the stored one is asked for; more steps are not another run."""
    if stored.kind != given.kind:
        raise ValueError(f"{folder} holds a run of {stored.kind}, not of {given.kind}; give another folder as store=")
    for name in dict.fromkeys([*given.settings, *stored.settings]):
        then, now = stored.settings.get(name), given.settings.get(name)
        if then != now:
            raise ValueError(
                f"{folder} holds a run with {name}={_short(then)}, got {name}={_short(now)}; "
                "give the same call, or another folder as store="
            )
    if given.length < stored.length:
        raise ValueError(
            f"{folder} holds a run with {stored.step}={stored.length}, got {given.step}={given.length}; "
            "a store grows but never shrinks: give at least as many, or another folder as store="
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_ours(folder: Path) -> None:
    """A folder without a manifest must be empty, or hold what a store that was never finished making left."""
    with writing(folder):
        names = {path.name.removesuffix(SUFFIX) for path in folder.iterdir()}
    others = names - {LOCK, FRAME, MANIFEST}
    if MANIFEST not in {path.name for path in folder.iterdir()} and others:
        raise ValueError(f"{folder} holds other files ({min(others)}); give a new or empty folder as store=")
