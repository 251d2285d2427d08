"""Work units on a Dask cluster: the bits of one core, whatever happens to the workers."""

import math
import os
import signal
import threading
import time

import pytest
import xarray as xr

import ising
from ising import cluster

distributed = pytest.importorskip("distributed")

GLASSES = ising.edwards_anderson(ising.square(6), seed=1, disorder=2)
CASES = {
    "bits": (
        ising.ferromagnet(ising.square(6)),
        [0.3, 0.4],
        {"chains": 70, "update": "heat_bath", "configurations": 7},
    ),
    "exchange": (GLASSES, [0.3, 0.4], {"chains": 4, "exchange": True}),
    "wolff": (ising.ferromagnet(ising.square(6)), [0.3], {"update": "wolff", "chains": 5}),
    "arrays": (ising.from_matrix([[0, 2, 0], [2, 0, -1], [0, -1, 0]], [0.1, 0, 0]), 0.3, {"initial": [1, 1, -1]}),
}
LONG = (ising.ferromagnet(ising.square(32)), [0.40, 0.42, 0.44], ising.Schedule(500, 6_000))
SHORT = ising.Schedule(3, 15)


def run(model, beta, schedule=SHORT, **options):
    return ising.sample(model, beta, schedule, progress=False, **options)


def run_long(**options):
    return run(*LONG, update="wolff", chains=6, **options)


@pytest.fixture(scope="module")
def client():
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**settings) as workers, distributed.Client(workers) as client:
        yield client


@pytest.fixture
def short_tasks(monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS", 0.2)
    monkeypatch.setattr(cluster, "COMMIT", 0.1)


@pytest.mark.parametrize("case", CASES)
def test_the_bits_of_one_core(case, client, tmp_path, monkeypatch):
    """A task is one step: every unit moves between the workers again and again."""
    monkeypatch.setattr(cluster, "SECONDS", 0.0)
    monkeypatch.setattr(cluster, "RATE", math.inf)
    model, beta, options = CASES[case]
    plain = run(model, beta, threads=1, **options)
    xr.testing.assert_identical(run(model, beta, threads=4, **options), plain)
    xr.testing.assert_identical(run(model, beta, client=client, **options), plain)
    stored = run(model, beta, client=client, store=tmp_path / "run", **options)
    xr.testing.assert_identical(stored.load(), plain)


def test_another_seed_is_seen(client):
    """The comparison can fail."""
    model, beta, options = CASES["wolff"]
    assert not run(model, beta, client=client, seed=1, **options).identical(run(model, beta, **options))


def test_a_cluster_lengthens_what_threads_began(client, tmp_path):
    model, beta, options = CASES["exchange"]
    run(model, beta, store=tmp_path / "run", **options).close()
    longer = run(model, beta, ising.Schedule(3, 40), client=client, store=tmp_path / "run", **options)
    xr.testing.assert_identical(longer.load(), run(model, beta, ising.Schedule(3, 40), **options))


def test_sizes(client, tmp_path):
    models = {L: ising.ferromagnet(ising.square(L)) for L in (4, 6)}
    call, options = (models, 0.3, ising.Schedule(5, 30)), {"chains": 4, "progress": False}
    plain = ising.sample_sizes(*call, **options)
    xr.testing.assert_identical(ising.sample_sizes(*call, client=client, **options), plain)
    stored = ising.sample_sizes(*call, client=client, store=tmp_path / "run", **options)
    xr.testing.assert_identical(stored.load(), plain)


def when_kept(store, act):
    """Acts in a thread of its own as soon as something is kept."""

    def wait():
        while not (store / "journal.jsonl").exists():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_worker_is_killed_and_one_joins(client, tmp_path, short_tasks):
    """A third worker comes and one of the first goes, both in the middle."""
    before, working = set(client.run(os.getpid).values()), []

    def disturb():
        client.cluster.scale(3)
        working.append(sum(len(worker.processing) > 0 for worker in client.cluster.scheduler.workers.values()))
        os.kill(min(before), signal.SIGKILL)

    thread = when_kept(tmp_path / "run", disturb)
    data = run_long(client=client, store=tmp_path / "run")
    thread.join()
    assert working[0] > 0
    client.wait_for_workers(3, timeout=60)
    assert min(before) not in client.run(os.getpid).values()
    xr.testing.assert_identical(data.load(), run_long(threads=2))


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(client, tmp_path, short_tasks):
    thread = when_kept(tmp_path / "run", lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match="ceas resume"):
        run_long(client=client, store=tmp_path / "run")
    thread.join()
    assert (tmp_path / "run" / "journal.jsonl").stat().st_size > 0
    xr.testing.assert_identical(run_long(client=client, store=tmp_path / "run").load(), run_long(threads=2))


def test_the_scheduler_goes(tmp_path, short_tasks):
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    workers = distributed.LocalCluster(**settings)
    with distributed.Client(workers) as client:
        thread = when_kept(tmp_path / "run", workers.close)
        with pytest.raises(cluster.ClusterError, match=r"the scheduler of the cluster is gone.*ceas resume"):
            run_long(client=client, store=tmp_path / "run")
        thread.join()


def test_workers_with_other_versions_are_refused(client, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda name: "0.0.1")
    with pytest.raises(
        ValueError, match=r"a worker has ceas-physics .*, the caller 0\.0\.1; install the same versions"
    ):
        run(*CASES["wolff"][:2], client=client)


def test_not_a_client():
    with pytest.raises(ValueError, match=r"client must be a distributed\.Client"):
        run(*CASES["wolff"][:2], client="tcp://here:8786")
