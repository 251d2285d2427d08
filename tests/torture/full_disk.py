"""Disks that refuse: full, small, read-only, gone: ``python tests/torture/full_disk.py --trials 10 --seed 0``.

A run goes into a file system of a few megabytes (a tmpfs, where root may mount one), or writes under RLIMIT_FSIZE, and
is refused at a random place. It must end in one clear line, what is finished must be readable, and once there is room
the same call must end with the bits of a run that was never disturbed.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import numpy as np
import xarray as xr

import ising
from ising.store import sampling

ROOM = 40  # megabytes that are enough
DRAWS = 40_000
MODEL = ising.ferromagnet(ising.square(8))


def run(store: Path | None) -> xr.Dataset:
    """A run of 15 MB."""
    schedule = ising.Schedule(100, DRAWS)
    return ising.sample(MODEL, [0.40, 0.44], schedule, "heat_bath", 8, seed=3, store=store, progress=False)


@contextmanager
def tmpfs(folder: Path, megabytes: float) -> Iterator[None]:
    """A small file system."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 2**20)}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def grow(folder: Path, megabytes: float) -> None:
    """More room in it."""
    subprocess.run(["mount", "-o", f"remount,size={int(megabytes * 2**20)}", folder], check=True)


def may_mount() -> bool:
    """Whether this process may."""
    with tempfile.TemporaryDirectory() as name:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", name], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", name], check=True)
        return done.returncode == 0


def refused(store: Path, wanted: str) -> bool:
    """Whether the run ends in one line that says what to do, and leaves no half-written file."""
    try:
        run(store).close()
    except ising.StoreError as error:
        return wanted in str(error) and "\n" not in str(error) and not list(store.glob("*.part"))
    return False


def finished(store: Path, expected: xr.Dataset) -> tuple[int, bool]:
    """Draws that are kept, and whether they are those of the run."""
    if not (store / "manifest.json").exists():
        return 0, True
    with ising.open_run(store) as kept:
        draws = kept.sizes["draw"]
        return draws, bool(np.array_equal(kept.energy, expected.energy[..., :draws]))


def full(folder: Path, chance: random.Random, expected: xr.Dataset) -> tuple[bool, int]:
    """A tmpfs that fills up while parts are written, or while they are merged; then it grows."""
    with tmpfs(folder, 0.1 + chance.random() * 32):
        said = refused(folder / "run", "make room")
        draws, good = finished(folder / "run", expected)
        grow(folder, ROOM)
        with run(folder / "run") as result:
            return said and good and result.identical(expected), draws


def limited(folder: Path, chance: random.Random, expected: xr.Dataset) -> tuple[bool, int]:
    """Files that may not grow beyond a limit; then they may."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int((0.1 + 14 * chance.random()) * 2**20), before[1]))
    try:
        said = refused(folder / "run", "allow larger files")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    draws, good = finished(folder / "run", expected)
    with run(folder / "run") as result:
        return said and good and result.identical(expected), draws


def read_only(folder: Path, chance: random.Random, expected: xr.Dataset) -> tuple[bool, int]:
    """A file system that becomes read-only after the run was stopped; readers may read; then writable again."""
    with tmpfs(folder, chance.uniform(8, 16)):
        refused(folder / "run", "make room")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        said = refused(folder / "run", "make it writable")
        draws, good = finished(folder / "run", expected)
        subprocess.run(["mount", "-o", f"remount,rw,size={ROOM}m", folder], check=True)
        with run(folder / "run") as result:
            return said and good and result.identical(expected), draws


def vanished(folder: Path, chance: random.Random, expected: xr.Dataset) -> tuple[bool, int]:
    """The folder is gone after some commits, as when a mount is lost; it comes back with what it held."""
    store, away, commits = folder / "run", folder / "away", chance.randrange(1, 6)
    plain = sampling.Store.commit

    def commit(self: sampling.Store, segments: list[sampling.Segment]) -> None:
        nonlocal commits
        commits -= 1
        if commits == 0:
            store.rename(away)
        plain(self, segments)

    sampling.Store.commit = commit  # type: ignore[assignment, method-assign]
    try:
        said = refused(store, "see that the disk is there")
    finally:
        sampling.Store.commit = plain  # type: ignore[method-assign]
    shutil.rmtree(store, ignore_errors=True)
    away.rename(store)
    draws, good = finished(store, expected)
    with run(store) as result:
        return said and good and result.identical(expected), draws


Trial = Callable[[Path, random.Random, xr.Dataset], tuple[bool, int]]


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds: dict[str, Trial] = {"files limited": limited, "folder gone": vanished}
    if may_mount():
        kinds = {"disk full": full, "disk read-only": read_only, **kinds}
    else:
        print("no right to mount: no full or read-only disk, only limits", flush=True)
    sampling.LEAST = sampling.MOST = 0.05  # a commit every twentieth of a second
    chance, all_good, expected = random.Random(options.seed), True, run(None)
    for kind, trial in kinds.items():
        results = []
        for _ in range(options.trials):
            with tempfile.TemporaryDirectory() as name:
                results.append(trial(Path(name), chance, expected))
        good = sum(result[0] for result in results)
        kept = sorted(draws for _, draws in results)
        print(
            f"{kind}: {options.trials} runs stopped; {good} in one line, readable, and with identical bits once there "
            f"was room; draws kept {kept[0]} to {kept[-1]} of {DRAWS}",
            flush=True,
        )
        all_good &= good == options.trials
    sys.exit(not all_good)


if __name__ == "__main__":
    main()
