"""Lookups, the search for beta and the bandit: gradients, symmetries, exact answers, and controls that must fail."""

import numpy as np
import pytest
import xarray as xr

from ceas_physics.folders import new_folder
from ceas_physics.search import LookupTask, LookupTraining, bandit, measure, nary_search, summarize
from ceas_physics.search.lookup import Books, Sequences, loss_and_gradient, score
from ceas_physics.search.report import CONTENTS, Plan, report


def problem(task, n_beta=2, size=5, seed=0):
    """Projections, keys and lookups in double precision."""
    books = Books(task, 2, seed)
    drawn = books.draw(books.training, size)
    sequences = Sequences(drawn.queries.astype(float), drawn.labels, drawn.answers)
    projections = np.repeat(books.initial[:, :, None].astype(float), n_beta, axis=2)
    return projections, books.keys.astype(float), sequences


@pytest.mark.parametrize("n_categories", [8, 4])
def test_the_gradient_is_the_slope_of_the_loss(n_categories):
    projections, keys, sequences = problem(LookupTask(8, n_categories, 4, 0.3))
    beta = np.array([0.7, 5.0])
    loss, gradient = loss_and_gradient(projections, keys, sequences, beta)
    assert loss.shape == (2, 2)
    for index in np.ndindex(gradient.shape):
        shift = np.zeros_like(projections)
        shift[index] = 1e-5
        ends = [loss_and_gradient(projections + sign * shift, keys, sequences, beta)[0] for sign in (1, -1)]
        slope = (ends[0] - ends[1])[index[1], index[2]] / 2e-5
        assert gradient[index] == pytest.approx(slope, abs=1e-8, rel=1e-6)


def test_beta_and_the_projections_are_one_gauge():
    """(beta c^2, W/c) is the same head: equal losses, gradients larger by c: descent sees it."""
    projections, keys, sequences = problem(LookupTask(16, 16, 8, 0.2))
    loss, gradient = loss_and_gradient(projections, keys, sequences, np.array([0.5, 2.0]))
    other_loss, other = loss_and_gradient(projections / 3.0, keys, sequences, np.array([4.5, 18.0]))
    np.testing.assert_allclose(other_loss, loss, rtol=1e-12)
    np.testing.assert_allclose(other, 3.0 * gradient, rtol=1e-9)


def test_the_exact_posterior_has_beta_one_over_the_variance():
    """At W_Q^T W_K = 1 the mean slope of the loss in beta vanishes at 1/noise^2, and only there."""
    task = LookupTask(16, 16, 8, 0.4)
    books = Books(task, 1, 3)
    drawn = books.draw(books.training, 40_000)
    scores = drawn.queries[0].astype(float) @ books.keys[0].astype(float).T

    def slope_in_errors(beta):
        weights = np.exp(beta * scores)
        weights /= weights.sum(axis=1, keepdims=True)
        slopes = (weights * scores).sum(axis=1) - scores[drawn.same()[0] == 1.0]
        return slopes.mean() / (slopes.std() / np.sqrt(len(slopes)))

    assert abs(slope_in_errors(task.bayes_beta)) < 4.0
    assert slope_in_errors(0.8 * task.bayes_beta) < -8.0
    assert slope_in_errors(1.25 * task.bayes_beta) > 8.0


@pytest.mark.parametrize("n_categories", [32, 4])
def test_scores_are_those_of_a_plain_loop(n_categories):
    books = Books(LookupTask(32, n_categories, 8, 0.2), 2, 1)
    one = np.broadcast_to(np.eye(8, dtype=np.float32), (2, 2, 2, 8, 8))
    found = score(one, books, np.array([2.0, 25.0], dtype=np.float32))
    for k, beta in enumerate((2.0, 25.0)):
        scores = beta * books.test.queries[1].astype(float) @ books.keys[1].T.astype(float)
        weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        labels, answers = books.test.labels[1], books.test.answers[1]
        by_label = np.array([[w[row == c].sum() for c in range(n_categories)] for w, row in zip(weights, labels)])
        right = by_label[np.arange(len(answers)), answers]
        assert found["accuracy"][k, 1] == pytest.approx((by_label.argmax(axis=1) == answers).mean(), abs=1.01e-3)
        assert found["weight"][k, 1] == pytest.approx(right.mean(), rel=1e-5)
        assert found["loss"][k, 1] == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_labels_are_dealt_evenly_and_a_seed_does_not_see_the_others():
    task = LookupTask(64, 16)
    few, many = Books(task, 2, 5), Books(task, 3, 5)
    np.testing.assert_array_equal(few.test.queries, many.test.queries[:2])
    np.testing.assert_array_equal(few.initial, many.initial[:, :2])
    counts = [np.bincount(row, minlength=16) for row in few.test.labels[0]]
    assert np.all(np.array(counts) == 4)
    assert np.ptp(few.test.answers) == 15
    np.testing.assert_allclose(np.linalg.norm(few.keys, axis=-1), 1.0, rtol=1e-6)


def test_training_leaves_chance_and_each_head_is_alone():
    training = LookupTraining((32, 128), 32, 3e-3)
    data = measure(None, training, (0.25, 4.0), 6, 0, progress=False)
    again = measure(None, training, (4.0,), 2, 0, progress=False)
    np.testing.assert_allclose(again.accuracy[..., 0, :], data.accuracy[:, 1, :2], atol=2.1e-3)
    start = data.accuracy.sel(
        steps=0, beta=0.25
    )  # one code book has a share of lucky keys of its own: errors over seeds
    assert abs(start.mean() - 1 / 64) < 4 * start.std(ddof=1) / np.sqrt(6)
    end = data.accuracy.isel(steps=-1)
    assert np.all(end > 0.2)
    assert np.all(end < data.bayes_accuracy + 0.02)
    np.testing.assert_array_equal(data.identity_accuracy[0], data.identity_accuracy[1])  # the nearest key, at any beta


def test_adam_is_blind_to_a_small_beta_and_descent_is_not():
    betas = (1 / 32, 1 / 8)
    adam = measure(None, LookupTraining((64,), learning_rate=3e-3), betas, 6, 0, progress=False)
    plan = LookupTraining((64,), learning_rate=0.05, optimizer="gradient_descent")
    plain = measure(None, plan, (*betas, 16.0), 6, 0, progress=False)
    gain = adam.accuracy.isel(steps=-1) - adam.accuracy.isel(steps=0)
    assert np.all(gain > 0.1)
    assert abs(gain[1] - gain[0]).mean() < 0.05 * gain.mean()
    still = plain.accuracy.isel(steps=-1) - plain.accuracy.isel(steps=0)
    assert still[:2].mean() < 0.02
    assert np.all(still[2] > 0.8)


def test_a_small_training_set_is_learned_by_heart():
    """Control: with 8 sequences the head does worse on fresh lookups than with ever new ones."""
    results = [
        measure(None, LookupTraining((128,), 32, 3e-3, training_set=size), (4.0,), 6, 0, progress=False).accuracy[-1, 0]
        for size in (8, None)
    ]
    gap = results[1] - results[0]
    assert gap.mean() > 5 * gap.std(ddof=1) / np.sqrt(6)


def curves(peak, noise=0.0, n_seeds=8):
    beta = 2.0 ** np.arange(-4, 7)
    mean = 0.9 - 0.02 * (np.log(beta / peak)) ** 2
    values = mean[None, :, None] + noise * np.random.default_rng(0).standard_normal((1, len(beta), n_seeds))
    data = xr.Dataset({"accuracy": (("steps", "beta", "seed"), values)}, {"steps": [10], "beta": beta})
    return data.assign(bayes_accuracy=("seed", np.full(n_seeds, 1.7)))


def test_summary_finds_the_vertex_of_a_parabola_and_its_crossing():
    found = summarize(curves(3.0))
    assert found.best_beta.item() == pytest.approx(3.0)
    assert found.best_beta_error.item() == pytest.approx(0.0, abs=1e-9)
    left, right = 0.9 - 0.02 * np.log(np.array([0.5, 1.0]) / 3.0) ** 2  # around 0.85, half of 1.7
    crossing = 0.5 * 2.0 ** ((0.85 - left) / (right - left))
    assert found.threshold_beta.item() == pytest.approx(crossing)
    noisy = summarize(curves(3.0, noise=0.004))
    assert abs(np.log(noisy.best_beta / 3.0)) < 4 * noisy.best_beta_error / noisy.best_beta
    assert noisy.plateau_low < 3.0 < noisy.plateau_high
    assert np.isnan(summarize(curves(100.0)).best_beta)  # at the end of the grid: no peak inside


@pytest.mark.parametrize("n", [3, 4, 5, 8])
@pytest.mark.parametrize("peak", [0.05, 6.67, 9.9])
def test_a_single_maximum_is_found_to_tolerance(n, peak):
    found = nary_search(lambda x: -np.abs(x - peak), 0.0, 10.0, n=n, tolerance=1e-3)
    low, high = found.intervals[-1]
    assert low - 1e-12 <= peak <= high + 1e-12
    assert high - low <= 0.01
    rounds = int(np.ceil(np.log(1e-3) / np.log(2 / n)))
    assert found.evaluations == rounds * (n - 1)
    assert "no errors given" in found.statement()


def test_the_second_point_of_a_ternary_search_on_0_to_10():
    assert nary_search(lambda x: x, 0.0, 10.0).points[0].tolist() == pytest.approx([10 / 3, 20 / 3])


def test_a_maximum_outside_is_announced():
    assert "may lie outside" in nary_search(lambda x: x, 0.0, 10.0).statement()
    assert "may lie outside" not in nary_search(lambda x: -((x - 4.0) ** 2), 0.0, 10.0).statement()


def test_two_maxima_can_hide_the_higher_one():
    """Negative control: the objective must have one maximum."""

    def two_peaks(x):
        return np.exp(-((x - 7.0) ** 2)) + 3.0 * np.exp(-(((x - 1.0) / 0.2) ** 2))

    found = nary_search(two_peaks, 0.0, 10.0)
    assert found.best == pytest.approx(7.0, abs=0.1)
    assert two_peaks(1.0) > 2.0 * two_peaks(found.best)


def test_noise_is_told_from_decisions():
    """The resolved interval holds the maximum almost always, the last interval seldom; shared noise cancels."""
    rng = np.random.default_rng(0)
    kept = np.zeros((200, 2), dtype=bool)
    for k in range(len(kept)):
        found = nary_search(lambda x: -((x[:, None] - 6.0) ** 2) / 50 + rng.normal(0, 0.1, (len(x), 8)), 0.0, 10.0)
        ends = found.resolved_interval, found.intervals[-1]
        kept[k] = [low <= 6.0 <= high for low, high in ends]
        assert "2 standard errors" in found.statement()
    assert kept[:, 0].mean() > 0.9
    assert kept[:, 1].mean() < 0.5
    shared = rng.normal(0, 10.0, 8)
    found = nary_search(lambda x: -((x[:, None] - 6.0) ** 2) + shared, 0.0, 10.0)
    assert found.best == pytest.approx(6.0, abs=0.1)
    assert found.unresolved is None


def test_regret_of_the_policies():
    arms = np.array([0.2, 0.5, 0.8, 0.6])
    data = bandit.compare(arms, [1.0, 2.0, 4.0, 8.0], trials=1, pulls=4000, replicas=48, seed=1)
    regret = data.regret.mean("replica")
    pulls = [1000, 4000]
    np.testing.assert_allclose(regret.sel(policy="uniform", pull=pulls), 0.275 * np.array(pulls))  # mean gap, exactly
    other = np.delete(arms, 2)
    gap = 0.8 - other
    # no policy can do better in the long run (Lai & Robbins 1985), and ucb1 no worse (Auer et al. 2002, theorem 1)
    least = np.sum(gap / (other * np.log(other / 0.8) + (1 - other) * np.log((1 - other) / 0.2)))
    most = 8 * np.sum(np.log(4000) / gap) + (1 + np.pi**2 / 3) * gap.sum()
    assert regret.sel(policy="ucb1", pull=4000) < most < regret.sel(policy="uniform", pull=4000)
    growth = (data.regret.sel(pull=4000) - data.regret.sel(pull=1000)) / np.log(4)
    for policy in ("thompson", "ucb1"):
        assert growth.sel(policy=policy).mean() > 0.5 * least
        assert np.all(data.last_beta.sel(policy=policy) == 4.0)
    lead = (data.regret.sel(policy="ucb1") - data.regret.sel(policy="thompson")).isel(pull=-1)
    assert lead.mean() > 5 * lead.std(ddof=1) / np.sqrt(48)


def test_equal_arms_cost_nothing_and_a_seed_repeats():
    assert np.all(bandit.compare([0.5, 0.5], [1.0, 2.0], pulls=50).regret == 0.0)
    pull = bandit.binomial([0.4, 0.6], 8)
    runs = [bandit.play(pull, 2, 8, 40, "thompson", 5, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0] != runs[2])
    first = bandit.play(pull, 2, 8, 2, "ucb1", 5)
    assert np.all(first == [0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LookupTask(64, 10), "divide n_pairs"),
        (lambda: LookupTask(noise=0.0), "noise must be finite and > 0"),
        (lambda: LookupTraining((8, 4)), "lengths must be rising"),
        (lambda: LookupTraining(optimizer="sgd"), "gradient_descent"),
        (lambda: measure(betas=(-1.0,)), "betas must be positive"),
        (lambda: measure(n_seeds=1), "at least 2 seeds"),
        (lambda: nary_search(np.sin, 1.0, 0.0), "low must be under high"),
        (lambda: nary_search(np.sin, 0.0, 1.0, n=2), "n must be at least 3"),
        (lambda: nary_search(lambda x: [1.0], 0.0, 1.0), "must return 2 finite"),
        (lambda: bandit.play(lambda a, r: a, 3, 1, 1, "greedy"), "policy must be one of"),
        (lambda: bandit.compare([0.5, 1.5], [1.0, 2.0]), r"numbers in \[0, 1\]"),
    ],
)
def test_bad_input_says_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_diverged_run_names_the_step():
    plan = LookupTraining((64,), 8, 1e30, "gradient_descent")
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="step"):
        measure(LookupTask(8, 8, 4), plan, (1.0,), 2, 0, progress=False)


def test_the_command_writes_a_folder_that_it_can_replace(tmp_path):
    plan = Plan((0.25, 1.0, 20 / 3), (4, 8), 2, 8, 8, 30, 1, 2)
    out = tmp_path / "search"
    text = report(out, plan, seed=1)
    assert (out / "table.md").read_text(encoding="utf-8") == text
    for part in ("Ternary search", "Bandit", "noise 0.25", "gradient descent", "Redundancy, characters"):
        assert part in text
    names = {path.name for path in out.iterdir()}
    assert {"lookup.nc", "descent.nc", "accuracy.png", "search.png", "regret.png", "redundancy_lookup.png"} <= names
    with xr.open_dataset(out / "lookup.nc") as data:
        assert data.accuracy.dims == ("steps", "beta", "seed")
        assert all({"long_name", "units", "formula"} <= v.attrs.keys() for v in data.data_vars.values())
    with new_folder(out, CONTENTS):
        pass
