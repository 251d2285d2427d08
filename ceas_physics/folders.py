"""Where results go: checked before the work, written under a temporary name, put in place whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import xarray as xr


@dataclass(frozen=True)
class Contents:
    """What a command writes into a folder, so that an earlier result of ours can be told from somebody's files.

    Attributes
    ----------
    names : str
        Regular expression that matches the name of every file of the command.
    witness : str
        The file that is always there.
    marker : bytes
        What the witness holds, and nobody else's file of that name.
    """

    names: str
    witness: str
    marker: bytes

    def foreign(self, folder: Path) -> str | None:
        """Name of an entry that no earlier result explains; None for an empty folder or one that is all ours."""
        entries = sorted(folder.iterdir())
        strangers = [entry.name for entry in entries if not (entry.is_file() and re.fullmatch(self.names, entry.name))]
        if strangers or not entries:
            return strangers[0] if strangers else None
        witness = folder / self.witness
        if not witness.is_file():
            return entries[0].name
        return None if self.marker in witness.read_bytes() else self.witness


def check_file(out: str | Path) -> Path:
    """The path of a file that can be written, folders on the way included; nothing is left behind by the check.

    Raises
    ------
    ValueError
        It is a folder, or its place cannot be written.
    """
    path = Path(out).expanduser().resolve()
    if path.is_dir():
        raise ValueError(f"out must be a file, got the folder {out}; add a file name, such as {Path(out) / 'run.nc'}")
    _check_writable(path, out)
    return path


def write_file(data: xr.Dataset, out: str | Path) -> None:
    """NetCDF, beside the target first, so that a failure leaves no half file and an earlier one as it was."""
    path = check_file(out)
    part = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.to_netcdf(part)
        part.replace(path)
    except OSError as error:
        raise ValueError(f"cannot write {out}: {error.strerror or error}; give another place for out") from None
    finally:
        part.unlink(missing_ok=True)


def write_between(text: str, out: Path, marks: tuple[str, str]) -> None:
    """Put the text between the marks of a file that has them, the rest as it was; else write a file of its own."""
    old = out.read_text(encoding="utf-8") if out.exists() else ""
    before, begin, rest = old.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"{before}{begin}\n{text}\n{end}{after}" if begin and end else f"{text}\n", encoding="utf-8")


@contextmanager
def new_folder(out: str | Path, contents: Contents) -> Iterator[Path]:
    """An empty folder to write into, which takes the place of ``out`` when the block ends well.

    On failure `out` stays as it was, and what was made on the way is removed.

    Raises
    ------
    ValueError
        Before the block: `out` is a file, the current folder or above it, holds a file that is not ours, or cannot be
        written.
    """
    folder = Path(out).expanduser().resolve()
    _check_folder(folder, out, contents)
    _check_writable(folder, out)
    made = [parent for parent in folder.parents if not parent.exists()]  # innermost first
    staging = _beside(folder)
    try:
        staging.mkdir(parents=True)
        yield staging
        _exchange(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def _check_folder(folder: Path, out: str | Path, contents: Contents) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder, got the file {out}; give a new folder")
    if folder in (Path.cwd(), *Path.cwd().parents) or os.path.ismount(folder):
        raise ValueError(f"{out} is the current folder, one above it or a mounted disk and cannot be replaced whole; "
                         "give a new folder inside it")  # fmt: skip
    foreign = contents.foreign(folder) if folder.is_dir() else None
    if foreign:
        raise ValueError(f"{out} holds other files ({foreign}) and would be replaced whole; give a new or empty folder")


def _check_writable(path: Path, out: str | Path) -> None:
    """Try a nameless file in the nearest folder that exists: what will be made is made there."""
    place = next(parent for parent in path.parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise ValueError(f"cannot write {out}: {place}: {error.strerror}; give another place for out") from None


def _exchange(staging: Path, folder: Path) -> None:
    """Put the new folder in the place of the old, which is deleted last."""
    if not folder.exists():
        staging.rename(folder)
        return
    old = _beside(folder)
    folder.rename(old)
    try:
        staging.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A fresh hidden name on the same disk."""
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")
