"""The PyTorch adapter against the numpy observables and numpy attention, and inside a training loop."""

import math
import subprocess
import sys

import numpy as np
import pytest

from ceas_physics import attention
from ceas_physics.thermostat import Thermostat
from ceas_physics.thermostat.torch_adapter import Thermostatted

HEADS, D_K, CONTEXT = 3, 8, 64


@pytest.fixture
def torch():
    module = pytest.importorskip("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)  # these tensors are small
    yield module
    module.set_num_threads(threads)


def queries_and_keys(torch, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, 4, HEADS, CONTEXT, D_K, generator=generator, dtype=dtype)
    return 1.5 * q, k, v


def numpy_attention(q, k, v, beta, causal):
    scores = q @ k.swapaxes(-1, -2)
    if causal:
        scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    weights = np.exp(beta * (scores - scores.max(axis=-1, keepdims=True)))
    return (weights / weights.sum(axis=-1, keepdims=True)) @ v


@pytest.mark.parametrize("causal", [True, False])
def test_attention_with_folded_betas_is_attention_at_those_betas(causal, torch):
    q, k, v = queries_and_keys(torch, torch.float32)
    heads = Thermostatted(Thermostat(), HEADS, D_K, CONTEXT, causal=causal)
    heads.controller.beta = np.array([0.2, 0.5, 1.1])
    sdpa = torch.nn.functional.scaled_dot_product_attention
    found = sdpa(heads.fold(q), k, v, is_causal=causal, scale=1.0).numpy()
    beta = heads.controller.beta[:, None, None]
    expected = numpy_attention(*(x.double().numpy() for x in (q, k, v)), beta, causal)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    double = sdpa(heads.fold(q.double()), k.double(), v.double(), is_causal=causal, scale=1.0).numpy()
    np.testing.assert_allclose(double, expected, atol=1e-12)
    plain = sdpa(q, k, v, is_causal=causal).numpy()  # the control: 1/sqrt(d_k) for all
    assert np.abs(plain - expected).max() > 0.1


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("rows", [10, 1000])
def test_observables_are_those_of_numpy(causal, rows, torch):
    q, k, _ = queries_and_keys(torch, torch.float32)
    heads = Thermostatted(Thermostat(), HEADS, D_K, CONTEXT, rows=rows, causal=causal)
    heads.controller.beta = np.array([0.2, 0.5, 5.0])
    assert len(heads.queries) == min(rows, 57 if causal else 64)
    full = (q @ k.transpose(-1, -2)).double().numpy()
    scores = np.where(np.tri(CONTEXT, dtype=bool) | (not causal), full, -np.inf)[:, :, heads.queries]
    seen = heads.observe(q[:, :, heads.queries] @ k.transpose(-1, -2))
    beta = heads.controller.beta[:, None]
    for found, function in ((seen.entropy, attention.entropy), (seen.score_variance, attention.score_variance)):
        np.testing.assert_allclose(found, function(scores, beta).mean(axis=(0, 2)), rtol=1e-4)
    np.testing.assert_allclose(seen.sigma_qk, attention.sigma_qk(scores).mean(axis=(0, 2)), rtol=1e-5)
    depth = np.log(np.isfinite(scores).sum(axis=-1)).mean(axis=(0, 2)) - heads.controller.target
    np.testing.assert_allclose(depth, 1.1, atol=0.1)  # the target is that of the same rows


def test_it_steers_the_heads_of_a_layer_into_the_corridor(torch):
    scales = torch.tensor([0.7, 1.0, 1.5])[:, None, None]
    heads = Thermostatted(Thermostat(window=8, u_min=0.0, beta_c="rem"), HEADS, D_K, CONTEXT, rows=1000)
    for step in range(200):
        q, k, _ = queries_and_keys(torch, torch.float32, step)
        beta = heads.step(scales * q, k)
    seen = heads.observe(scales * q[:, :, heads.queries] @ k.transpose(-1, -2))
    assert (np.abs(seen.entropy - heads.controller.target) < 0.1).all()
    assert (np.diff(beta) < 0).all()  # wider scores, smaller beta
    assert beta[0] / beta[2] == pytest.approx(1.5 / 0.7, rel=0.1)


def test_a_measured_beta_c_is_searched_once_a_window(torch):
    heads = Thermostatted(Thermostat(window=8), HEADS, D_K, CONTEXT)
    q, k, _ = queries_and_keys(torch, torch.float32)
    heads.step(q, k)
    full = (q[0] @ k[0].transpose(-1, -2)).double().numpy()[:, heads.queries]
    expected = attention.pseudo_critical_beta(np.where(heads.visible, full, -np.inf))
    np.testing.assert_allclose(heads.controller.beta_c, expected, rtol=1e-3)
    first = heads.controller.beta_c
    for _ in range(7):
        heads.step(2 * q, k)
        assert heads.controller.beta_c is first
    heads.step(2 * q, k)
    np.testing.assert_allclose(heads.controller.beta_c, expected / 2, rtol=1e-3)


def test_a_training_loop_with_the_adapter(torch):
    """A layer learns to copy the token before; gradients pass the folded betas, the thermostat leaves none."""
    torch.manual_seed(0)
    embed, qkv = torch.nn.Embedding(12, 24), torch.nn.Linear(24, 72, bias=False)
    positions, out = torch.nn.Parameter(0.3 * torch.randn(32, 24)), torch.nn.Linear(24, 12)
    modules = torch.nn.ModuleList([embed, qkv, out])
    heads = Thermostatted(Thermostat(window=8, beta_c="rem"), 3, 8, 32)
    optimiser = torch.optim.Adam([*modules.parameters(), positions], lr=1e-2)
    losses = []
    for _ in range(250):
        tokens = torch.randint(0, 12, (16, 32))
        x = embed(tokens) + positions
        q, k, v = qkv(x).reshape(16, 32, 3, 3, 8).permute(2, 0, 3, 1, 4)
        heads.step(q, k)
        y = torch.nn.functional.scaled_dot_product_attention(heads.fold(q), k, v, is_causal=True, scale=1.0)
        logits = out(y.transpose(1, 2).reshape(16, 32, 24))
        loss = torch.nn.functional.cross_entropy(logits[:, 1:].reshape(-1, 12), tokens[:, :-1].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert qkv.weight.grad.abs().max() > 0
    assert losses[0] > 0.9 * math.log(12)
    assert np.mean(losses[-20:]) < 0.6 * math.log(12)
    assert (heads.controller.beta != 1 / math.sqrt(8)).all()


def test_half_precision_stays_finite(torch):
    q, k, _ = queries_and_keys(torch, torch.bfloat16)
    heads = Thermostatted(Thermostat(window=1), HEADS, D_K, CONTEXT)
    before = q.clone().requires_grad_()
    assert np.isfinite(heads.step(before, k)).all()
    assert heads.fold(q).dtype == torch.bfloat16
    assert before.grad is None


def test_what_it_refuses():
    with pytest.raises(ValueError, match="initial must be"):
        Thermostatted(Thermostat(initial="final_address"), 2, 8, 64)
    with pytest.raises(ValueError, match="context"):
        Thermostatted(Thermostat(), 2, 8, 7)


def test_nothing_imports_torch():
    code = "import sys, ceas_physics.thermostat.torch_adapter, ceas_physics.knobs; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
