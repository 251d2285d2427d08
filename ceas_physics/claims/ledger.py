"""The ledger: all claims tested, as a Dataset."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from ising.arguments import as_flag, as_path, refuse
from ising.streams import check_seed

from ..provenance import stamp
from . import rules
from .entry import REGISTRY, RESULTS, Claim, Curve, Finding, Look, claimed_numbers, ends

POINTS = {
    "curve_x": "x of the numbers behind a verdict",
    "curve_y": "y of the numbers behind a verdict",
    "curve_error": "standard deviation of y",
}
COLUMNS = {
    "text": ("the claim in our words", "1"),
    "tested": ("how it was tested", "1"),
    "number": ("our number; of a range its lower end", "see units"),
    "number_high": ("upper end of our number where it is a range, else nan", "see units"),
    "half_interval": ("half of the 95 % interval of our number; 0: exact", "see units"),
    "error": ("standard deviation of our number for a normal interval, half_interval/1.96", "see units"),
    "units": ("units of the numbers", "1"),
    "claimed_low": ("lower end of what is claimed; -inf: none", "see units"),
    "claimed_high": ("upper end of what is claimed; inf: none", "see units"),
    "reading": ("how the words of the claim were made into a range", "1"),
    "verdict": (f"one of: {', '.join(rules.VERDICTS)}", "1"),
    "why": ("why, from the numbers", "1"),
    "command": ("reruns it", "1"),
    "code": ("module:name of what computes it", "1"),
    "evidence": ("where the numbers come from", "1"),
    "parent": ("the claim that a row belongs to; empty for a claim", "1"),
    "seconds": ("wall-clock time of the test", "s"),
    "curve_labels": ("labels of the curve's axes, x | y", "1"),
    "curve_mark": ("where along x the claim points; nan: nowhere", "see curve_labels"),
}


def run(
    ids: Sequence[str] | None = None,
    *,
    full: bool = False,
    results: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    claimed: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Test claims, and return what came out beside what is claimed.

    Parameters
    ----------
    ids : sequence of str, optional
        Claims ("A1", "C2") or rows of them ("C2/GPT-3"); all by default.
    full : bool
        Make the stored results that are missing, about an hour; finished ones are not made again.
    results : str or Path, optional
        Folder of stored results, ``ceas-results`` by default.
    seed : int
        Root of all random numbers of what is computed now.
    progress : bool
        Show a bar that names the claim at work.
    claimed : mapping, optional
        Other claimed numbers than those of the package, in the form of ``claimed_numbers()``.

    Returns
    -------
    xarray.Dataset
        Dimension ``claim``: a claim, and after it its rows (``parent`` names it) where it has several. Variables as in
        ``COLUMNS``; ``curve_x``, ``curve_y``, ``curve_error`` on (claim, point) are the numbers behind a verdict.

    Raises
    ------
    ValueError
        An unknown claim or row, or a seed outside [0, 2^63).

    Examples
    --------
    >>> ledger = run(["C1"], progress=False)
    >>> ledger.verdict.item(), round(ledger.number.item(), 3)
    ('inconsistent', 0.461)
    """
    if ids is not None and (isinstance(ids, str) or not _all_text(ids)):
        refuse("ids", "names of claims such as ['C1', 'C2/GPT-3'], or None", ids)
    if claimed is not None and (not isinstance(claimed, Mapping) or not _all_text(claimed)):
        refuse("claimed", "a dict such as claimed_numbers(), or None", claimed)
    results = RESULTS if results is None else as_path("results", results)
    full, progress = as_flag("full", full), as_flag("progress", progress)
    numbers = claimed_numbers() if claimed is None else claimed
    chosen = _chosen(ids, numbers)
    look = Look({}, Path(results), full, check_seed(seed), progress and full)
    records: list[dict[str, Any]] = []
    with tqdm(chosen.items(), desc="claims", unit="claim", disable=not progress) as bar:
        for id, rows in bar:
            bar.set_description(f"claim {id}")
            records += _test(REGISTRY[id], numbers[id], look, rows)
    return stamp(_dataset(records), look.seed)


def read(path: str | Path) -> xr.Dataset:
    """A ledger from its file, as ``ceas claims --out claims.nc`` writes it.

    Raises
    ------
    ValueError
        There is no such file, or it holds something else.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise ValueError(f"path must be the file of a ledger, got {path}; ceas claims --full --out claims.nc makes one")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            found = data.load()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"cannot read the ledger {path}: {error}; ceas claims --full --out claims.nc makes one"
        ) from None
    if missing := [name for name in (*COLUMNS, *POINTS) if name not in found]:
        raise ValueError(f"{path} is no ledger of claims, it lacks {missing[0]}; ceas claims --out claims.nc makes one")
    return found


def _all_text(names: Any) -> bool:
    return isinstance(names, Sequence | Mapping) and all(isinstance(name, str) for name in names)


def _chosen(ids: Sequence[str] | None, numbers: Mapping[str, Any]) -> dict[str, list[str]]:
    """The claims asked for, in the order of the claimed numbers, each with its rows; no rows: all."""
    wanted: dict[str, list[str]] = {}
    for name in numbers if ids is None else ids:
        id, _, row = name.partition("/")
        if id not in REGISTRY:
            raise ValueError(f"ids: claims are {', '.join(numbers)}, and rows of them such as C2/GPT-3; got {name!r}")
        wanted.setdefault(id, []).append(row)
    return {id: [] if "" in wanted[id] else wanted[id] for id in numbers if id in wanted}


def _test(claim: Claim, numbers: Mapping[str, Any], look: Look, rows: list[str]) -> list[dict[str, Any]]:
    """Records of a claim: its own if it was asked for, then those of its rows."""
    started = time.perf_counter()
    look.claimed = numbers
    findings = claim.test(look)
    seconds = time.perf_counter() - started
    names = [finding.row for finding in findings]
    if unknown := [row for row in rows if row not in names]:
        raise ValueError(f"rows of {claim.id} are {', '.join(names)}; got {unknown[0]!r}")
    single = len(findings) == 1
    if rows:
        findings = [finding for finding in findings if finding.row in rows]
    table = [_record(f"{claim.id}/{each.row}", claim, look, each, seconds, claim.id) for each in findings]
    if rows:
        return table
    if single:
        return [_record(claim.id, claim, look, findings[0], seconds, "")]
    return [_record(claim.id, claim, look, _summary(findings), seconds, ""), *table]


def _summary(findings: list[Finding]) -> Finding:
    """What the rows say together."""
    verdicts = [finding.verdict for finding in findings]
    groups = {verdict: [f.row for f in findings if f.verdict == verdict] for verdict in rules.SEVEREST_FIRST}
    why = "; ".join(f"{len(rows)} of {len(findings)} {verdict} ({', '.join(rows)})" for verdict, rows in groups.items()
                    if rows)  # fmt: skip
    evidence = ", ".join(dict.fromkeys(finding.evidence for finding in findings))
    return Finding(rules.joined(verdicts), why, f"{len(findings)} rows", evidence=evidence)


def _command(claim: Claim, look: Look) -> str:
    """What reruns a claim: the command of its stored result, then the ledger."""
    options = "" if look.results == RESULTS else f" --results {look.results}"
    options += f" --seed {look.seed}" if look.seed else ""
    first = claim.command.format(results=look.results)
    return f"{first} && ceas claims {claim.id}{options}" if first else f"ceas claims {claim.id}{options}"


def _record(id: str, claim: Claim, look: Look, found: Finding, seconds: float, parent: str) -> dict[str, Any]:
    numbers = look.claimed
    row = numbers["rows"].get(found.row, {})
    low, high = found.claimed or ends(row)
    return {
        "claim": id, "text": numbers["claim"], "tested": found.tested, "number": found.number,
        "number_high": found.number_high, "half_interval": found.half, "error": found.half / rules.TWO_SIDED,
        "units": numbers["units"], "claimed_low": low, "claimed_high": high, "reading": numbers["reading"],
        "verdict": found.verdict, "why": found.why, "command": _command(claim, look),
        "code": claim.code, "evidence": found.evidence, "parent": parent, "seconds": seconds, "curve": found.curve,
    }  # fmt: skip


def _dataset(records: list[dict[str, Any]]) -> xr.Dataset:
    curves: list[Curve | None] = [record.pop("curve") for record in records]
    for record, curve in zip(records, curves):
        record["curve_labels"] = f"{curve.x_label} | {curve.y_label}" if curve else ""
        record["curve_mark"] = curve.mark if curve else math.nan
    names = [record.pop("claim") for record in records]
    columns = {name: ("claim", [record[name] for record in records]) for name in COLUMNS}
    data = xr.Dataset(columns, {"claim": names})
    length = max((np.size(curve.x) for curve in curves if curve), default=0)
    points = np.full((len(POINTS), len(curves), length), np.nan)
    for k, curve in enumerate(curves):
        if curve:
            points[:, k, : np.size(curve.x)] = np.broadcast_arrays(curve.x, curve.y, curve.error)
    for (name, long_name), values in zip(POINTS.items(), points):
        data[name] = ("claim", "point"), values, {"long_name": long_name, "units": "see curve_labels"}
    for name, (long_name, units) in COLUMNS.items():
        data[name].attrs = {"long_name": long_name, "units": units}
    return data
