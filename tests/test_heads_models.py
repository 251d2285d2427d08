"""Models from files: every number read as written, forward passes equal to einsum in doubles, broken files refused."""

import json
import struct

import numpy as np
import pytest
from model_files import (
    BERT,
    LLAMA,
    WORDS,
    bert_by_einsum,
    gguf_name,
    llama_by_einsum,
    llama_metadata,
    pack_q4_1,
    random_parameters,
    write_bert,
    write_gguf,
    write_llama,
    write_onnx,
    write_safetensors,
)

from ceas_physics.models import Bert, Llama, load
from ceas_physics.models.byte_pairs import BytePairs
from ceas_physics.models.gguf import read_gguf
from ceas_physics.models.safetensors import read_safetensors
from ceas_physics.models.wordpiece import WordPiece

RNG_TOKENS = np.random.default_rng(5).integers(0, 64, (3, 20))


def check_passes(model, expected):
    """Scores and hidden states of all layers agree to single precision."""
    count = 0
    for layer, (scores, hidden) in zip(model.forward(RNG_TOKENS), expected, strict=True):
        seen = np.isfinite(scores)
        np.testing.assert_array_equal(np.isfinite(layer.scores), seen)
        np.testing.assert_allclose(layer.scores[seen], scores[seen], rtol=0, atol=1e-5 * np.abs(scores[seen]).max())
        np.testing.assert_allclose(layer.hidden, hidden, rtol=0, atol=1e-5 * np.abs(hidden).max())
        count += 1
    assert count == model.shape.n_layers


def test_bert_from_a_folder_equals_einsum(tmp_path):
    parameters = random_parameters(BERT, 1)
    model = load(write_bert(tmp_path, parameters | {"pooler.dense.weight": np.ones((2, 2), "f4")}))
    check_passes(model, bert_by_einsum(parameters, RNG_TOKENS, BERT))
    assert model.wrap(model.tokenizer("Ab z")[None]).tolist() == [[2, 4, 31, 29, 3]]


def test_llama_from_a_folder_equals_einsum(tmp_path):
    parameters = random_parameters(LLAMA, 2)
    check_passes(load(write_llama(tmp_path, parameters)), llama_by_einsum(parameters, RNG_TOKENS, LLAMA))


def test_bert_from_onnx_equals_einsum(tmp_path):
    parameters = random_parameters(BERT, 4)
    write_onnx(tmp_path / "m.onnx", parameters, BERT)
    model = load(tmp_path / "m.onnx")
    assert model.shape.n_heads == BERT.n_heads
    check_passes(model, bert_by_einsum(parameters, RNG_TOKENS, BERT))
    assert model.tokenizer is None
    write_onnx(tmp_path / "m.onnx", {name: parameters[name] for name in list(parameters)[:3]}, BERT)
    with pytest.raises(ValueError, match="not a BERT encoder"):
        load(tmp_path / "m.onnx")


def test_an_early_token_does_not_see_a_later_one():
    model = Llama("m", LLAMA, random_parameters(LLAMA, 2))
    changed = RNG_TOKENS.copy()
    changed[:, 12:] = (changed[:, 12:] + 1) % 64
    for before, after in zip(model.forward(RNG_TOKENS), model.forward(changed)):
        np.testing.assert_array_equal(before.hidden[:, :12], after.hidden[:, :12])
        assert not np.array_equal(before.hidden[:, 12:], after.hidden[:, 12:])


def gguf_tensors(parameters):
    """q and k rows in the order where neighbours rotate together, as GGUF has them; matrices in Q4_1."""
    tensors = {}
    for name, array in parameters.items():
        rows = array
        if "q_proj" in name or "k_proj" in name:
            rows = array.reshape(-1, 2, LLAMA.d_k // 2, LLAMA.d_model).swapaxes(1, 2).reshape(array.shape)
        packed = array.ndim == 2
        data = pack_q4_1(rows) if packed else rows.tobytes()
        tensors[gguf_name(name)] = rows.shape, 3 if packed else 0, data
    return tensors


def unpacked(data, shape):
    """Q4_1 by its formula, number by number."""
    numbers = []
    for start in range(0, len(data), 20):
        step, offset = np.frombuffer(data[start : start + 4], "<f2").astype("f4")
        quants = data[start + 4 : start + 20]
        numbers += [step * (b & 15) + offset for b in quants] + [step * (b >> 4) + offset for b in quants]
    return np.array(numbers, "f4").reshape(shape)


def test_llama_from_gguf_equals_einsum_of_its_unpacked_numbers(tmp_path):
    parameters = random_parameters(LLAMA, 3)
    tensors = gguf_tensors(parameters)
    write_gguf(tmp_path / "m.gguf", llama_metadata(), tensors)
    exact = {}
    for name, array in parameters.items():
        shape, kind, data = tensors[gguf_name(name)]
        exact[name] = unpacked(data, shape) if kind == 3 else array
        if "q_proj" in name or "k_proj" in name:
            exact[name] = exact[name].reshape(-1, LLAMA.d_k // 2, 2, LLAMA.d_model).swapaxes(1, 2).reshape(shape)
        assert np.abs(exact[name] - array).max() < 0.1  # 4 bits of numbers of deviation 0.3
    model = load(tmp_path / "m.gguf")
    check_passes(model, llama_by_einsum(exact, RNG_TOKENS, LLAMA))
    assert model.tokenizer("abz").tolist() == [26, 25]


def test_every_packing_of_gguf(tmp_path):
    quants = np.arange(32) % 16
    half = np.array([0.5, -1.25], "<f2")
    nibbles = (quants[:16] | quants[16:] << 4).astype("u1").tobytes()
    signed = np.arange(-16, 16, dtype="i1")
    numbers = np.linspace(-2, 2, 32, dtype="<f4")
    cases = {
        "f32": (0, numbers.tobytes(), numbers),
        "f16": (1, numbers.astype("<f2").tobytes(), numbers.astype("<f2")),
        "q4_0": (2, half[:1].tobytes() + nibbles, 0.5 * (quants - 8)),
        "q4_1": (3, half.tobytes() + nibbles, 0.5 * quants - 1.25),
        "q8_0": (8, half[:1].tobytes() + signed.tobytes(), 0.5 * signed),
        "bf16": (30, (numbers.view("<u4") >> 16).astype("<u2").tobytes(),
                 (numbers.view("<u4") & 0xFFFF0000).view("<f4")),
    }  # fmt: skip
    write_gguf(
        tmp_path / "m.gguf", {"x": 1.5}, {name: ((1, 32), kind, data) for name, (kind, data, _) in cases.items()}
    )
    metadata, tensors = read_gguf(tmp_path / "m.gguf")
    assert metadata == {"x": 1.5}
    for name, (_, _, expected) in cases.items():
        np.testing.assert_array_equal(tensors[name][0], expected)
        assert tensors[name].dtype == np.float32


def test_every_type_of_safetensors(tmp_path):
    numbers = np.linspace(-2, 2, 6).reshape(2, 3)
    single = numbers.astype("f4")
    bits = (single.view("u4") >> 16).astype("u2")
    arrays = {"a": single, "b": numbers.astype("f2"), "c": numbers, "d": np.arange(4), "e": bits}
    write_safetensors(tmp_path / "m.safetensors", arrays)
    read = read_safetensors(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(read["a"], single)
    np.testing.assert_array_equal(read["b"], numbers.astype("f2").astype("f4"))
    np.testing.assert_array_equal(read["c"], single)
    np.testing.assert_array_equal(read["d"], np.arange(4))
    np.testing.assert_array_equal(read["e"], (single.view("u4") & 0xFFFF0000).view("f4"))


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    folder = write_llama(tmp_path / "st", random_parameters(LLAMA, 3))
    write_gguf(tmp_path / "m.gguf", llama_metadata(), gguf_tensors(random_parameters(LLAMA, 3)))
    write_onnx(tmp_path / "m.onnx", random_parameters(BERT, 1), BERT)
    for path in (folder / "model.safetensors", tmp_path / "m.gguf", tmp_path / "m.onnx"):
        whole = path.read_bytes()
        for kept in [0, 3, 8, 20, 200, 1000, len(whole) // 2, len(whole) - 40]:
            path.write_bytes(whole[:kept])
            with pytest.raises(ValueError, match=r"truncated|not a whole|does not begin|fetch it again"):
                load(path)
        path.write_bytes(whole)
        load(path)


def test_damaged_bytes_give_numbers_or_a_value_error(tmp_path):
    write_gguf(tmp_path / "m.gguf", llama_metadata(), gguf_tensors(random_parameters(LLAMA, 3)))
    whole = bytearray((tmp_path / "m.gguf").read_bytes())
    rng, refused = np.random.default_rng(0), 0
    for _ in range(150):
        damaged = whole.copy()
        for place in rng.integers(0, 3000, 3):
            damaged[place] = rng.integers(256)
        (tmp_path / "m.gguf").write_bytes(damaged)
        try:
            load(tmp_path / "m.gguf")
        except ValueError:
            refused += 1
    assert refused > 75


def test_models_that_cannot_be_right_are_refused(tmp_path, monkeypatch):
    parameters = random_parameters(BERT, 1)
    refusals = {
        "model_type 'gpt2'": {"model_type": "gpt2"},
        "hidden_act": {"hidden_act": "relu"},
        "position_embedding_type": {"position_embedding_type": "relative_key"},
        "n_heads must divide": {"num_attention_heads": 5},
        "no tensor": {"num_hidden_layers": 3},
        "does not have": {"num_hidden_layers": 1},
        "has the shape": {"intermediate_size": 41},
        "num_hidden_layers must be an integer >= 1, got 'six'": {"num_hidden_layers": "six"},
        "num_attention_heads must be an integer >= 1, got 0": {"num_attention_heads": 0},
        "hidden_size must be an integer >= 1, got 12.5": {"hidden_size": 12.5},
        "layer_norm_eps must be a number > 0, got 'small'": {"layer_norm_eps": "small"},
    }
    for message, change in refusals.items():
        with pytest.raises(ValueError, match=message):
            load(write_bert(tmp_path / "m", parameters, **change))
    (tmp_path / "m" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="no entry 'num_hidden_layers'"):
        load(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="must hold names and values in braces, got a list"):
        load(tmp_path / "m")
    (tmp_path / "m" / "config.json").unlink()
    monkeypatch.chdir(tmp_path / "m")
    for source in (tmp_path / "m", "model.safetensors", "."):
        with pytest.raises(ValueError, match=rf"^{tmp_path / 'm'} has no config\.json"):
            load(source)
    scaled = {"rope_scaling": {"rope_type": "llama3"}}
    with pytest.raises(ValueError, match="rope_scaling"):
        load(write_llama(tmp_path / "l", random_parameters(LLAMA, 1), **scaled))
    for name, value in (("num_attention_heads", 0), ("head_dim", "wide"), ("rope_theta", -1.0)):
        with pytest.raises(ValueError, match=f"{name} must be"):
            load(write_llama(tmp_path / "l", random_parameters(LLAMA, 1), **{name: value}))
    write_gguf(tmp_path / "m.gguf", llama_metadata() | {"general.architecture": "mamba"}, {})
    with pytest.raises(ValueError, match='only "llama"'):
        load(tmp_path / "m.gguf")


def test_files_that_are_no_models_are_refused_unopened(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for source in (tmp_path, tmp_path / "pytorch_model.bin"):
        with pytest.raises(ValueError, match="never opened"):
            load(source)
    with pytest.raises(ValueError, match="neither a file, a folder nor an installed package"):
        load("no-such-package-anywhere")
    with pytest.raises(ValueError, match="holds no model"):
        load("numpy")
    broken = struct.pack("<Q", 4) + b"[1, " + bytes(8)
    (tmp_path / "m.safetensors").write_bytes(broken)
    with pytest.raises(ValueError, match="header is broken"):
        read_safetensors(tmp_path / "m.safetensors")
    write_safetensors(tmp_path / "m.safetensors", {"a": np.zeros(2, "f4")}, {"a": "F8"})
    with pytest.raises(ValueError, match="has the type F8"):
        read_safetensors(tmp_path / "m.safetensors")


def test_untrained_weights_have_their_deviation_and_repeat(tmp_path):
    model = Bert("m", BERT, random_parameters(BERT, 1))
    first, again, other = (model.untrained(seed).parameters for seed in (7, 7, 8))
    name = "encoder.layer.1.intermediate.dense.weight"
    np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first[name], other[name])
    numbers = np.concatenate([array.ravel() for array in first.values() if array.ndim == 2])
    assert abs(numbers.std() / 0.02 - 1) < 5 / np.sqrt(2 * numbers.size)
    assert (first["embeddings.LayerNorm.weight"] == 1).all()
    assert (first["embeddings.LayerNorm.bias"] == 0).all()


def test_word_pieces():
    tokenizer = WordPiece({word: k for k, word in enumerate(WORDS)})
    assert tokenizer("Éab\u200d\tc").tolist() == [WORDS.index(w) for w in ("e", "##a", "##b", "c")]
    assert tokenizer("a?b 中").tolist() == [WORDS.index(w) for w in ("a", "[UNK]", "b", "[UNK]")]
    assert tokenizer("x" * 101).tolist() == [1]
    with pytest.raises(ValueError, match=r"\[UNK\]"):
        WordPiece({"a": 0})


def test_byte_pairs_merge_in_learned_order_and_lose_nothing():
    letters = [chr(k) for k in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    merges = ["b c", "a b", "a bc", "Ġ a", "1 2"]
    vocabulary = {token: k for k, token in enumerate([*letters, *(merge.replace(" ", "") for merge in merges)])}
    names = {k: token for token, k in vocabulary.items()}
    tokenizer = BytePairs(vocabulary, merges)
    assert [names[k] for k in tokenizer("abc ab a12")] == ["abc", "Ġ", "ab", "Ġa", "12"]
    digits = BytePairs(vocabulary, merges, single_digits=True)
    assert [names[k] for k in digits("a12  3")] == ["a", "1", "2", "Ġ", "Ġ", "3"]
    text = "Zürich, don't  中文 x²½ ３4 😀\n\n\tend "
    codes = {name: byte for byte, name in enumerate(sorted_bytes())}
    for form in (tokenizer, digits):
        assert bytes(codes[c] for k in form(text) for c in names[k]).decode() == text
    with pytest.raises(ValueError, match="no token"):
        BytePairs({"a": 0}, [])("b")


def sorted_bytes():
    """Names of bytes 0..255: the printable ones of Latin-1 as they are, the others 256, 257, ... in order."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    fresh = iter(range(256, 324))
    return [chr(byte) if byte in printable else chr(next(fresh)) for byte in range(256)]


def test_a_tokenizer_file_of_another_kind_leaves_token_ids(tmp_path):
    folder = write_llama(tmp_path, random_parameters(LLAMA, 2))
    bytes_ = {"type": "ByteLevel", "use_regex": True}
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "pre_tokenizer": bytes_}))
    assert load(folder).tokenizer("aab").tolist() == [0, 2]
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "pre_tokenizer": {"type": "Metaspace"}}))
    assert load(folder).tokenizer is None
