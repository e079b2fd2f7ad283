"""What an optimizer has gathered is kept on the CPU, and a further training goes on from it."""

import numpy as np
import torch

from tests.helpers.backends import on_the_gpu

from ._small import Watch, _net, _train


def test_training_goes_on_from_the_optimizers_state():
    whole, _ = _train(max_epochs=4, batch_size=70)
    half, record = _train(max_epochs=2, batch_size=70)
    _train(half, max_epochs=2, batch_size=70, state=record.optimizer_state)
    for p, q in zip(whole.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    forgetful, _ = _train(max_epochs=2, batch_size=70)
    _train(forgetful, max_epochs=2, batch_size=70)
    assert not torch.allclose(forgetful.layers[0].weight, whole.layers[0].weight)


def test_an_optimizers_state_is_neither_written_to_nor_overrides_settings():
    module, record = _train(weight_decay=0.0)
    state = record.optimizer_state
    before = [x.clone() for entry in state["state"].values() for x in entry.values()]
    watch = Watch()
    _train(module, state=state, learning_rate=0.123, callbacks=[watch])
    after = [x for entry in state["state"].values() for x in entry.values()]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    assert set(watch.rates) == {0.123}
    # A heavier decay set since then takes effect.
    light, heavy = _net(), _net()
    for net, decay in ((light, 0.0), (heavy, 50.0)):
        _train(net, state=state, weight_decay=decay)
    assert heavy.layers[0].weight.norm() < 0.9 * light.layers[0].weight.norm()


def test_the_state_of_another_optimizer_is_not_used():
    module, record = _train(optimizer="adam")
    _, record = _train(module, optimizer="sgd", state=record.optimizer_state)
    assert np.isfinite(record.loss_curve).all()


def test_what_is_kept_stays_on_the_cpu():
    module, record = _train()
    tensors = [*module.parameters()]
    tensors += [x for e in record.optimizer_state["state"].values() for x in e.values()]
    assert {x.device.type for x in tensors} == {"cpu"}


@on_the_gpu
def test_what_is_kept_comes_back_from_the_gpu():
    module, record = _train(device=torch.device("cuda"))
    tensors = [*module.parameters()]
    tensors += [x for e in record.optimizer_state["state"].values() for x in e.values()]
    assert {x.device.type for x in tensors} == {"cpu"}
