"""Damaged copies of stores, and what reading and lengthening make of them."""

import shutil
from pathlib import Path

import numpy as np

import ising


def damage(folder: Path, rng: np.random.Generator) -> str:
    """Flip bytes of a file, cut it, swap two stretches of it, or put another file in its place; what was done."""
    files = sorted(path for path in folder.iterdir() if path.name != "lock")
    path = files[rng.integers(len(files))]
    data = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "cut", "swap", "exchange"])
    at, other = np.sort(rng.integers(0, len(data), 2))
    if kind == "flip":
        for k in rng.integers(0, len(data), rng.integers(1, 4)):
            data[k] ^= 1 << rng.integers(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "swap":
        n = int(min(other - at, len(data) - other, 64))
        data[at : at + n], data[other : other + n] = data[other : other + n], data[at : at + n]
    else:
        data = bytearray(files[rng.integers(len(files))].read_bytes())
    path.write_bytes(data)
    return f"{kind} {path.name}"


def verdict(original: Path, copy: Path, rng: np.random.Generator, expected, longer, lengthen) -> tuple[str, str]:
    """What was done to a copy, and "harmless", "refused" or "WRONG" for reading and then lengthening it.

    `expected` is what the whole store says, `longer` the run that `lengthen(folder)` makes of it.
    """
    shutil.copytree(original, copy)
    try:
        done, said = damage(copy, rng), []
        for look, whole in ((ising.open_run, expected), (lengthen, longer)):
            try:
                found = look(copy)
                same = agrees(found, whole, look is lengthen)
                found.close()
                said.append("harmless" if same else "WRONG")
            except (ising.StoreError, ValueError) as error:
                said.append("refused" if str(error) else "WRONG")
        return done, next(word for word in ("WRONG", "refused", "harmless") if word in said)
    finally:
        shutil.rmtree(copy)


def agrees(found, whole, complete: bool) -> bool:
    """Whether all numbers are those of the run; unless it must be complete, of its first draws."""
    draws = found.sizes.get("draw", 0)
    if complete:
        return found.identical(whole)
    return all(
        np.array_equal(
            found[name].values, (whole[name][..., :draws] if "draw" in whole[name].dims else whole[name]).values
        )
        for name in found.data_vars
        if "configuration" not in whole[name].dims
    )
