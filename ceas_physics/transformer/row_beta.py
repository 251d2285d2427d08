"""Compiled: entropy of the rows in work, and the beta that a row's own entropy asks for."""

from __future__ import annotations

import math

import numpy as np

from .exponential import compiled
from .row_block import LANES, Block, add_up, weigh
from .scaling import ADAPTIVE, ENTROPY, GIVEN

ADAPTIVE_FROM = 0.5  # nats
BRACKET = 1024.0  # beta of constant entropy is looked for within this factor of the caller's
MAXIMUM_STEPS = 40


@compiled
def row_entropy(block: Block, lane: int) -> tuple[float, float]:
    """H and Var_p[s] of a lane from its sums, in double precision."""
    partition = np.float64(block.sums[0, lane])
    mean = np.float64(block.sums[1, lane]) / partition
    entropy = math.log(partition) - np.float64(block.beta[lane]) * mean
    return entropy, max(0.0, np.float64(block.sums[2, lane]) / partition - mean * mean)


@compiled
def adapt(block: Block) -> None:
    """Multiply beta by max(1, polynomial in H) where H > 0.5 (Velickovic et al. 2024)."""
    for lane in range(LANES):
        h, _ = row_entropy(block, lane)
        if h > ADAPTIVE_FROM:
            factor = (((-0.037 * h + 0.481) * h - 2.3) * h + 4.917) * h - 1.791
            block.beta[lane] = np.float64(block.beta[lane]) * max(1.0, factor)


@compiled
def approach(block: Block, fraction: float, window: int) -> bool:
    """One step of every lane's beta towards H = fraction ln n: Newton in ln beta, bisection outside the bracket.

    Returns whether any lane is further from it than sqrt(machine epsilon).
    """
    tolerance = math.sqrt(np.float64(np.finfo(block.beta.dtype).eps))
    moved = False
    for lane in range(LANES):
        h, variance = row_entropy(block, lane)
        excess = h - fraction * math.log(min(block.query[lane] + 1, window))
        low: float = np.float64(block.bracket[0, lane])
        high: float = np.float64(block.bracket[1, lane])
        beta: float = np.float64(block.beta[lane])
        if abs(excess) <= tolerance or high <= low * (1.0 + tolerance):
            continue
        moved = True
        low, high = (beta, high) if excess > 0.0 else (low, beta)
        heat = beta * beta * variance
        step = excess / heat if heat > 0.0 else math.inf
        beta = beta * math.exp(step) if abs(step) < 1.0 else 0.0
        block.beta[lane] = beta if low < beta < high else math.sqrt(low * high)
        block.bracket[0, lane], block.bracket[1, lane] = low, high
    return moved


@compiled
def choose_beta(block: Block, scores: np.ndarray, weights: np.ndarray, mode: int, fraction: float, window: int) -> None:
    """Weights and sums of the block at the beta of the row's scaling, which replaces the one in ``block``."""
    if mode == ENTROPY:
        for lane in range(LANES):
            block.bracket[0, lane] = np.float64(block.beta[lane]) / BRACKET
            block.bracket[1, lane] = np.float64(block.beta[lane]) * BRACKET
    last = 0 if mode == GIVEN else 1 if mode == ADAPTIVE else MAXIMUM_STEPS
    for step in range(last + 1):
        weigh(scores, block.top, block.beta, weights)
        add_up(scores, weights, block.top, block.sums)
        if step == last:
            break
        if mode == ADAPTIVE:
            adapt(block)
        elif not approach(block, fraction, window):
            break
