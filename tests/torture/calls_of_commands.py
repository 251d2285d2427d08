"""Good calls of the command line, in process: the options of each command, and how one is run."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from good_calls import Table

from ceas_physics.cli import main

TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 40


class Option(str):
    """The value of an option, replaced by other texts."""

    __slots__ = ()


class Number(Option):
    """An option of a command that runs for minutes: replaced by what is surely refused."""

    __slots__ = ()


class BadExit(Exception):
    """A command that ended otherwise than with 0, or 2 and one line."""


def command(name: str):
    """A function of the options of a command, given as texts: ValueError with its line for exit code 2."""

    def call(**options: str) -> None:
        argv = [*name.split(), "--quiet"]
        for key, value in options.items():
            argv += (
                value.split(" ") if key in ("instance", "what") else [f"--{key.replace('_', '-')}", *value.split(" ")]
            )
        out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path("text.txt").write_text(TEXT, encoding="utf-8")
            Path("graph.txt").write_text("3 2\n1 2 1\n2 3 -1\n", encoding="utf-8")
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = main(argv)
            except SystemExit as leave:
                code = leave.code
            finally:
                os.chdir(before)
        lines = [line for line in err.getvalue().splitlines() if not line.startswith("ceas: warning")]
        if code == 2 and len(lines) == 1:
            raise ValueError(lines[0])
        if code:
            raise BadExit(f"exit code {code}, {len(lines)} lines: {' / '.join(lines)[:200]}")

    return call


def table() -> Table:
    calls = Table()
    lattice = {"lattice": Option("square"), "size": Option("4"), "seed": Option("1")}
    run = {"beta": Option("0.3,0.4"), "update": Option("auto"), "chains": Option("2"), "warmup": Option("5")}
    run |= {"draws": Option("50"), "thin": Option("1")}
    counts = "warmup thin"
    calls.add("ceas sample", command("sample"), **lattice, **run, out=Option("x.nc"), counts=counts)
    calls.add(
        "ceas sample hyperbolic",
        command("sample"),
        lattice=Option("hyperbolic"),
        pq=Option("5 4"),
        size=Option("40"),
        **run,
    )
    longer = {"beta": Option("0.40:0.48:9"), "draws": Option("2000"), "warmup": Option("200"), "chains": Option("16")}
    sizes = {"sizes": Option("8 16"), "lattice": Option("square"), "out": Option("folder")}
    calls.add(
        "ceas scaling",
        command("scaling"),
        **sizes,
        **run | longer,
    )
    calls.add("ceas maps", command("maps"), pq=Option("5 4"), n_max=Option("100"), words={"n_max": "n-max"})
    anneal = {"device": Option("p_bit"), "schedule": Option("linear"), "replicas": Option("4"), "sweeps": Option("10")}
    calls.add("ceas anneal", command("anneal"), **lattice, **anneal, target=Option("-20"), out=Option("x.nc"))
    calls.add(
        "ceas anneal file",
        command("anneal"),
        instance=Option("graph.txt"),
        **anneal,
        time_limit=Option("0.05"),
        counts="time_limit",
    )
    train = {"text": Option("text.txt"), "steps": Option("3"), "thermostat": Option("none"), "seed": Option("1")}
    calls.add("ceas train", command("train"), **train, out=Option("x.nc"))
    calls.add("ceas cost", command("cost"), out=Option("x.nc"))
    for name in ("report", "hyperbolic", "literature", "search"):
        calls.add(f"ceas {name}", command(name), seed=Number("0"))
    compare = {"seeds": Number("2"), "tokens": Number("1000"), "processes": Number("1")}
    calls.add("ceas train compare", command("train --compare"), **compare)
    heads = {"passages": Number("4"), "length": Number("16"), "seed": Number("0")}
    calls.add("ceas heads", command("heads no-such-model"), **heads)
    return calls
