"""The annealer as a sampler of dimod: a program written for other annealers runs on it unchanged."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from ising import IsingModel
from ising.arguments import as_number
from ising.integers import as_integer

from .anneal import anneal
from .bqm import from_bqm

PARAMETERS = (
    "num_reads", "seed", "time_limit", "target_energy", "device", "schedule", "sweeps", "realism", "energy_model",
    "threads",
)  # fmt: skip


class CeasSampler(dimod.Sampler):
    """The devices of `ceas_physics.anneal` behind the interface of dimod.

    Examples
    --------
    >>> bqm = dimod.BinaryQuadraticModel.from_ising({}, {"ab": 1.0, "bc": 1.0, "ca": 1.0})
    >>> float(CeasSampler().sample(bqm, num_reads=8, seed=1).first.energy)
    -1.0
    """

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The keywords that `sample` takes."""
        return {name: [] for name in PARAMETERS}

    @property
    def properties(self) -> dict[str, Any]:
        """The names of the devices."""
        return {"devices": ["p_bit", "soft_spin", "oscillator", "bifurcation"]}

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, num_reads: int = 64, seed: int | None = None, **parameters: Any
    ) -> dimod.SampleSet:
        """Anneal a binary quadratic model.

        Parameters
        ----------
        bqm
            Spins or binary variables, any labels.
        num_reads
            Replicas; the best configuration of each is returned. Up to 64 cost the p-bit device about as much as one.
        seed
            The same seed gives the same samples; by default a new one, which `info` tells.
        **parameters
            `time_limit` in seconds, `target_energy` (of dimod, offset included), and `device`, `schedule`, `sweeps`,
            `realism`, `energy_model`, `threads` of `ceas_physics.anneal`. Others are left out with a warning of dimod.

        Raises
        ------
        ValueError
            Another kind of model, or parameters that `anneal` refuses.

        Returns
        -------
        dimod.SampleSet
            With ``info["timing"]`` in ns and ``info["seed"]``.
        """
        start = perf_counter_ns()
        known = self.remove_unknown_kwargs(**parameters)
        if not isinstance(bqm, dimod.BinaryQuadraticModel):
            raise ValueError(
                f"CeasSampler takes a binary quadratic model as bqm, got {type(bqm).__name__}; convert it first"
            )
        if not bqm.num_variables:
            return dimod.SampleSet.from_samples_bqm([], bqm)
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        model, variables = from_bqm(bqm)
        if known.get("target_energy") is not None:
            known["target_energy"] = as_number("target_energy", known["target_energy"]) - model.attrs["offset"]
        prepared = perf_counter_ns()
        spins = _best_spins(model, as_integer("num_reads", num_reads, 1), seed, known)
        annealed = perf_counter_ns()
        values = spins if bqm.vartype is dimod.SPIN else (spins + 1) // 2
        samples = dimod.SampleSet.from_samples_bqm((values, variables), bqm)
        timing = {"preprocessing_ns": prepared - start, "sampling_ns": annealed - prepared}
        timing["postprocessing_ns"] = perf_counter_ns() - annealed
        samples.info.update(timing=timing, seed=seed)
        return samples


def _best_spins(model: IsingModel, num_reads: int, seed: int, parameters: dict[str, Any]) -> NDArray[np.int8]:
    """(num_reads, n_sites); random where all energies are equal, which `anneal` refuses."""
    if not np.any(model.couplings) and not model.has_field:
        choices = np.array([-1, 1], dtype=np.int8)
        return np.random.default_rng(seed).choice(choices, (num_reads, model.lattice.n_sites))
    result = anneal(model, replicas=num_reads, seed=seed, progress=False, **parameters)
    return result["best_spins"].values.astype(np.int8)
