"""What torch does to tensors, as nodes of ONNX: one after the other, by ONNX Runtime."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

runtime = pytest.importorskip("onnxruntime", reason="graphs are run by ONNX Runtime")
pytest.importorskip("onnx", reason="graphs are made with it")

OPERATIONS = {
    "promotion": lambda x, y: x + y.double() * 2,
    "scaled sum": lambda x, y: torch.add(x, y, alpha=3) - torch.rsub(x, y),
    "small numbers": lambda x, y: torch.expm1(1e-5 * x) + torch.log1p(1e-5 * y.abs()),
    "logarithms": lambda x, y: torch.log2(x.abs()) + torch.log10(y.abs()) + torch.exp2(x),
    "powers": lambda x, y: x**2 + x**3 + x**4 + 2**y + x.abs() ** 0.3 + x.abs().rsqrt(),
    "angles": lambda x, y: torch.atan2(x, y) + torch.hypot(x, y),
    "angles on axes": lambda x, y: torch.atan2(torch.sign(x), torch.zeros_like(y)),
    "quotients": lambda x, y: x // 0.3 + x % 0.7 + torch.fmod(x, 0.7) + (x / y).round(decimals=1),
    "truth": lambda x, y: ((x > y) & (x >= 0) | ~(y < 0)) & (x != y) & ~x.isnan(),
    "bounds": lambda x, y: x.clamp(-0.5, 0.5) + y.clamp_min(0) + torch.maximum(x, y),
    "choices": lambda x, y: torch.where(x > y, x, 0.0).masked_fill(y > 1, -1.0),
    "activations": lambda x, y: (
        F.gelu(x) + F.silu(y) + F.elu(x) + F.leaky_relu(y) + F.glu(x, 1).sum()
    ),
    "softplus": lambda x, y: F.softplus(x, beta=2) + F.softplus(100 * y),
    "sums": lambda x, y: x.sum(-1) + y.mean((1, 2))[:, None] + x.amax(-1) + y.var(-1),
    "norms": lambda x, y: torch.linalg.vector_norm(x, dim=-1) + y.norm(1, dim=-1),
    "extremes": lambda x, y: (x.max(1), y.min(-1).values, x.argmax(-1), x.max()),
    "any and all": lambda x, y: (x.isnan().any(-1), (y > -9).all(1)),
    "order": lambda x, y: (x.sort(-1).values, y.flip(1), x.cumsum(1)),
    "shapes": lambda x, y: x.unflatten(-1, (2, 2)).flatten(0, 1).squeeze(0),
    "axes": lambda x, y: x.permute(2, 0, 1)[0] + y.transpose(0, 1)[1][:, :1] + x.mT[:, 0, :1],
    "parts": lambda x, y: torch.cat([*x.split([1, 3], -1), *y.chunk(2, -1)], -1),
    "stacks": lambda x, y: torch.stack((*x.unbind(1), y[:, 0]), 1),
    "places": lambda x, y: x[..., [2, 0]] + y.index_select(-1, torch.tensor([1, 1])),
    "repeats": lambda x, y: x.repeat(1, 2, 1) + y[:, :1].expand(-1, 4, -1),
    "products": lambda x, y: x @ y.mT + torch.einsum("bij,bkj->bik", x, y),
    "layers": lambda x, y: F.layer_norm(x, (4,)) + F.softmax(y, -1) + F.log_softmax(x, 1),
    "new tensors": lambda x, y: torch.full_like(x, 2) + x.new_ones(x.shape[0], 2, 4) * y[:, :1],
    "decomposed": lambda x, y: torch.logaddexp(x, y) + torch.lerp(x, y, 0.3) + x.roll(1, -1),
    "in place": lambda x, y: x.clone().add_(y).mul_(2),
}


class Doing(nn.Module):
    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, x, y):
        return self.operation(x, y)


def _graph(module, x, y):
    from onnx import checker, helper

    from sklearn_physrnn.export._graph import IR_VERSION, OPSET, Graph, Value
    from sklearn_physrnn.export._translation import call

    n, graph = torch.export.Dim("n"), Graph()
    inputs = [Value(k, v.dtype, (n, *v.shape[1:])) for k, v in (("x", x), ("y", y))]
    outputs = call(graph, module, *inputs)
    infos = ([value.info() for value in values] for values in (inputs, outputs))
    model = helper.make_model(
        graph.proto("graph", *infos),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    return runtime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_what_it_is_in_torch(name):
    generator = torch.Generator().manual_seed(0)
    # The free size is neither that of another axis, nor that which was traced.
    x, y = torch.randn(2, 7, 2, 4, generator=generator)
    module = Doing(OPERATIONS[name])
    session = _graph(module, x, y)
    for n in (7, 1):
        expected = module(x[:n], y[:n])
        expected = expected if isinstance(expected, tuple) else (expected,)
        expected = [
            part for one in expected for part in (one if isinstance(one, tuple) else [one])
        ]
        found = session.run(None, {"x": x[:n].numpy(), "y": y[:n].numpy()})
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.numpy().dtype
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)
