"""Benchmark of annealers: success probability and TTS99, targets of instances, solvers, table and pictures."""

import numpy as np
import pytest

import ising
from ceas_physics import cli
from ceas_physics.npu import PBit, bench_instances, bench_peers, bench_report, bench_solvers
from ceas_physics.npu.bench_instances import agree, cubic_glass, flat_glass, gset, gset_folder, mean_field_glass
from ceas_physics.npu.bench_report import Plan, measure
from ceas_physics.npu.bench_solvers import Lengths, Solver, Trial, replica_exchange
from ceas_physics.npu.film import film
from ceas_physics.npu.success import largest_probability, success_correlation, time_to_solution, tts

TINY = Plan(rounds=2, seconds=0.01)


def _coin(p):
    """A solver that finds -1 in a share p of its runs of a second, -0 else."""

    def prepare(instance):
        def run(seed):
            hit = np.random.default_rng(seed).random() < p
            return Trial(1.0, np.array([[instance.target if hit else instance.target + 1.0]]), 2.0)

        return run

    return Solver(f"coin {p}", prepare)


def test_tts_is_the_time_after_which_99_percent_of_repeated_runs_have_succeeded():
    np.testing.assert_allclose(tts(3.0, [0.9, 1 - 0.01 ** (1 / 7)]), [6.0, 21.0])
    assert tts(3.0, 0.0) == np.inf
    assert tts(3.0, 0.99) == tts(3.0, 1.0) == pytest.approx(3.0)
    rng, p = np.random.default_rng(1), 0.2
    waiting = rng.geometric(p, 200_000)  # runs until the first success
    n = int(np.ceil(tts(1.0, p)))
    share = (waiting <= n).mean()
    assert abs(share - (1 - (1 - p) ** n)) < 5 * np.sqrt(0.01 / 200_000)
    assert share >= 0.99 > (waiting <= n - 1).mean()


def test_without_a_hit_the_bound_is_that_of_its_confidence():
    bound = largest_probability(20)
    assert (1 - bound) ** 20 == pytest.approx(0.05)
    none = time_to_solution(np.full(20, 2.0), np.zeros(20))
    assert none.seconds == none.high == np.inf
    assert none.low == pytest.approx(float(tts(2.0, bound)))
    assert str(none).startswith("> ")


def test_without_a_miss_the_upper_end_is_that_of_its_confidence():
    every = time_to_solution(np.full(4, 2.0), np.ones(4))
    assert every.seconds == every.low == pytest.approx(2.0)
    assert every.high == pytest.approx(float(tts(2.0, 0.05**0.25)))


def test_bootstrap_interval_covers_the_true_tts_as_often_as_it_says():
    rng, p, trials = np.random.default_rng(2), 0.3, 150
    covered = 0
    for k in range(trials):
        found = time_to_solution(np.ones(60), rng.random(60) < p, seed=k)
        covered += found.low <= float(tts(1.0, p)) <= found.high
    # The percentile bootstrap of a binomial share with n = 60 covers 92 to 95 %.
    assert 0.92 - 4 * np.sqrt(0.92 * 0.08 / trials) < covered / trials < 0.95 + 4 * np.sqrt(0.95 * 0.05 / trials)


def test_dependent_members_of_a_word_are_one_run():
    case = bench_instances.Instance("x", "SK Gaussian", 2, ising.ferromagnet(ising.chain(3)), -3.0, "exact")
    word = np.full((1, 64), -3.0)
    one = bench_report.summary(case, [Trial(1.0, word), Trial(1.0, word + 1.0)])
    assert (one.runs, one.hits) == (2, 1)
    four = bench_report.summary(case, [Trial(4.0, np.array([[-3.0], [-1.0], [-1.0], [-1.0]]))])
    assert (four.runs, four.hits, four.seconds) == (4, 1, pytest.approx(float(tts(1.0, 0.25))))


def test_correlation_of_successes_is_that_of_the_words():
    """Words whose probability is beta-distributed have rho = 1/(a + b + 1); independent members have none."""
    rng = np.random.default_rng(3)
    a, b, words = 2.0, 5.0, 400
    together = rng.random((words, 64)) < rng.beta(a, b, (words, 1))
    apart = rng.random((words, 64)) < a / (a + b)
    found, none = success_correlation(together), success_correlation(apart)
    assert abs(found.value - 1 / (a + b + 1)) < 4 * found.error
    assert 0 < found.error < 0.02
    assert abs(none.value) < 4 * none.error
    assert none.error < 0.002
    assert found.value > 10 * found.error
    assert found.inflation == pytest.approx(1 + 63 * found.value)
    for bad in (np.ones((4, 4)), np.zeros((4, 4)), np.ones(4), [[1, 0], [0, 1]]):
        with pytest.raises(ValueError, match="words"):
            success_correlation(bad)


@pytest.mark.parametrize(("seconds", "hits"), [([], []), ([1.0], [True, False]), ([[1.0]], [[True]])])
def test_bad_runs_are_refused(seconds, hits):
    with pytest.raises(ValueError, match="one entry a run"):
        time_to_solution(seconds, hits)


def test_bad_probabilities_are_refused():
    with pytest.raises(ValueError, match="probability"):
        tts(1.0, 1.1)
    with pytest.raises(ValueError, match="goal"):
        tts(1.0, 0.5, goal=1.0)


def test_known_probability_comes_back_with_its_rounds_and_energy():
    case = flat_glass(4)
    data = measure([case], [_coin(0.5), _coin(0.0)], Plan(rounds=3, seconds=60.0), progress=False)
    found = data.isel(instance=0, solver=0)
    assert data.attrs["rounds"] == 3
    assert found.runs == 180
    assert abs(found.probability - 0.5) < 5 * np.sqrt(0.25 / 180)
    assert found.tts_low < float(tts(1.0, 0.5)) < found.tts_high
    assert found.energy_to_solution == pytest.approx(float(tts(2.0, found.probability)))
    assert found.tts == pytest.approx(float(tts(1.0, found.probability)))
    assert found.tts_rounds.min() < found.tts < found.tts_rounds.max()
    assert data.isel(instance=0, solver=1).tts == np.inf


def test_exact_targets_are_those_of_enumeration():
    case = flat_glass(4, seed=3)
    codes = np.arange(2**16)[:, None] >> np.arange(16) & 1
    assert case.target == case.model.energy(2 * codes - 1).min()
    assert case.source == "exact"
    assert flat_glass(5, free=True).source == "exact"
    assert flat_glass(32).target is None


def test_putative_means_that_two_agree():
    case = cubic_glass(3)
    assert agree(case, [-50.0, -54.0, -54.0]).source == "putative"
    alone = agree(case, [-50.0, -54.0])
    assert (alone.source, alone.target) == ("one method", -54.0)
    exact = flat_glass(4)
    assert agree(exact, [exact.target + 4]) is exact
    with pytest.raises(ValueError, match="below the exact"):
        agree(exact, [exact.target - 4])
    with pytest.raises(ValueError, match="no target"):
        case.solved(-1.0)


def test_gset_files_are_given_by_their_folder(tmp_path):
    (tmp_path / "G11.txt").write_text("3 2\n1 2 1\n2 3 -1\n", encoding="utf-8")
    (case,) = gset_folder(tmp_path)
    assert (case.name, case.target, case.source) == ("G11", 0.0 - 2 * 564, "published")
    with pytest.raises(ValueError, match="holds none of"):
        gset_folder(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="best cut of"):
        gset(tmp_path / "G999.txt")


def test_every_solver_finds_small_ground_states(monkeypatch):
    short = Lengths(200, 800, 100, 0.16, 0.8, 8, 64)
    monkeypatch.setattr(bench_solvers, "LENGTHS", dict.fromkeys(bench_solvers.LENGTHS, short))
    cases = [flat_glass(4), mean_field_glass(12)]
    data = measure(cases, bench_solvers.solvers(), TINY, progress=False)
    suits = ~np.isnan(data.probability)
    assert data.probability.where(suits, 1.0).min() == 1.0
    assert set(data.solver.values[~suits.sel(instance=cases[1].name).values]) == {"replica exchange, isoenergetic"}
    assert suits.values.sum() == 2 * 10 - 1
    assert data.source.values.tolist() == ["exact", "putative"]
    devices = ~data.solver.str.startswith("replica exchange")
    assert (data.energy_to_solution.isel(solver=devices.values) > 0).all()
    text = bench_report.markdown(data, {})
    assert "Peers: none. Not installed: dwave-samplers" in text
    assert text.count("### ") == 2
    rows = [line.split("|") for line in text.splitlines() if line.startswith(("| instance", "| glass", "| SK"))]
    assert rows[0][3].strip() == "our replica exchange"
    seconds = float(data.tts.sel(solver="p-bit, corridor")[0])
    assert rows[1][5].split()[0] == f"{seconds:.2g}"
    fixed = data.tts.where(data.solver.isin([*data.solver.values[:3], *data.solver.values[4:8]]), drop=True)
    assert f"{float(fixed[0].min()):.2g} [" in rows[1][4]
    codes = np.arange(2**12)[:, None] >> np.arange(12) & 1
    assert data.target.values[1] == pytest.approx(cases[1].model.energy(2 * codes - 1).min())


def test_the_state_of_a_first_hit_is_that_of_the_same_run_ended_there():
    case = cubic_glass(4)
    betas = bench_solvers.ladder(bench_solvers.LENGTHS["glass 3D"], bench_solvers.couplings_of(case.model))
    options = {"chains": 64, "seed": 5, "exchange": True, "isoenergetic": 10, "observables": ["energy"],
               "progress": False, "threads": 1}  # fmt: skip
    data = ising.sample(case.model, betas, ising.Schedule(0, 60), **options)
    b, chain, draw = np.unravel_index(data.energy.values.argmin(), data.energy.shape)
    ended = ising.sample(case.model, betas, ising.Schedule(0, int(draw) + 1), **options)
    assert case.model.energy(ended.spins.values[b, chain]) == pytest.approx(64 * data.energy.values.min())


def test_schedules_are_resolved_once():
    model = flat_glass(6).model
    corridor = bench_solvers.resolve(model, PBit("sweep"), "corridor")
    assert corridor.beta_c > 0
    assert 0 < corridor.entropy_c < np.log(2)
    path = bench_solvers.resolve(model, PBit("sweep"), "thermodynamic")(np.linspace(0, 1, 11))
    assert (np.diff(path) >= 0).all()
    assert bench_solvers.resolve(model, PBit("sweep"), "linear") == "linear"


def test_peers_that_are_there_find_the_ground_state(monkeypatch):
    found = bench_peers.available()
    found.pop("simulated-bifurcation", None)  # loading torch and compiling take half a minute
    short = Lengths(50, 500, 50, 0.16, 0.8, 8, 64)
    monkeypatch.setattr(bench_peers, "LENGTHS", dict.fromkeys(bench_solvers.LENGTHS, short))
    monkeypatch.setattr(bench_peers, "TABU_SECONDS", 0.05)
    sides = bench_peers.peer_solvers(found)
    assert len(bench_peers.peer_solvers(dict.fromkeys(bench_peers.MODULES, "1"))) == 4
    if not sides:
        pytest.skip("no peer is installed")
    data = measure([flat_glass(4)], sides, TINY, progress=False)
    assert (data.lowest_energy == data.target).all()


def test_film_follows_any_path():
    model = ising.ferromagnet(ising.hyperbolic(7, 3, 2))
    assert film(model, [0.5, 1.0, 1.0, 0.0], seed=1).shape == (4, model.lattice.n_sites)
    with pytest.raises(ValueError, match="finite"):
        film(model, [np.nan])


def test_film_of_an_anneal_ends_ordered():
    model = ising.ferromagnet(ising.square(6))
    frames = film(model, np.geomspace(0.1, 2.0, 30), sweeps=10, seed=1)
    assert frames.shape == (30, 36)
    assert model.energy(frames[-1]) == -72 < model.energy(frames[0])
    with pytest.raises(ValueError, match="sweeps"):
        film(model, [0.5], sweeps=0)


def test_command_writes_table_pictures_and_dataset(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench_report, "instances", lambda quick, folder: [flat_glass(4), cubic_glass(3)])
    monkeypatch.setattr(bench_report, "QUICK", TINY)
    monkeypatch.setattr(bench_report, "solvers", lambda: [replica_exchange(), replica_exchange(isoenergetic=10)])
    out = tmp_path / "bench"
    for _ in range(2):  # the second replaces the first
        assert cli.main(["bench", "anneal", "--quick", "--quiet", "--out", str(out)]) == 0
        assert {path.name for path in out.iterdir()} == {"bench.nc", "table.md", "tts_0.png", "tts_1.png"}
        assert (out / "table.md").read_text(encoding="utf-8") in capsys.readouterr().out
