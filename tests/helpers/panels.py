"""The four estimators of panels, small."""

from sklearn_physrnn.classification import HSSMSeriesClassifier, PETNNSeriesClassifier
from sklearn_physrnn.regression import HSSMSeriesRegressor, PETNNSeriesRegressor

SMALL = {
    PETNNSeriesClassifier: {"hidden_size": 6},
    PETNNSeriesRegressor: {"hidden_size": 6},
    HSSMSeriesClassifier: {"hidden_size": 6, "state_size": 4, "num_blocks": 1},
    HSSMSeriesRegressor: {"hidden_size": 6, "state_size": 4, "num_blocks": 1},
}


def make(kind, **params):
    return kind(**{"max_iter": 3, "random_state": 0, "device": "cpu", **SMALL[kind], **params})


def make_wrapped(model):
    return model._wrapped(**model.get_params(deep=False))


def fitted(model):
    return getattr(model, "classifier_", None) or model.regressor_


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
