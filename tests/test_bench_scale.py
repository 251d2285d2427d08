"""`ceas bench scale`: what it counts and the shape of its tables; no speed is asserted."""

import sys
import time

import pytest

import ising
from ceas_physics import bench_scale, cli
from ceas_physics.bench_scale import Scaled


def test_a_worker_that_had_half_a_core_is_judged_by_half_a_core():
    found = {
        1: [Scaled(10.0, 10e9, 10.0, 0.0)],
        4: [Scaled(20.0, 40e9, 40.0, 40.0)],
        2: [Scaled(20.0, 20e9, 20.0, 0.0)],
    }
    lines = bench_scale.weak_table(1e9, found, 2)
    cells = {line.split("|")[1].strip(): [cell.split()[0] for cell in line.split("|")[2:-1]] for line in lines[2:]}
    assert cells["1"] == ["10", "1", "1", "1"]
    assert cells["4 (more than 2 cores)"] == ["20", "2", "2", "1"]
    assert cells["2"] == ["20", "1", "2", "0.5"]  # its workers idled, half of the time


def test_what_the_busiest_thread_ran():
    before, began = bench_scale.thread_times(), time.process_time()
    while time.process_time() < began + 0.2:
        pass
    assert bench_scale.busiest(before, bench_scale.thread_times())[0] > 0.1
    assert bench_scale.busiest({"1": (5, 1), "2": (1, 1)}, {"1": (6, 1), "2": (4, 2), "3": (2, 9)}) == (3, 1)


def test_store_overhead():
    rounds = [
        bench_scale.Round((20.0, 10.0), (20.0 * wall, 10.0 * own), 1e9)
        for wall, own in ((1.02, 1), (1.1, 1.03), (1, 1))
    ]
    line = bench_scale.store_table(bench_scale.store_cases()[:1], [rounds])[2]
    assert line.endswith("| 10.0 s | 100.0 | +0.0 % [+0.0 .. +3.0] | +2.0 % [+0.0 .. +10.0] | < 5 % |")


def test_the_command_prints_and_writes_the_tables(monkeypatch, tmp_path, capsys):
    pytest.importorskip("distributed")
    for name, value in {"WORKERS": (1,), "ROUNDS": 1, "SECONDS": 0.02, "RUN_SECONDS": 0.02, "UNITS": 1}.items():
        monkeypatch.setattr(bench_scale, name, value)
    small = [bench_scale.Stored("tiny", {"model": ising.ferromagnet(ising.square(4)), "beta": 0.4}, 2)]
    monkeypatch.setattr(bench_scale, "store_cases", lambda: small)
    out = tmp_path / "scale.md"
    out.write_text("title\n<!-- bench scale -->\nold\n<!-- /bench scale -->\nend\n", encoding="utf-8")
    assert cli.main(["bench", "scale", "--quiet", "--out", str(out)]) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert out.read_text(encoding="utf-8") == f"title\n<!-- bench scale -->\n{printed}<!-- /bench scale -->\nend\n"
    assert "| workers | seconds | updates/ns | cores had | efficiency |" in printed
    assert "| tiny |" in printed


def test_dask_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["bench", "scale", "--quiet"]) == 2
    assert "pip install 'ceas-physics[dask]'" in capsys.readouterr().err
