"""Damaged copies of stores, read and lengthened: ``python tests/torture/damaged_stores.py --count 1000 --seed 0``.

Half the copies are of a store with its merged file, half of one whose parts are not merged yet. A copy is judged
"refused" if reading or lengthening it ends in a clear error, "harmless" if both give the undamaged numbers all the
same, and "WRONG" otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

import numpy as np
import xarray as xr
from damage import verdict

import ising
from ising.store import sampling

MODEL = ising.ferromagnet(ising.square(6))


def run(draws: int, store: Path | None = None) -> xr.Dataset:
    """A run of a moment."""
    schedule = ising.Schedule(5, draws)
    return ising.sample(MODEL, [0.3, 0.4], schedule, "heat_bath", 4, store=store, configurations=4, progress=False)


def begin(folder: Path, merged: bool) -> None:
    """A store of 20 draws in many parts, merged or not."""
    plain = sampling.LEAST, sampling.MOST, sampling.merge
    sampling.LEAST = sampling.MOST = 0.0
    try:
        if not merged:
            sampling.merge = _ends
        run(20, folder).close()
    except KeyboardInterrupt:
        pass
    finally:
        sampling.LEAST, sampling.MOST, sampling.merge = plain


def _ends(_: object) -> Path:
    raise KeyboardInterrupt


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="copies")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, counts, wrong = np.random.default_rng(options.seed), Counter[str](), list[str]()
    expected, longer = run(20), run(30)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for merged in (False, True):
            begin(folder / str(merged), merged)
        for number in range(options.count):
            original = folder / str(bool(number % 2))
            done, said = verdict(original, folder / "copy", rng, expected, longer, lambda copy: run(30, copy))
            counts[said] += 1
            wrong += [done] if said == "WRONG" else []
    print(f"{options.count} damaged copies: {dict(counts)}", *wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
