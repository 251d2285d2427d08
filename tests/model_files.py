"""Small models with random weights, written to files byte by byte, and their forward passes by einsum in doubles."""

import json
import struct
from string import ascii_lowercase

import numpy as np
from scipy.special import erf

from ceas_physics.models import BertShape, LlamaShape
from ceas_physics.models.layer import untrained

BERT = BertShape(n_layers=2, n_heads=3, d_model=24, d_ff=40, vocabulary=64, positions=48)
LLAMA = LlamaShape(
    n_layers=2, n_heads=4, n_key_heads=2, d_model=32, d_k=8, d_ff=64, vocabulary=64, positions=64, rotary_base=500.0
)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrst")]


def random_parameters(shape, seed, deviation=0.3):
    """Matrices as before training but larger; norms and biases random, so that a misplaced one shows."""
    rng = np.random.default_rng(seed)
    parameters = untrained(shape.parameter_shapes(), deviation, seed)
    return {
        name: array + (rng.normal(0, 0.2, array.shape).astype("f4") if array.ndim == 1 else 0)
        for name, array in parameters.items()
    }


def write_safetensors(path, arrays, kinds=None):
    names = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "uint16": "BF16"}
    header, body = {"__metadata__": {"format": "np"}}, b""
    for name, array in arrays.items():
        offsets = [len(body), len(body) + array.nbytes]
        kind = (kinds or {}).get(name, names[array.dtype.name])
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": offsets}
        body += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_bert(folder, parameters, **changes):
    config = {
        "model_type": "bert", "num_hidden_layers": BERT.n_layers, "num_attention_heads": BERT.n_heads,
        "hidden_size": BERT.d_model, "intermediate_size": BERT.d_ff, "vocab_size": BERT.vocabulary,
        "max_position_embeddings": BERT.positions, "layer_norm_eps": BERT.epsilon, "hidden_act": "gelu",
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config | changes))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    write_safetensors(folder / "model.safetensors", {f"bert.{name}": array for name, array in parameters.items()})
    return folder


def write_llama(folder, parameters, **changes):
    config = {
        "model_type": "llama", "num_hidden_layers": LLAMA.n_layers, "num_attention_heads": LLAMA.n_heads,
        "num_key_value_heads": LLAMA.n_key_heads, "hidden_size": LLAMA.d_model, "intermediate_size": LLAMA.d_ff,
        "vocab_size": LLAMA.vocabulary, "max_position_embeddings": LLAMA.positions, "rms_norm_eps": LLAMA.epsilon,
        "rope_theta": LLAMA.rotary_base, "hidden_act": "silu",
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config | changes))
    write_safetensors(folder / "model.safetensors", {f"model.{name}": array for name, array in parameters.items()})
    return folder


def _gguf_string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _gguf_value(value):
    if isinstance(value, str):
        return struct.pack("<I", 8) + _gguf_string(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_gguf_string, value))
    return struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<II", 4, value)


def pack_q4_1(array):
    """Blocks of 32: step and offset in half precision, then 4-bit integers, low halves first."""
    blocks = array.reshape(-1, 32)
    low = blocks.min(axis=1, keepdims=True).astype("f2")
    step = ((blocks.max(axis=1, keepdims=True) - low) / 15).astype("f2")
    q = np.clip(np.rint((blocks - low) / step.astype("f4")), 0, 15).astype("u1")
    return np.hstack([step.view("u1"), low.view("u1"), q[:, :16] | q[:, 16:] << 4]).tobytes()


def write_gguf(path, metadata, tensors):
    """Tensors: name -> (shape as numpy has it, ggml type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_gguf_string(key) + _gguf_value(value) for key, value in metadata.items())
    body = b""
    for name, (shape, kind, data) in tensors.items():
        head += _gguf_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(body))
        body += data + bytes(-len(data) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + body)


def llama_metadata():
    shape = LLAMA
    return {
        "general.architecture": "llama", "llama.block_count": shape.n_layers,
        "llama.attention.head_count": shape.n_heads, "llama.attention.head_count_kv": shape.n_key_heads,
        "llama.embedding_length": shape.d_model, "llama.feed_forward_length": shape.d_ff,
        "llama.context_length": shape.positions, "llama.rope.dimension_count": shape.d_k,
        "llama.rope.freq_base": shape.rotary_base, "llama.attention.layer_norm_rms_epsilon": shape.epsilon,
        "tokenizer.ggml.tokens": [*ascii_lowercase, "ab", *(f"<{k}>" for k in range(shape.vocabulary - 27))],
        "tokenizer.ggml.merges": ["a b"], "tokenizer.ggml.pre": "smollm",
    }  # fmt: skip


def gguf_name(name):
    names = {
        "embed_tokens": "token_embd", "norm": "output_norm", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    parts = name.removesuffix(".weight").split(".")
    block = f"blk.{parts[1]}." if parts[0] == "layers" else ""
    return f"{block}{names['.'.join(parts[2:]) if block else parts[0]]}.weight"


def _varint(value):
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def _field(number, value):
    """A field of a protocol-buffer message: a whole number, a single-precision one, or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _onnx_tensor(name, array):
    sizes = b"".join(_field(1, size) for size in array.shape)
    return sizes + _field(2, 1) + _field(8, name) + _field(9, array.astype("<f4").tobytes())


def _onnx_node(name, operation, inputs=(), outputs=(), attribute=b""):
    ends = b"".join([*(_field(1, value) for value in inputs), *(_field(2, value) for value in outputs)])
    return _field(1, ends + _field(3, name) + _field(4, operation) + (_field(5, attribute) if attribute else b""))


def write_onnx(path, parameters, shape):
    """The parts of an exported graph that its reader uses: matrices transposed and renamed, named by their nodes."""
    tensors = nodes = b""
    for k, (name, array) in enumerate(parameters.items()):
        module = name.removesuffix(".weight")
        if array.ndim == 2 and not name.startswith("embeddings."):
            tensors += _field(5, _onnx_tensor(f"onnx::MatMul_{k}", array.T))
            place = module.replace("layer.", "layer#").replace(".", "/").replace("#", ".")
            nodes += _onnx_node(f"/model/{place}/MatMul", "MatMul", ["x", f"onnx::MatMul_{k}"], [f"y{k}"])
        else:
            tensors += _field(5, _onnx_tensor(f"model.{name}", array))
    root = _field(1, "value") + _field(5, _onnx_tensor("", np.array(shape.d_k**0.5)))
    nodes += _onnx_node("/c", "Constant", outputs=["root"], attribute=root)
    nodes += _onnx_node("/model/encoder/layer.0/attention/self/Div", "Div", ["s", "root"], ["t"])
    nodes += _onnx_node("/n", "LayerNormalization", attribute=_field(1, "epsilon") + _field(2, shape.epsilon))
    path.write_bytes(_field(1, 8) + _field(7, nodes + tensors))


def bert_by_einsum(p, tokens, shape):
    """Hidden states and scores of every layer in double precision, written index by index."""
    p = {name: array.astype(float) for name, array in p.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(x.var(-1, keepdims=True) + shape.epsilon) * p[f"{name}.weight"] + p[f"{name}.bias"]

    def affine(x, name):
        return np.einsum("pti,oi->pto", x, p[f"{name}.weight"]) + p[f"{name}.bias"]

    table = {name: p[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    x = norm(table["word"][tokens] + table["position"][np.arange(tokens.shape[1])] + table["token_type"][0],
             "embeddings.LayerNorm")  # fmt: skip
    for i in range(shape.n_layers):
        at = f"encoder.layer.{i}"
        q, k, v = (
            affine(x, f"{at}.attention.self.{n}").reshape(*x.shape[:2], shape.n_heads, -1)
            for n in ("query", "key", "value")
        )
        scores = np.einsum("pqhd,pkhd->phqk", q, k)
        weights = np.exp(scores / np.sqrt(shape.d_k))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("phqk,pkhd->pqhd", weights, v).reshape(x.shape)
        x = norm(x + affine(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        inner = affine(x, f"{at}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        x = norm(x + affine(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        yield scores, x


def llama_by_einsum(p, tokens, shape):
    """Hidden states and scores of every layer in double precision; rotations as complex factors."""
    p = {name.removesuffix(".weight"): array.astype(float) for name, array in p.items()}
    x, n = p["embed_tokens"][tokens], tokens.shape[1]
    frequency = shape.rotary_base ** (-2.0 * np.arange(shape.d_k // 2) / shape.d_k)
    phase = np.exp(1j * np.arange(n)[:, None] * frequency)

    def norm(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + shape.epsilon) * p[name]

    def rotated(x, name, heads):
        y = np.einsum("pti,oi->pto", x, p[name]).reshape(*x.shape[:2], heads, 2, -1)
        return (y[..., 0, :] + 1j * y[..., 1, :]) * phase[:, None]

    for i in range(shape.n_layers):
        at = f"layers.{i}"
        inner = norm(x, f"{at}.input_layernorm")
        q = rotated(inner, f"{at}.self_attn.q_proj", shape.n_heads)
        k = rotated(inner, f"{at}.self_attn.k_proj", shape.n_key_heads)
        v = np.einsum("pti,oi->pto", inner, p[f"{at}.self_attn.v_proj"]).reshape(*x.shape[:2], shape.n_key_heads, -1)
        serves = np.arange(shape.n_heads) // (shape.n_heads // shape.n_key_heads)
        scores = np.einsum("pqhd,pkhd->phqk", q, k[:, :, serves].conj()).real
        scores[..., ~np.tri(n, dtype=bool)] = -np.inf
        weights = np.exp(scores / np.sqrt(shape.d_k))
        weights /= weights.sum(-1, keepdims=True)
        mixed = np.einsum("phqk,pkhd->pqhd", weights, v[:, :, serves]).reshape(*x.shape[:2], -1)
        x = x + np.einsum("pti,oi->pto", mixed, p[f"{at}.self_attn.o_proj"])
        inner = norm(x, f"{at}.post_attention_layernorm")
        gate = np.einsum("pti,oi->pto", inner, p[f"{at}.mlp.gate_proj"])
        gate = gate / (1 + np.exp(-gate)) * np.einsum("pti,oi->pto", inner, p[f"{at}.mlp.up_proj"])
        x = x + np.einsum("pti,oi->pto", gate, p[f"{at}.mlp.down_proj"])
        yield scores, x
