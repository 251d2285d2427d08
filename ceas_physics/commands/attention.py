"""Commands of attention: training under a thermostat, heads of real models, search for beta, costs of training."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..folders import check_file, write_file
from .options import add_command, bars, save
from .terminal import say, show

ONE_RUN = ("steps", "thermostat", "checkpoint", "store")  # options of `train` without --compare, and with it
COMPARISON = ("quick", "conditions", "seeds", "tokens", "learning_rate", "processes")


def add(commands: Any) -> None:
    """`heads`, `train`, `search`, `cost`."""
    text = "Heads of a trained model: where 1/sqrt(d_k) lies relative to each head's critical point."
    _add_heads(add_command(commands, "heads", _heads, text, "ceas-heads"))
    text = "Train the character transformer to a NetCDF file with the heads' trace, or compare conditions of training."
    _add_training(add_command(commands, "train", _train, text, json=True))
    text = "Which beta a head learns to look up with: accuracy curves, n-ary search, bandit, redundancy (3 minutes)."
    sub = add_command(commands, "search", _search, text, "ceas-search")
    sub.add_argument("--quick", action="store_true", help="a 20-second version: fewer seeds and betas, short training")
    text = "Training cost and savings: claimed figures beside the same figures recomputed by formulas."
    sub = add_command(commands, "cost", _cost, text, seed=False, json=True)
    sub.add_argument("--out", type=Path, help="NetCDF file of the tables")


def _add_heads(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", help="safetensors, GGUF or ONNX file, its folder, or an installed package that holds one")
    sub.add_argument("text", type=Path, nargs="?", help="UTF-8 text file; Python's own documentation if not given")
    sub.add_argument("--passages", type=int, default=40, help="most passages of the text")
    sub.add_argument("--length", type=int, default=128, help="tokens of a passage")
    sub.add_argument("--no-control", action="store_true", help="leave out the same model with random weights")
    text = "also finite-size scaling of the peaks, and laws of beta(n); the n, 16 32 64 128 256 512 if none is named"
    sub.add_argument("--scaling", type=int, nargs="*", metavar="N", help=text)


def _add_training(sub: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    sub.add_argument("--out", type=Path, help="where the result goes (training.nc; with --compare: ceas-compare)")
    sub.add_argument("--text", help="UTF-8 file, or shakespeare or bible after `make texts`; Python's documentation")
    sub.add_argument("--steps", type=int, help="training steps (2048)")
    sub.add_argument(
        "--thermostat", choices=("none", "standard", "final_address"), help="start of beta, or no thermostat (standard)"
    )
    sub.add_argument("--checkpoint", type=Path, help="file written on the way; if it exists the run goes on from it")
    sub.add_argument("--store", type=Path, help="folder for checkpoints and result; the same command goes on with it")
    sub.add_argument("--compare", action="store_true", help="conditions against a tuned baseline, paired seeds")
    text = "a 1-minute --compare: 3 conditions, 2 seeds, short runs"
    sub.add_argument("--quick", action="store_const", const=True, help=text)
    sub.add_argument("--conditions", nargs="+", metavar="NAME", help="of --compare, the baseline first (all)")
    sub.add_argument("--seeds", type=int, help="of --compare (10)")
    sub.add_argument("--tokens", type=int, help="of a run of --compare (1000000)")
    sub.add_argument("--learning-rate", type=float, help="of --compare; left out: scanned for the baseline")
    sub.add_argument("--processes", type=int, help="runs of --compare at a time (2)")


def _heads(options: argparse.Namespace) -> None:
    from ..heads.report import report

    sizes = {"passages": options.passages, "length": options.length, "seed": options.seed}
    settings = sizes | {"control": not options.no_control, "scaling": options.scaling}
    show(report(options.model, options.out, options.text, bars(options), **settings))
    print(f"Tables and pictures: {options.out}")


def _train(options: argparse.Namespace) -> None:
    from .. import Thermostat, texts, train
    from ..training import DivergedError

    names, reason = (ONE_RUN, "does not go with --compare") if options.compare else (COMPARISON, "needs --compare")
    for name in names:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} {reason}; see ceas train --help")
    if options.compare:
        _compare_training(options)
        return
    options.out = check_file(options.out or "training.nc")
    initial = options.thermostat or "standard"
    thermostat = None if initial == "none" else Thermostat(initial=initial)
    text = texts.load(options.text) if options.text else None
    try:
        run = train(
            text=text,
            thermostat=thermostat,
            seed=options.seed,
            steps=2048 if options.steps is None else options.steps,
            progress=bars(options),
            checkpoint=options.checkpoint,
            store=options.store,
        )
    except DivergedError as error:
        save(error.trace, options)
        raise
    except KeyboardInterrupt:
        if options.checkpoint is None or not options.checkpoint.is_file():
            raise
        print(f"ceas: interrupted; the same command goes on from {options.checkpoint}", file=sys.stderr)
        sys.exit(130)
    save(run, options)


def _compare_training(options: argparse.Namespace) -> None:
    from .. import texts
    from ..training import QUICK, Plan, compare, comparison

    changes = {name: getattr(options, name) for name in ("seeds", "tokens") if getattr(options, name) is not None}
    if options.conditions:
        changes["conditions"] = tuple(options.conditions)
    if options.learning_rate is not None:
        changes["learning_rates"] = (options.learning_rate,)
    plan = replace(QUICK if options.quick else Plan(), **changes)
    folder = options.out or Path("ceas-compare")
    processes = 2 if options.processes is None else options.processes
    text = texts.load(options.text) if options.text else None
    try:
        table = compare(folder, plan, text, options.seed, processes, bars(options))
    except KeyboardInterrupt:
        print(f"ceas: interrupted; finished runs are in {folder}, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    text = comparison.write(table, folder)
    say(f"{text}\nTables, picture and runs: {folder}", {"folder": str(folder)}, options)


def _search(options: argparse.Namespace) -> None:
    from ..search import report

    plan = report.QUICK if options.quick else report.Plan()
    show(report.report(options.out, plan, options.seed, bars(options)))
    print(f"Tables and pictures: {options.out}")


def _cost(options: argparse.Namespace) -> None:
    from .. import cost_tables

    tables = cost_tables.tables()
    if options.out:
        write_file(tables, options.out)
    say(cost_tables.markdown(tables).rstrip(), tables.to_dict(), options)
