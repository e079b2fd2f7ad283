"""Estimators of sequences in ONNX files: whole ones, and step by step with the state outside."""

import numpy as np
import pytest

from sklearn_physrnn import (
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from tests.families import ENTRIES, PANELS, SKLEARN, each, of_predictions, that_take
from tests.helpers.onnx import answers, assert_alike, first_state, session, stepped

N, T, C = 12, 5, 2
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, T, C)).astype(np.float32)
TINY = {"hidden_size": 4, "max_iter": 2, "random_state": 0}
AS_A_WHOLE = {"patch_size", "bidirectional"}  # models that know no single step
OF_SEQUENCES = that_take("sequence", SKLEARN)


def small(kind, **parameters):
    return kind(**TINY | ENTRIES[kind].family.tiny | parameters)


def targets(estimator, at_steps=1):
    """Labels or numbers, at every step if that is what the estimator learns."""
    y = RNG.normal(size=N) if hasattr(estimator, "loss") else np.arange(N) % 3
    if getattr(estimator, "readout", "") == "sequence":
        return np.repeat(y[:, None], at_steps // estimator.every, axis=1)
    return y


def padded(sequences):
    """Some of them shorter, in as many ways as there are."""
    sequences = sequences.copy()
    sequences[0, 1:] = sequences[1, 3:] = -1 if sequences.dtype.kind == "i" else np.nan
    return sequences


def assert_agrees(estimator, folder, *inputs, **options):
    file = session(estimator, folder, **options)
    for one in inputs:
        assert_alike(file.run(None, {"X": one}), answers(estimator, one))


def assert_steps_agree(estimator, folder, sequences, **options):
    """Every step's answers are those for all steps up to it."""
    said = stepped(session(estimator, folder, step=True, **options), sequences)
    if estimator.readout == "sequence":
        every = estimator.every
        found = [np.stack(one[every - 1 :: every], axis=1) for one in said]
        assert_alike(found, answers(estimator, sequences))
        return
    for k in (1, sequences.shape[1] // 2, sequences.shape[1]):
        expected = answers(estimator, sequences[:, :k])
        assert_alike([one[k - 1] for one in said], expected)


@pytest.fixture(scope="module", params=OF_SEQUENCES, ids=lambda kind: kind.__name__)
def plain(request, tmp_path_factory):
    """A fitted estimator with nothing special, and its file of one step."""
    estimator = small(request.param)
    estimator.fit(X, targets(estimator))
    return estimator, session(estimator, tmp_path_factory.mktemp("plain"), step=True)


@pytest.mark.parametrize(
    ("family", "setting"),
    of_predictions("sequence"),
    ids=lambda x: getattr(x, "name", None) or str(x.parameters),
)
def test_every_setting_of_a_sequence_says_in_a_file_what_it_says_itself(family, setting, tmp_path):
    estimator = family.estimator(setting, **TINY | family.tiny)
    estimator.set_params(max_iter=2)
    x = X
    if "vocabulary_size" in setting.parameters:
        x = RNG.integers(0, estimator.vocabulary_size, size=(N, T))
    estimator.fit(x, targets(estimator, T))
    for name in AS_A_WHOLE.intersection(setting.parameters):
        with pytest.raises(ValueError, match=name):
            estimator.to_onnx(tmp_path / "model.onnx")
        return
    few = max(1, getattr(estimator, "every", 1))
    assert_agrees(estimator, tmp_path, x, x[:1], x[:, :few], np.repeat(x, 3, axis=1), padded(x))
    assert_steps_agree(estimator, tmp_path, x)


def irregular(dtype, start, unit):
    """Stamps with gaps, short steps, and steps that only rounding makes longer."""
    steps = RNG.choice([0.3, 1, 1, 1, 40], size=(N, T))
    stamps = (start + unit * steps.cumsum(axis=1))[:, :, None]
    return np.concatenate([X[:, :, :1], stamps, X[:, :, 1:]], axis=2).astype(dtype)


SHORT, LONG = ("float32", 0, 0.1), ("float64", 1.7e9, 1e-3)


@pytest.mark.parametrize(
    ("kind", "own", "stamps"),
    [
        (HSSMRegressor, {}, SHORT),
        (HSSMRegressor, {}, LONG),
        (HSSMClassifier, {"dynamics": "damped", "norm": "layer"}, LONG),
        (PETNNRegressor, {"release": "hard"}, SHORT),
        (PETNNRegressor, {"release": "hard"}, LONG),
    ],
)
def test_time_stamps_are_in_the_file(kind, own, stamps, tmp_path):
    dtype, start, unit = stamps
    x = irregular(np.float64, start, unit)
    estimator = small(kind, time_channel=1, **own)
    estimator.fit(x, targets(estimator))
    x = x.astype(dtype)
    # The network's own digits are float32's in both.
    assert_agrees(estimator, tmp_path, x, x[:, :1], padded(x), dtype=dtype)
    assert_steps_agree(estimator, tmp_path, x, dtype=dtype)


def test_nonlinear_oscillators_with_gaps_are_refused(tmp_path):
    estimator = small(HSSMRegressor, time_channel=1, dynamics="nonlinear")
    estimator.fit(irregular(float, 0, 1), targets(estimator))
    with pytest.raises(ValueError, match="dynamics='linear'"):
        estimator.to_onnx(tmp_path / "model.onnx")


@each(OF_SEQUENCES)
def test_what_predict_refuses_is_nan_from_there_on(kind, tmp_path):
    x = irregular(np.float32, 0, 1)
    estimator = small(kind, time_channel=1, missing="error")
    estimator.fit(x, targets(estimator))
    file, one_step = (session(estimator, tmp_path, step=step) for step in (False, True))
    for channel, value in ((0, np.nan), (2, np.inf), (1, np.nan), (1, -5), (1, x[3, 0, 1])):
        wrong = x.copy()
        wrong[3, 1, channel] = value
        with pytest.raises(ValueError, match=r"X|[Tt]ime"):
            estimator.predict(wrong)
        found = file.run(None, {"X": wrong})[-1].reshape(N, -1)
        assert np.isnan(found).all(axis=1).tolist() == [k == 3 for k in range(N)]
        steps = stepped(one_step, wrong)[-1]
        at = [bool(np.isnan(step[3]).all()) for step in steps]
        assert at == [False] + [True] * (T - 1)


@pytest.mark.parametrize(
    ("kind", "scaling"),
    [(HSSMRegressor, "standard"), (HSSMClassifier, "quantile"), (PETNNRegressor, False)],
)
def test_scales_of_channels_are_in_the_file(kind, scaling, tmp_path):
    x = X.copy()
    x[:, :, 1] = 3.0
    estimator = small(kind, scale_inputs=scaling)
    estimator.fit(x, targets(estimator))
    assert_agrees(estimator, tmp_path, x, 1e3 * x)


@each(OF_SEQUENCES)
def test_tables_of_one_channel_stay_tables(kind, tmp_path):
    estimator = small(kind)
    estimator.fit(X[:, :, 0], targets(estimator))
    assert_agrees(estimator, tmp_path, X[:, :, 0], X[:1, :, 1])
    said = stepped(session(estimator, tmp_path, step=True), X[:, :, :1])
    assert_alike([one[-1] for one in said], answers(estimator, X[:, :, 0]))


def test_steps_of_a_file_say_what_the_estimators_stream_says(plain):
    estimator, file = plain
    stream = estimator.stream(N, dtype="float32")
    said = stepped(file, X)
    for k in range(T):
        assert_alike([said[0][k]], [stream.push(X[:, k])])


@each(PANELS)
def test_what_is_inside_of_a_panels_estimator_is_exported(kind, tmp_path):
    panel, x = ENTRIES[kind].fitted(), ENTRIES[kind].X.astype(np.float32)
    inside = panel.classifier_ if hasattr(panel, "classifier_") else panel.regressor_
    found = session(inside, tmp_path).run(["y"], {"X": x.transpose(0, 2, 1)})
    expected = panel.predict(x)  # in float64, and of one axis for one target, as sktime has it
    assert_alike(found, [expected.astype(found[0].dtype).reshape(found[0].shape)])


def test_the_state_is_a_streams_own(plain):
    estimator, file = plain
    together = stepped(file, X)
    one = stepped(file, X[2:3])
    assert_alike([x[-1][2:3] for x in together], [x[-1] for x in one], 1e-6)
    # A stream that begins later, beside one that is older.
    state = first_state(file, 2)
    names = [node.name for node in file.get_outputs()]
    for k in range(T):
        found = dict(zip(names, file.run(None, {"X": X[:2, k], **state}), strict=True))
        state = {f"state_{n[5:]}": x for n, x in found.items() if n.startswith("next_")}
        if k == 1:
            fresh = first_state(file, 1)
            for name, x in state.items():
                x[..., 1:, :] = fresh[name]
    young = answers(estimator, X[1:2, 2:])
    assert_alike([x[1:] for n, x in found.items() if not n.startswith("next_")], young)


def test_quantiles_at_steps_and_several_targets_keep_their_axes(tmp_path):
    estimator = small(
        HSSMRegressor, readout="sequence", every=2, loss="quantile", quantile=[0.2, 0.8]
    )
    estimator.fit(X, RNG.normal(size=(N, T // 2, 3)))
    assert_agrees(estimator, tmp_path, X, padded(X))
    assert_steps_agree(estimator, tmp_path, X)


@pytest.mark.parametrize(
    ("labels", "past"),
    [
        (["walk", "run", "rest"], ""),
        ([3, 1, 2], -1),
        ([False, True], False),
        ([0.0, 1.0], np.nan),
        (["", "a"], ""),
        ([-1, 1], -1),
    ],
    ids=str,
)
def test_past_a_samples_end_stands_what_cannot_be_taken_for_a_label(labels, past, tmp_path):
    estimator = small(PETNNClassifier, readout="sequence")
    y = np.array(labels)[RNG.integers(len(labels), size=(N, T))]
    y[0, : len(labels)] = labels
    estimator.fit(X, y)
    x = padded(X)
    found = session(estimator, tmp_path).run(["y"], {"X": x})[0]
    expected = estimator.predict(x)
    assert found[2:].tolist() == expected[2:].tolist()
    np.testing.assert_array_equal(found[0, 1:], np.full(T - 1, past, dtype=found.dtype))


def test_default_models_are_small_files(tmp_path):
    for kind in OF_SEQUENCES:
        estimator = kind(max_iter=1, device="cpu")
        estimator.fit(X, targets(estimator))
        # Of regressors whole sequences, of classifiers steps: the weights are alike.
        estimator.to_onnx(tmp_path / "model.onnx", step=hasattr(estimator, "classes_"))
        assert (tmp_path / "model.onnx").stat().st_size < 300_000


def test_loops_stay_loops(tmp_path):
    onnx = pytest.importorskip("onnx")
    estimator = small(HSSMRegressor).fit(X, X[:, 0, 0])
    estimator.to_onnx(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    # One over steps, and one that looks for holes' ends, however many steps there are.
    assert [node.op_type for node in graph.node].count("Scan") == 2
    assert [d.dim_param for d in graph.input[0].type.tensor_type.shape.dim][:2] == [
        "n_samples",
        "n_steps",
    ]
