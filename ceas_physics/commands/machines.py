"""Commands of machines: the simulated analog annealer, and how fast this computer is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ising.streams import check_seed

from ..folders import check_file, write_between
from .options import add_command, add_lattice, add_one_model, bars, model_of, save
from .terminal import show


def add(commands: Any) -> None:
    """`anneal`, `bench`."""
    text = "Lowest energies by a simulated analog machine, of an instance file or of a lattice, to a NetCDF file."
    _add_annealing(add_command(commands, "anneal", _anneal, text, "anneal.nc", json=True))
    text = (
        "Speed, memory and start-up on this machine; bench scale: more workers, and what a store costs (ten minutes); "
        "bench anneal: time to solution of annealers (an hour)."
    )
    sub = add_command(commands, "bench", _bench, text)
    sub.add_argument("what", nargs="?", choices=("speed", "scale", "anneal"), default="speed", help="what is measured")
    sub.add_argument("--quick", action="store_true", help="of anneal: small instances, a minute")
    sub.add_argument("--gset", type=Path, metavar="FOLDER", help="of anneal: also the G-set files in a folder")
    sub.add_argument("--peers", action="store_true", help="also mcising, peapods, ... if installed; installs nothing")
    text = "Markdown file; one with bench marks keeps its other text. Of anneal: a folder (ceas-bench-anneal)"
    sub.add_argument("--out", type=Path, help=text)


def _add_annealing(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("instance", nargs="?", help="G-set, .mtx, .coo, .bqm or .json file; the lattice if not given")
    add_lattice(sub)
    add_one_model(sub)
    sub.add_argument("--device", default="p_bit", help="p_bit, soft_spin, oscillator, bifurcation")
    sub.add_argument("--schedule", default="geometric", help="linear, geometric, thermodynamic, corridor")
    sub.add_argument("--replicas", type=int, default=64, help="independent machines")
    sub.add_argument("--sweeps", type=int, default=1000, help="updates per spin, or steps, of an anneal")
    sub.add_argument("--time-limit", type=float, metavar="SECONDS", help="repeat anneals until then")
    sub.add_argument("--store", type=Path, help="folder for checkpoints and result; the same command goes on with it")
    sub.add_argument("--target", type=float, metavar="ENERGY", help="stop at this energy")


def _anneal(options: argparse.Namespace) -> None:
    from ..npu import anneal
    from ..npu.command import summary
    from ..npu.instances import read_instance

    check_file(options.out)
    if options.instance and (options.lattice, options.size, options.glass) != ("square", 32, False):
        raise ValueError(f"instance {options.instance} holds the model; leave out --lattice, --size and --glass")
    model = read_instance(options.instance) if options.instance else model_of(options, options.size, options.glass)
    result = anneal(
        model, options.device, options.schedule, options.replicas, options.seed, options.time_limit, options.target,
        bars(options), sweeps=options.sweeps, store=options.store,
    )  # fmt: skip
    best = float(result.best_energy.min())
    save(result, options, summary(model, result), {"lowest_energy": best, "n_sites": model.lattice.n_sites})


def _bench(options: argparse.Namespace) -> None:
    from .. import bench

    check_seed(options.seed)
    if options.what == "anneal":
        _bench_annealers(options)
        return
    if options.out:
        check_file(options.out)
    marks = bench.MARKS
    if options.what == "scale":
        from .. import bench_scale

        text, marks = bench_scale.run(seed=options.seed, progress=bars(options)), bench_scale.MARKS
    else:
        text = bench.run(seed=options.seed, progress=bars(options), with_peers=options.peers)
    show(text)
    if options.out:
        write_between(text, options.out, marks)


def _bench_annealers(options: argparse.Namespace) -> None:
    from ..npu import bench_report

    folder = options.out or Path("ceas-bench-anneal")
    show(bench_report.run(folder, options.quick, options.peers, options.gset, options.seed, bars(options)))
    print(f"Table, pictures and dataset: {folder}")
