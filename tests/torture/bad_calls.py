"""Bad calls of every public function and command, judged: ``python tests/torture/bad_calls.py --count 10000 --seed 0``.

Calls are drawn by Hypothesis and made in worker processes: a call that crashes one, takes more than 10 seconds of its
time, or more than 2 GiB beyond what the process has, is wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import re
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import _paths  # noqa: F401
import calls_of_analysis
import calls_of_ceas
import calls_of_commands
import calls_of_files
import calls_of_ising
import calls_of_knobs
import calls_of_npu
import calls_of_runs
import calls_of_training
import psutil
from bad_values import bad_calls
from calls_of_commands import Surely
from good_calls import Table
from hypothesis import HealthCheck, Phase, given, seed, settings
from judge import Verdict, judge, not_finite

LIMIT_SECONDS = 10.0
LIMIT_BYTES = 2 * 2**30
Bad = tuple[str, dict[str, str]]
MODULES = (
    calls_of_ising,
    calls_of_analysis,
    calls_of_ceas,
    calls_of_training,
    calls_of_knobs,
    calls_of_npu,
    calls_of_runs,
    calls_of_files,
    calls_of_commands,
)


@cache
def good_table() -> Table:
    """Every public call."""
    table = Table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            table.update(module.table())
    return table


def drawn(table: Table, count: int, number: int) -> list[Bad]:
    """The calls of a seed."""
    calls: list[Bad] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(bad_calls(table))
    def collect(call: Bad) -> None:
        calls.append(call)

    collect()
    return calls


def warm_up(table: Table) -> dict[str, frozenset[str]]:
    """Make every good call: which of their results are not finite."""
    found = {}
    for name, call in table.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runs_long = any(isinstance(value, Surely) for value in call.arguments.values())
            found[name] = frozenset() if runs_long else frozenset(not_finite(call.run(**call.arguments)))
    return found


@dataclass(frozen=True)
class Done:
    """A call with its verdict."""

    name: str
    bad: dict[str, str]
    verdict: Verdict
    seconds: float


def make(table: Table, calls: list[Bad], known: dict[str, frozenset[str]]) -> Iterator[Done]:
    """Judge the calls one after another in a worker, which is replaced when it dies or hangs."""
    place, worker, pipe = 0, None, None
    while place < len(calls):
        if worker is None:
            pipe, there = mp.Pipe()
            worker = mp.get_context("fork").Process(target=_work, args=(table, calls, known, there))
            worker.start()
            there.close()
        begin = time.monotonic()
        pipe.send(place)
        verdict = _answer(pipe, worker.pid)
        if verdict.outcome in ("hang", "crash"):
            worker.kill()
            worker.join()
            worker = None
        yield Done(*calls[place], verdict, time.monotonic() - begin)
        place += 1
    if worker is not None:
        worker.kill()
        worker.join()


def _answer(pipe, pid: int) -> Verdict:
    """What the worker says; after 10 seconds of its processor time, or 60 by the clock, it hangs."""
    started, used = time.monotonic(), _cpu(pid)
    while not pipe.poll(0.5):
        if _cpu(pid) - used > LIMIT_SECONDS or time.monotonic() - started > 6 * LIMIT_SECONDS:
            return Verdict("hang")
    try:
        return pipe.recv()
    except EOFError:
        return Verdict("crash")


def _cpu(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _work(table: Table, calls: list[Bad], known: dict[str, frozenset[str]], pipe) -> None:
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    size = psutil.Process().memory_info().vms + LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        name, bad = calls[pipe.recv()]
        pipe.send(judge(table[name], bad, known[name]))


def report(done: list[Done]) -> str:
    """The figure, and the wrong ones by function, arguments and outcome."""
    outcomes = Counter("wrong" if one.verdict.wrong else one.verdict.outcome for one in done)
    lines = [
        f"{len(done)} calls: {outcomes['raised']} raised, {outcomes['succeeded']} succeeded, {outcomes['wrong']} wrong"
    ]
    groups: dict[tuple[str, ...], list[Done]] = {}
    for one in done:
        if one.verdict.wrong:
            groups.setdefault((one.name, ", ".join(sorted(one.bad)), one.verdict.outcome), []).append(one)
    for (name, arguments, outcome), members in sorted(groups.items()):
        values = "; ".join(", ".join(member.bad.values()) for member in members[:3])
        detail = " ".join(members[0].verdict.detail.split())[:110]
        lines.append(f"{len(members):4} {name}({arguments}) {outcome} [{values}] {detail}")
    return "\n".join(lines)


def run(count: int, number: int, only: str = "") -> list[Done]:
    """Draw and judge."""
    table = Table({name: call for name, call in good_table().items() if re.search(only, name)})
    known = warm_up(table)
    return list(make(table, drawn(table, count, number), known))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a regular expression for the names of the functions")
    options = parser.parse_args()
    done = run(options.count, options.seed, options.only)
    slowest = sorted(done, key=lambda one: -one.seconds)[:3]
    slow = "; ".join(f"{one.name} {one.bad} {one.seconds:.1f} s" for one in slowest)
    sys.stdout.write(f"{report(done)}\nslowest: {slow}\n")
    return int(any(one.verdict.wrong for one in done))


if __name__ == "__main__":
    sys.exit(main())
