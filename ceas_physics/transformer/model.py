"""A pre-LN GPT with its backward pass written out; beta multiplies the unscaled scores of each head.

Activations are (width, token), tokens being batch and position in this order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import arguments as rules
from .attend import Keep, Layer, attend, attend_backward
from .config import TransformerConfig, check_share
from .layers import add_by_token, cross_entropy, gelu, gelu_backward, norm, norm_backward
from .parameters import Arrays, parameter_shapes


@rules.checked(
    tokens=rules.shaped("batch", "position", rule=rules.tokens),
    beta=rules.numbers,
    config=rules.kind(TransformerConfig, "TransformerConfig()"),
    keep=rules.optional(rules.function),
    dropout_rng=rules.optional(rules.kind(np.random.Generator, "numpy.random.default_rng(0)")),
    dropout=rules.optional(rules.number),
    activation_gain=rules.optional(rules.numbers),
)
def forward(
    parameters: Arrays,
    tokens: np.ndarray,
    beta: np.ndarray,
    config: TransformerConfig,
    *,
    keep: Keep | None = None,
    dropout_rng: np.random.Generator | None = None,
    dropout: float | None = None,
    activation_gain: float | np.ndarray | None = None,
) -> tuple[np.ndarray, list[Layer], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Logits of the next character: attention weights softmax(beta q.k) over the keys not after the query.

    Parameters
    ----------
    parameters : dict of ndarray
        As from ``unflatten``; their dtype is the dtype of the computation.
    tokens : ndarray of int, shape (batch, context)
    beta : ndarray, shape (layer, head)
        Factor of the unscaled scores; 1/sqrt(d_k) is the textbook's. Unused where the model has its own (scaling
        "learned" or "log_n").
    keep : callable, optional
        ``keep(layer, estimate)`` with an estimate of T of every row, (batch, head, query), from ``estimate_rows``,
        called before any score of the layer is computed. Returns booleans of the same shape; a row with False is not
        computed and contributes 0 to its head's output.
    dropout_rng : numpy.random.Generator, optional
        Draws the entries of the residual branches that are dropped; without it nothing is.
    dropout : float, optional
        Share of dropped entries instead of the configuration's.
    activation_gain : float or ndarray (layer,), optional
        g of the activation gelu(g u); 1 by default.

    Returns
    -------
    logits : ndarray, shape (batch * context, n_characters)
    layers : list of Layer
    final : tuple of ndarray
        The last norm's output, the same before its gain, and 1/std, for the backward pass.

    Raises
    ------
    ValueError
        Arrays of the wrong shape or a dropout outside [0, 1).
    """
    _check_parameters(parameters, config)
    _check_shape("tokens", tokens, (len(tokens), config.context))
    if tokens.max() >= len(parameters["embedding"]):
        raise ValueError(f"tokens must be below {len(parameters['embedding'])} characters, got {tokens.max()}")
    _check_shape("beta", beta, (config.n_layers, config.n_heads))
    if activation_gain is not None and np.ndim(activation_gain):
        _check_shape("activation_gain", np.asarray(activation_gain), (config.n_layers,))
    embedding = parameters["embedding"]
    x = embedding[tokens]
    if config.positions == "learned":
        x += parameters["positions"]
    x = np.ascontiguousarray(x.reshape(-1, config.d_model).T)
    share = check_share("dropout", config.dropout if dropout is None else dropout)
    gains = np.broadcast_to(1.0 if activation_gain is None else activation_gain, (config.n_layers,))
    layers = []
    for i in range(config.n_layers):
        normed, unit, inverse = norm(x, parameters[f"norm_attention_{i}"])
        mixed, layer = attend(normed, parameters, i, beta[i], config, keep)
        layer.saved |= {"attention_unit": unit, "attention_inverse": inverse, "attention_input": normed}
        x = x + _drop(parameters[f"output_{i}"].T @ mixed, share, dropout_rng, layer, "attention_drop")
        normed, unit, inverse = norm(x, parameters[f"norm_mlp_{i}"])
        hidden = parameters[f"up_{i}"].T @ normed
        active, tanh = gelu(hidden, gains[i])
        x = x + _drop(parameters[f"down_{i}"].T @ active, share, dropout_rng, layer, "mlp_drop")
        layer.saved |= {"mlp_unit": unit, "mlp_inverse": inverse, "mlp_input": normed}
        layer.saved |= {"hidden": hidden, "tanh": tanh, "active": active, "gain": gains[i]}
        layers.append(layer)
    final = norm(x, parameters["norm_final"])
    return (embedding @ final[0]).T, layers, final


@rules.checked(
    tokens=rules.shaped("batch", "position", rule=rules.tokens),
    targets=rules.tokens,
    beta=rules.numbers,
    config=rules.kind(TransformerConfig, "TransformerConfig()"),
    dropout=rules.optional(rules.number),
    label_smoothing=rules.optional(rules.number),
    activation_gain=rules.optional(rules.numbers),
)
def loss_and_gradient(
    parameters: Arrays,
    tokens: np.ndarray,
    targets: np.ndarray,
    beta: np.ndarray,
    config: TransformerConfig,
    *,
    keep: Keep | None = None,
    frozen: np.ndarray | None = None,
    dropout_rng: np.random.Generator | None = None,
    dropout: float | None = None,
    label_smoothing: float | None = None,
    activation_gain: float | np.ndarray | None = None,
) -> tuple[float, Arrays, list[Layer]]:
    """Mean cross-entropy in nats per character, its gradient by parameter name, and the layers of the forward pass.

    Parameters
    ----------
    targets : ndarray of int, shape (batch, context)
        The character after each token.
    frozen : ndarray of bool, shape (layer, head), optional
        Heads without a backward pass: their output counts as constant; their queries, keys and values get gradient 0.
    label_smoothing : float, optional
        Instead of the configuration's.

    The other parameters and the errors are those of ``forward``.
    """
    smoothing = check_share("label_smoothing", config.label_smoothing if label_smoothing is None else label_smoothing)
    if frozen is None:
        frozen = np.zeros((config.n_layers, config.n_heads), dtype=bool)
    _check_shape("frozen", frozen, (config.n_layers, config.n_heads))
    _check_shape("tokens", tokens, (len(tokens), config.context))
    _check_shape("targets", targets, tokens.shape)
    logits, layers, (normed, unit, inverse) = forward(
        parameters, tokens, beta, config,
        keep=keep, dropout_rng=dropout_rng, dropout=dropout, activation_gain=activation_gain,
    )  # fmt: skip
    loss, d_logits = cross_entropy(logits, targets, smoothing)
    gradient: Arrays = {"embedding": d_logits.T @ normed.T}
    dx = np.zeros_like(normed)
    d_normed = parameters["embedding"].T @ d_logits.T
    gradient["norm_final"] = norm_backward(d_normed, unit, inverse, parameters["norm_final"], dx)
    for i in reversed(range(config.n_layers)):
        _layer_backward(i, dx, layers[i], config, frozen[i], parameters, gradient)
    if config.positions == "learned":
        gradient["positions"] = dx.reshape(config.d_model, -1, config.context).sum(axis=1).T
    add_by_token(dx, tokens.ravel(), gradient["embedding"])
    return loss, gradient, layers


def _check_parameters(parameters: Arrays, config: TransformerConfig) -> None:
    if not isinstance(parameters, Mapping) or np.ndim(parameters.get("embedding", 0.0)) != 2:
        rules.refuse("parameters", "a dict of arrays by name, as from unflatten", parameters)
    shapes = parameter_shapes(config, len(parameters["embedding"]))
    wrong = [name for name, shape in shapes.items() if np.shape(parameters.get(name, 0.0)) != shape]
    if wrong:
        raise ValueError(f"parameters must hold {wrong[0]} of shape {shapes[wrong[0]]}, as from unflatten")


def _layer_backward(
    i: int,
    dx: np.ndarray,
    layer: Layer,
    config: TransformerConfig,
    frozen: np.ndarray,
    parameters: Arrays,
    gradient: Arrays,
) -> None:
    """Fill the gradients of layer i and turn dx, the gradient at its output, into the one at its input."""
    saved = layer.saved
    branch = dx * saved["mlp_drop"] if "mlp_drop" in saved else dx
    gradient[f"down_{i}"] = saved["active"] @ branch.T
    d_hidden = parameters[f"down_{i}"] @ branch
    gelu_backward(d_hidden, saved["hidden"], float(saved["gain"]), saved["tanh"])
    gradient[f"up_{i}"] = saved["mlp_input"] @ d_hidden.T
    d_normed = parameters[f"up_{i}"] @ d_hidden
    gain = parameters[f"norm_mlp_{i}"]
    gradient[f"norm_mlp_{i}"] = norm_backward(d_normed, saved["mlp_unit"], saved["mlp_inverse"], gain, dx)
    branch = dx * saved["attention_drop"] if "attention_drop" in saved else dx
    mixed = saved["mixed"].reshape(config.d_model, -1)
    gradient[f"output_{i}"] = mixed @ branch.T
    d_qkv, scaling = attend_backward(parameters[f"output_{i}"] @ branch, layer, i, config, frozen)
    gradient |= scaling
    gradient[f"qkv_{i}"] = saved["attention_input"] @ d_qkv.T
    d_normed = parameters[f"qkv_{i}"] @ d_qkv
    gain = parameters[f"norm_attention_{i}"]
    gradient[f"norm_attention_{i}"] = norm_backward(
        d_normed, saved["attention_unit"], saved["attention_inverse"], gain, dx
    )


def _drop(branch: np.ndarray, share: float, rng: np.random.Generator | None, layer: Layer, name: str) -> np.ndarray:
    """The branch with a share of its entries at 0 and the others divided by 1 - share; the factors go to ``saved``."""
    if rng is None or share == 0.0:
        return branch
    factors = (rng.random(branch.shape, dtype=np.float32) >= share) / (1.0 - share)
    layer.saved[name] = factors.astype(branch.dtype)
    return branch * layer.saved[name]


def _check_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(array) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {np.shape(array)}")
