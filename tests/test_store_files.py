"""Stores on bad disks, in bad hands, and under two hands at once."""

import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from damage import verdict

import ising
from ceas_physics.cli import main
from ising.store import codec, disk, filling, manifest, merging, parts, sampling
from ising.store.lock import Lock

ROOT = Path(__file__).parent.parent
MODEL = ising.ferromagnet(ising.square(6))


def run(draws=20, store=None, **options):
    options = {"update": "heat_bath", "chains": 4, "progress": False, **options}
    return ising.sample(MODEL, [0.3, 0.4], ising.Schedule(5, draws), store=store, **options)


@pytest.fixture
def many_commits(monkeypatch):
    """A commit whenever a unit looks up."""
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(sampling, name, 0.0)


@pytest.fixture
def stopped(tmp_path, monkeypatch, many_commits):
    """The store of a run that ended between its last draw and the merged file."""

    def ends(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sampling, "merge", ends)
        with pytest.raises(KeyboardInterrupt):
            run(store=tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("whole", [False, True])
def test_damaged_copies_are_refused_or_harmless(whole, stopped, tmp_path):
    """A fortieth of what `make torture` does."""
    expected, longer, rng = run(), run(draws=30), np.random.default_rng(int(whole))
    if whole:
        run(store=stopped).close()

    def lengthen(folder):
        return run(draws=30, store=folder)

    verdicts = [verdict(stopped, tmp_path / "copy", rng, expected, longer, lengthen) for _ in range(12)]
    assert not [done for done, said in verdicts if said == "WRONG"]
    assert sum(said == "refused" for _, said in verdicts) >= 6


def rewritten(path, change):
    """A manifest changed by somebody who can compute sums."""
    whole = json.loads(path.read_text())
    change(whole)
    body = json.dumps(whole["run"], sort_keys=True)
    path.write_text(json.dumps(whole | {"sha256": hashlib.sha256(body.encode()).hexdigest()}))


HOSTILE = {
    "many draws": lambda whole: whole["run"].update(length=10**18),
    "many sites": lambda whole: whole["run"]["sizes"].update(site=2**47),
    "negative": lambda whole: whole["run"]["sizes"].update(chain=-4),
    "dtype": lambda whole: whole["run"]["variables"]["energy"].update(dtype="|O"),
    "units": lambda whole: whole["run"]["units"][0].update(chain=[0, 10**9]),
    "outside": lambda whole: whole["run"]["frame"].update(file="../../etc/passwd"),
    "maker": lambda whole: whole["run"]["settings"]["lattice"].update(maker="exit"),
    "format": lambda whole: whole.update(format=2),
    "not a number": lambda whole: whole["run"].update(length="20"),
    "no settings": lambda whole: whole["run"].update(settings=None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_impossible_manifests_are_refused(case, stopped):
    rewritten(stopped / "manifest.json", HOSTILE[case])
    with pytest.raises((ising.StoreError, ValueError)):  # noqa: PT012
        ising.open_run(stopped).close()
        ising.resume(stopped, progress=False)


def test_parts_that_are_not_what_the_manifest_says(stopped):
    """Each with the right sum: as somebody hostile would make it."""

    import h5py

    found = manifest.read_manifest(stopped)
    for shape, dtype in (((1, 4, 3), "f4"), ((2, 4, 3), "f8"), ((1, 4, 10**9), "f8"), ((1, 4, 3), "f8")):
        data = io.BytesIO()
        with h5py.File(data, "w") as file:
            file.create_dataset("0/energy", shape, dtype, chunks=True)
        with pytest.raises(ising.StoreError, match="damaged"):
            next(parts.read_part(data.getvalue(), [(0, "energy")], lambda unit, name: (1, 4, 3), found))
    assert found.part_shape("energy", 0, 0, 3) == (1, 4, 3)


def test_trees_come_back_and_other_bytes_do_not():
    tree = {"a": [1, 2.5, None, True, "x"], "b": np.arange(6, dtype=np.uint64).reshape(2, 3), "c": {"d": np.zeros(0)}}
    back = codec.unpack(codec.pack(tree))
    assert back["a"] == tree["a"]
    np.testing.assert_array_equal(back["b"], tree["b"])
    head = json.dumps({"tree": {codec.ARRAY: 0}, "arrays": [["<f8", [10**15]]]}).encode()
    for data in (b"", codec.pack(tree)[:-1], codec.pack(tree) + b"x", b"\x80\x04K\x01.",
                 codec.MAGIC + len(head).to_bytes(8, "little") + head):  # fmt: skip
        with pytest.raises(ising.StoreError, match="damaged"):
            codec.unpack(data)


FULL = {errno.ENOSPC: "make room", errno.EROFS: "make it writable", errno.EIO: "see that the disk is there"}


@pytest.mark.parametrize("number", FULL)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_is_one_line_and_loses_nothing(number, call, tmp_path, monkeypatch, many_commits):
    plain, calls = getattr(disk.os, call), 0

    def refuses(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls > 12:
            raise OSError(number, os.strerror(number))
        return plain(*arguments, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(disk.os, call, refuses)
        with pytest.raises(ising.StoreError, match=FULL[number]) as refused:
            run(store=tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "run").glob("*.part"))
    assert ising.open_run(tmp_path / "run").sizes["draw"] >= 0
    xr.testing.assert_identical(run(store=tmp_path / "run").load(), run())


def test_one_refusal_loses_nothing_measured(tmp_path, monkeypatch, many_commits):
    """Room for a moment only was missing: what was queued is written with what follows, in order."""
    plain, calls = disk.os.fsync, 0

    def refuses_once(descriptor):
        nonlocal calls
        calls += 1
        if calls == 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(disk.os, "fsync", refuses_once)
        with pytest.raises(ising.StoreError, match="make room"):
            run(store=tmp_path / "run", threads=1)
    xr.testing.assert_identical(run(store=tmp_path / "run").load(), run())


FILE_LIMIT = """
import resource, sys, ising
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    ising.sample(ising.ferromagnet(ising.square(6)), [0.3, 0.4], ising.Schedule(5, 20_000), update="heat_bath",
                 chains=4, progress=False, store=sys.argv[1])
except ising.StoreError as error:
    print(error)
"""


def test_files_that_may_not_grow(tmp_path):
    """The parts fit under the limit, the merged file does not: the kernel refuses in the middle of HDF5."""
    said = subprocess.run([sys.executable, "-c", FILE_LIMIT, str(tmp_path / "run"), "2000000"], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout  # fmt: skip
    assert "allow larger files" in said
    assert len(said.splitlines()) == 1
    assert not list((tmp_path / "run").glob("run-*"))
    xr.testing.assert_identical(run(20_000, tmp_path / "run").load(), run(20_000))


def test_one_writer_at_a_time(tmp_path):
    run(store=tmp_path / "run").close()
    held = Lock(tmp_path / "run")
    with pytest.raises(ising.StoreError, match=f"process {os.getpid()} on host"):
        run(draws=30, store=tmp_path / "run")
    assert ising.open_run(tmp_path / "run").sizes["draw"] == 20  # readers may
    held.release()
    (tmp_path / "run" / "lock").write_text(json.dumps({"pid": 1, "host": os.uname().nodename}))  # left by a dead one
    run(draws=30, store=tmp_path / "run").close()
    (tmp_path / "run" / "lock").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(ising.StoreError, match=r"process 1 on host elsewhere.*remove"):
        run(draws=40, store=tmp_path / "run")


def test_reading_while_it_grows(tmp_path, many_commits):
    """Every look sees a prefix of the run, whatever is merged and removed meanwhile."""
    expected, looks = run(draws=3000), 0
    worker = threading.Thread(target=lambda: run(draws=3000, store=tmp_path / "run", threads=1).close())
    worker.start()
    while worker.is_alive():
        if (tmp_path / "run" / "manifest.json").exists():
            with ising.open_run(tmp_path / "run") as grown:
                np.testing.assert_array_equal(grown.energy, expected.energy[..., : grown.sizes["draw"]])
                looks += 0 < grown.sizes["draw"] < 3000
    worker.join()
    assert looks > 0
    xr.testing.assert_identical(ising.open_run(tmp_path / "run").load(), expected)


def test_resume_and_rerun_by_command(stopped, tmp_path, capsys):
    assert main(["resume", str(stopped), "--quiet"]) == 0
    result = next(stopped.glob("run-*.nc"))
    assert main(["rerun", str(result), "--quiet"]) == 0
    assert "equal, bit for bit: energy" in capsys.readouterr().out
    with xr.load_dataset(result) as data:
        data.energy[1, 0, 5] += 1e-12
        data.to_netcdf(tmp_path / "changed.nc")
    assert main(["rerun", str(tmp_path / "changed.nc"), "--quiet"]) == 2
    assert "1 of energy" in capsys.readouterr().err
    for arguments, said in ((["resume", str(tmp_path)], "is no store"), (["rerun", "no.nc"], "no.nc does not exist"),
                            (["rerun", str(stopped / "manifest.json")], "is not a NetCDF-4 file")):  # fmt: skip
        assert main([*arguments, "--quiet"]) == 2
        assert said in capsys.readouterr().err


def test_a_store_of_format_1_still_opens(tmp_path):
    """Written by the first version that had stores; half merged, half in parts, to be read by all later ones."""
    shutil.copytree(ROOT / "tests" / "data" / "store_format_1", tmp_path / "run")
    data = ising.open_run(tmp_path / "run")
    assert dict(data.sizes) == {"beta": 2, "chain": 4, "draw": 15}
    np.testing.assert_array_equal(data.energy, run(15).energy)
    settings = manifest.read_manifest(tmp_path / "run").settings
    if settings["ceas_physics_version"] == ising.__version__:
        xr.testing.assert_equal(ising.resume(tmp_path / "run", progress=False), run())
    else:
        with pytest.raises(ValueError, match="ceas_physics_version"):
            ising.resume(tmp_path / "run", progress=False)


def test_the_whole_is_copied_in_slabs(tmp_path, monkeypatch):
    run(store=tmp_path / "run", configurations=3).close()
    monkeypatch.setattr(merging, "SLAB", 200)
    longer = run(draws=31, store=tmp_path / "run", configurations=3)
    xr.testing.assert_identical(longer.load(), run(draws=31, configurations=3))


@pytest.mark.parametrize("room", [0, 3_000, 9_000, 30_000])
def test_a_disk_that_fills_up_under_hdf5(room, tmp_path, monkeypatch):
    """While the parts are merged: one line, and nothing on stderr from a file that HDF5 cannot close."""
    written, plain = 0, io.FileIO.write

    class Small(io.FileIO):
        def write(self, data):
            nonlocal written
            written += len(data)
            if written > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return plain(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(filling.io, "FileIO", Small)
        with pytest.raises(ising.StoreError, match="make room"):
            run(store=tmp_path / "run")
    assert not list((tmp_path / "run").glob("run-*"))
    xr.testing.assert_identical(run(store=tmp_path / "run").load(), run())
