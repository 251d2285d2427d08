"""The command line as people meet it: files, one line for bad input, nothing half-written; the README's quick start."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from ceas_physics.cli import main

ROOT = Path(__file__).parent.parent


def test_sample_and_train_write_files(tmp_path, capsys):
    out = tmp_path / "new" / "run.nc"
    common = ["--warmup", "10", "--draws", "40", "--quiet"]
    assert main(["sample", "--lattice", "hyperbolic", "--pq", "3", "7", "--size", "24", "--beta", "0.1,0.2",
                 "--out", str(out), *common]) == 0  # fmt: skip
    with xr.open_dataset(out) as data:
        assert data.attrs["lattice_surface"] == "klein"
        assert dict(data.sizes)["beta"] == 2
    assert main(["sample", "--glass", "--size", "4", "--out", str(out), *common]) == 0
    with xr.open_dataset(out) as data:
        assert "overlap" in data
    train = ["train", "--steps", "2", "--out", str(tmp_path / "t.nc"), "--quiet"]
    assert main([*train, "--thermostat", "final_address"]) == 0
    with xr.open_dataset(tmp_path / "t.nc") as data:
        assert json.loads(data.attrs["thermostat"])["initial"] == "final_address"
    assert "run.nc" in capsys.readouterr().out
    assert {path.name for path in tmp_path.rglob("*")} == {"new", "run.nc", "t.nc"}


def test_scaling_writes_tables_and_pictures(tmp_path, capsys):
    out = tmp_path / "scaling"
    assert main(["scaling", "--sizes", "6", "12", "--beta", "0.38:0.5:7", "--draws", "600", "--update",
                 "swendsen_wang", "--out", str(out), "--quiet"]) == 0  # fmt: skip
    names = {path.name for path in out.iterdir()}
    assert {"summary.nc", "crossings.nc", "critical.nc", "binder.png", "specific_heat.png", "data_6.nc"} <= names
    captured = capsys.readouterr()
    assert re.search(r"beta_c = 0\.4\d+ \+- 0\.0", captured.out)
    assert captured.err.startswith("ceas: warning: beta_c")  # two sizes show no drift
    assert len(captured.err.splitlines()) == 1


BAD = {
    "beta": (["sample", "--beta", "-0.3"], "beta must be finite and >= 0, got -0.3"),
    "beta text": (["sample", "--beta", "warm"], "numbers with commas or first:last:count"),
    "size": (["sample", "--size", "2"], "L must be >= 3"),
    "chains": (["sample", "--chains", "0"], "chains must be an integer >= 1, got 0"),
    "seed": (["sample", "--seed", "-1"], "seed"),
    "euclidean": (["sample", "--lattice", "hyperbolic", "--pq", "4", "4", "--size", "16"], "Euclidean"),
    "no map": (["sample", "--lattice", "hyperbolic", "--size", "331"], "330"),
    "one size": (["scaling", "--sizes", "8"], "at least two"),
    "no text": (["train", "--text", "missing.txt"], "missing.txt"),
    "steps": (["train", "--steps", "0"], "steps"),
    "report": (["report", "--seed", "-2", "--quick"], "seed"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[case]
    assert main([*arguments, "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_short_text_and_unwritable_folder(tmp_path, capsys):
    short = tmp_path / "short.txt"
    short.write_text("too short")
    assert main(["train", "--text", str(short), "--quiet"]) == 2
    assert "characters" in capsys.readouterr().err
    assert main(["report", "--quick", "--quiet", "--out", str(short)]) == 2
    assert main(["report", "--quick", "--quiet", "--out", str(short / "inside")]) == 2
    assert main(["report", "--quick", "--quiet", "--out", str(tmp_path)]) == 2  # holds somebody's file
    assert main(["sample", "--out", str(short / "x.nc"), "--draws", "10", "--warmup", "0", "--quiet"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["short.txt"]


def test_help_and_version():
    for arguments in (
        ["--version"],
        ["--help"],
        *([name, "--help"] for name in ("report", "sample", "scaling", "train")),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0


def test_quick_start_of_the_readme(tmp_path):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    assert len(code.splitlines()) <= 10
    script = tmp_path / "quick_start.py"
    script.write_text(code)
    run = subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True, text=True)
    value, error = map(float, re.search(r"(0\.\d+) \+- (0\.\d+)", run.stdout).groups())
    assert abs(value - 0.44069) < 4 * error
    assert (tmp_path / "binder.png").stat().st_size > 10_000


def test_importing_analysis_needs_no_matplotlib_and_nothing_imports_the_wrong_way():
    code = (
        "import sys, ising, analysis; "
        "assert 'matplotlib' not in sys.modules and 'ceas_physics' not in sys.modules; "
        "import ceas_physics; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for package, banned in (("ising", ("analysis", "ceas_physics")), ("analysis", ("ising", "ceas_physics"))):
        for path in (ROOT / package).rglob("*.py"):
            for name in banned:
                assert not re.search(rf"^\s*(from|import) {name}\b", path.read_text(), re.MULTILINE), path
