"""Stored runs of any kind: read one, go on with one, run a result again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ising
from ising.arguments import as_path
from ising.store import Rerun
from ising.store.codec import unpack
from ising.store.disk import read_checked
from ising.store.errors import StoreError
from ising.store.journal import read_journal
from ising.store.manifest import Manifest, read_manifest
from ising.store.merging import frame_of
from ising.store.resume import differences

from .provenance import versions

if TYPE_CHECKING:
    import xarray as xr

TRAIN, ANNEAL = "train", "anneal"


def open_run(path: str | Path) -> Any:
    """A stored run of `ising.sample`, `anneal` or `train`, also while it grows.

    Parameters
    ----------
    path
        The folder given as ``store=``.

    Returns
    -------
    xarray.Dataset, or a list of them
        Of a finished run what the unbroken call returns, of a training run that grows its trace up to the last
        checkpoint, of sampling what `ising.open_run` returns.

    Raises
    ------
    StoreError
        No store, another format, damaged, or an anneal that is not finished.
    """
    folder = as_path("path", path).absolute()
    manifest = read_manifest(folder)
    if manifest.kind == TRAIN:
        from .training.trace import trace

        journal, _ = read_journal(folder, manifest)
        if journal.merged is None and 0 in journal.checkpoints:
            try:
                return trace(unpack(read_checked(folder, journal.checkpoints[0]))["0"])
            except FileNotFoundError:  # the writer has gone on meanwhile
                return open_run(folder)
    return ising.open_run(folder)


def resume(path: str | Path, progress: bool = True, threads: int | None = None) -> Any:
    """Carry the run of a store to its end, as the call that began it would.

    Parameters
    ----------
    path
        The folder given as ``store=``.
    progress, threads
        As in that call.

    Raises
    ------
    ValueError
        A run made by other versions, or of an unknown kind.
    StoreError
        No store, damaged, being written, or the disk refuses.
    """
    folder = as_path("path", path).absolute()
    manifest = read_manifest(folder)
    if manifest.kind not in (TRAIN, ANNEAL):
        return ising.resume(folder, progress, threads)
    known = frame_of(folder, manifest, manifest.length)
    try:
        return _again(manifest, known, progress, threads, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder} is damaged (settings: {error}); put back a copy, or run again") from None


def rerun(
    source: str | Path, progress: bool = True, threads: int | None = None, text: str | Path | None = None
) -> Rerun:
    """Run again what a file or a store says it was, and compare every number.

    Parameters
    ----------
    source
        A file of a result, or a store.
    progress, threads
        As in the call that made it.
    text
        That a training run was trained on, if it was not the default; a store holds it.

    Raises
    ------
    ValueError
        It does not say how it was made, or another text.
    StoreError
        No such file, or damaged.
    """
    import xarray as xr

    path = as_path("source", source).absolute()
    if path.is_dir():
        manifest = read_manifest(path)
        if manifest.kind not in (TRAIN, ANNEAL):
            return ising.rerun(source, progress, threads)
        with ising.open_run(path) as data:
            if manifest.kind == TRAIN:
                text = frame_of(path, manifest, manifest.length)["text"].values.tobytes().decode()
            return _compare(data, progress, threads, text)
    try:
        data = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, RuntimeError, ValueError, KeyError):
        return ising.rerun(source, progress, threads)  # which says what is wrong
    with data:
        if "text_sha256" in data.attrs or "device" in json.loads(data.attrs.get("call", "{}")):
            return _compare(data, progress, threads, text)
    return ising.rerun(source, progress, threads)


def _again(manifest: Manifest, known: xr.Dataset, progress: bool, threads: int | None, folder: Path) -> Any:
    if manifest.kind == TRAIN:
        from .training import train
        from .training.stored import call_of

        text = known["text"].values.tobytes().decode()
        return train(text=text, steps=manifest.length, progress=progress, store=folder, **call_of(manifest.settings))
    from .npu.anneal import anneal
    from .npu.call import arguments

    total = None if manifest.settings["total_sweeps"] == "open" else manifest.length
    call = arguments(manifest.settings, known)
    return anneal(**call, total_sweeps=total, progress=progress, threads=threads, store=folder)


def _compare(data: xr.Dataset, progress: bool, threads: int | None, text: str | Path | None) -> Rerun:
    again = _train_again(data.attrs, progress, text) if "text_sha256" in data.attrs else _anneal_again(
        data, progress, threads
    )  # fmt: skip
    names = tuple(str(name) for name in again.data_vars)
    counts = {name: differences(data[name], again[name]) if name in data else again[name].size for name in names}
    then, now = json.loads(data.attrs.get("versions", "{}")), versions()
    changed = {name: (str(then.get(name)), now[name]) for name in now if then.get(name) != now[name]}
    different = {name: count for name, count in counts.items() if count}
    return Rerun(not different, names, different, changed)


def _train_again(attributes: Mapping[str, Any], progress: bool, text: str | Path | None) -> xr.Dataset:
    from .text import digest, read_text
    from .training import train
    from .training.stored import arguments

    if digest(read_text(text)) != attributes["text_sha256"]:
        raise ValueError("the file is of a run on another text; give the text of the run (--text FILE)")
    nested = {name: json.loads(attributes[name]) for name in ("config", "thermostat", "knobs")}
    call = arguments(nested | {"seed": int(attributes["seed"])})
    return train(text=text, steps=int(attributes["steps"]), progress=progress, **call)


def _anneal_again(data: xr.Dataset, progress: bool, threads: int | None) -> xr.Dataset:
    """By steps: where time, a target or Ctrl-C ended the run, its attribute `steps` says where."""
    from .npu.anneal import anneal
    from .npu.call import arguments

    call = arguments(json.loads(data.attrs["call"]), data) | {"time_limit": None}
    return anneal(**call, total_sweeps=int(data.attrs["steps"]), progress=progress, threads=threads)
