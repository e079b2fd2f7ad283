"""Training that goes on: partial_fit, and fit with warm_start."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

import sklearn_physrnn
from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, PETNNRegressor
from sklearn_physrnn.nn import DynPMNN
from tests.families import ENTRIES, REGRESSORS, each


class Seen(Callback):
    """The targets of every batch, validation apart."""

    def __init__(self):
        self.training, self.validation = [], []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        (self.training if training else self.validation).append(batch[1][0].flatten().tolist())


def _table(n=64):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, np.arange(float(n))


def _batches(estimator, X, y, method, n_calls=3):
    seen = []
    for _ in range(n_calls):
        estimator.set_params(callbacks=[look := Seen()])
        getattr(estimator, method)(X, y)
        seen.append(look.training)
    return seen


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@each(REGRESSORS)
def test_every_call_has_batches_of_its_own(kind, method):
    X = ENTRIES[kind].X
    y = np.arange(float(len(X)))

    def run(seed):
        estimator = ENTRIES[kind].make(
            dropout=0.5, batch_size=6, max_iter=1, warm_start=True, random_state=seed
        )
        return _batches(estimator, X, y, method)

    first = run(0)
    assert first[0] != first[1] != first[2] != first[0]
    assert run(0) == first
    assert run(1)[0] != first[0]


def test_every_call_has_dropout_masks_of_its_own():
    X, y = _table()
    parameters = {"dropout": 0.5, "batch_size": 64, "random_state": 0}  # no order to draw
    model = DynPMNNRegressor(**parameters, learning_rate_init=1e-12)
    losses = [model.partial_fit(X, y).loss_curve_[-1] for _ in range(3)]
    assert len({round(loss, 6) for loss in losses}) == 3


def test_a_saved_stream_goes_on_as_if_it_had_not_been_saved(tmp_path):
    X, y = _table()
    model = DynPMNNRegressor(dropout=0.3, random_state=0).partial_fit(X, y)
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    for estimator in (model, loaded):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))  # same process and shapes


@pytest.mark.parametrize("random_state", [None, 0])
def test_a_warm_fit_holds_out_the_same_rows_again(random_state):
    X, y = _table()
    model = DynPMNNRegressor(
        max_iter=1, warm_start=True, early_stopping=True, random_state=random_state
    )
    held_out = []
    for _ in range(4):
        model.set_params(callbacks=[look := Seen()]).fit(X, y)
        held_out.append(sorted(look.validation[0]))
    assert held_out[0] == held_out[1] == held_out[2] == held_out[3]


def test_labels_of_pure_noise_are_not_learned_by_warm_early_stopping():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 10)), rng.integers(0, 2, 200)
    model = DynPMNNClassifier(
        max_iter=10,
        warm_start=True,
        early_stopping=True,
        validation_fraction=0.3,
        alpha=0.0,
    )
    for _ in range(5):
        model.fit(X, y)
    assert max(model.validation_scores_[-5:]) < 0.75  # 0.9 and more on rows trained on


def test_how_a_stream_is_cut_does_not_change_how_much_weights_decay():
    # Without targets that vary there is no gradient but that of the outputs themselves.
    X, y = _table(512)
    norms = {}
    for piece in (512, 128, 16):
        model = DynPMNNRegressor(
            optimizer="sgd",
            learning_rate_init=1e-3,
            alpha=100.0,
            batch_size=16,
            random_state=0,
            max_grad_norm=1e-12,
        )
        for start in range(0, 512, piece):
            model.partial_fit(X[start : start + piece], y[start : start + piece])
        norms[piece] = model.module_.head.weight.detach().norm().item()
    assert norms[128] == pytest.approx(norms[512], rel=1e-3)
    assert norms[16] == pytest.approx(norms[512], rel=1e-3)


def test_a_stream_in_small_pieces_learns_as_well_as_without_decay():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4, 1))
    y = X[:, :, 0].mean(axis=1)
    scores = {}
    for alpha in (0.0, 8.0):
        model = PETNNRegressor(8, alpha=alpha, learning_rate_init=0.03, random_state=0)
        for start in [*range(0, 100, 10)] * 6:
            model.partial_fit(X[start : start + 10], y[start : start + 10])
        scores[alpha] = model.score(X[100:], y[100:])
    assert scores[0.0] > 0.8
    assert scores[8.0] > scores[0.0] - 0.1


def test_the_step_is_examined_now_and_then_and_whenever_training_diverged(monkeypatch):
    seen = []
    check = DynPMNN.check_stability
    monkeypatch.setattr(
        DynPMNN, "check_stability", lambda self, x: (seen.append(model.n_iter_), check(self, x))
    )
    entry = ENTRIES[DynPMNNRegressor]
    model = entry.make()
    for _ in range(300):
        model.partial_fit(entry.X[:4], entry.y[:4])
    assert seen == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    model.set_params(learning_rate_init=1e30)
    with pytest.warns(ConvergenceWarning):
        model.partial_fit(entry.X[:4], entry.y[:4])
    assert len(seen) > 9
