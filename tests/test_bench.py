"""`ceas bench`: the table's shape and the peers that are not there; no speed is asserted."""

from types import SimpleNamespace

import pytest

import ising
from ceas_physics import bench, cli, footprint, peers

MODEL = ising.ferromagnet(ising.square(8))
FAST = {"rounds": 2, "seconds": 0.02}


def _case(**options):
    return bench.Case("square 8", ">= 1", lambda seed: bench.sampling(MODEL, 0.4, 64, seed=seed), **options)


def _cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_one_case_end_to_end_with_a_peer_that_is_there_and_one_that_is_not():
    def itself(seed):
        return bench.sampling(MODEL, 0.4, 64, seed=seed)

    case = _case(others={"twin": itself, "absent": pytest.fail}, remark=lambda: "tiny")
    speeds = bench.measure([case], {"twin": "1.0"}, seed=0, progress=False, **FAST)
    assert {name: len(values) for name, values in speeds[0].items()} == {bench.OURS: 2, "twin": 2}
    assert all(value > 0 for values in speeds[0].values() for value in values)
    head, rule, line = bench.table([case], speeds, {"twin": "1.0"})
    assert _cells(head) == ["work", "updates/ns", "target", "ours / twin"]
    assert len(_cells(rule)) == len(_cells(line)) == 4
    assert _cells(line)[0] == "square 8 (tiny)"
    assert " .. " in _cells(line)[3]


def test_job_counts_updates():
    assert bench.sampling(MODEL, [0.1, 0.2], 10)(7) == 64 * 2 * 10 * 7
    glass = ising.edwards_anderson(ising.cubic(3), seed=1)
    assert bench.sampling(glass, bench.GLASS_BETAS, 64, **bench.GLASS_OPTIONS)(3) == 27 * 16 * 64 * 3


def test_missing_peers_are_named_and_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(peers, "MODULES", {"mcising": "no_such_module_a", "openjij": "no_such_module_b"})
    assert peers.available() == {}
    assert bench.peer_line({}) == "Peers: none. Not installed: mcising, openjij."
    assert bench.peer_line({"mcising": "1.1.0"}) == "Peers: mcising 1.1.0. Not installed: openjij."


def test_the_command_prints_and_writes_the_tables(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers, "MODULES", {"mcising": "no_such_module"})
    for name in ("square_cases", "graph_cases", "glass_cases", "annealing_cases", "thread_cases"):
        monkeypatch.setattr(bench, name, list)
    monkeypatch.setattr(bench, "square_cases", lambda: [_case()])
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "measure", lambda cases, *_: [{bench.OURS: [1.0, 2.0, 4.0]} for _ in cases])
    monkeypatch.setattr(footprint, "rows", lambda progress: ["| memory | 1 | 2 |"])
    out = tmp_path / "new" / "bench.md"
    assert cli.main(["bench", "--peers", "--quiet", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert out.read_text(encoding="utf-8") == printed
    assert "| square 8 | 2 [1 .. 4] | >= 1 |" in printed
    assert "Not installed: mcising." in printed
    assert bench.machine() in printed
    assert printed.rstrip().endswith("| memory | 1 | 2 |")
    out.write_text("title\n<!-- bench -->\nold\n<!-- /bench -->\nend\n", encoding="utf-8")
    assert cli.main(["bench", "--peers", "--quiet", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == f"title\n<!-- bench -->\n{printed}<!-- /bench -->\nend\n"


def test_every_target_has_its_line():
    cases = [*bench.square_cases(), *bench.graph_cases(), *bench.glass_cases(), *bench.annealing_cases()]
    names = [case.work for case in cases]
    assert len(set(names)) == len(names) == 25
    assert {name for case in cases for name in case.others} == set(peers.MODULES)


def test_anneal_counts_attempts_and_flips():
    model = ising.sherrington_kirkpatrick(128, seed=1)
    attempts, flips = bench._anneal(model, None, 0, 5)
    assert attempts == 128 * 64 * 5
    assert 0 < flips < attempts


def test_a_fresh_process_reports(monkeypatch):
    answer = '{"import": 0.25, "first": 2.0}'
    monkeypatch.setattr(footprint.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=answer))
    lines = footprint._starts()
    assert all(len(_cells(line)) == 3 for line in lines)
    assert _cells(lines[0])[1] == "0.25 [0.25 .. 0.25] s"
