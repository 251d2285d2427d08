"""A small GPT with its backward pass written out; beta multiplies the unscaled scores of each head."""

from .attend import HeadObservables, Keep, Layer, head_observables
from .config import TransformerConfig
from .flops import Flops, flops
from .layers import cross_entropy
from .model import forward, loss_and_gradient
from .parameters import Arrays, flatten, initial_vector, parameter_shapes, unflatten

__all__ = [
    "Arrays",
    "Flops",
    "HeadObservables",
    "Keep",
    "Layer",
    "TransformerConfig",
    "cross_entropy",
    "flatten",
    "flops",
    "forward",
    "head_observables",
    "initial_vector",
    "loss_and_gradient",
    "parameter_shapes",
    "unflatten",
]
