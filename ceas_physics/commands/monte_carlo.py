"""Commands of Monte Carlo: one run, several sizes, and which closed hyperbolic lattices there are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..folders import check_file, new_folder
from ..provenance import stamp
from .options import add_command, add_lattice, add_one_model, bars, model_of, numbers, save, say_where
from .terminal import say
from .workers import add_cluster, client_of


def add(commands: Any) -> None:
    """`sample`, `scaling`, `maps`."""
    text = "Monte Carlo sweep of one Ising model to a NetCDF file, --out or, with --store, in the store."
    sub = add_command(commands, "sample", _sample, text, "sample.nc", json=True)
    add_one_model(sub)
    _add_sampling(sub)
    text = "Several sizes: crossings, critical beta, exponents, tables and pictures to a folder; from files or sampled."
    sub = add_command(commands, "scaling", _scaling, text, "ceas-scaling", json=True)
    sub.add_argument("files", type=Path, nargs="*", metavar="FILE", help="runs of ceas sample; none: sample --sizes")
    sub.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 32], help="L or numbers of sites, two or more")
    _add_sampling(sub)
    text = "The closed hyperbolic lattices {p,q}: every size with its best map."
    sub = add_command(commands, "maps", _maps, text, seed=False, json=True)
    sub.add_argument("--pq", type=int, nargs=2, required=True, metavar=("P", "Q"), help="sides of a face, neighbours")
    sub.add_argument("--n-max", type=int, default=2000, help="largest number of sites listed")


def _add_sampling(sub: argparse.ArgumentParser) -> None:
    """The options that `sample` and `scaling` share."""
    add_lattice(sub)
    sub.add_argument("--beta", default="0.38:0.48:11", help="numbers with commas, or first:last:count")
    sub.add_argument("--update", default="auto", help="auto, heat_bath, metropolis, random_site, swendsen_wang, wolff")
    sub.add_argument("--chains", type=int, help="independent chains per beta (64, or 8 for cluster updates)")
    sub.add_argument("--warmup", type=int, default=500, help="sweeps before the first draw")
    sub.add_argument("--draws", type=int, default=2000, help="stored draws per chain")
    sub.add_argument("--thin", type=int, default=1, help="sweeps between draws")
    text = "folder that keeps the run as it grows: stopped, it goes on by the same command or by ceas resume"
    sub.add_argument("--store", type=Path, metavar="FOLDER", help=text)
    add_cluster(sub)


def _run_options(options: argparse.Namespace) -> dict[str, Any]:
    import ising

    schedule = ising.Schedule(options.warmup, options.draws, options.thin)
    return {
        "schedule": schedule,
        "update": options.update,
        "chains": options.chains,
        "seed": options.seed,
        "progress": bars(options),
        "store": options.store,
    }


def _sample(options: argparse.Namespace) -> None:
    import ising

    if options.store is None:
        check_file(options.out)
    model = model_of(options, options.size, options.glass)
    with client_of(options) as client:
        data = ising.sample(model, numbers(options.beta), **_run_options(options), client=client)
    if options.store is None:
        save(data, options)
    else:  # as large as the disk: the file in the store is the result
        say_where(data, data.encoding.get("source", options.store), options)


def _scaling(options: argparse.Namespace) -> None:
    from .. import scaling_files

    if options.files:
        files = scaling_files.read_sizes(options.files)
        with new_folder(options.out, scaling_files.CONTENTS) as folder:
            text, record = _write_scaling(files, {}, folder, options)
    else:
        models = {size: model_of(options, size) for size in options.sizes}
        if len(models) < 2:
            raise ValueError(f"scaling needs at least two different sizes, got {options.sizes}")
        with new_folder(options.out, scaling_files.CONTENTS) as folder:
            import ising

            beta = {size: numbers(options.beta) for size in models}
            with client_of(options) as client:
                parts = ising.sample_sizes(models, beta, **_run_options(options), client=client)
            raw = {f"data_{size}": part for size, part in zip(models, parts)}
            text, record = _write_scaling(parts, raw, folder, options)
    say(f"{text}Tables and pictures: {options.out}", record, options)


def _write_scaling(
    parts: list[Any], raw: dict[str, Any], folder: Path, options: argparse.Namespace
) -> tuple[str, dict[str, Any]]:
    """Write all files; the text for people and the record for programs."""
    from .. import scaling_files

    results = scaling_files.analyse(parts)
    for name, dataset in (raw | results).items():
        stamp(dataset, options.seed).to_netcdf(folder / f"{name}.nc")
    text = scaling_files.table(results)
    (folder / "table.md").write_text(text, encoding="utf-8")
    scaling_files.pictures(results, folder)
    critical = results["critical"]
    value, error = critical["beta_c"].item(), critical["beta_c_error"].item()
    method = critical.attrs["method"]
    record = {"folder": str(options.out), "beta_c": value, "beta_c_error": error, "method": method}
    return f"beta_c = {value:.6f} +- {error:.6f} ({method})\n{text}", record


def _maps(options: argparse.Namespace) -> None:
    from ising.tilings import map_table
    from ising.tilings.catalog import nearest_sizes

    p, q = options.pq
    try:
        rows = map_table(p, q, options.n_max, progress=bars(options))
    except ValueError as error:
        raise ValueError(f"--pq {p} {q} --n-max {options.n_max}: {error}") from None
    if not rows:
        few = f"no closed {{{p},{q}}} map of at most {options.n_max} sites is known"
        raise ValueError(f"{few}; {nearest_sizes(p, q, options.n_max)}")
    lines = ["  sites  genus  radius  lambda_2  bipartite  names  surface"]
    for row in rows:
        bipartite, note = "yes" if row.bipartite else "no", "" if row.admitted else "  (radius too small: refused)"
        numbers = f"{row.n_sites:7} {row.genus:6} {row.radius:7} {row.second_eigenvalue:9.4f}"
        lines.append(f"{numbers}  {bipartite:9}  {row.n_names:5}  {row.surface}{note}")
    say("\n".join(lines), [row._asdict() for row in rows], options)
