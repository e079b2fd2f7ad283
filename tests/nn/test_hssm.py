"""The stack of Hamiltonian recurrent units, and its normalisation."""

import pytest
import torch

from sklearn_physrnn.nn._dropout import Dropout
from sklearn_physrnn.nn.hssm import HSSM

SIZES = {"hidden_size": 8, "state_size": 4, "num_blocks": 2}


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _padded():
    u = torch.randn(3, 20, 2)
    return u, torch.tensor([20, 13, 1])


@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
@pytest.mark.parametrize("readout", ["mean", "last", "sequence"])
@pytest.mark.parametrize("training", [True, False])
def test_padding_is_never_seen(norm, dynamics, readout, training):
    u, lengths = _padded()
    results = []
    for fill in (0.0, 1e3, torch.nan):
        torch.manual_seed(1)
        model = HSSM(
            2, 3, dynamics=dynamics, norm=norm, readout=readout, every=3, gradient="rhel", **SIZES
        ).train(training)
        padded = u.clone()
        dt = torch.rand(3, 20, generator=torch.Generator().manual_seed(2))
        for row, length in enumerate(lengths):
            padded[row, length:] = fill
            dt[row, length:] = fill
        output = model(padded, dt=dt, lengths=lengths)
        (output - 1).square().sum().backward()
        grads = [p.grad for p in model.parameters()]
        results.append([output, *grads, *model.buffers()])
    for other in results[1:]:
        for x, y in zip(other, results[0], strict=True):
            torch.testing.assert_close(x, y, rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("readout", ["mean", "last", "sequence"])
def test_samples_alone_and_together(norm, readout):
    u, lengths = _padded()
    model = HSSM(2, 3, norm=norm, readout=readout, every=3, **SIZES).double()
    u = u.double()
    model(u, lengths=lengths)  # running averages
    model.eval()
    together = model(u, lengths=lengths)
    for row, length in enumerate(lengths):
        alone = model(u[row : row + 1, :length])[0]
        if readout == "sequence":
            assert len(alone) == length // 3
            assert not together[row, len(alone) :].any()
            torch.testing.assert_close(together[row, : len(alone)], alone)
        else:
            torch.testing.assert_close(together[row], alone)


def test_readouts():
    u = torch.randn(2, 20, 2, dtype=torch.float64)
    options = {"norm": "layer", **SIZES}
    models = {}
    for readout, every in (("mean", 1), ("last", 1), ("sequence", 1), ("sequence", 6)):
        torch.manual_seed(1)
        models[readout, every] = HSSM(2, 3, readout=readout, every=every, **options).double()
    every_step = models["sequence", 1](u)
    assert every_step.shape == (2, 20, 3)
    torch.testing.assert_close(models["mean", 1](u), every_step.mean(1))
    torch.testing.assert_close(models["last", 1](u), every_step[:, -1])
    torch.testing.assert_close(models["sequence", 6](u), every_step[:, [5, 11, 17]])


@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
def test_echoes_and_back_propagation_train_the_same_model(dynamics):
    u, y = torch.randn(3, 50, 2, dtype=torch.float64), torch.tensor([0, 1, 2])
    grads = []
    for gradient in ("bptt", "rhel"):
        torch.manual_seed(1)
        model = HSSM(2, 3, dynamics=dynamics, gradient=gradient, **SIZES).double()
        torch.nn.functional.cross_entropy(model(u), y).backward()
        grads.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in grads[0].items():
        assert grad.abs().max() > 0
        scale = float(grad.abs().max())
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("lengths", [None, torch.tensor([1])])
def test_one_row_of_one_step_trains(norm, lengths):
    model = HSSM(2, 3, norm=norm, **SIZES)
    output = model(torch.randn(1, 1 if lengths is None else 4, 2), lengths=lengths)
    output.sum().backward()
    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert all(buffer.isfinite().all() for buffer in model.buffers())


def test_dropout_differs_between_samples():
    # One mask for the whole batch, as in the release, would keep these rows equal.
    u = torch.randn(1, 20, 2).expand(4, -1, -1)
    model = HSSM(2, 3, norm=None, dropout=0.5, **SIZES)
    output = model(u)
    assert not torch.allclose(output[0], output[1])
    model.eval()
    torch.testing.assert_close(model(u)[0], model(u)[1])


def test_dropout_draws_from_its_own_generator():
    # Training sets it, so that fits in several threads do not share the global one.
    model, u = HSSM(2, 3, dropout=0.5, **SIZES), torch.randn(4, 20, 2)
    outputs = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(1)
        for part in model.modules():
            if isinstance(part, Dropout):
                part.generator = generator
        before = torch.get_rng_state()
        outputs.append(model(u))
        assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(*outputs, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamics": "cubic"}, "dynamics must be one of .* got 'cubic'"),
        ({"norm": "group"}, "norm must be one of"),
        ({"readout": "first"}, "readout must be one of"),
        ({"initial_step": 0.1}, "initial_step is for dynamics='nonlinear' only"),
        ({"every": 0}, "every must be a positive integer, got 0"),
        ({"epsilon": -1.0}, "epsilon must be"),
        ({"gradient": "rtrl"}, "gradient must be"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        HSSM(2, 3, **SIZES, **options)


def test_bad_input():
    model = HSSM(2, 3, **SIZES)
    u = torch.randn(2, 5, 2)
    with pytest.raises(TypeError, match="u must be a real floating-point tensor"):
        model(u.to(torch.complex64))
    with pytest.raises(ValueError, match="input_size=2"):
        model(u[..., :1])
    with pytest.raises(ValueError, match="lengths must be at least 1"):
        model(u, lengths=torch.tensor([5, 0]))
    with pytest.raises(ValueError, match="lengths must have shape"):
        model(u, lengths=torch.tensor([[5, 5]]))
    with pytest.raises(ValueError, match="dt must have shape"):
        model(u, dt=torch.ones(2))
    with pytest.raises(ValueError, match="gaps of up to 1,000 units"):
        HSSM(2, 3, dynamics="nonlinear", **SIZES)(u, dt=torch.full((2, 5), 1e4))
