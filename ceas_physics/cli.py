"""The command line `ceas`: each command is a few lines over the library."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .folders import check_file, new_folder, write_between, write_file
from .provenance import stamp

LATTICES = ("chain", "square", "triangular", "honeycomb", "cubic", "complete", "hyperbolic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it worked, 2 with one line on stderr for bad input, 130 after Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _one_line
            options.command(options)
    except (ValueError, FloatingPointError, OSError) as error:
        message = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        print(f"ceas: {' '.join(message.split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ceas: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _one_line(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"ceas: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ceas", description="Critical points of spin systems and attention heads.")
    parser.add_argument("--version", action="version", version=version("ceas-physics"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], out: str | None, text: str, seed: bool = True
    ) -> Any:
        sub = commands.add_parser(
            name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if seed:
            sub.add_argument("--seed", type=int, default=0, help="root of all random numbers, 0 to 2^63 - 1")
        sub.add_argument("--quiet", action="store_true", help="no progress bar")
        if out:
            sub.add_argument("--out", type=Path, default=Path(out), help="where the result goes; folders are made")
        sub.set_defaults(command=run)
        return sub

    sub = command("report", _report, "ceas-report", "The main job: every corridor against its critical point.")
    sub.add_argument("--quick", action="store_true", help="a 20-second version: smaller sizes, shorter training")
    sub = command("sample", _sample, "sample.nc", "Monte Carlo sweep of one Ising model to a NetCDF file.")
    sub.add_argument("--size", type=int, default=32, help="L, or the number of sites (complete, hyperbolic)")
    sub.add_argument("--glass", action="store_true", help="+-J Edwards-Anderson couplings from the seed")
    _add_sampling(sub)
    text = "Several sizes: crossings, critical beta, exponents, tables and pictures to a folder; from files or sampled."
    sub = command("scaling", _scaling, "ceas-scaling", text)
    sub.add_argument("files", type=Path, nargs="*", metavar="FILE", help="runs of ceas sample; none: sample --sizes")
    sub.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 32], help="L or numbers of sites, two or more")
    _add_sampling(sub)
    text = "Transitions of hyperbolic lattices: closed maps, open patches, the proposed formula (about 20 minutes)."
    sub = command("hyperbolic", _hyperbolic, "ceas-hyperbolic", text)
    sub.add_argument("--quick", action="store_true", help="a 2-minute version: 3 tilings, small maps, large errors")
    text = "Train the character transformer to a NetCDF file with the heads' trace, or compare conditions of training."
    sub = command("train", _train, None, text)
    _add_training(sub)
    text = "Heads of a trained model: where 1/sqrt(d_k) lies relative to each head's critical point."
    sub = command("heads", _heads, "ceas-heads", text)
    sub.add_argument("model", help="safetensors, GGUF or ONNX file, its folder, or an installed package that holds one")
    sub.add_argument("text", type=Path, nargs="?", help="UTF-8 text file; Python's own documentation if not given")
    sub.add_argument("--passages", type=int, default=40, help="most passages of the text")
    sub.add_argument("--length", type=int, default=128, help="tokens of a passage")
    sub.add_argument("--no-control", action="store_true", help="leave out the same model with random weights")
    text = "also finite-size scaling of the peaks, and laws of beta(n); the n, 16 32 64 128 256 512 if none is named"
    sub.add_argument("--scaling", type=int, nargs="*", metavar="N", help=text)
    text = "Lowest energies by a simulated analog machine, of an instance file or of a lattice, to a NetCDF file."
    _add_annealing(command("anneal", _anneal, "anneal.nc", text))
    text = "Which beta a head learns to look up with: accuracy curves, n-ary search, bandit, redundancy (3 minutes)."
    sub = command("search", _search, "ceas-search", text)
    sub.add_argument("--quick", action="store_true", help="a 20-second version: fewer seeds and betas, short training")
    text = "Training cost and savings: claimed figures beside the same figures recomputed by formulas."
    sub = command("cost", _cost, None, text, seed=False)
    sub.add_argument("--out", type=Path, help="NetCDF file of the tables")
    sub = command(
        "maps", _maps, None, "The closed hyperbolic lattices {p,q}: every size with its best map.", seed=False
    )
    sub.add_argument("--pq", type=int, nargs=2, required=True, metavar=("P", "Q"), help="sides of a face, neighbours")
    sub.add_argument("--n-max", type=int, default=2000, help="largest number of sites listed")
    sub = command("literature", _literature, None, "Critical points against published values: 20 minutes on 2 cores.")
    sub.add_argument("--quick", action="store_true", help="a 20-second version, which misses the errors asked for")
    sub.add_argument("--out", type=Path, help="Markdown file; one with literature marks keeps its other text")
    sub = command("bench", _bench, None, "Speed, memory and start-up on this machine: medians and spread.")
    sub.add_argument("--peers", action="store_true", help="also mcising, peapods, ... if installed; installs nothing")
    sub.add_argument("--out", type=Path, help="Markdown file; one with bench marks keeps its other text")
    return parser


def _add_training(sub: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    sub.add_argument("--out", type=Path, help="where the result goes (training.nc; with --compare: ceas-compare)")
    sub.add_argument("--text", help="UTF-8 file, or shakespeare or bible after `make texts`; Python's documentation")
    sub.add_argument("--steps", type=int, default=2048, help="training steps")
    sub.add_argument(
        "--thermostat", choices=("none", "standard", "final_address"), default="standard", help="start of beta"
    )
    sub.add_argument("--checkpoint", type=Path, help="file written on the way; if it exists the run goes on from it")
    sub.add_argument("--compare", action="store_true", help="conditions against a tuned baseline, paired seeds")
    sub.add_argument("--quick", action="store_true", help="a 1-minute --compare: 3 conditions, 2 seeds, short runs")
    sub.add_argument("--conditions", nargs="+", metavar="NAME", help="of --compare, the baseline first; all: every one")
    sub.add_argument("--seeds", type=int, help="of --compare (10)")
    sub.add_argument("--tokens", type=int, help="of a run of --compare (1000000)")
    sub.add_argument("--learning-rate", type=float, help="of --compare; left out: scanned for the baseline")
    sub.add_argument("--processes", type=int, default=2, help="runs of --compare at a time")


def _add_sampling(sub: argparse.ArgumentParser) -> None:
    """The options that `sample` and `scaling` share."""
    sub.add_argument("--lattice", choices=LATTICES, default="square", help="complete has J = 1/n, others J = 1")
    sub.add_argument("--pq", type=int, nargs=2, default=(5, 4), metavar=("P", "Q"), help="of a hyperbolic lattice")
    sub.add_argument("--beta", default="0.38:0.48:11", help="numbers with commas, or first:last:count")
    sub.add_argument("--update", default="auto", help="auto, heat_bath, metropolis, random_site, swendsen_wang, wolff")
    sub.add_argument("--chains", type=int, help="independent chains per beta (64, or 8 for cluster updates)")
    sub.add_argument("--warmup", type=int, default=500, help="sweeps before the first draw")
    sub.add_argument("--draws", type=int, default=2000, help="stored draws per chain")
    sub.add_argument("--thin", type=int, default=1, help="sweeps between draws")


def _add_annealing(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("instance", nargs="?", help="G-set, .mtx, .coo, .bqm or .json file; the lattice if not given")
    sub.add_argument("--lattice", choices=LATTICES, default="square", help="complete has J = 1/n, others J = 1")
    sub.add_argument("--pq", type=int, nargs=2, default=(5, 4), metavar=("P", "Q"), help="of a hyperbolic lattice")
    sub.add_argument("--size", type=int, default=32, help="L, or the number of sites (complete, hyperbolic)")
    sub.add_argument("--glass", action="store_true", help="+-J Edwards-Anderson couplings from the seed")
    sub.add_argument("--device", default="p_bit", help="p_bit, soft_spin, oscillator, bifurcation")
    sub.add_argument("--schedule", default="geometric", help="linear, geometric, thermodynamic, corridor")
    sub.add_argument("--replicas", type=int, default=64, help="independent machines")
    sub.add_argument("--sweeps", type=int, default=1000, help="updates per spin, or steps, of an anneal")
    sub.add_argument("--time-limit", type=float, metavar="SECONDS", help="repeat anneals until then")
    sub.add_argument("--target", type=float, metavar="ENERGY", help="stop at this energy")


def _report(options: argparse.Namespace) -> None:
    from . import findings, page
    from .report import report

    results = report(options.out, options.quick, options.seed, not options.quiet)
    print(findings.summary(results))
    print(f"The page: {options.out / page.PAGE}")


def _sample(options: argparse.Namespace) -> None:
    import ising

    check_file(options.out)
    model = _model(options, options.size, options.glass)
    data = ising.sample(model, _numbers(options.beta), **_run_options(options))
    _save(data, options)


def _scaling(options: argparse.Namespace) -> None:
    from . import scaling_files

    if options.files:
        files = scaling_files.read_sizes(options.files)
        with new_folder(options.out, scaling_files.CONTENTS) as folder:
            text = _write_scaling(files, {}, folder, options)
    else:
        models = {size: _model(options, size) for size in options.sizes}
        if len(models) < 2:
            raise ValueError(f"scaling needs at least two different sizes, got {options.sizes}")
        with new_folder(options.out, scaling_files.CONTENTS) as folder:
            import ising

            parts = ising.sample_sizes(
                models, {size: _numbers(options.beta) for size in models}, **_run_options(options)
            )
            raw = {f"data_{size}": part for size, part in zip(models, parts)}
            text = _write_scaling(parts, raw, folder, options)
    print(f"{text}Tables and pictures: {options.out}")


def _write_scaling(parts: list[Any], raw: dict[str, Any], folder: Path, options: argparse.Namespace) -> str:
    from . import scaling_files

    results = scaling_files.analyse(parts)
    for name, dataset in (raw | results).items():
        stamp(dataset, options.seed).to_netcdf(folder / f"{name}.nc")
    text = scaling_files.table(results)
    (folder / "table.md").write_text(text, encoding="utf-8")
    scaling_files.pictures(results, folder)
    critical = results["critical"]
    value, error = critical["beta_c"].item(), critical["beta_c_error"].item()
    return f"beta_c = {value:.6f} +- {error:.6f} ({critical.attrs['method']})\n{text}"


def _hyperbolic(options: argparse.Namespace) -> None:
    from .transitions import hyperbolic

    plan = hyperbolic.QUICK if options.quick else hyperbolic.Plan()
    print(hyperbolic.run(options.out, plan, options.seed, _bars(options)))
    print(f"Tables and pictures: {options.out}")


def _train(options: argparse.Namespace) -> None:
    from . import Thermostat, texts, train
    from .training import DivergedError

    if options.compare:
        _compare_training(options)
        return
    options.out = check_file(options.out or "training.nc")
    thermostat = None if options.thermostat == "none" else Thermostat(initial=options.thermostat)
    text = texts.load(options.text) if options.text else None
    try:
        run = train(
            text=text,
            thermostat=thermostat,
            seed=options.seed,
            steps=options.steps,
            progress=_bars(options),
            checkpoint=options.checkpoint,
        )
    except DivergedError as error:
        _save(error.trace, options)
        raise
    _save(run, options)


def _compare_training(options: argparse.Namespace) -> None:
    from . import texts
    from .training import CONDITIONS, QUICK, Plan, compare, comparison

    changes = {name: getattr(options, name) for name in ("seeds", "tokens") if getattr(options, name)}
    if options.conditions:
        changes["conditions"] = tuple(CONDITIONS) if options.conditions == ["all"] else tuple(options.conditions)
    if options.learning_rate:
        changes["learning_rates"] = (options.learning_rate,)
    plan = replace(QUICK if options.quick else Plan(), **changes)
    folder = options.out or Path("ceas-compare")
    text = texts.load(options.text) if options.text else None
    table = compare(folder, plan, text, options.seed, options.processes, _bars(options))
    print(comparison.write(table, folder))
    print(f"Tables, picture and runs: {folder}")


def _heads(options: argparse.Namespace) -> None:
    from .heads.report import report

    sizes = {"passages": options.passages, "length": options.length, "seed": options.seed}
    settings = sizes | {"control": not options.no_control, "scaling": options.scaling}
    print(report(options.model, options.out, options.text, _bars(options), **settings))
    print(f"Tables and pictures: {options.out}")


def _anneal(options: argparse.Namespace) -> None:
    from .npu import anneal
    from .npu.command import summary
    from .npu.instances import read_instance

    check_file(options.out)
    model = read_instance(options.instance) if options.instance else _model(options, options.size, options.glass)
    result = anneal(
        model, options.device, options.schedule, options.replicas, options.seed, options.time_limit, options.target,
        _bars(options), sweeps=options.sweeps,
    )  # fmt: skip
    print(summary(model, result))
    _save(result, options)


def _search(options: argparse.Namespace) -> None:
    from .search import report

    plan = report.QUICK if options.quick else report.Plan()
    print(report.report(options.out, plan, options.seed, _bars(options)))
    print(f"Tables and pictures: {options.out}")


def _cost(options: argparse.Namespace) -> None:
    from . import cost_tables

    tables = cost_tables.tables()
    if options.out:
        write_file(tables, options.out)
    print(cost_tables.markdown(tables), end="")


def _maps(options: argparse.Namespace) -> None:
    from ising.tilings import map_table
    from ising.tilings.catalog import nearest_sizes

    p, q = options.pq
    rows = map_table(p, q, options.n_max, progress=_bars(options))
    if not rows:
        few = f"no closed {{{p},{q}}} map of at most {options.n_max} sites is known"
        raise ValueError(f"{few}; {nearest_sizes(p, q, options.n_max)}")
    print("  sites  genus  radius  lambda_2  bipartite  names  surface")
    for row in rows:
        bipartite, note = "yes" if row.bipartite else "no", "" if row.admitted else "  (radius too small: refused)"
        numbers = f"{row.n_sites:7} {row.genus:6} {row.radius:7} {row.second_eigenvalue:9.4f}"
        print(f"{numbers}  {bipartite:9}  {row.n_names:5}  {row.surface}{note}")


def _bench(options: argparse.Namespace) -> None:
    from . import bench

    text = bench.run(seed=options.seed, progress=not options.quiet, with_peers=options.peers)
    print(text)
    if options.out:
        write_between(text, options.out, bench.MARKS)


def _literature(options: argparse.Namespace) -> None:
    from .transitions import literature

    if options.out:
        check_file(options.out)
    plan = literature.QUICK if options.quick else literature.FULL
    result = literature.compare(plan, options.seed, _bars(options))
    print(result.markdown())
    if options.out:
        write_between(result.markdown(), options.out, literature.MARKS)
    if result.missed:
        sys.exit(f"ceas: not within two errors or the error asked for: {'; '.join(result.missed)}")


def _model(options: argparse.Namespace, size: int, glass: bool = False) -> Any:
    import ising

    if options.lattice == "hyperbolic":
        lattice = ising.closed_hyperbolic(options.pq[0], options.pq[1], n_sites=size)
    else:
        lattice = getattr(ising, options.lattice)(size)
    if glass:
        return ising.edwards_anderson(lattice, seed=options.seed)
    return ising.ferromagnet(lattice, J=1.0 / size if options.lattice == "complete" else 1.0)


def _numbers(text: str) -> list[float]:
    try:
        if ":" in text:
            first, last, count = text.split(":")
            return np.linspace(float(first), float(last), int(count)).tolist()
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--beta takes numbers with commas or first:last:count, got {text!r}") from None


def _run_options(options: argparse.Namespace) -> dict[str, Any]:
    import ising

    schedule = ising.Schedule(options.warmup, options.draws, options.thin)
    return {
        "schedule": schedule,
        "update": options.update,
        "chains": options.chains,
        "seed": options.seed,
        "progress": _bars(options),
    }


def _bars(options: argparse.Namespace) -> bool:
    """Whether to show progress bars: they would make a log unreadable."""
    return not options.quiet and sys.stderr.isatty()


def _save(data: Any, options: argparse.Namespace) -> None:
    write_file(stamp(data, options.seed), options.out)
    print(f"{options.out}: {', '.join(f'{k} {v}' for k, v in data.sizes.items())}")


if __name__ == "__main__":
    sys.exit(main())
