"""A small GPT with its backward pass written out; beta multiplies the unscaled scores of each head."""

from .model import (
    Arrays,
    Layer,
    TransformerConfig,
    cross_entropy,
    flatten,
    forward,
    initial_vector,
    loss_and_gradient,
    parameter_shapes,
    unflatten,
)

__all__ = [
    "Arrays",
    "Layer",
    "TransformerConfig",
    "cross_entropy",
    "flatten",
    "forward",
    "initial_vector",
    "loss_and_gradient",
    "parameter_shapes",
    "unflatten",
]
