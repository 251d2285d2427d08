"""Ctrl-C: it stops within a second, keeps what is finished, and says how to go on."""

import os
import signal
import threading
import time

import pytest

import ising
from ceas_physics.cli import main
from ising import driver
from ising.store import journal, manifest, sampling

MODEL = ising.ferromagnet(ising.square(6))


@pytest.fixture
def _interruptible():
    """Ctrl-C interrupts, also where the tests were started in the background and inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_when(ready):
    """Press Ctrl-C once that is so."""

    def press():
        while not ready():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("stored", [False, True])
def test_ctrl_c_within_a_draw_keeps_its_sweeps(stored, tmp_path, monkeypatch):
    """A draw that would take hours is cut."""
    looks = []

    class Bar(driver.tqdm):
        def update(self, n=1):
            looks.append(n)

    monkeypatch.setattr(driver, "tqdm", Bar)
    folder, endless = tmp_path / "run" if stored else None, ising.Schedule(0, 1, thin=10**12)
    press_when(lambda: len(looks) > 10)
    with pytest.raises(KeyboardInterrupt):
        ising.sample(MODEL, 0.3, endless, "heat_bath", 4, progress=False, store=folder)
    if stored:
        with sampling.open_store(sampling.stored_plan(folder), folder) as store:
            assert store.checkpoint(0)["swept"] >= sum(looks)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_does_not_wait_for_a_step_without_end():
    at_work, go_on = threading.Event(), threading.Event()

    def step():
        at_work.set()
        yield int(go_on.wait())

    press_when(at_work.is_set)
    with pytest.raises(KeyboardInterrupt):
        driver.run_on_threads([step()], 1, "step", False, 1)
    assert not go_on.is_set()
    go_on.set()


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path, capsys):
    """In less than a second, with hundreds of units waiting."""
    folder, pressed = tmp_path / "run", 0.0

    def press():
        nonlocal pressed
        while not (folder / "manifest.json").exists():
            time.sleep(0.01)
        time.sleep(0.3)
        pressed = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    command = ["sample", "--size", "16", "--draws", "200000", "--beta", "0.1:0.4:8", "--update", "heat_bath",
               "--quiet", "--store", str(folder)]  # fmt: skip
    assert main(command) == 130
    assert pressed
    said = capsys.readouterr().err
    assert f"all that is finished is in {folder}: give the same call again, or `ceas resume {folder}`" in said
    assert len(said.splitlines()) == 1
    assert journal.read_journal(folder, manifest.read_manifest(folder))[0].checkpoints
