"""Gated encoders, loops, patches and both directions, through the estimators."""

import pickle

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, load, save
from sklearn_physrnn.inspection import (
    EchoDisplay,
    ModesDisplay,
    gradient_agreement,
    mode_frequencies,
)
from sklearn_physrnn.preparation import recordings

SMALL = {
    "hidden_size": 5, "state_size": 4, "num_blocks": 2, "norm": "layer", "max_iter": 3,
    "batch_size": 7, "dtype": "float64", "random_state": 0, "device": "cpu",
}  # fmt: skip
VARIANTS = [
    {"encoder": "gated"},
    {"num_loops": 3},
    {"patch_size": 4},
    {"patch_size": 40},
    {"bidirectional": True},
    {"patch_size": 3, "num_loops": 2, "encoder": "gated", "bidirectional": True},
    {"patch_size": 3, "readout": "last", "time_channel": 2, "dynamics": "nonlinear"},
    {"patch_size": 3, "num_loops": 2, "readout": "last", "time_channel": 2, "dynamics": "damped"},
    {"patch_size": 3, "bidirectional": True, "dynamics": "damped", "memory": "auto"},
]


def data(*, ragged=False, timed=False, n=20):
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 60, n) if ragged else [41] * n
    X = [rng.normal(size=(length, 3)) for length in lengths]
    if timed:
        for x in X:
            x[:, 2] = rng.exponential(1, len(x)).cumsum()
    y = np.array([x[:, 0].mean() + x[-1, 1] for x in X])
    return X if ragged else np.stack(X), y


@pytest.mark.parametrize("options", VARIANTS)
def test_the_parameters_reach_the_network(options):
    X, y = data(timed="time_channel" in options)
    model = HSSMRegressor(**SMALL, **options).fit(X, y)
    net = model.module_
    for name in ("num_loops", "patch_size", "bidirectional"):
        assert getattr(net, name) == options.get(name, getattr(HSSMRegressor(), name))
    assert (type(net.encoder).__name__ == "GatedEncoder") == ("encoder" in options)
    plain = HSSMRegressor(**SMALL | {k: options[k] for k in ("readout",) if k in options})
    assert not np.allclose(plain.fit(X, y).predict(X), model.predict(X))


def first_turns(**options):
    """Angles that the first block's oscillators turn by in a step, all but untrained."""
    X, y = data(timed="time_channel" in options)
    options = {**SMALL, "max_iter": 1, "learning_rate_init": 1e-9, **options}
    stiffness, *_, step = HSSMRegressor(**options).fit(X, y).module_.blocks[0].hru.dynamics()
    return (stiffness.sqrt() * step).detach().numpy()


def test_memory_is_in_steps_of_the_data():
    expected = first_turns(memory=41)
    assert np.array_equal(first_turns(memory="auto"), expected)
    assert 1 / 41.01 < expected[-1] < 41**-0.75
    # A patch is one step of the oscillators: the slowest of four is in the last quarter.
    slowest = first_turns(memory="auto", patch_size=4)[-1]
    assert 1 / 10.26 < slowest < 10.25**-0.75
    # Of intervals that differ a step takes the mean, in the oscillators' unit of time.
    timed = first_turns(memory="auto", time_channel=2)
    assert expected[-1] < timed[-1] < 41 * expected[-1]
    assert np.array_equal(timed, first_turns(memory=41, time_channel=2))


@pytest.mark.parametrize("options", VARIANTS)
def test_what_is_saved_predicts_the_same(options, tmp_path):
    X, y = data(ragged=True, timed="time_channel" in options)
    model = HSSMClassifier(**SMALL, **options).fit(X, y > 0)
    save(model, tmp_path / "model.safetensors")
    for other in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


IN_PIECES = [v for v in VARIANTS if "bidirectional" not in v]


# Each of them with both ways back, and each of these with sequences of both kinds.
@pytest.mark.parametrize(
    ("options", "ragged", "way_back"),
    [
        (options, (k + shift) % 2 == 0, way_back)
        for k, options in enumerate(IN_PIECES)
        for shift, way_back in enumerate(["kept", "undone"])
    ],
)
def test_a_fit_in_pieces_is_the_fit_of_the_whole(options, ragged, way_back):
    if way_back == "undone" and options.get("dynamics") == "damped":
        return  # refused, as the test of refusals says
    if way_back == "undone" and options.get("patch_size", 1) == 40:
        options = {**options, "patch_size": 6}
    X, y = data(ragged=ragged, timed="time_channel" in options)
    options = {**SMALL, "dropout": 0.2, "early_stopping": True, "way_back": way_back, **options}
    size = 12 if way_back == "undone" else 7
    a, b = (HSSMRegressor(chunk_size=s, **options).fit(X, y) for s in (None, size))
    for name, x in a.module_.state_dict().items():
        np.testing.assert_allclose(b.module_.state_dict()[name], x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(a.validation_loss_curve_, b.validation_loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", VARIANTS)
def test_recordings_give_what_arrays_give(mapped, options, monkeypatch):
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 20)
    X, y = data(timed="time_channel" in options)
    model = HSSMRegressor(**SMALL, **options)
    expected = model.fit(X, y).predict(X)
    for size in {"auto", 7} if "bidirectional" not in options else {"auto"}:
        model.set_params(chunk_size=size).fit(mapped(X), y)
        np.testing.assert_allclose(model.predict(mapped(X)), expected, rtol=1e-9, atol=1e-9)


def test_every_step_of_patches_is_predicted():
    X, _ = data(ragged=True)
    y = [x[:, 0].cumsum()[5::6] for x in X]
    options = {**SMALL, "readout": "sequence", "every": 6, "patch_size": 3}
    a, b = (HSSMRegressor(chunk_size=s, **options).fit(X, y) for s in (None, 7))
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9, atol=1e-9)
    assert a.predict(X).shape == (20, max(map(len, X)) // 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_loops": 2, "norm": "batch"}, r"num_loops=2.*norm='batch'.*Set norm='layer'"),
        ({"bidirectional": True, "chunk_size": 5}, "chunk_size=5.*bidirectional=True.*'auto'"),
        (
            {"patch_size": 3, "chunk_size": 7, "way_back": "undone"},
            "chunk_size=7 must be a multiple of patch_size=3.*way_back='kept'",
        ),
        (
            {"readout": "sequence", "every": 5, "patch_size": 2},
            "every=5.*multiple of patch_size=2",
        ),
        (
            {"dynamics": "damped", "patch_size": 3, "num_loops": 2, "way_back": "undone"},
            "what has faded is gone: set way_back='kept'",
        ),
        (
            {"dynamics": "nonlinear", "memory": "auto"},
            "memory='auto' is for oscillators that have a frequency: set memory=None, or dyn",
        ),
        ({"memory": 0.5}, "'memory' parameter"),
        ({"patch_size": 42}, "patch_size=42 is more than the 41 steps"),
        ({"patch_size": 0}, "'patch_size' parameter"),
        ({"num_loops": 1.5}, "'num_loops' parameter"),
        ({"encoder": "relu"}, "'encoder' parameter"),
        ({"bidirectional": 2}, "'bidirectional' parameter"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_way_out(options, message):
    X, y = data()
    if options.get("readout") == "sequence":
        y = X[:, 4::5, 0]
    with pytest.raises(ValueError, match=message):
        HSSMRegressor(**{**SMALL, **options}).fit(X, y)


@pytest.mark.parametrize(
    "options",
    [
        {"patch_size": 4},
        {"num_loops": 2, "bidirectional": True, "encoder": "gated"},
        {"patch_size": 4, "num_loops": 2, "bidirectional": True, "dynamics": "damped"},
    ],
)
def test_displays_and_gradients_know_them(options):
    X, y = data()
    model = HSSMRegressor(**SMALL, **options).fit(X, y)
    report = gradient_agreement(model, X, y)
    assert (report["rhel_cosine"] > 1 - 1e-9).all()
    size = options.get("patch_size", 1)
    plain = [block.hru.dynamics() for block in model.module_.blocks]
    for block, (*_, step) in enumerate(plain):
        stiffness = model.module_.blocks[block].hru.stiffnesses()[0].detach()
        turn = np.arccos(1 - (step.detach() ** 2 * stiffness).numpy() / 2)
        table = mode_frequencies(model)
        own = table.loc[table["block"] == block, "frequency"]
        np.testing.assert_allclose(own, turn / 2 / np.pi / size, rtol=1e-6)
    positions = ModesDisplay.from_estimator(model, X, block=1).positions
    assert len(positions) == 41
    # A patch's state is that of all of its steps.
    assert np.array_equal(positions[size * 2 : size * 3], positions[[size * 2] * size])
    energies = EchoDisplay.from_estimator(model, X).energies
    np.testing.assert_allclose(energies["free"], energies["echo"], rtol=1e-6)
