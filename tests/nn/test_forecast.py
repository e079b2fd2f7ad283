import pytest
import torch
from torch import nn

from sklearn_physrnn.families import CoreSizes
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster
from sklearn_physrnn.nn._forecast import NORMALIZATIONS, LinearMap, WindowForecaster, scale_of
from sklearn_physrnn.nn._segments import SegmentCore

FAMILIES = {"petnn": PETNNForecaster, "hssm": HSSMForecaster, "dynpmnn": DynPMNNForecaster}
SIZES = [  # window, horizon, channels, features, quantiles, segment
    (12, 6, 3, 0, 1, 4),
    (10, 7, 2, 2, 3, 4),  # neither is a multiple of the segment
    (2, 1, 1, 0, 1, 24),
    (1, 1, 1, 0, 1, 4),
    (5, 13, 1, 3, 1, 1),
]


def _core(family, sizes, **params):
    params = FAMILIES[family](hidden_size=8, **{"dropout": 0.0, **params})
    return params._family.core(params, sizes)


def _forecaster(
    family, size=SIZES[0], *, started=True, linear=True, normalization="last", dropout=0.0
):
    window, horizon, channels, features, quantiles, segment = size
    torch.manual_seed(0)
    sizes = CoreSizes(channels, window, horizon, segment, features, quantiles)
    model = WindowForecaster(
        _core(family, sizes, dropout=dropout),
        normalization=normalization,
        linear=LinearMap(window, horizon, quantiles, dropout) if linear else None,
    )
    if started:  # as if trained: nothing is exactly zero
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def _batch(size=SIZES[0], n_batch=6):
    window, horizon, channels, features, *_ = size
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_batch, window, channels, generator=generator)
    known = torch.randn(n_batch, window + horizon, features, generator=generator)
    return x, known if features else None


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("linear", [True, False])
def test_shapes_and_no_dead_parameters(family, size, linear):
    model = _forecaster(family, size, linear=linear, normalization=None)
    x, features = _batch(size)
    output = model(x, features=features)
    assert output.shape == (len(x), size[1], size[2], size[4])
    assert torch.isfinite(output).all()
    output.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_output_depends_on_order_and_values(family, normalization):
    model = _forecaster(family, linear=False, normalization=normalization)
    x, _ = _batch()
    output = model(x)
    order = torch.tensor([3, 0, 7, 1, 5, 2, 10, 4, 9, 6, 8, 11])  # the last stays the last
    assert (model(x[:, order]) - output).abs().max() > 1e-3
    for step in range(x.shape[1]):
        changed = x.clone()
        changed[:, step] += 1
        assert (model(changed) - output).abs().max() > 1e-3, step


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("size", [SIZES[1], (1, 2, 1, 3, 1, 1)], ids=str)
def test_features_move_a_channel_that_stands_still(family, normalization, size):
    model = _forecaster(family, size, normalization=normalization)
    x, features = _batch(size)
    model.learn_typical(x)
    x[2, :, -1] = 3.0 if normalization is None else 3e3 / 7
    x.requires_grad_()
    output = model(x, features=features)
    moved = model(x, features=features + 1)
    assert (moved - output)[2, :, -1].abs().max() > 1e-2
    output.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("normalization", ["standard", "last_standard"])
@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-7, 1e-5])
def test_a_window_that_all_but_stands_still_is_forecast_in_the_typical_scale(normalization, noise):
    model = _forecaster("petnn", normalization=normalization, linear=False).double()
    x = torch.tensor([2.0, 3.0, 0.01]) * _batch(n_batch=200)[0].double()
    model.learn_typical(x)
    torch.testing.assert_close(model.typical, x.std(1, correction=0).mean(0))
    level = torch.tensor([5.0, -70.0, 0.0])
    still = level + noise * _batch()[0].double()
    typical = model.core(torch.zeros_like(still)) * model.typical[:, None] + level[:, None]
    torch.testing.assert_close(model(still), typical, rtol=0.02, atol=1e-4)


def test_ordinary_windows_have_their_own_scale_and_no_two_alike_far_apart():
    deviations = torch.logspace(-30, 3, 3000, dtype=torch.float64)
    typical = torch.tensor(2.0, dtype=torch.float64)
    scales = scale_of(deviations, typical)
    ordinary = deviations >= 0.2
    assert torch.equal(scales[ordinary], deviations[ordinary])
    others = scales[~ordinary]
    assert ((others >= 0.2) & (others <= 2)).all()
    assert (scales.log().diff().abs() < 3 * deviations.log().diff()).all()


def test_training_windows_without_any_variation_leave_the_unit():
    model = _forecaster("petnn", normalization="standard")
    x, _ = _batch()
    x[:, :, 1] = 4
    model.learn_typical(x)
    assert model.typical[1] == 1


@pytest.mark.parametrize("normalization", NORMALIZATIONS[:-1])
def test_values_whose_squares_vanish_are_scaled(normalization):
    model = _forecaster("petnn", normalization=normalization).double()
    x = 1e-200 * _batch()[0].double()
    assert torch.isfinite(model(x)).all()


@pytest.mark.parametrize("family", ["petnn", "hssm"])
def test_the_first_segment_is_padded_in_front(family):
    window, horizon, channels, *rest = SIZES[0]
    longer = _forecaster(family, SIZES[0]).core
    shorter = _forecaster(family, (window - 2, horizon, channels, *rest)).core
    shorter.load_state_dict(longer.state_dict())
    x, _ = _batch()
    x[:, :2] = 0
    torch.testing.assert_close(shorter(x[:, 2:]), longer(x))


@pytest.mark.parametrize(
    ("normalization", "scale"), [("last", 1.0), ("standard", 250.0), ("last_standard", 1e-3)]
)
def test_forecasts_shift_and_scale_with_their_window(normalization, scale):
    model = _forecaster("petnn", normalization=normalization).double()
    x = _batch()[0].double()
    model.learn_typical(min(scale, 1.0) * x)
    shift = torch.tensor([100.0, -3.0, 0.5], dtype=torch.float64)
    moved = model(scale * x + shift)
    torch.testing.assert_close(moved, scale * model(x) + shift[:, None], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_channels_are_forecast_each_on_their_own(family):
    model = _forecaster(family)
    x, _ = _batch()
    changed = x.clone()
    changed[:, :, 2] = torch.randn(6, 12)
    torch.testing.assert_close(model(changed)[:, :, :2], model(x)[:, :, :2])
    same = x[:, :, :1].expand(-1, -1, 3)  # told apart by their embedding alone
    output = model(same)
    assert (output[:, :, 0] - output[:, :, 1]).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_past_and_future_count(family):
    model = _forecaster(family, SIZES[1])
    x, features = _batch(SIZES[1])
    output = model(x, features=features)
    for step in range(features.shape[1]):
        changed = features.clone()
        changed[:, step] += 1
        assert (model(x, features=changed) - output).abs().max() > 1e-4, step


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluation_is_deterministic_and_rows_are_independent(family):
    model = _forecaster(family, dropout=0.5).double().eval()
    x = _batch()[0].double()
    together = model(x)
    assert torch.equal(together, model(x))
    torch.testing.assert_close(torch.cat([model(row[None]) for row in x]), together)
    model.train()
    assert not torch.equal(model(x), model(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_forecast_without_linear_map_is_the_shift(family):
    model = _forecaster(family, linear=False, started=False)
    x, _ = _batch()
    torch.testing.assert_close(model(x), x[:, -1:, :, None].expand(-1, 6, -1, -1))


@pytest.mark.parametrize("recurrent", [nn.GRU, nn.LSTM])
def test_torchs_layers_fit_the_segment_frame(recurrent):
    core = SegmentCore(
        recurrent(8, 8, batch_first=True), 8,
        n_channels=3, window_length=12, horizon=6, segment_length=4,
    )  # fmt: skip
    assert WindowForecaster(core)(_batch()[0]).shape == (6, 6, 3, 1)


def test_dropout_reaches_the_linear_map():
    model = _forecaster("petnn", dropout=0.5)
    nn.init.zeros_(model.core.head.output.weight)
    x, _ = _batch()
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_a_linear_map_shares_its_weights_among_channels():
    linear = LinearMap(12, 6, n_quantiles=2)
    nn.init.normal_(linear.weight)
    z, _ = _batch()
    expected = torch.einsum("blc,hql->bhcq", z, linear.weight.view(6, 2, 12))
    torch.testing.assert_close(linear(z), expected)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_length": 0}, "window_length must be at least 1, got 0"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"horizon": 2.5}, "horizon must be an integer of at least 1 .*, got 2.5"),
        ({"n_channels": 0}, "n_channels must be at least 1, got 0"),
        ({"n_quantiles": 0}, "n_quantiles must be at least 1, got 0"),
    ],
)
def test_bad_sizes(family, wrong, message):
    sizes = {"n_channels": 2, "window_length": 12, "horizon": 6, "segment_length": 4}
    with pytest.raises(ValueError, match=message):
        _core(family, CoreSizes(**sizes | wrong))


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("petnn", "num_layers"),
        ("hssm", "num_blocks"),
        ("hssm", "num_loops"),
        ("dynpmnn", "num_layers"),
    ],
)
def test_layers_must_be_at_least_one(family, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        _core(family, CoreSizes(2, 12, 6, 4), **{name: 0})


def test_loops_of_a_core_are_so_many_blocks_of_the_same_weights():
    sizes = CoreSizes(2, 12, 6, 4)
    looped, deep = _core("hssm", sizes, num_loops=3), _core("hssm", sizes, num_blocks=3)
    torch.nn.init.normal_(looped.head.output.weight)
    weights = looped.state_dict()
    for k in (1, 2):
        for name, value in looped.blocks[0].state_dict().items():
            weights[f"blocks.{k}.{name}"] = value
    deep.load_state_dict(weights)
    x = torch.randn(3, 12, 2)
    torch.testing.assert_close(looped(x), deep(x))
    with pytest.raises(ValueError, match=r"num_loops=2.*norm='batch'"):
        _core("hssm", sizes, num_loops=2, norm="batch")


@pytest.mark.parametrize("family", ["petnn", "hssm"])
def test_segments_must_be_of_at_least_one_step(family):
    with pytest.raises(ValueError, match="segment_length must be at least 1, got 0"):
        _core(family, CoreSizes(2, 12, 6, 0))


def test_an_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match=r"normalization must be one of .*, got 'minmax'"):
        _forecaster("petnn", normalization="minmax")


def test_features_must_fit():
    model, (x, features) = _forecaster("petnn", SIZES[1]), _batch(SIZES[1])
    with pytest.raises(ValueError, match=r"features must have shape \(batch, 17, 2\)"):
        model(x, features=features[:, :-1])
    with pytest.raises(ValueError, match=r"features must have shape \(batch, 17, 2\), got None"):
        model(x)
    with pytest.raises(ValueError, match=r"x must have shape \(batch, 10, 2\)"):
        model(x[:, 1:], features=features)
