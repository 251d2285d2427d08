"""Good calls of the command line, in process: the options of each command, and how one is run."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
from pathlib import Path

from good_calls import Table
from model_files import LLAMA, random_parameters, write_llama

import ceas_physics as ceas
import ising
from ceas_physics.cli import main, make_parser

TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 40


class Option(str):
    """The value of an option, replaced by other texts."""

    __slots__ = ()


class Surely(Option):
    """An option of a command that runs for minutes: replaced by what is surely refused."""

    __slots__ = ()
    refused: tuple[str, ...] = ()


class Number(Surely):
    """A whole number."""

    __slots__ = ()
    refused = ("x", "nan", "inf", "-1", "0.5", "1e400", "99999999999999999999", "None", "[1]", "1,2,3")


class Rate(Surely):
    """A positive number."""

    __slots__ = ()
    refused = ("x", "nan", "inf", "-1", "0", "-0.5", "1e400", "None", "[1]", "1,2,3")


class Numbers(Surely):
    """Whole numbers."""

    __slots__ = ()
    refused = ("x", "nan", "-1", "0.5", "8 8", "1 16", "99999999999999999999 16", "None", "[1]", "1,2,3")


class Name(Surely):
    """A word of a list."""

    __slots__ = ()
    refused = ("x", "", "standard", "standard standard", "thermostat x", "é", "None", "a" * 5000)


class Place(Surely):
    """A file or folder to be written."""

    __slots__ = ()
    refused = ("/proc/x", "/dev/null/x", "text.txt/x", "text.txt/", "a" * 5000, "/proc/x/y")


class File(Surely):
    """A file to be read."""

    __slots__ = ()
    refused = ("x", "", ".", "..", "/proc/x", "/dev/null/x", "missing.nc", "text.txt", "a" * 5000, "é")


class Missing(File):
    """A text to be read."""

    __slots__ = ()
    refused = tuple(name for name in File.refused if name != "text.txt")


class Cluster(Surely):
    """An address, or settings of jobs."""

    __slots__ = ()
    refused = ("x", "", "tcp://", "tcp://x", "jobs=0", "jobs=x", "jobs", "cores=2,x=1", "memory=0", "=", ",", "é")


class BadExit(Exception):
    """A command that ended otherwise than with 0, or 2 and one line."""


def actions(name: str) -> dict[str, argparse.Action]:
    """The options and positional arguments of a command by name."""
    (commands,) = (action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {action.dest: action for action in commands.choices[name]._actions}


def command(name: str):
    """A function of the options of a command, given as texts: ValueError with its line for exit code 2."""
    known = actions(name.split()[0])

    def call(**options: str) -> None:
        argv, named = name.split(), []
        for key, value in options.items():
            if known[key].option_strings:
                named += [f"--{key.replace('_', '-')}", *value.split(" ")]
            else:
                argv += value.split(" ")
        out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path("text.txt").write_text(TEXT, encoding="utf-8")
            Path("graph.txt").write_text("3 2\n1 2 1\n2 3 -1\n", encoding="utf-8")
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = main([*argv, "--quiet", *named])
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
    calls, folder = Table(), Path(tempfile.mkdtemp())
    add_sampling(calls)
    add_stored(calls, folder)
    add_machines(calls, folder)
    add_attention(calls, folder)
    calls.add("ceas report claims", command("report"), claims=File("claims.nc"))
    for name in ("report", "hyperbolic", "literature", "search"):
        calls.add(f"ceas {name}", command(name), seed=Number("0"), out=Place("folder"))
    return calls


def add_sampling(calls: Table) -> None:
    lattice = {"lattice": Option("square"), "size": Option("4"), "seed": Option("1")}
    run = {"beta": Option("0.3,0.4"), "update": Option("auto"), "chains": Option("2"), "warmup": Option("5")}
    run |= {"draws": Option("50"), "thin": Option("1")}
    counts = "warmup thin"
    calls.add("ceas sample", command("sample"), **lattice, **run, out=Option("x.nc"), counts=counts)
    calls.add("ceas sample store", command("sample"), **lattice, **run, store=Place("kept"), counts=counts)
    calls.add(
        "ceas sample hyperbolic",
        command("sample"),
        lattice=Option("hyperbolic"),
        pq=Option("5 4"),
        size=Option("40"),
        **run,
    )
    longer = {"beta": Option("0.40:0.48:9"), "draws": Option("2000"), "warmup": Option("200"), "chains": Option("16")}
    sizes = {"sizes": Option("8 16"), "lattice": Option("square"), "out": Option("folder"), "seed": Option("0")}
    calls.add("ceas scaling", command("scaling"), **sizes, **run | longer)
    calls.add(
        "ceas scaling hyperbolic", command("scaling --lattice hyperbolic"), pq=Numbers("5 4"), sizes=Numbers("40 60")
    )
    calls.add("ceas scaling files", command("scaling"), files=File("a.nc"))
    calls.add("ceas scaling store", command("scaling --sizes 4 6 --warmup 5 --draws 20"), store=Place("kept"))
    for name in ("sample", "scaling"):
        calls.add(f"ceas {name} cluster", command(name), cluster=Cluster("tcp://127.0.0.1:8786"))
        calls.add(f"ceas {name} slurm", command(name), slurm=Cluster("jobs=1"))
    calls.add("ceas maps", command("maps"), pq=Option("5 4"), n_max=Option("100"), words={"n_max": "n-max"})


def add_stored(calls: Table, folder: Path) -> None:
    model, short = ising.ferromagnet(ising.square(4)), ising.Schedule(5, 10)
    ising.sample(model, [0.3], short, chains=2, progress=False, store=folder / "run")
    calls.add("ceas resume", command("resume"), store=Option(folder / "run"))
    ceas.train(steps=2, config=None, progress=False, text=TEXT).to_netcdf(folder / "trained.nc")
    Path(folder / "text.txt").write_text(TEXT, encoding="utf-8")
    calls.add("ceas rerun", command("rerun"), file=Option(folder / "trained.nc"), text=Option(folder / "text.txt"))
    calls.add("ceas claims", command("claims"), ids=Option("C1"), results=Option("kept"), seed=Option("0"),
              out=Option("claims.nc"))  # fmt: skip


def add_machines(calls: Table, folder: Path) -> None:
    anneal = {"device": Option("p_bit"), "schedule": Option("linear"), "replicas": Option("4"), "sweeps": Option("10")}
    lattice = {"lattice": Option("square"), "size": Option("4"), "seed": Option("1")}
    calls.add("ceas anneal", command("anneal"), **lattice, **anneal, target=Option("-20"), out=Option("x.nc"))
    calls.add("ceas anneal store", command("anneal"), lattice=Option("hyperbolic"), pq=Option("5 4"), size=Option("40"),
              store=Option("kept"), **anneal)  # fmt: skip
    calls.add(
        "ceas anneal file",
        command("anneal"),
        instance=Option("graph.txt"),
        **anneal,
        time_limit=Option("0.05"),
        counts="time_limit",
    )
    calls.add("ceas doctor", command("doctor"), seed=Number("0"))
    calls.add("ceas completion", command("completion"), shell=Option("bash"))
    calls.add("ceas bench", command("bench"), what=Name("speed"), seed=Number("0"), out=Place("bench.md"))
    calls.add("ceas bench anneal", command("bench anneal"), seed=Number("0"), gset=File("graphs"))


def add_attention(calls: Table, folder: Path) -> None:
    train = {"text": Option("text.txt"), "steps": Option("3"), "thermostat": Option("none"), "seed": Option("1")}
    calls.add("ceas train", command("train"), **train, out=Option("x.nc"))
    calls.add(
        "ceas train checkpoint", command("train"), steps=Option("3"), checkpoint=Place("c.npz"), text=Option("text.txt")
    )
    calls.add("ceas train store", command("train --text text.txt"), steps=Number("3"), store=Place("kept"))
    calls.add("ceas cost", command("cost"), out=Option("x.nc"))
    compare = {"seeds": Number("2"), "tokens": Number("1000"), "processes": Number("1"), "out": Place("folder")}
    compare |= {"conditions": Name("standard x2"), "learning_rate": Rate("0.01")}
    calls.add("ceas train compare", command("train --compare"), **compare, words={"learning_rate": "learning-rate"})
    write_llama(folder / "llama", random_parameters(LLAMA, 0))
    heads = {"passages": Number("4"), "length": Number("16"), "seed": Number("0"), "out": Place("folder")}
    heads |= {"text": Missing("text.txt"), "scaling": Numbers("16 32")}
    calls.add("ceas heads", command("heads"), model=File(folder / "llama"), **heads)
