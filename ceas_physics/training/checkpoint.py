"""Checkpoints: a tree of numbers and arrays in one file, arrays as they are and the rest as JSON."""

from __future__ import annotations

import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

TREE = "tree"  # member that holds the JSON
ARRAY = "array"  # its only key where an array stood


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a tree of dict, list, str, number, bool, None and numpy arrays to one .npz file.

    The file appears under its name whole and on the disk; until then an earlier one of that name stays.

    Raises
    ------
    ValueError
        The place cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_without_arrays(state, arrays))
    arrays[TREE] = np.frombuffer(tree.encode(), dtype=np.uint8)
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise ValueError(f"cannot write the checkpoint {path}: {error.strerror or error}; give another place") from None
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, members: Collection[str] = ()) -> dict[str, Any]:
    """The tree written by ``save``, equal in every bit; it must have these ``members``.

    Raises
    ------
    ValueError
        Not such a file, or not a whole one.
    """
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:  # numpy would take anything else for a pickle
                if archive.testzip():  # and parse the header of an array before its check sum
                    raise zipfile.BadZipFile
            file.seek(0)
            with np.load(file, allow_pickle=False) as members_on_disk:
                arrays = dict(members_on_disk)
        state = _with_arrays(json.loads(arrays.pop(TREE).tobytes()), arrays)
        return {name: state[name] for name in (*members, *state)}
    except OSError as error:
        raise ValueError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a checkpoint, or a damaged one; remove it or give another name") from None


def _without_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        name = f"{len(arrays)}"
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value
