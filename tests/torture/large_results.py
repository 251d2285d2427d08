"""Memory of `analysis` on results larger than it: ``python tests/torture/large_results.py --draws 50000``.

A result of 64 chains at 32 beta with random energies at the levels of a square lattice is written (33 KB a draw, less
than half of it on the disk), and every function that takes samples reads it in a process of its own, whose peak is
printed; none may reach 1 GB. A million draws take 9 GB of disk, and ten minutes of one core for `summarize` alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import h5netcdf  # type: ignore[import-untyped]
import h5py  # type: ignore[import-untyped]
import numpy as np
import xarray as xr

import analysis

N_BETA, N_CHAINS, N_SITES = 32, 64, 4096
CALLS = {
    "summarize": analysis.summarize,
    "reweight": lambda data: analysis.reweight(data, np.linspace(0.40, 0.437, 20)),
    "fisher_zeros": analysis.fisher_zeros,
    "lee_yang_zeros": lambda data: analysis.lee_yang_zeros(data, [0.41]),
    "bootstrap": lambda data: analysis.bootstrap(data, "binder"),
    "log_binning": analysis.log_binning,
    "autocorrelation_time": lambda data: analysis.autocorrelation_time(data.energy[3]),
    "r_hat": lambda data: analysis.r_hat(data.energy[3]),
}


def write(path: Path, draws: int) -> None:
    """Chains of one correlated series each, shifted and rounded to levels."""
    rng, beta = np.random.default_rng(0), np.linspace(0.40, 0.4375, N_BETA)
    data = xr.Dataset(coords={"beta": beta, "n_sites": N_SITES}, attrs={"dimension": 2, "lattice_L": 64})
    data.to_netcdf(path, engine="h5netcdf")
    names = ("energy", "magnetization")
    with h5netcdf.File(path, "a") as file:
        file.dimensions.update({"chain": N_CHAINS, "draw": draws})
        options = {"chunks": (1, 1, min(8192, draws)), "fletcher32": True, "shuffle": True, "compression": "lzf"}
        for name in names:
            file.create_variable(name, ("beta", "chain", "draw"), np.dtype("<f8"), **options)
    noise = rng.normal(size=draws + 9)
    series = np.convolve(noise, np.ones(10) / np.sqrt(10), "valid")  # remembers ten draws
    with h5py.File(path, "r+") as file:
        for b, c in np.ndindex(N_BETA, N_CHAINS):
            z = np.roll(series, rng.integers(draws)) * rng.choice([-1, 1])
            level = -1.1 - 9.6 * (beta[b] - 0.4) + 0.028 * z
            file["energy"][b, c] = np.round(level * N_SITES / 4) * 4 / N_SITES
            file["magnetization"][b, c] = np.round(0.15 * np.roll(z, rng.integers(draws)) * N_SITES) / N_SITES


def peak() -> int:
    """Largest memory of this process so far, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Run as a script, or, with --child, be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=50_000)
    parser.add_argument("--child", choices=CALLS)
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.child:
        warnings.simplefilter("ignore")
        with xr.open_dataset(options.file, engine="h5netcdf", cache=False) as data:
            CALLS[options.child](data)
        print(peak())
        return
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.nc"
        write(path, options.draws)
        size = 8 * N_BETA * N_CHAINS * options.draws / 2**30
        print(f"{options.draws} draws x {N_CHAINS} chains x {N_BETA} beta, {size:.2f} GiB a variable", flush=True)
        for name in CALLS:
            command = [sys.executable, __file__, "--child", name, "--file", str(path)]
            found = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{name}: {found} MiB", flush=True)
            worst = max(worst, found)
    sys.exit(worst >= 1000)


if __name__ == "__main__":
    main()
