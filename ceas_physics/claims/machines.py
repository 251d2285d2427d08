"""Claims D: the analog device: energy, memory, no clock, attention, learning, and what criticality costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from scipy.special import stdtrit

import analysis
import ising
from ising.arguments import as_numbers, refuse

from ..npu import EnergyModel, PBit, Realism, anneal, dictionary, learning, memory
from ..npu.useful_bits import useful_bits
from . import rules
from .entry import Curve, Finding, Look, claim, interval
from .stored import CAPACITY

CapacityPlan = Mapping[int, tuple[Sequence[float], int]]  # by number of spins: loads, draws of patterns
QUICK_CAPACITY: CapacityPlan = {
    250: ((0.15, 0.18, 0.21, 0.25), 64),
    500: ((0.15, 0.17, 0.19, 0.21), 48),
    1_000: ((0.14, 0.155, 0.17, 0.19), 16),
    2_000: ((0.14, 0.15, 0.16, 0.17), 6),
}
FULL_CAPACITY: CapacityPlan = {
    500: ((0.15, 0.17, 0.19, 0.21), 64),
    1_000: ((0.14, 0.155, 0.17, 0.19), 48),
    2_000: ((0.14, 0.15, 0.16, 0.17), 32),
    4_000: ((0.14, 0.15, 0.16, 0.17), 16),
}
HYPERBOLIC_BETA_C = 0.3572605  # {5,4}, corner transfer matrix


@claim("D1")
def energy_to_solution(look: Look) -> list[Finding]:
    """Power of a simulated p-bit device, and joules to the ground state, by constants that nobody has measured."""
    model = ising.edwards_anderson(ising.square(32), seed=look.seed)
    assumed = EnergyModel()
    result = anneal(model, PBit(), replicas=256, seed=look.seed, progress=False, sweeps=2_000, energy_model=assumed)
    seconds = float(result.time[-1]) * assumed.time_unit
    energy = float(result.energy_used[-1].mean())
    target = float(result.best_energy.min())
    share = float((result.best_energy <= target + 1e-9).mean())
    runs = math.log(0.01) / math.log1p(-share) if share < 1.0 else 1.0
    row = look.row("power")
    why = (
        f"{model.lattice.n_sites} p-bits take {energy / seconds:.3g} W and {max(runs, 1.0) * energy:.2g} J "
        f"to reach the lowest energy of 256 replicas with 99 %, but its constants are assumptions of unknown error "
        f"({assumed}), and the {row['gpu'][0]} to {row['gpu'][1]} W of a GPU were not measured either"
    )
    verdict = rules.in_range(energy / seconds, row["low"], row["high"], math.nan)
    return [Finding(verdict, why, "energy model of an annealed 2D glass", energy / seconds, math.nan, row="power")]


def measure_capacity(plan: CapacityPlan, seed: int) -> xr.Dataset:
    """Load at which half of the patterns come back, with its error, on (n_sites,) for complete graphs."""
    if (
        not isinstance(plan, Mapping)
        or not plan
        or not all(isinstance(entry, tuple) and len(entry) == 2 for entry in plan.values())
    ):
        refuse("plan", "a dict of number of spins: (loads, draws)", plan)
    found = []
    for n, (loads, draws) in plan.items():
        counts = [round(load * n) for load in as_numbers("loads of plan", loads, above=0, most=10)]
        found.append(memory.capacity(memory.retrieval(ising.complete(n), counts, draws=draws, seed=seed)))
    columns = {"capacity": [each.value for each in found], "capacity_error": [each.error for each in found]}
    return xr.Dataset({name: ("n_sites", values) for name, values in columns.items()}, {"n_sites": list(plan)})


@claim("D2", CAPACITY)
def capacity(look: Look) -> list[Finding]:
    """Capacity of Hopfield networks of several sizes, carried to infinite size by a line in N^(-1/2)."""
    stored = look.stored(CAPACITY, "capacity.nc")
    data = measure_capacity(QUICK_CAPACITY, look.seed) if stored is None else stored
    x, y, error = data.n_sites.values**-0.5, data.capacity.values, data.capacity_error.values
    design = np.stack([np.ones(len(x)), x], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    limit = float((covariance @ design.T @ (y / error))[0])
    error_of_limit = math.sqrt(covariance[0, 0])
    tested = f"half of the patterns come back; N = {data.n_sites.values.tolist()}, line in N^(-1/2)"
    curve = Curve(x, y, error, "N^(-1/2)", "capacity / N", 0.0)
    evidence = "this run" if stored is None else str(look.results / CAPACITY.folder / "capacity.nc")
    known, resolution = (look.row("capacity")[name] for name in ("low", "resolution"))
    verdict = rules.equal(limit, error_of_limit, known, resolution)
    why = (
        f"an infinite network holds {limit:.4f} +- {error_of_limit:.4f} (1 sd) patterns a spin, "
        f"{abs(limit - known) / error_of_limit:.1f} sd from {known:g}; 3 sd must not exceed {resolution:g}"
    )
    half = rules.TWO_SIDED * error_of_limit
    return [Finding(verdict, why, tested, limit, half, row="capacity", evidence=evidence, curve=curve)]


@claim("D3")
def no_clock(look: Look) -> list[Finding]:
    """Energy of p-bits at a fixed beta against enumeration: random order, Poisson clocks, delays."""
    model, beta = ising.ferromagnet(ising.square(4)), 0.35
    exact = ising.exact.enumerate_model(model, beta).energy.item()
    delays = (0.0, 0.125, 0.25, 0.5, 1.0)
    biases = [_bias(model, beta, PBit("random"), Realism(delay=delay), exact, look.seed) for delay in delays]
    values, errors = np.array(biases).T
    curve = Curve(delays, values, errors, "delay (mean time between updates of a spin)", "energy a spin - exact", 0.0)
    poisson = _bias(model, beta, PBit("poisson"), Realism(), exact, look.seed)
    same = {"random": biases[0], "poisson": poisson, "delay 0.125": biases[1]}
    rows = [_same(name, *found, curve if "delay" in name else None) for name, found in same.items()]
    said = "the size of the bias at a delay of 1"
    tested = "p-bits on a 4x4 torus against enumeration"
    half = rules.TWO_SIDED * float(errors[-1])
    return [*rows, look.compare("delay 1", abs(float(values[-1])), half, tested, said, curve=curve)]


def _bias(
    model: ising.IsingModel, beta: float, device: PBit, realism: Realism, exact: float, seed: int
) -> tuple[float, float]:
    """Energy a spin minus the exact one, with its error over independent replicas."""
    result = anneal(model, device, np.full(2, beta), 1024, seed, progress=False, sweeps=4_000, realism=realism)
    late = result.energy.isel(time=slice(result.sizes["time"] // 10, None)) / model.lattice.n_sites
    means = late.mean("time").values
    return float(means.mean()) - exact, float(means.std(ddof=1)) / math.sqrt(len(means))


def _same(name: str, bias: float, error: float, curve: Curve | None) -> Finding:
    verdict = rules.equal(bias, error, 0.0)
    why = f"the energy a spin is {bias:+.2g} +- {error:.1g} (1 sd) off enumeration, {abs(bias) / error:.1f} sd"
    half = rules.TWO_SIDED * error
    return Finding(verdict, why, "p-bits on a 4x4 torus against enumeration", bias, half, row=name, curve=curve)


@claim("D4")
def attention_by_relaxation(look: Look) -> list[Finding]:
    """Associative memory against softmax attention: after one unit step, and at rest."""
    rng = np.random.default_rng(look.seed)
    keys, queries = rng.standard_normal((64, 16)), rng.standard_normal((256, 16))
    beta = 16**-0.5
    weights = np.exp(beta * queries @ keys.T)
    softmax = weights @ keys / weights.sum(axis=1, keepdims=True)
    size = np.linalg.norm(softmax, axis=1)
    once = dictionary.attention_step(queries, keys, beta)
    step = np.linalg.norm(once - softmax, axis=1) / size
    state, distances = queries, []
    for _ in range(60):
        state = dictionary.attention_step(state, keys, beta)
        distances.append(np.linalg.norm(state - softmax, axis=1) / size)
    tested = "256 normal queries, 64 normal keys, d = 16, beta = 1/sqrt(d)"
    rest = interval(distances[-1])
    curve = Curve(np.arange(1, 61), np.mean(distances, axis=1), 0.0, "unit steps", "distance to softmax attention", 1.0)
    largest = look.compare("one step", float(step.max()), 0.0, tested, "the largest relative difference after one step")
    return [largest, look.compare("at rest", *rest, tested, "the mean relative difference at rest", curve=curve)]


@claim("D5")
def learning_without_gradients(look: Look) -> list[Finding]:
    """Digits learned from free and clamped phases against gradients: same size, each at its best rate, paired seeds."""
    tested = "8x8 digits, 48 hidden spins, 12 epochs, 10 paired seeds"
    try:
        settings = learning.Learning(hidden=48, epochs=12)
        seeds = [look.seed + k for k in range(10)]
        data = learning.compare_on_digits(seeds, settings, (0.01, 0.02, 0.04))
    except ModuleNotFoundError:
        verdict = rules.in_range(math.nan, 0.0, 1.0, math.nan)
        return [Finding(verdict, "the digits come with scikit-learn, which is not installed", tested, row="digits")]
    accuracy = data.accuracy
    means = accuracy.mean("seed").values
    relaxed, descended = (accuracy.sel({"method": name}).values for name in ("contrastive", "gradient"))
    number, half = interval(relaxed - descended)
    said = f"accuracy {means[0]:.3f} by relaxation against {means[1]:.3f} by gradients: the difference of pairs"
    return [look.compare("digits", number, half, tested, said)]


@claim("D6")
def coordination_cost(look: Look) -> list[Finding]:
    """Couplings per useful bit against size, at the critical point of flat and closed hyperbolic lattices."""
    square = {L: ising.ferromagnet(ising.square(L)) for L in (8, 16, 32)}
    maps = {n: ising.ferromagnet(ising.closed_hyperbolic(5, 4, n_sites=n)) for n in (330, 1710, 3720)}
    return [
        _growth(look, "square", square, ising.exact.SQUARE_CRITICAL_BETA),
        _growth(look, "hyperbolic", maps, HYPERBOLIC_BETA_C),
    ]


def _growth(look: Look, row: str, models: Mapping[int, ising.IsingModel], beta: float) -> Finding:
    schedule = ising.Schedule(200, 400, thin=2)
    data = useful_bits(models, beta, schedule, update="swendsen_wang", seed=look.seed)
    y, error = data.couplings_per_bit.values, data.couplings_per_bit_error.values
    law = analysis.fit_power_law(data.n_sites.values, y, error)
    scatter = max(law.scatter, 1.0)
    half = float(stdtrit(len(y) - 2, 0.975)) if law.scatter > 1.0 else rules.TWO_SIDED
    lengths = ", ".join(f"{length:.2g}" for length in data.correlation_length.values)
    said = f"correlation lengths {lengths} bonds; the exponent of couplings per useful bit"
    curve = Curve(data.n_sites.values, y, error, "sites", "couplings per useful bit")
    tested = f"{list(models)} ({row}), overlaps of independent configurations at beta_c"
    return look.compare(row, law.exponent, half * scatter * law.exponent_error, tested, said, curve=curve)
