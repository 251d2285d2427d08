"""`ceas scaling FILE...`: files of several sizes to tables, fits and pictures, and what it refuses."""

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import sample

from ceas_physics.cli import main
from ceas_physics.scaling_files import read_sizes

SIZES = (64, 256, 1024)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files as of `ceas sample` on complete graphs: one size each, no coordinate L."""
    folder, rng, paths = tmp_path_factory.mktemp("runs"), np.random.default_rng(1), []
    for n in SIZES:
        data = sample(n, 1 + np.linspace(-2, 2, 11) / np.sqrt(n), 16, 400, rng).drop_vars("L")
        data = data.assign_coords(momentum=np.nan)
        data.attrs |= {"model": "ferromagnet", "lattice": f"complete({n})", "model_J": 1 / n, "model_h": 0.0}
        paths.append(folder / f"{n}.nc")
        data.to_netcdf(paths[-1])
    return paths


def run(paths, out) -> int:
    return main(["scaling", *map(str, paths), "--out", str(out), "--quiet"])


def test_files_of_three_sizes_make_fits_and_pictures(files, tmp_path, capsys):
    assert run(files[::-1], tmp_path / "out") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"summary.nc", "crossings.nc", "critical.nc", "scaling.nc", "collapse.nc", "table.md", "drift.png",
                     "collapse.png", "binder.png", "specific_heat.png", "susceptibility_connected.png"}  # fmt: skip
    with xr.open_dataset(tmp_path / "out" / "scaling.nc") as fit:
        assert abs(fit["beta_c"].item() - 1) < 4 * fit["beta_c_error"].item()
        assert (fit["smallest"].item(), fit["largest"].item(), fit["nu"].item()) == (64, 1024, 0.5)
    with xr.open_dataset(tmp_path / "out" / "collapse.nc") as fit:
        assert abs(fit["exponent"].item() - 2) < 4 * fit["exponent_error"].item()  # chi ~ N^(1/2), L = N^(1/4)
    text = (tmp_path / "out" / "table.md").read_text()
    assert text.count("\n") == 5
    assert text in capsys.readouterr().out
    assert run(files, tmp_path / "out") == 0  # replaces a result of its own


def test_one_file_with_a_dimension_of_sizes(tmp_path):
    rng = np.random.default_rng(2)
    sizes = [sample(n, np.linspace(0.9, 1.2, 13), 8, 300, rng) for n in (64, 256)]
    xr.concat(sizes, "L", coords=["n_sites"]).to_netcdf(tmp_path / "sizes.nc")
    assert [int(size["n_sites"]) for size in read_sizes([tmp_path / "sizes.nc"])] == [64, 256]
    assert run([tmp_path / "sizes.nc"], tmp_path / "out") == 0
    assert not (tmp_path / "out" / "scaling.nc").exists()  # two sizes: crossings only


def test_a_fit_that_is_not_possible_is_said(files, tmp_path, capsys):
    coarse = []
    for path in files:
        with xr.open_dataset(path) as data:
            coarse.append(tmp_path / path.name)
            data.isel(beta=[0, 4, 6, 10]).to_netcdf(coarse[-1])
    assert run(coarse, tmp_path / "out") == 0
    assert "no scaling fit: " in capsys.readouterr().err


def changed(path, folder, name, change) -> object:
    with xr.open_dataset(path) as data:
        change(data.load()).to_netcdf(folder / name)
    return folder / name


def test_refusals(files, tmp_path, capsys):
    def refused(paths, message):
        assert run(paths, tmp_path / "out") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    refused(files[:1], "at least two different sizes, got one")
    refused([files[0], files[0]], "both hold 64 sites")
    refused([files[0], tmp_path / "none.nc"], "is no file")
    (tmp_path / "text.nc").write_text("no data")
    refused([tmp_path / "text.nc", files[0]], "no NetCDF file that can be read")
    table = changed(files[0], tmp_path, "table.nc", lambda data: data.mean("draw"))
    refused([table, files[1]], "is no run file")
    flat = changed(files[0], tmp_path, "flat.nc", lambda data: data.assign_attrs(lattice="square(8)", dimension=2))
    refused([flat, files[1]], "does not tell its size")
    square = changed(flat, tmp_path, "square.nc", lambda data: data.assign_attrs(lattice_L=8))
    refused([files[1], square], "different models: lattice is 'complete'")
    strong = changed(files[1], tmp_path, "strong.nc", lambda data: data.assign_attrs(model_J=0.01))
    refused([files[0], strong], "different models: model_J is 1.0")
    apart = changed(files[2], tmp_path, "apart.nc", lambda data: data.assign_coords(beta=data.beta + 1))
    refused([files[0], apart], "does not cross within the beta range")
