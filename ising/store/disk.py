"""Files that appear whole or not at all, and bytes that are checked before anything reads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import StoreError, writing

Entry = dict[str, Any]  # {"file", "size", "sha256"}: what a file must be
SUFFIX = ".part"  # of files that are not complete


def write_files(folder: Path, contents: Iterable[tuple[str, bytes]]) -> list[Entry]:
    """Write files whole: temporary names, flushed to the disk, renamed, the folder flushed.

    Raises
    ------
    StoreError
        The disk refuses; no temporary file is left where it can be removed.
    """
    named = list(contents)
    with writing(folder):
        try:
            for name, data in named:
                with open(folder / (name + SUFFIX), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            for name, _ in named:
                os.replace(folder / (name + SUFFIX), folder / name)
        except BaseException:
            for name, _ in named:
                remove(folder / (name + SUFFIX))
            raise
        flush_folder(folder)
    return [entry(name, data) for name, data in named]


def entry(name: str, data: bytes) -> Entry:
    """What the file `name` must be."""
    return {"file": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def entry_of_file(path: Path) -> Entry:
    """The same of a file of any size, read in pieces."""
    with open(path, "rb") as file:
        total = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "size": path.stat().st_size, "sha256": total}


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file that is no longer needed, if the disk lets us; a later opening tries again."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def read_checked(folder: Path, wanted: Entry, summed: bool = True) -> bytes:
    """The bytes of a file, once they are known to be those that were written; `summed=False`: as many of them.

    Raises
    ------
    FileNotFoundError
        It is gone: a writer may have merged it away.
    StoreError
        Another size or SHA-256 sum.
    """
    path = folder / _plain_name(wanted["file"])
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size != wanted["size"]:
            raise damaged(path, f"{os.fstat(file.fileno()).st_size} bytes, written were {wanted['size']}")
        data = file.read(wanted["size"] + 1)
    if len(data) != wanted["size"] or (summed and entry(wanted["file"], data) != wanted):
        raise damaged(path, "its SHA-256 sum is not that of what was written")
    return data


def check_file(folder: Path, wanted: Entry) -> Path:
    """The path of a file of any size, once its bytes are known to be those that were written; raises as above."""
    path = folder / _plain_name(wanted["file"])
    size = path.stat().st_size
    if size != wanted["size"]:
        raise damaged(path, f"{size} bytes, written were {wanted['size']}")
    if entry_of_file(path) != wanted:
        raise damaged(path, "its SHA-256 sum is not that of what was written")
    return path


def damaged(path: Path, why: str) -> StoreError:
    """The error of a file that is not what was written."""
    return StoreError(f"{path} is damaged ({why}); put back a copy, or remove the store and run again")


def _plain_name(name: Any) -> str:
    if not isinstance(name, str) or Path(name).name != name:
        raise StoreError(f"the store names a file outside itself: {name!r}; do not trust it")
    return name
