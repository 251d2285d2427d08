"""The command line as people meet it: files, one line for bad input, nothing half-written; the README's quick start."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import analysis
import ceas_physics
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
    for name in names:
        if name.endswith(".nc"):
            with xr.open_dataset(out / name) as data:
                assert data.attrs["seed"] == 0
                assert "numpy" in json.loads(data.attrs["versions"])
                assert all({"long_name", "units", "formula"} <= v.attrs.keys() for v in data.data_vars.values())
    assert {"summary.nc", "crossings.nc", "critical.nc", "binder.png", "specific_heat.png", "data_6.nc"} <= names
    captured = capsys.readouterr()
    assert re.search(r"beta_c = 0\.4\d+ \+- 0\.0", captured.out)
    assert captured.err.startswith("ceas: warning: beta_c")  # two sizes show no drift
    assert len(captured.err.splitlines()) == 1


def test_scaling_is_all_or_nothing(tmp_path, capsys, monkeypatch):
    def fails(_):
        raise ValueError("after the work")

    out = tmp_path / "scaling"
    small = ["--beta", "0.38:0.5:7", "--draws", "300", "--update", "swendsen_wang", "--out", str(out), "--quiet"]
    with monkeypatch.context() as patched:
        patched.setattr(analysis, "critical_beta", fails)
        assert main(["scaling", "--sizes", "4", "8", *small]) == 2
        assert not out.exists()
    assert main(["scaling", "--sizes", "4", "8", *small]) == 0
    before = (out / "critical.nc").stat().st_mtime_ns
    with monkeypatch.context() as patched:
        patched.setattr(analysis, "critical_beta", fails)
        assert main(["scaling", "--sizes", "6", "8", *small]) == 2
    assert (out / "critical.nc").stat().st_mtime_ns == before
    assert main(["scaling", "--sizes", "6", "8", *small]) == 0
    assert not (out / "data_4.nc").exists()
    (out / "notes.txt").write_text("mine")
    assert main(["scaling", "--sizes", "6", "8", *small]) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["scaling"]


BAD = {
    "beta": (["sample", "--beta", "-0.3"], "beta must be finite and >= 0, got -0.3"),
    "beta text": (["sample", "--beta", "warm"], "numbers with commas or first:last:count"),
    "size": (["sample", "--size", "2"], "L must be >= 3"),
    "chains": (["sample", "--chains", "0"], "chains must be an integer >= 1, got 0"),
    "seed": (["sample", "--seed", "-1"], "seed"),
    "huge seed": (["sample", "--seed", "9" * 23], "2^63"),
    "seed to train": (["train", "--seed", "-1"], "seed must be an integer >= 0, got -1"),
    "huge seed to train": (["train", "--seed", "9" * 23], "seed must be an integer >= 0 and below 2^63"),
    "folder as file": (["sample", "--out", "/etc"], "out must be a file, got the folder /etc"),
    "no such place": (["train", "--out", "/dev/null/x.nc"], "cannot write /dev/null/x.nc: /dev/null: Not a directory"),
    "scaling place": (["scaling", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
    "here": (["report", "--out", "."], "current folder"),
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
    latin = tmp_path / "latin.txt"
    latin.write_bytes("\u00e9t\u00e9".encode("latin-1") * 1000)
    assert main(["train", "--text", str(latin), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "latin.txt is not a UTF-8 text" in error
    assert "iconv" in error
    latin.unlink()
    assert main(["report", "--quick", "--quiet", "--out", str(short)]) == 2
    assert main(["report", "--quick", "--quiet", "--out", str(short / "inside")]) == 2
    assert main(["report", "--quick", "--quiet", "--out", str(tmp_path)]) == 2  # holds somebody's file
    assert main(["sample", "--out", str(short / "x.nc"), "--draws", "10", "--warmup", "0", "--quiet"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["short.txt"]


def test_outputs_are_checked_before_the_work(monkeypatch, capsys):
    import ising

    def started(*_, **__):
        raise AssertionError("the work started")

    for module, name in ((ising, "sample"), (ising, "sample_sizes"), (ceas_physics, "train")):
        monkeypatch.setattr(module, name, started)
    for command in ("sample", "scaling", "train", "report"):
        assert main([command, "--out", "/dev/null/x", "--quiet"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_diverged_run_is_one_line(monkeypatch, tmp_path, capsys):
    def diverges(**_):
        raise FloatingPointError("the loss is not finite at step 3; lower learning_rate")

    monkeypatch.setattr(ceas_physics, "train", diverges)
    assert main(["train", "--out", str(tmp_path / "t.nc"), "--quiet"]) == 2
    assert capsys.readouterr().err == "ceas: the loss is not finite at step 3; lower learning_rate\n"
    assert not list(tmp_path.iterdir())


WRONG_KINDS = {
    "window": lambda: ceas_physics.Thermostat(window=1.5),
    "target": lambda: ceas_physics.Thermostat(target="low"),
    "bounds": lambda: ceas_physics.Thermostat(bounds=2.0),
    "steps": lambda: ceas_physics.train(steps=1.5),
    "seed": lambda: ceas_physics.train(seed=None),
    "thermostat must be": lambda: ceas_physics.train(thermostat="standard"),
    "config must be": lambda: ceas_physics.train({"n_layers": 1}),
    "text must be": lambda: ceas_physics.train(text=3),
    "systems must be": lambda: ceas_physics.corridor.compare(["a"]),
    r"pass pathlib\.Path": lambda: ceas_physics.train(text=__file__),
}


@pytest.mark.parametrize("message", WRONG_KINDS)
def test_wrong_kinds_are_value_errors(message):
    with pytest.raises(ValueError, match=message):
        WRONG_KINDS[message]()


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


def test_a_word_too_much_is_refused_by_its_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sample", "square"])
    assert stop.value.code == 2
    assert "ceas sample: unrecognized arguments: square; see ceas sample --help" in capsys.readouterr().err
