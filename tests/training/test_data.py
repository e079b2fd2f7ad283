import pytest
import torch

from sklearn_physrnn.training._data import BatchIterator, Samples
from sklearn_physrnn.training._device import inference_device, training_device


def _samples(n, weights=True):
    x = torch.arange(2.0 * n).reshape(n, 2)
    return Samples({"x": x}, x[:, :1].clone(), x[:, 0].clone() if weights else None)


@pytest.mark.parametrize(("n", "batch_size", "n_batches"), [(10, 3, 4), (9, 3, 3), (2, 5, 1)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_sample_comes_once(n, batch_size, n_batches, shuffled):
    generator = torch.Generator().manual_seed(0) if shuffled else None
    iterator = BatchIterator(_samples(n), batch_size, generator)
    assert len(iterator) == n_batches
    batches = list(iterator)
    assert len(batches) == n_batches
    assert sorted(torch.cat([y for _, (y, _) in batches]).flatten().tolist()) == list(
        range(0, 2 * n, 2)
    )
    for inputs, (y, w) in batches:  # rows stay together
        assert torch.equal(inputs["x"][:, :1], y)
        assert torch.equal(w, y[:, 0])


@pytest.mark.parametrize(("n", "batch_size"), [(1801, 226), (1801, 225), (33, 32), (7, 3)])
def test_batches_differ_by_one_row_at_most(n, batch_size):
    sizes = [len(y) for _, (y, _) in BatchIterator(_samples(n), batch_size, torch.Generator())]
    assert sum(sizes) == n
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == -(-n // batch_size)


def test_each_epoch_has_an_order_of_its_own_that_repeats_with_the_seed():
    def epochs(seed):
        iterator = BatchIterator(_samples(50), 7, torch.Generator().manual_seed(seed))
        return [torch.cat([y for _, (y, _) in iterator]).flatten().tolist() for _ in range(2)]

    first, second = epochs(0)
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1)[0] != first


def test_absent_weights_stay_absent():
    ((_, (_, weights)),) = BatchIterator(_samples(3, weights=False), 5)
    assert weights is None


@pytest.mark.parametrize("index", [slice(1, 3), torch.tensor([3, 0, 2])])
def test_packed_series_stay_with_their_targets(index):
    lengths = torch.tensor([4, 1, 6, 2])
    x = torch.arange(13.0)[:, None].expand(13, 2).contiguous()
    own = x.split(lengths.tolist())
    targets = torch.arange(4.0)[:, None]
    samples = Samples({"x": x, "dt": x[:, 0] / 2, "lengths": lengths}, targets, targets[:, 0])
    assert len(samples) == 4
    assert samples.positions == 4  # 13 / 4, rounded up
    inputs, (y, w) = samples.take(index)
    assert torch.equal(y, targets[index])
    assert torch.equal(w, y[:, 0])
    assert torch.equal(inputs["x"], torch.cat([own[int(i)] for i in y[:, 0]]))
    assert torch.equal(inputs["dt"], inputs["x"][:, 0] / 2)
    assert inputs["lengths"].lengths.tolist() == lengths[index].tolist()


def test_targets_of_every_step_are_cut_after_the_longest_of_the_batch():
    lengths = torch.tensor([2, 9, 3])
    samples = Samples({"x": torch.zeros(14, 1), "lengths": lengths}, torch.zeros(3, 9, 1))
    _, (y, _) = samples.take(torch.tensor([2, 0]))
    assert y.shape == (2, 3, 1)


def test_devices():
    assert training_device("cpu") == torch.device("cpu")
    assert training_device("auto").type in ("cpu", "cuda")
    with pytest.raises(ValueError, match=r"device must be 'auto'.*'gpu'"):
        training_device("gpu")
    with pytest.raises(ValueError, match="'cuda:99' is not available"):
        training_device("cuda:99")
    with pytest.raises(ValueError, match="'meta' is not supported"):
        training_device("meta")
    assert inference_device("cuda:99") == torch.device("cpu")
