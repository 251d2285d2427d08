"""The options that name a Dask cluster, one that runs or one of Slurm jobs, and the client they mean."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 10  # seconds until a scheduler answers
COUNTS = ("jobs", "cores", "processes")
TEXTS = ("memory", "walltime", "queue", "account", "interface")


def add_cluster(sub: argparse.ArgumentParser) -> None:
    """`--cluster`, `--slurm`."""
    one = sub.add_mutually_exclusive_group()
    text = "run on the workers of a Dask scheduler, such as tcp://host:8786 (pip install 'ceas-physics[dask]')"
    one.add_argument("--cluster", metavar="ADDRESS", help=text)
    text = "run on Slurm jobs: jobs=10,cores=8,memory=16GB,walltime=02:00:00,queue=...; the rest from jobqueue.yaml"
    one.add_argument("--slurm", metavar="KEY=VALUE,...", help=text)


@contextmanager
def client_of(options: argparse.Namespace) -> Iterator[Any]:
    """A client of the cluster that the options name, closed afterwards as its Slurm jobs are; None if they name none.

    Raises
    ------
    ValueError
        Dask is not installed, an address or settings that cannot be, or no Slurm here.
    OSError
        No scheduler answers, or Slurm refuses the jobs.
    """
    if options.cluster is None and options.slurm is None:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError:
        option = "--slurm" if options.cluster is None else "--cluster"
        raise ValueError(f"{option} needs Dask, which is not installed: pip install 'ceas-physics[dask]'") from None
    if options.cluster is None:
        with _slurm_cluster(options.slurm) as cluster, Client(cluster) as client:
            yield _announced(client, options)
    else:
        with _connect(options.cluster) as client:
            yield _announced(client, options)


def _connect(address: str) -> Any:
    from distributed import Client

    if not re.fullmatch(r"[a-z]+://.+:\d+", address):
        raise ValueError(f"--cluster must be an address such as tcp://host:8786, got {address!r}")
    try:
        return Client(address, timeout=PATIENCE)
    except OSError:
        raise ConnectionError(
            f"no scheduler answers at {address} within {PATIENCE} s; start one with `dask scheduler`, and workers with "
            f"`dask worker {address}`"
        ) from None
    except ValueError as error:
        raise ValueError(f"--cluster {address}: {error}") from None


@contextmanager
def _slurm_cluster(text: str) -> Iterator[Any]:
    """Slurm jobs that are workers, submitted; they are cancelled at the end."""
    settings = slurm_settings(text)
    try:
        import dask
        from dask_jobqueue import SLURMCluster
    except ModuleNotFoundError:
        raise ValueError(
            "--slurm needs dask-jobqueue, which is not installed: pip install 'ceas-physics[dask]'"
        ) from None
    if shutil.which("sbatch") is None:
        raise ValueError("--slurm submits with sbatch, which is not on this machine; run this where Slurm takes jobs")
    if missing := {"cores", "memory"} - {*settings, *(k for k, v in dask.config.get("jobqueue.slurm").items() if v)}:
        raise ValueError(f"--slurm must say {' and '.join(sorted(missing))} of a job, here or in jobqueue.yaml")
    jobs = settings.pop("jobs", 1)
    try:
        cluster = SLURMCluster(**settings)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"--slurm {text}: {error}") from None

    async def submit() -> None:
        cluster.scale(jobs=jobs)
        await cluster._correct_state()  # waits for sbatch and raises what it says

    try:
        cluster.sync(submit)
    except RuntimeError as error:
        cluster._created.clear()  # close() would insist that jobs never submitted are closed
        cluster.close()
        reason = str(error).partition("stderr:")[2] or str(error)
        raise OSError(f"--slurm {text}: sbatch refuses: {' '.join(reason.split())}") from None
    with cluster:
        yield cluster


def slurm_settings(text: str) -> dict[str, Any]:
    """Settings of `dask_jobqueue.SLURMCluster`, and `jobs`, from ``KEY=VALUE,...``; ValueError naming what is wrong.

    Examples
    --------
    >>> slurm_settings("jobs=10,cores=8,memory=16GB,queue=long")
    {'jobs': 10, 'cores': 8, 'memory': '16GB', 'queue': 'long'}
    """
    settings: dict[str, Any] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key not in COUNTS + TEXTS or not value:
            known = ", ".join(COUNTS + TEXTS)
            raise ValueError(f"--slurm takes KEY=VALUE with commas between, keys {known}; got {part!r}")
        if key in COUNTS and not re.fullmatch("[1-9][0-9]{0,6}", value):
            raise ValueError(f"--slurm {key} must be a number of at least 1, got {value!r}")
        settings[key] = int(value) if key in COUNTS else value
    return settings


def _announced(client: Any, options: argparse.Namespace) -> Any:
    """Say, unless it is to be quiet, who works and where to look on."""
    if not options.quiet:
        threads = client.nthreads()
        print(
            f"ceas: {len(threads)} workers with {sum(threads.values())} threads now; "
            f"watch them at {client.dashboard_link}",
            file=sys.stderr,
        )
    return client
