"""A pre-LN GPT in plain numpy with its backward pass written out; beta multiplies the unscaled scores of each head."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

Arrays = dict[str, np.ndarray]
HIDDEN = -1e9  # added to the scores of hidden keys: their weight underflows to exactly 0, and 0 * HIDDEN stays finite
GELU_SCALE, GELU_CUBE = math.sqrt(2.0 / math.pi), 0.044715
NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the model and its optimiser's settings; about 9,000 parameters by default.

    Attributes
    ----------
    n_layers, n_heads, d_model, context : int
        ``d_model`` must be a multiple of ``n_heads``; ``d_k = d_model / n_heads``.
    batch_size : int
        Sequences of ``context`` tokens in a training step.
    learning_rate : float
        Step of Adam, constant.
    """

    n_layers: int = 2
    n_heads: int = 2
    d_model: int = 16
    context: int = 64
    batch_size: int = 16
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_heads", "d_model", "context", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got {self.d_model} and {self.n_heads}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate}")

    @property
    def d_k(self) -> int:
        """Width of a head."""
        return self.d_model // self.n_heads

    @property
    def standard_beta(self) -> np.ndarray:
        """1/sqrt(d_k) for every head, shape (layer, head)."""
        return np.full((self.n_layers, self.n_heads), 1.0 / math.sqrt(self.d_k))


def parameter_shapes(config: TransformerConfig, n_characters: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, in the order of the flat vector; no biases, embedding and output tied."""
    d = config.d_model
    shapes: dict[str, tuple[int, ...]] = {"embedding": (n_characters, d), "positions": (config.context, d)}
    for layer in range(config.n_layers):
        shapes |= {f"norm_attention_{layer}": (d,), f"qkv_{layer}": (d, 3 * d), f"output_{layer}": (d, d)}
        shapes |= {f"norm_mlp_{layer}": (d,), f"up_{layer}": (d, 4 * d), f"down_{layer}": (4 * d, d)}
    return shapes | {"norm_final": (d,)}


def unflatten(vector: np.ndarray, config: TransformerConfig, n_characters: int) -> Arrays:
    """The parameters by name, as views into the flat vector."""
    shapes = parameter_shapes(config, n_characters)
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    if vector.shape != (ends[-1],):
        raise ValueError(f"this configuration has {ends[-1]} parameters, got an array of shape {vector.shape}")
    pieces = np.split(vector, ends[:-1])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(shapes.items(), pieces)}


def initial_vector(config: TransformerConfig, n_characters: int, rng: np.random.Generator) -> np.ndarray:
    """Flat float32 parameters before training: gains 1, embeddings of std 0.1, other weights of variance 1/fan_in.

    So q and k have unit variance. The two matrices that write into the residual stream are smaller by sqrt(2 n_layers).
    """
    pieces = []
    for name, shape in parameter_shapes(config, n_characters).items():
        if name.startswith("norm"):
            pieces.append(np.ones(shape))
            continue
        std = 0.1 if name in ("embedding", "positions") else 1.0 / math.sqrt(shape[0])
        if name.startswith(("output", "down")):
            std /= math.sqrt(2.0 * config.n_layers)
        pieces.append(std * rng.standard_normal(shape).ravel())
    return np.concatenate(pieces).astype(np.float32)


def flatten(arrays: Arrays, config: TransformerConfig, n_characters: int) -> np.ndarray:
    """The flat vector of arrays given by name: the inverse of ``unflatten``."""
    return np.concatenate([arrays[name].ravel() for name in parameter_shapes(config, n_characters)])


@dataclass
class Layer:
    """What the backward pass and an observer of the heads need of a layer; shapes (batch, head, query, key or d_k)."""

    queries: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    scaled_scores: np.ndarray  # beta q.k, hidden keys at HIDDEN
    weights: np.ndarray  # softmax of scaled_scores
    log_partition: np.ndarray  # ln sum exp(scaled_scores), (batch, head, query)
    saved: Arrays = field(default_factory=dict)  # activations, (tokens, width)

    def scores(self) -> np.ndarray:
        """Unscaled scores q.k, (batch, head, query, key), -inf at keys after the query."""
        scores = self.queries @ self.keys.swapaxes(-1, -2)
        return np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)


def _norm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean)/std along the last axis, and 1/std."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("td,td->t", centred, centred)[:, None] / x.shape[-1]
    inverse = 1.0 / np.sqrt(variance + NORM_EPSILON)
    centred *= inverse
    return centred, inverse


def _norm_backward(gradient: np.ndarray, normed: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Gradient at x of y = (x - mean)/std, from the gradient at y."""
    projection = np.einsum("td,td->t", gradient, normed)[:, None] / gradient.shape[-1]
    return inverse * (gradient - gradient.mean(axis=-1, keepdims=True) - normed * projection)


def _softmax(scaled_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights along the last axis and ln Z."""
    top = scaled_scores.max(axis=-1, keepdims=True)
    weights = np.subtract(scaled_scores, top)
    np.exp(weights, out=weights)
    partition = weights.sum(axis=-1, keepdims=True)
    weights /= partition
    return weights, (top + np.log(partition))[..., 0]


def _attend(
    normed: np.ndarray, qkv: np.ndarray, beta: np.ndarray, config: TransformerConfig
) -> tuple[np.ndarray, Layer]:
    """Heads side by side, (tokens, d_model), and what they kept; beta has shape (head,)."""
    context, d_k = config.context, config.d_k
    split = (normed @ qkv).reshape(-1, context, 3, config.n_heads, d_k).transpose(2, 0, 3, 1, 4)
    queries, keys, values = np.ascontiguousarray(split)  # each (batch, head, context, d_k)
    scaled_scores = (queries * beta[:, None, None]) @ keys.swapaxes(-1, -2)
    scaled_scores += np.triu(np.full((context, context), HIDDEN, dtype=normed.dtype), 1)
    weights, log_partition = _softmax(scaled_scores)
    mixed = (weights @ values).transpose(0, 2, 1, 3).reshape(normed.shape)
    return mixed, Layer(queries, keys, values, scaled_scores, weights, log_partition, {"mixed": mixed})


def _attend_backward(gradient: np.ndarray, layer: Layer, beta: np.ndarray) -> np.ndarray:
    """Gradient at the (tokens, 3 d_model) output of the qkv projection, from the one at the mixed values."""
    batch, heads, context, d_k = layer.queries.shape
    split = np.empty((batch, context, 3, heads, d_k), dtype=gradient.dtype)
    d_queries, d_keys, d_values = split.transpose(2, 0, 3, 1, 4)
    d_mixed = np.ascontiguousarray(gradient.reshape(batch, context, heads, d_k).transpose(0, 2, 1, 3))
    d_scores = d_mixed @ layer.values.swapaxes(-1, -2)  # so far the gradient at the weights
    d_scores -= np.einsum("bhqk,bhqk->bhq", d_scores, layer.weights)[..., None]
    d_scores *= layer.weights
    np.multiply(d_scores @ layer.keys, beta[:, None, None], out=d_queries)
    np.multiply(d_scores.swapaxes(-1, -2) @ layer.queries, beta[:, None, None], out=d_keys)
    d_values[...] = layer.weights.swapaxes(-1, -2) @ d_mixed
    return split.reshape(batch * context, -1)


def _gelu(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u/2 (1 + tanh(sqrt(2/pi)(u + 0.044715 u^3))), and the tanh."""
    tanh = u * u
    tanh *= GELU_SCALE * GELU_CUBE
    tanh += GELU_SCALE
    tanh *= u
    np.tanh(tanh, out=tanh)
    value = tanh + 1.0
    value *= u
    value *= 0.5
    return value, tanh


def _gelu_backward(gradient: np.ndarray, u: np.ndarray, tanh: np.ndarray) -> np.ndarray:
    """Gradient at u."""
    slope = u * u
    slope *= 3.0 * GELU_SCALE * GELU_CUBE
    slope += GELU_SCALE
    slope *= u
    slope *= 1.0 - tanh * tanh
    slope += tanh
    slope += 1.0
    slope *= 0.5
    slope *= gradient
    return slope


def forward(
    parameters: Arrays, tokens: np.ndarray, beta: np.ndarray, config: TransformerConfig
) -> tuple[np.ndarray, list[Layer], tuple[np.ndarray, np.ndarray]]:
    """Logits of the next character: attention weights softmax(beta q.k) over the keys not after the query.

    Parameters
    ----------
    parameters : dict of ndarray
        As from ``unflatten``; their dtype is the dtype of the computation.
    tokens : ndarray of int, shape (batch, context)
    beta : ndarray, shape (layer, head)
        Factor of the unscaled scores; 1/sqrt(d_k) is the textbook's.

    Returns
    -------
    logits : ndarray, shape (batch * context, n_characters)
    layers : list of Layer
    final : tuple of ndarray
        The last norm's output and 1/std, for the backward pass.
    """
    embedding = parameters["embedding"]
    beta = beta.astype(embedding.dtype)
    x = (embedding[tokens] + parameters["positions"]).reshape(-1, config.d_model)
    layers = []
    for i in range(config.n_layers):
        unit, inverse = _norm(x)
        normed = unit * parameters[f"norm_attention_{i}"]
        mixed, layer = _attend(normed, parameters[f"qkv_{i}"], beta[i], config)
        x = x + mixed @ parameters[f"output_{i}"]
        layer.saved |= {"attention_unit": unit, "attention_inverse": inverse, "attention_input": normed}
        unit, inverse = _norm(x)
        normed = unit * parameters[f"norm_mlp_{i}"]
        hidden = normed @ parameters[f"up_{i}"]
        active, tanh = _gelu(hidden)
        x = x + active @ parameters[f"down_{i}"]
        layer.saved |= {"mlp_unit": unit, "mlp_inverse": inverse, "mlp_input": normed}
        layer.saved |= {"hidden": hidden, "tanh": tanh, "active": active}
        layers.append(layer)
    unit, inverse = _norm(x)
    return (unit * parameters["norm_final"]) @ embedding.T, layers, (unit, inverse)


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of -ln p(target) in nats per character, and its gradient at the logits."""
    weights, log_partition = _softmax(logits)
    rows = np.arange(targets.size)
    loss = float(np.mean(log_partition - logits[rows, targets.ravel()], dtype=np.float64))
    weights[rows, targets.ravel()] -= 1.0
    weights /= targets.size
    return loss, weights


def loss_and_gradient(
    parameters: Arrays, tokens: np.ndarray, targets: np.ndarray, beta: np.ndarray, config: TransformerConfig
) -> tuple[float, Arrays, list[Layer]]:
    """Mean cross-entropy in nats per character, its gradient by parameter name, and the layers of the forward pass."""
    embedding = parameters["embedding"]
    logits, layers, (unit, inverse) = forward(parameters, tokens, beta, config)
    loss, d_logits = cross_entropy(logits, targets)
    normed = unit * parameters["norm_final"]
    gradient: Arrays = {"embedding": d_logits.T @ normed}
    d_normed = d_logits @ embedding
    gradient["norm_final"] = np.einsum("td,td->d", d_normed, unit)
    dx = _norm_backward(d_normed * parameters["norm_final"], unit, inverse)
    for i in reversed(range(config.n_layers)):
        dx = _layer_backward(i, dx, layers[i], beta[i].astype(embedding.dtype), parameters, gradient)
    gradient["positions"] = dx.reshape(-1, *parameters["positions"].shape).sum(axis=0)
    one_hot = np.zeros((tokens.size, len(embedding)), dtype=embedding.dtype)
    one_hot[np.arange(tokens.size), tokens.ravel()] = 1.0
    gradient["embedding"] += one_hot.T @ dx
    return loss, gradient, layers


def _layer_backward(
    i: int, dx: np.ndarray, layer: Layer, beta: np.ndarray, parameters: Arrays, gradient: Arrays
) -> np.ndarray:
    """Fill the gradients of layer i and return the gradient at its input."""
    saved = layer.saved
    gradient[f"down_{i}"] = saved["active"].T @ dx
    d_hidden = _gelu_backward(dx @ parameters[f"down_{i}"].T, saved["hidden"], saved["tanh"])
    gradient[f"up_{i}"] = saved["mlp_input"].T @ d_hidden
    d_normed = d_hidden @ parameters[f"up_{i}"].T
    gradient[f"norm_mlp_{i}"] = np.einsum("td,td->d", d_normed, saved["mlp_unit"])
    d_normed *= parameters[f"norm_mlp_{i}"]
    dx = dx + _norm_backward(d_normed, saved["mlp_unit"], saved["mlp_inverse"])
    gradient[f"output_{i}"] = saved["mixed"].T @ dx
    d_qkv = _attend_backward(dx @ parameters[f"output_{i}"].T, layer, beta)
    gradient[f"qkv_{i}"] = saved["attention_input"].T @ d_qkv
    d_normed = d_qkv @ parameters[f"qkv_{i}"].T
    gradient[f"norm_attention_{i}"] = np.einsum("td,td->d", d_normed, saved["attention_unit"])
    d_normed *= parameters[f"norm_attention_{i}"]
    return dx + _norm_backward(d_normed, saved["attention_unit"], saved["attention_inverse"])
