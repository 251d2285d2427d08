"""`ceas sample --cluster` and `--slurm`, the second with an `sbatch` that starts the job on this machine."""

import os
import stat
import sys

import pytest
import xarray as xr

from ceas_physics.cli import main
from ceas_physics.commands import workers

distributed = pytest.importorskip("distributed")

SMALL = ["sample", "--size", "6", "--beta", "0.3,0.4", "--warmup", "3", "--draws", "20"]
SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "$JOBS/job.sh"
setsid sh "$JOBS/job.sh" > "$JOBS/log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" > "$JOBS/cancelled"
kill -- -"$1"
"""


def sample(tmp_path, name, *options):
    out = tmp_path / f"{name}.nc"
    assert main([*SMALL, "--out", str(out), *options]) == 0
    return xr.load_dataset(out)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder of programs named as Slurm's."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("JOBS", str(folder))
    return folder


def test_a_cluster_that_runs(tmp_path, capsys):
    settings = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "protocol": "tcp"}
    with distributed.LocalCluster(**settings, dashboard_address=":0") as cluster:
        found = sample(tmp_path, "cluster", "--cluster", cluster.scheduler_address)
        said = capsys.readouterr().err
        assert "ceas: 1 workers with 2 threads now; watch them at http://" in said
        stored = main([*SMALL, "--store", str(tmp_path / "run"), "--cluster", cluster.scheduler_address, "--quiet"])
        assert stored == 0
        assert "watch" not in capsys.readouterr().err
    plain = sample(tmp_path, "plain")
    xr.testing.assert_identical(found, plain)
    with xr.open_dataset(tmp_path / "run" / "run-20.nc", engine="h5netcdf") as kept:
        xr.testing.assert_equal(kept, plain)


def test_slurm_jobs_are_submitted_and_cancelled(tmp_path, slurm):
    found = sample(tmp_path, "slurm", "--slurm", "jobs=1,cores=2,processes=1,memory=1GB,walltime=00:10:00,queue=long")
    script = (slurm / "job.sh").read_text()
    for line in ("#SBATCH -p long", "#SBATCH --cpus-per-task=2", "#SBATCH -t 00:10:00", "--nthreads 2"):
        assert line in script
    assert (slurm / "cancelled").exists()
    xr.testing.assert_identical(found, sample(tmp_path, "plain"))


def test_slurm_refuses(tmp_path, slurm, capsys):
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'invalid partition specified: long' >&2\nexit 1\n")
    assert main([*SMALL, "--slurm", "cores=1,memory=1GB,queue=long"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "ceas: --slurm cores=1,memory=1GB,queue=long: sbatch refuses: invalid partition specified: long"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cluster", "here"], "--cluster must be an address such as tcp://host:8786, got 'here'"),
        (["--cluster", "tcp://127.0.0.1:9"], "no scheduler answers at tcp://127.0.0.1:9 within 1 s; start one with"),
        (["--slurm", "jobs=0"], "--slurm jobs must be a number of at least 1, got '0'"),
        (
            ["--slurm", "nodes=2"],
            "keys jobs, cores, processes, memory, walltime, queue, account, interface; got 'nodes",
        ),
        (["--slurm", "jobs=2"], "--slurm must say cores and memory of a job, here or in jobqueue.yaml"),
    ],
)
def test_what_cannot_be(options, message, tmp_path, slurm, capsys, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 1)
    assert main([*SMALL, "--out", str(tmp_path / "never.nc"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "never.nc").exists()


def test_without_slurm_or_dask(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([*SMALL, "--slurm", "jobs=2"]) == 2
    assert "sbatch, which is not on this machine" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([*SMALL, "--cluster", "tcp://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err == (
        "ceas: --cluster needs Dask, which is not installed: pip install 'ceas-physics[dask]'\n"
    )
