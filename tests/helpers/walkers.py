"""Small networks of every kind that walks, for tests of their steps."""

import itertools

import torch
from torch import nn

from sklearn_physrnn.nn._recurrent import RecurrentModel
from sklearn_physrnn.nn.hssm import HSSM
from sklearn_physrnn.nn.petnn import PETNN


def hssm(dtype=torch.float64, **options):
    sizes = {"hidden_size": 6, "state_size": 5, "num_blocks": 2}
    if options.get("dynamics") == "nonlinear":
        sizes["initial_step"] = 0.5
    model = HSSM(2, 4, **sizes | options).to(dtype)
    for buffer in model.buffers():  # as if it had been trained
        buffer.copy_(torch.rand(buffer.shape) + 0.5)
    return model.eval()


def petnn(dtype=torch.float64, layers=2, tokens=False, readout="last", every=1, **options):
    embedding = nn.Embedding(7, 2) if tokens else None
    recurrent = PETNN(2, 6, layers, dropout=0.5, **options)
    model = RecurrentModel(
        recurrent, 6, 4, embedding=embedding, readout=readout, every=every, dropout=0.5
    )
    return model.to(dtype).eval()


def _every_network():
    for dynamics, norm, readout in itertools.product(
        ("linear", "damped", "nonlinear"),
        ("batch", "layer", None),
        ("mean", "last", "sequence"),
    ):
        options = {"dynamics": dynamics, "norm": norm, "readout": readout}
        yield f"hssm-{dynamics}-{norm}-{readout}", hssm, options
    yield "hssm-gated", hssm, {"encoder": "gated"}
    yield "hssm-loops", hssm, {"num_loops": 3, "norm": "layer", "encoder": "gated"}
    for release, increment, decay, ground in itertools.product(
        ("soft", "surrogate", "hard"), ("linear", "tanh"), (True, False), (True, False)
    ):
        options = {"release": release, "increment": increment, "release_width": 0.5}
        options |= {"time_decay": decay, "ground_state": ground}
        yield f"petnn-{release}-{increment}-{decay}-{ground}", petnn, options
    for readout, tokens in itertools.product(("mean", "max", "sequence"), (True, False)):
        options = {"readout": readout, "tokens": tokens, "layers": 1}
        yield f"petnn-{readout}-{tokens}", petnn, options


NETWORKS = {name: (make, options) for name, make, options in _every_network()}


def network(name, dtype=torch.float64):
    make, options = NETWORKS[name]
    return make(dtype, **options)


def inputs_of(model, n_samples, n_steps, dtype=torch.float64):
    if getattr(model, "embedding", None) is not None:
        return torch.randint(7, (n_samples, n_steps))
    return torch.randn(n_samples, n_steps, 2, dtype=dtype)


def elapsed(n_samples, n_steps, dtype=torch.float64):
    """Time before steps, with gaps."""
    dt = torch.rand(n_samples, n_steps, dtype=dtype)
    return torch.where(dt > 0.7, 40 * dt, dt)
