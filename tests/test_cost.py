"""Cost arithmetic: known values by hand, ranges against random points, and the tables that `ceas cost` prints."""

import itertools

import numpy as np
import pytest
import xarray as xr

from ceas_physics import cost, cost_tables
from ceas_physics.cli import main


def test_saving_by_hand():
    assert cost.saving(0.3, 0.0, 0.0, 1.0) == pytest.approx(0.0, abs=1e-15)
    assert cost.saving(1.0, 0.5, 0.9, 2.0) == pytest.approx(0.75)  # half the rows in half the steps
    assert cost.saving(0.0, 0.9, 0.2, 9.0, 1.25) == pytest.approx(1 - 0.8 / 1.25)
    assert cost.saving(0.30, 0.30, 0.20, 2.3, 1.25) == pytest.approx(1 - (0.7 / 2.3 * 0.3 + 0.8 / 1.25 * 0.7))


def test_the_range_holds_every_point_of_the_box_and_its_ends_are_reached():
    boxes = (0.25, 0.35), (0.45, 0.55), (0.22, 0.30), (2.4, 3.2), (1.2, 1.35)
    low, high = cost.saving_range(*boxes)
    points = np.random.default_rng(0).uniform(*np.transpose(boxes), (2000, 5))
    values = [cost.saving(*point) for point in points]
    assert low < min(values) < max(values) < high
    corners = [cost.saving(*corner) for corner in itertools.product(*boxes)]
    assert low in corners
    assert high in corners
    assert cost.saving_range(0.3, 0.3, 0.2, 2.3, 1.25) == pytest.approx([cost.saving(0.3, 0.3, 0.2, 2.3, 1.25)] * 2)


def test_the_low_and_high_ends_of_all_inputs_alone_would_miss_the_range():
    """Where warm-up saves less than the rest, a longer warm-up saves less: the ends do not go together."""
    low, high = cost.saving_range((0.2, 0.8), 0.0, 0.5, 1.0)
    assert (low, high) == pytest.approx((0.1, 0.4))
    assert cost.saving(0.2, 0.0, 0.5, 1.0) == pytest.approx(high)


def test_hours_gpus_and_allocations():
    assert cost.gpu_hours(cost.training_flops(175e9, 300e9)) == pytest.approx(437_500)
    assert cost.gpu_hours(7.2e17, 100e12) == pytest.approx(2.0)
    assert cost.gpus_for_equal_time(1024, 5, 60) == 205
    assert cost.gpus_for_equal_time(512, 100, 48) == 48
    model, data = cost.optimal_allocation([1e18, 1e24], 0.5, 0.5, 0.25, 4.0)
    np.testing.assert_allclose(model * data, [1e18, 1e24])
    model, data = cost.optimal_allocation([1e18, 1e24], 0.55, 0.5, 0.25, 4.0)
    assert np.ptp(np.log(model * data / [1e18, 1e24])) > 0.5  # a + b != 1 shows


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cost.saving(30, 0.3, 0.2, 2.0), "divide percent by 100"),
        (lambda: cost.saving(0.3, 0.3, 0.2, 0.0), "s_warm must be positive"),
        (lambda: cost.gpus_for_equal_time(0, 5), "base must be an integer >= 1"),
        (lambda: cost.gpu_hours(1e18, 0.0), "throughput"),
    ],
)
def test_bad_input_says_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tables_hold_our_figure_beside_the_claimed_one():
    data = cost_tables.tables()
    row = {"knobs": "beta alone", "scale": "9k"}
    assert data.saving.sel(end="low", **row).item() == pytest.approx(1 - (0.55 / 2.4 * 0.25 + 0.78 * 0.75))
    assert data.saving.sel(end="high", **row).item() == pytest.approx(1 - (0.45 / 3.2 * 0.35 + 0.70 * 0.65))
    assert data.saving_claimed.sel(row).values.tolist() == [0.35, 0.52]
    for name in ("saving", "gpus", "hours", "dollars", "dollars_fewer"):
        assert data[name].dims == data[f"{name}_claimed"].dims
    assert data.hours.sel(model="GPT-2").item() == pytest.approx(125.0)
    assert data.parameters_implied.sel(model="GPT-1").item() == pytest.approx(175e9, rel=1e-3)
    assert np.isnan(data.hours.sel(model="GPT-5 class"))
    assert data.gpus.sel(cluster="GPT-3").values.tolist() == [103, 52]
    np.testing.assert_allclose(data.exponent_sum, 1.0)
    assert all({"long_name", "units", "formula"} <= variable.attrs.keys() for variable in data.data_vars.values())


def test_the_command_prints_tables_and_writes_them(tmp_path, capsys):
    assert main(["cost", "--out", str(tmp_path / "cost.nc")]) == 0
    printed = capsys.readouterr().out
    assert "| beta alone | 9k | 35.8% to 49.6% | 35.0% to 52.0% |" in printed
    with xr.open_dataset(tmp_path / "cost.nc") as data:
        assert data.example_saving.item() == pytest.approx(0.46070, abs=1e-5)
