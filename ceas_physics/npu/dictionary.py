"""The transformer dictionary: each part of a transformer on an analog spin device, as a function that shows it.

Token embedding: `token_field`. Positions: `moebius_scores`, `moebius_positions`. Self-attention: `attention_step`.
Layer normalisation: `amplitude_control`. Feed-forward layer: `hidden_force`, `effective_couplings`, `gradient_share`.
Backpropagation: the module `learning`. Where an equality holds the function says so, else how far it is from one.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Complex
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, softmax

from ising.arguments import as_choice, as_number, as_numbers, refuse
from ising.integers import as_integer
from ising.tilings.disk import moebius

Array = NDArray[np.float64]
MINKOWSKI = np.diag([-1.0, 1.0, 1.0])
MOST_VISIBLE = 16
LARGEST = 1e100  # of an entry that is squared


def token_field(embedding: ArrayLike, beta: float) -> Array:
    """The lattice field that holds an embedding: h = artanh(e) / beta, so that free spins average to tanh(beta h) = e.

    Exact: a look-up table is a table of fields.

    Parameters
    ----------
    embedding
        Any shape, |e| < 1.
    beta
        Inverse temperature of the device, > 0.

    Raises
    ------
    ValueError
        |e| >= 1 or beta <= 0.
    """
    e = as_numbers("embedding", embedding, empty=True)
    if not (np.abs(e) < 1).all():
        raise ValueError(f"embeddings must lie in (-1, 1), got |e| up to {np.abs(e).max()}; scale them")
    return np.asarray(np.arctanh(e) / as_number("beta", beta, above=0))


def moebius_positions(n: int, a: complex, theta: float = 0.0) -> NDArray[np.complex128]:
    """(n,) points z_i = T^i(0) of the disk, T the motion (a, theta) of `ising.disk.moebius`.

    With ``ising.disk.translation(p, q)`` they are sites of the lattice {p,q}, carried on by its own symmetry.
    """
    points = np.zeros(as_integer("n", n, 1), dtype=np.complex128)
    for i in range(1, n):
        points[i] = moebius(points[i - 1], a, theta)
    return points


def lorentz(a: complex, theta: float = 0.0) -> Array:
    """(3, 3): the motion (a, theta) of the disk as a Lorentz transformation of (1 + |z|^2, 2 Re z, 2 Im z)/(1 - |z|^2).

    Raises
    ------
    ValueError
        |a| >= 1.
    """
    if isinstance(a, bool) or not isinstance(a, Complex) or not abs(complex(a)) < 1:
        refuse("the image a of the origin", "a number inside the unit disk", a)
    a, theta = complex(a), as_number("theta", theta)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]
    cosh, shift = (1 + abs(a) ** 2) / (1 - abs(a) ** 2), 2 * np.array([a.real, a.imag]) / (1 - abs(a) ** 2)
    boost = np.empty((3, 3))
    boost[0, 0], boost[0, 1:], boost[1:, 0] = cosh, shift, shift
    boost[1:, 1:] = np.eye(2) + np.outer(shift, shift) / (1 + cosh)
    return boost @ turn


def moebius_scores(queries: ArrayLike, keys: ArrayLike, a: complex, theta: float = 0.0) -> Array:
    """Scores <T^i q_i, T^j k_j> = <q_i, T^(j-i) k_j> in the metric (-, +, +): position by motions of the disk.

    A rotary embedding with the motions of the hyperbolic plane in place of rotations: the score depends on the relative
    position only, and for a = 0 it is the rotary embedding (the first component then takes no part in position). A
    translation by the distance d makes scores grow as e^(d |i - j|).

    Parameters
    ----------
    queries, keys
        (tokens, channels, 3).
    a, theta
        The motion T from one position to the next.

    Returns
    -------
    (tokens, tokens), query by key
    """
    q, k = as_numbers("queries", queries, empty=True), as_numbers("keys", keys, empty=True)
    if q.ndim != 3 or q.shape != k.shape or q.shape[-1] != 3:
        raise ValueError(f"queries and keys must both have shape (tokens, channels, 3), got {q.shape} and {k.shape}")
    step = lorentz(a, theta)
    back = MINKOWSKI @ step.T @ MINKOWSKI  # the inverse
    forwards, backwards = k, k
    scores = np.zeros((len(q), len(q)))
    for distance in range(len(q)):
        i = np.arange(len(q) - distance)
        scores[i, i + distance] = np.einsum("tca,ab,tcb->t", q[i], MINKOWSKI, forwards[i + distance])
        scores[i + distance, i] = np.einsum("tca,ab,tcb->t", q[i + distance], MINKOWSKI, backwards[i])
        forwards, backwards = forwards @ step.T, backwards @ back.T
    return scores


def attention_energy(x: ArrayLike, keys: ArrayLike, beta: float) -> Array:
    """E(x) = -(1/beta) ln sum_j exp(beta k_j . x) + x . x / 2: the dense associative memory of attention.

    Parameters
    ----------
    x
        (..., d).
    keys
        (n_keys, d), or (..., n_keys, d) with the leading shape of x.
    beta
        Inverse temperature, > 0.

    Returns
    -------
    (...)
    """
    x, scores = _scores(x, keys)
    return np.asarray(
        -logsumexp(as_number("beta", beta, above=0) * scores, axis=-1) / beta + np.sum(x * x, axis=-1) / 2
    )


def attention_weights(x: ArrayLike, keys: ArrayLike, beta: float) -> Array:
    """softmax(beta K x), (..., n_keys): what the device relaxes towards in one step; see `attention_step`."""
    return np.asarray(softmax(as_number("beta", beta, above=0) * _scores(x, keys)[1], axis=-1))


def attention_step(
    x: ArrayLike, keys: ArrayLike, beta: float, dt: float = 1.0, values: ArrayLike | None = None
) -> Array:
    """One relaxation step x - dt grad E = x + dt (K^T softmax(beta K x) - x) of `attention_energy`.

    With dt = 1 it is attention with V = K at the inverse temperature beta; other values are a linear readout of the
    same weights. Steps with 0 < dt <= 1 never raise E (Ramsauer et al. 2021 for dt = 1).

    Parameters
    ----------
    x, keys, beta
        As for `attention_energy`.
    dt
        In (0, 1].
    values
        (n_keys, d) or (..., n_keys, d); the keys by default.

    Returns
    -------
    (..., d)

    Raises
    ------
    ValueError
        dt outside (0, 1].
    """
    if not 0 < as_number("dt", dt) <= 1:
        raise ValueError(f"dt must lie in (0, 1], got {dt}; larger steps may raise the energy")
    weights = attention_weights(x, keys, beta)
    content = as_numbers("values", keys if values is None else values)
    mixed = np.einsum("...k,...kd->...d", weights, content)
    return np.asarray(mixed if dt == 1 else (1 - dt) * np.asarray(x) + dt * mixed)


def amplitude_control(x: ArrayLike, time: float = np.inf, scope: Literal["all", "each"] = "all") -> Array:
    """Relaxation dx_i/dt = (1 - A) x_i of soft spins, A the mean of x_j^2 ("all") or x_i^2 alone ("each").

    x(t) = x / sqrt(A_0 + (1 - A_0) e^(-2t)). One control for all spins is the spherical constraint sum x^2 = n: at
    t = inf it is the root-mean-square norm, and layer normalisation where the mean was taken off before. A control for
    each spin, as in chaotic amplitude control, ends at sign(x) instead.

    Parameters
    ----------
    x
        (..., n); no row (for "each": no entry) may be 0.
    time
        >= 0.
    scope
        ``"all"`` or ``"each"``.

    Raises
    ------
    ValueError
        An unknown scope, a negative time, or a state at rest at 0.
    """
    state = as_numbers("x", x)
    as_choice("scope", scope, ("all", "each"))
    if not isinstance(time, float) or time != np.inf:
        time = as_number("time", time, least=0)
    squared = state**2 if scope == "each" else np.mean(state**2, axis=-1, keepdims=True)
    if not (squared > 0).all():
        raise ValueError("x = 0 is a state of rest: no amplitude grows from it")
    return np.asarray(state / np.sqrt(squared + (1 - squared) * np.exp(-2 * time)))


def hidden_energy(visible: ArrayLike, weights: ArrayLike, biases: ArrayLike, beta: float) -> Array:
    """Hidden spins traced out: E(v) = -(1/beta) sum_k ln 2 cosh(beta (W v + b)_k).

    exp(-beta E(v)) is the sum over all s_k = +-1 of exp(beta sum_k s_k (W v + b)_k), exactly.

    Parameters
    ----------
    visible
        (..., n_visible), spins or real amplitudes.
    weights, biases
        (n_hidden, n_visible) and (n_hidden,).
    beta
        Inverse temperature, > 0.
    """
    fields = as_number("beta", beta, above=0) * _hidden_fields(visible, weights, biases)
    return np.asarray(-np.sum(np.logaddexp(fields, -fields), axis=-1) / beta)


def hidden_force(visible: ArrayLike, weights: ArrayLike, biases: ArrayLike, beta: float) -> Array:
    """-grad E = W^T tanh(beta (W v + b)): a feed-forward layer whose second matrix is the transpose of the first."""
    averages = np.tanh(as_number("beta", beta, above=0) * _hidden_fields(visible, weights, biases))
    return averages @ np.asarray(weights, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class EffectiveCouplings:
    """Fields and pair couplings among visible spins, and the share of the energy's variance that they leave out."""

    fields: Array
    couplings: Array
    left_out: float


def effective_couplings(weights: ArrayLike, biases: ArrayLike, beta: float) -> EffectiveCouplings:
    """Pair couplings that hidden spins make: J_ij = -<E(v) v_i v_j>, h_i = -<E(v) v_i> over all v = +-1.

    The first terms of the expansion of `hidden_energy` in products of spins, orthogonal over all configurations. Two
    visible spins and one hidden: J = ln[cosh beta(w_1 + w_2) / cosh beta(w_1 - w_2)] / (2 beta). Small beta W: the
    Hopfield couplings J = beta W^T W. The terms of three and more spins are what a pair model cannot do.

    Parameters
    ----------
    weights, biases
        (n_hidden, n_visible), n_visible <= 16, and (n_hidden,).
    beta
        Inverse temperature, > 0.
    """
    n = as_numbers("weights", weights, ndim=2).shape[1]
    if n > MOST_VISIBLE:
        raise ValueError(f"all 2^n configurations are enumerated: at most {MOST_VISIBLE} visible spins, got {n}")
    spins = 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1
    energy = hidden_energy(spins, weights, biases, beta)
    energy -= energy.mean()
    fields = -energy @ spins / len(spins)
    couplings = -np.einsum("v,vi,vj->ij", energy, spins, spins) / len(spins)
    np.fill_diagonal(couplings, 0.0)
    variance = np.mean(energy**2)
    kept = np.sum(fields**2) + np.sum(couplings**2) / 2
    return EffectiveCouplings(fields, couplings, max(0.0, float(1 - kept / variance)) if variance > 0 else 0.0)


def gradient_share(jacobian: ArrayLike) -> float:
    """How near a layer is to the gradient of an energy: |J + J^T|^2 / (4 |J|^2), 1 if it is one.

    About 1/2 for independent matrices (1/2 + 1/(2 n) for a random one), 1 for `hidden_force`.

    Parameters
    ----------
    jacobian
        (n, n), d output_i / d input_j.
    """
    J = as_numbers("jacobian", jacobian, least=-LARGEST, most=LARGEST)
    if J.ndim != 2 or J.shape[0] != J.shape[1] or not J.any():
        raise ValueError(f"a Jacobian must be square and not zero, got shape {J.shape}")
    return float(np.sum((J + J.T) ** 2) / (4 * np.sum(J**2)))


def _scores(x: ArrayLike, keys: ArrayLike) -> tuple[Array, Array]:
    state, stored = as_numbers("x", x), as_numbers("keys", keys)
    if stored.ndim < 2 or state.shape[-1:] != stored.shape[-1:]:
        raise ValueError(f"x (..., d) and keys (..., n_keys, d) must share d, got {state.shape} and {stored.shape}")
    return state, np.einsum("...d,...kd->...k", state, stored)


def _hidden_fields(visible: ArrayLike, weights: ArrayLike, biases: ArrayLike) -> Array:
    v, W, b = as_numbers("visible", visible), as_numbers("weights", weights), as_numbers("biases", biases)
    if W.ndim != 2 or v.shape[-1:] != W.shape[1:] or b.shape != W.shape[:1]:
        raise ValueError(
            "visible (..., n_visible), weights (n_hidden, n_visible) and biases (n_hidden,) do not fit: "
            f"{v.shape}, {W.shape}, {b.shape}"
        )
    return v @ W.T + b
