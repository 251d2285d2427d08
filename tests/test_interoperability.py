"""Other programs read what we make, and we read what they make: ArviZ, dimod, networkx, xarray, ncdump, Pillow."""

import json
import re
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from itertools import pairwise

import dimod
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from PIL import Image

import analysis
import ising
from ceas_physics import anneal, npu
from ceas_physics.cli import main
from ceas_physics.npu.bqm import from_bqm, to_bqm


@pytest.fixture(scope="module")
def data():
    """Four chains at two temperatures that have forgotten their starts."""
    model = ising.ferromagnet(ising.square(8))
    return ising.sample(model, [0.30, 0.40], ising.Schedule(200, 2000), "heat_bath", 4, seed=1, progress=False)


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the releases to come
        return pytest.importorskip("arviz")


def test_arviz_finds_our_convergence_and_sample_sizes(data, arviz):
    series = data[["energy", "magnetization"]]  # chain and draw have ArviZ's names: nothing is to be converted
    theirs, sizes = arviz.rhat(series), arviz.ess(series, method="mean")
    for name in series:
        assert theirs[name].dims == ("beta",)
        for k in range(data.sizes["beta"]):
            chains = series[name][k].values
            assert theirs[name][k] == pytest.approx(analysis.r_hat(chains), rel=1e-6)
            time = analysis.autocorrelation_time(chains)
            assert abs(chains.size / sizes[name][k] - time.tau) < 3 * time.tau_error  # other windows, the same draws


def test_arviz_sees_chains_that_did_not_mix(data, arviz):
    stuck = data.magnetization + 2 * xr.DataArray(np.arange(4), dims="chain")
    assert arviz.rhat(stuck.to_dataset(name="m")).m.min() > 1.5


@pytest.mark.filterwarnings("ignore::matplotlib.MatplotlibDeprecationWarning")
def test_arviz_draws_and_summarizes_a_sample(data, arviz, tmp_path):
    inference = arviz.InferenceData(posterior=data[["energy"]])
    axes = arviz.plot_trace(inference, coords={"beta": [0.4]})
    assert len(axes[0, 1].lines) == data.sizes["chain"]
    np.testing.assert_array_equal(axes[0, 1].lines[2].get_ydata(), data.energy.sel(beta=0.4, chain=2))
    plt.close("all")
    table = arviz.summary(inference)
    np.testing.assert_allclose(table["mean"], data.energy.mean(["chain", "draw"]), atol=6e-4)
    inference.to_netcdf(tmp_path / "inference.nc", engine="h5netcdf")
    xr.testing.assert_allclose(xr.open_dataset(tmp_path / "inference.nc", group="posterior").energy, data.energy)


def test_a_networkx_graph_comes_back():
    graph = nx.relabel_nodes(nx.random_regular_graph(3, 30, seed=1), lambda node: f"site {node}")
    lattice = ising.from_networkx(graph)
    names = np.array(graph.nodes)
    back = nx.Graph(names[lattice.bonds].tolist())
    assert nx.utils.graphs_equal(back, nx.Graph(graph.edges))
    assert [degree for _, degree in graph.degree] == lattice.degree.tolist()
    distances = dict(
        nx.all_pairs_shortest_path_length(nx.Graph(ising.closed_hyperbolic(5, 4, n_sites=30).bonds.tolist()))
    )
    assert sum(max(row.values()) for row in distances.values()) == 30 * max(distances[0].values())  # all sites alike


def test_a_weighted_graph_is_cut_as_networkx_counts():
    graph = nx.gnp_random_graph(16, 0.4, seed=2)
    for a, b in graph.edges:
        graph.edges[a, b]["weight"] = 1 + (a * b) % 3
    model, decode = npu.max_cut(graph)
    result = anneal(model, sweeps=200, seed=1, progress=False)
    best = decode(result.best_spins.values[result.best_energy.values.argmin()])
    assert best.weight == nx.cut_size(graph, best.left, weight="weight")
    assert result.best_energy.min() == dimod.ExactSolver().sample(to_bqm(model)).first.energy


def test_a_dimod_model_comes_back():
    bqm = dimod.generators.gnp_random_bqm(12, 0.5, "BINARY", random_state=3)
    bqm.relabel_variables({k: f"x{k}" for k in range(12)})
    model, variables = from_bqm(bqm)
    back = to_bqm(model)
    back.offset = model.attrs["offset"]
    back.relabel_variables(dict(enumerate(variables)))
    back.change_vartype("BINARY")
    assert back.is_almost_equal(bqm, places=10)
    lowest = dimod.ExactSolver().sample(bqm).first
    found = npu.CeasSampler().sample(bqm, seed=1, sweeps=200)
    assert found.first.energy == pytest.approx(lowest.energy, abs=1e-12)


PLAIN = """
import json, sys, xarray as xr
data = xr.open_dataset(sys.argv[1])
ours = {"ising", "analysis", "ceas_physics"} & set(sys.modules)
print(json.dumps({"ours": sorted(ours), "sizes": dict(data.sizes), "seed": int(data.attrs["seed"]),
                  "mean": float(data.energy.mean()), "units": data.energy.attrs["units"]}))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.nc"
    assert main(["sample", "--size", "4", "--beta", "0.2,0.3", "--draws", "50", "--seed", "7", "--quiet",
                 "--out", str(path)]) == 0  # fmt: skip
    return path


def test_plain_xarray_reads_a_file(file):
    run = subprocess.run(
        [sys.executable, "-c", PLAIN, file], capture_output=True, text=True, check=True, cwd=file.parent
    )
    seen = json.loads(run.stdout)
    assert seen["ours"] == []
    assert seen["seed"] == 7
    assert seen["sizes"]["draw"] == 50
    with xr.open_dataset(file) as data:
        assert seen["mean"] == data.energy.mean().item()
        assert seen["units"] == data.energy.attrs["units"]


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump (netcdf-bin) is not installed")
def test_ncdump_reads_a_file(file):
    header = subprocess.run(["ncdump", "-h", file], capture_output=True, text=True, check=True).stdout
    assert re.search(r"draw = 50 ;", header)
    assert re.search(r"double energy\(beta, chain, draw\) ;", header)
    assert re.search(r'energy:long_name = ".+" ;', header)
    assert re.search(r":seed = 7L{0,2} ;", header)
    values = subprocess.run(["ncdump", "-v", "beta", "-p", "9,17", file], capture_output=True, text=True, check=True)
    assert re.search(r"beta = 0\.2\d*, 0\.(3|2999)\d* ;", values.stdout)


def film():
    lattice = ising.hyperbolic(7, 3, 3)
    run = ising.sample(ising.ferromagnet(lattice), 0.5, ising.Schedule(0, 5), "heat_bath", 1, configurations=1, seed=1,
                       progress=False)  # fmt: skip
    ax = plt.figure(figsize=(2, 2)).add_subplot()
    return analysis.plots.animate_disk(lattice.coordinates, run.configurations[0, 0], lattice.bonds, ax, interval=80)


def test_a_film_plays(tmp_path):
    """Pillow finds every frame, how long it stays, and that the frames differ."""
    film().save(tmp_path / "film.gif", writer="pillow", fps=12.5, dpi=50)
    with Image.open(tmp_path / "film.gif") as picture:
        frames = []
        for k in range(picture.n_frames):
            picture.seek(k)
            frames.append(np.asarray(picture.convert("RGB")))
            assert picture.info["duration"] == 80
    assert len(frames) == 5
    assert all((a != b).any() for a, b in pairwise(frames))
    plt.close("all")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_film_becomes_a_video(tmp_path):
    film().save(tmp_path / "film.mp4", writer="ffmpeg", fps=12.5, dpi=50)
    count = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    assert subprocess.run([*count, tmp_path / "film.mp4"], capture_output=True, text=True, check=True).stdout == "5\n"
    plt.close("all")


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_torch_model_takes_its_beta_from_the_thermostat():
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from ceas_physics import Thermostat
    from ceas_physics.thermostat.torch_adapter import Thermostatted

    n, d = 32, 8
    heads = Thermostatted(Thermostat(), n_heads=2, d_k=d, context=n, causal=True)
    q, k, v = torch.randn(3, 4, 2, n, d, generator=torch.Generator().manual_seed(1))
    standard = scaled_dot_product_attention(q, k, v, is_causal=True)
    folded = scaled_dot_product_attention(heads.fold(q), k, v, is_causal=True, scale=1.0)
    torch.testing.assert_close(folded, standard)  # before the first step beta is 1 / sqrt(d_k)
