"""Memory, start-up and the building of lattices, each measured in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm.auto import tqdm

LARGE = 16384  # L of the lattice with its spins in bits
STARTS = 5

START = """
import json, time
begun = time.perf_counter()
import ising
imported = time.perf_counter() - begun
ising.sample(ising.ferromagnet(ising.square(64)), 0.44, ising.Schedule(10, 100), "heat_bath", progress=False)
print(json.dumps({"import": imported, "first": time.perf_counter() - begun}))
"""

# A tiny run of the same kind first loads the compiled code and xarray; then the peak of the resident set is reset.
MEMORY = """
import json, re
import ising
def bytes_of(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read()).group(1))
def run(lattice, chains, draws):
    ising.sample(ising.ferromagnet(lattice), 0.44, ising.Schedule(2, draws), "heat_bath", chains,
                 observables=["energy", "magnetization"], threads=1, progress=False)
imported = bytes_of("VmRSS")
run(ising.square(128), {few}, 2)
loaded = bytes_of("VmRSS")
lattice = ising.square({L})
lattice.neighbors if {few} > 1 else None
built = bytes_of("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
run(lattice, {chains}, {draws})
peak = bytes_of("VmHWM")
print(json.dumps({{"imported": imported, "loaded": loaded, "built": built, "peak": peak}}))
"""
# A small lattice of the kind first loads the compiled code.
BUILD = """
import json, re, time
import ising
def bytes_of(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read()).group(1))
def build(lattice):
    return lattice.neighbors, lattice.coordinates
build({small})
before = bytes_of("VmRSS")
begun = time.perf_counter()
built = build({large})
print(json.dumps({{"seconds": time.perf_counter() - begun, "bytes": bytes_of("VmHWM") - before, "n": len(built[0])}}))
"""
LATTICES = (  # work, a small and the large lattice, target
    ("open {7,3}", "ising.hyperbolic(7, 3, 3)", "ising.hyperbolic(7, 3, 27)", "< 1 s and < 300 MB for 10^6 sites"),
    (
        "closed {3,7}",
        "ising.closed_hyperbolic(3, 7, 24)",
        "ising.closed_hyperbolic(3, 7, 103056)",
        "< 5 s for 10^5 sites",
    ),
)
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # glibc returns what arrays free at once, so the peak is what is in use


def rows(progress: bool = True) -> list[str]:
    """Lines `| work | measured | target |`: memory above what importing takes, lattices, import, first results."""
    with tqdm(total=4, desc="memory and start-up", disable=not progress, leave=False) as bar:
        lines = [_space_memory()]
        bar.update()
        lines.append(_chain_memory())
        bar.update()
        lines += _lattices()
        bar.update()
        return lines + _starts()


def _space_memory() -> str:
    """One chain, 64 spins of a row in a word."""
    work, target = f"memory, square {LARGE}, 1 chain", "<= 1 bit a spin + 64 MB"
    if (found := _memory(LARGE, 1, 5)) is None:
        return f"| {work} | not measured: no /proc | {target} |"
    bits = 8 * (found["peak"] - found["loaded"]) / LARGE**2
    above = (found["peak"] - found["imported"] - LARGE**2 / 8) / 1e6
    return f"| {work} | {bits:.2f} bits a spin; {above:.0f} MB beyond 1 bit a spin and `import ising` | {target} |"


def _chain_memory() -> str:
    """512 chains, 64 of them in a word."""
    work, target = "memory, square 256, 512 chains", "<= 8 bytes a site per 64 chains + neighbour table"
    found, some, more = (_memory(256, chains, 2) for chains in (512, 2048, 4096))
    if found is None or some is None or more is None:
        return f"| {work} | not measured: no /proc | {target} |"
    slope = (more["peak"] - some["peak"]) / 32 / 256**2  # 512 chains take less than building the tables does
    lattice, total = (found["built"] - found["loaded"]) / 1e6, (found["peak"] - found["built"]) / 1e6
    return (
        f"| {work} | {slope:.1f} bytes a site for 64 chains more (2048 to 4096); {total:.0f} MB for all 512 with the "
        f"kernel's tables, lattice {lattice:.0f} MB | {target} |"
    )


def _lattices() -> list[str]:
    """Hyperbolic lattices with neighbours and, where they have them, coordinates."""
    lines = []
    for name, small, large, target in LATTICES:
        found = [_fresh(BUILD.format(small=small, large=large), {}) for _ in range(STARTS)]
        seconds = [one["seconds"] for one in found]
        places = " and coordinates" if name.startswith("open") else ""
        lines.append(
            f"| {name}, {found[0]['n']:,} sites with neighbours{places} | {np.median(seconds):.2f} "
            f"[{min(seconds):.2f} .. {max(seconds):.2f}] s, {found[0]['bytes'] / 1e6:.0f} MB | {target} |"
        )
    return lines


def _starts() -> list[str]:
    """Time to import and to the first result, with an empty and with a filled cache of compiled code."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _fresh(START, {"NUMBA_CACHE_DIR": cache})["first"]
        warm = [_fresh(START, {"NUMBA_CACHE_DIR": cache}) for _ in range(STARTS)]
    imports, firsts = [one["import"] for one in warm], [one["first"] for one in warm]
    return [
        f"| `import ising` | {np.median(imports):.2f} [{min(imports):.2f} .. {max(imports):.2f}] s | < 0.6 s |",
        f"| import and first result, nothing compiled yet | {cold:.1f} s | < 15 s |",
        f"| import and first result, compiled before | {np.median(firsts):.2f} [{min(firsts):.2f} .. {max(firsts):.2f}]"
        " s | < 1 s |",
    ]


def _memory(L: int, chains: int, draws: int) -> dict[str, Any] | None:
    if not os.path.exists("/proc/self/clear_refs"):
        return None
    return _fresh(MEMORY.format(L=L, chains=chains, draws=draws, few=min(chains, 64)), AT_ONCE)


def _fresh(code: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a new Python process prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | dict(environment), capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))
