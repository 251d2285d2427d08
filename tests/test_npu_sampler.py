import unittest

import numpy as np
import pytest

import ising

dimod = pytest.importorskip("dimod")
testing = pytest.importorskip("dimod.testing")

from ceas_physics.npu.bqm import from_bqm, to_bqm  # noqa: E402
from ceas_physics.npu.sampler import CeasSampler  # noqa: E402


class QuickSampler(CeasSampler):
    """With fewer reads and sweeps, for the many cases of dimod."""

    def sample(self, bqm, **parameters):
        return super().sample(bqm, **({"num_reads": 3, "sweeps": 20, "threads": 1} | parameters))


@testing.load_sampler_bqm_tests(QuickSampler)
class TestEverySmallModelOfDimod(unittest.TestCase):
    pass


def random_bqm(vartype, seed):
    rng = np.random.default_rng(seed)
    labels = ["a", 1, ("b", 2), "c", 7, "d", "e", 10]
    bqm = dimod.BinaryQuadraticModel(vartype)
    for i, label in enumerate(labels):
        bqm.add_linear(label, rng.normal())
        for j in range(i):
            bqm.add_quadratic(label, labels[j], rng.normal())
    bqm.offset = 1.5
    return bqm


def test_interface():
    testing.assert_sampler_api(CeasSampler())


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_ground_states_are_those_of_the_exact_solver(vartype):
    for seed in range(3):
        bqm = random_bqm(vartype, seed)
        found = CeasSampler().sample(bqm, num_reads=16, sweeps=100, seed=seed)
        assert found.vartype is bqm.vartype
        assert len(found) == 16
        testing.assert_sampleset_energies(found, bqm)
        assert found.first.energy == pytest.approx(dimod.ExactSolver().sample(bqm).first.energy)


def test_same_seed_same_samples_and_a_new_one_by_default():
    bqm = random_bqm("SPIN", 4)
    one, two = (CeasSampler().sample(bqm, num_reads=70, sweeps=10, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.record.sample, two.record.sample)
    fresh = CeasSampler().sample(bqm, num_reads=70, sweeps=1)
    again = CeasSampler().sample(bqm, num_reads=70, sweeps=1, seed=fresh.info["seed"])
    np.testing.assert_array_equal(fresh.record.sample, again.record.sample)
    assert set(fresh.info["timing"]) == {"preprocessing_ns", "sampling_ns", "postprocessing_ns"}
    assert min(fresh.info["timing"].values()) >= 0


def test_target_energy_counts_the_offset():
    """A target that is the ground energy of dimod, offset included, ends a run that would last a minute."""
    bqm = random_bqm("BINARY", 6)
    ground = dimod.ExactSolver().sample(bqm).first.energy
    found = CeasSampler().sample(bqm, num_reads=8, seed=1, time_limit=60.0, target_energy=ground + 1e-6)
    assert found.first.energy == pytest.approx(ground)
    assert found.info["timing"]["sampling_ns"] < 50e9


def test_one_read_that_is_at_the_target():
    """The 63 machines simulated beside it must not end the run."""
    bqm = random_bqm("SPIN", 3)
    ground = dimod.ExactSolver().sample(bqm).first.energy
    for seed in range(4):
        found = CeasSampler().sample(bqm, num_reads=1, seed=seed, time_limit=60.0, target_energy=ground)
        assert found.first.energy == pytest.approx(ground)


def test_views_labels_and_isolated_variables():
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, ("x", 1): 0.0, 7: -0.5}, {("a", 7): 2.0}, 3.0, "SPIN")
    for view in (bqm, bqm.binary, dimod.DictBQM(bqm), dimod.Float32BQM(bqm)):
        found = CeasSampler().sample(view, num_reads=16, seed=1)
        assert set(found.variables) == {"a", ("x", 1), 7}
        assert found.vartype is view.vartype
        np.testing.assert_allclose(found.record.energy, view.energies(found))
        assert found.first.energy == pytest.approx(-0.5)


def test_round_trip():
    rng = np.random.default_rng(7)
    lattice = ising.random_regular(10, 3, seed=1)
    model = ising.IsingModel(lattice, rng.normal(size=15), rng.normal(size=10))
    back, variables = from_bqm(to_bqm(model))
    assert variables == list(range(10))
    spins = rng.choice([-1, 1], (20, 10))
    np.testing.assert_allclose(back.energy(spins) + back.attrs["offset"], model.energy(spins), atol=1e-12)
    np.testing.assert_allclose(to_bqm(model).energies((spins, variables)), model.energy(spins), atol=1e-12)


def test_edges():
    empty = CeasSampler().sample(dimod.BinaryQuadraticModel("SPIN"))
    assert len(empty) == 0
    flat = CeasSampler().sample(dimod.BinaryQuadraticModel({0: 0.0, 1: 0.0}, {}, 2.5, "BINARY"), num_reads=5, seed=1)
    assert (flat.record.energy == 2.5).all()
    with pytest.raises(ValueError, match="no variables"):
        from_bqm(dimod.BinaryQuadraticModel("SPIN"))
    with pytest.raises(ValueError, match="finite"):
        from_bqm(dimod.BinaryQuadraticModel({0: 1.0}, {}, np.inf, "SPIN"))
    for other in (dimod.ConstrainedQuadraticModel(), dimod.QuadraticModel()):
        with pytest.raises(ValueError, match="takes a binary quadratic model"):
            CeasSampler().sample(other)
    with pytest.raises(ValueError, match="target_energy must be a number"):
        CeasSampler().sample(random_bqm("SPIN", 1), target_energy="low")
    with pytest.raises(ValueError, match="num_reads must be an integer >= 1"):
        CeasSampler().sample(random_bqm("SPIN", 1), num_reads=0)
    with pytest.warns(dimod.exceptions.SamplerUnknownArgWarning):
        CeasSampler().sample(random_bqm("SPIN", 1), num_reads=2, sweeps=2, annealing_time=20)
