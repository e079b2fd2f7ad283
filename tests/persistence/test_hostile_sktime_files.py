"""Files of forecasters and panel estimators that are not as `save` writes them: a ValueError."""

import copy
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sklearn_physrnn

from . import _forecasters, test_panel_estimators
from ._files import put_together, take_apart
from .test_hostile_files import JSON, places

SERIES = ["petnn", "calendar", "exogenous, numbered", "hierarchy"]
PANELS = ["hssm, long", "one class", "named targets"]


def _pretrained():
    panel = _forecasters.times(_forecasters.many("panel"), 0, _forecasters.N)
    return _forecasters.small(_forecasters.HSSMForecaster).pretrain(panel)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file of each kind."""
    path = tmp_path_factory.mktemp("saved") / "model"
    made = {case: _forecasters.fitted(case) for case in SERIES}
    made |= {case: test_panel_estimators.fitted(case) for case in PANELS}
    files = {}
    for case, model in {**made, "pretrained": _pretrained()}.items():
        sklearn_physrnn.save(model, path)
        files[case] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "model"


def assert_refused(path, data, match=""):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"(?s)hostile.*model cannot be loaded: .*{match}"):
        sklearn_physrnn.load(path)


def changed(data, place, value):
    """Put `value` at a place of the model's JSON, and take nothing else."""
    header, model, body = take_apart(data)
    *outer, last = place
    target = model
    for key in outer:
        target = target[key]
    target[last] = value
    return put_together(header, model, body)


def test_taking_apart_and_putting_together_changes_nothing(path, saved):
    for data in saved.values():
        path.write_bytes(put_together(*take_apart(data)[:2], take_apart(data)[2]))
        sklearn_physrnn.load(path)


@pytest.mark.parametrize("case", ["petnn", "hssm, long"])
def test_truncated_and_flipped(case, path, saved):
    data, rng = saved[case], np.random.default_rng(0)
    path.write_bytes(data)
    for length in sorted({*rng.integers(len(data), size=100), 0, 8, len(data) - 1}, reverse=True):
        os.truncate(path, length)
        with pytest.raises(ValueError, match="truncated"):
            sklearn_physrnn.load(path)
    for place in rng.integers(len(data), size=200):
        flipped = bytearray(data)
        flipped[place] ^= int(rng.integers(1, 256))
        assert_refused(path, flipped)


LEARNED = ("fitted", "learned")


@pytest.mark.parametrize(
    ("case", "place", "value", "match"),
    [
        ("petnn", ("class",), "GRUForecaster", "'GRUForecaster' is not one of .*HSSMForecaster"),
        ("petnn", ("class",), "HSSMForecaster", "no parameter"),
        ("petnn", ("class",), "PETNNSeriesRegressor", "no parameter"),
        ("hssm, long", ("class",), "GRUSeriesClassifier", "is not one of .*HSSMSeriesClassifier"),
        ("hssm, long", ("class",), "HSSMSeriesRegressor", "no parameter"),
        ("petnn", ("parameters", "checkpoint"), "/home/.profile", "no parameter 'checkpoint'"),
        ("petnn", ("parameters", "callbacks"), ["print"], "callbacks cannot be loaded"),
        ("petnn", ("parameters", "hidden_size"), 0, "'hidden_size' parameter"),
        ("petnn", ("parameters", "hidden_size"), 4, "must be F32 of shape"),
        ("petnn", ("parameters", "interval"), None, "where there are to be intervals"),
        ("petnn", ("fitted", "unheard"), 1, "unknown field 'unheard'"),
        ("petnn", ("fitted", "state"), "new", "'new', is unknown"),
        ("petnn", ("fitted", "state"), "pretrained", "one series or of a panel"),
        ("petnn", ("fitted", "cutoff"), None, "where the series ends"),
        ("petnn", ("fitted", "y_mtype_last_seen"), "os.system", "none that sktime knows"),
        ("petnn", (*LEARNED, "model", "sizes", "horizon"), 4, "must be F32 of shape"),
        ("petnn", (*LEARNED, "model", "sizes", "window_length"), 10**12, "window_length must be"),
        ("petnn", (*LEARNED, "model", "n_channels"), 2, "must be F32 of shape"),
        ("petnn", (*LEARNED, "model", "step"), "ME", "its times are no series"),
        ("petnn", (*LEARNED, "model", "step"), "1" * 200, "no name of one"),
        ("petnn", (*LEARNED, "model", "step"), -3, "must be positive"),
        ("petnn", (*LEARNED, "model", "reach"), -3, "reach"),
        ("exogenous, numbered", (*LEARNED, "model", "features", "columns", "lacking"), [9],
         "which columns are lacking"),
        ("exogenous, numbered", (*LEARNED, "model", "features", "columns", "lacking"), [0],
         "must be F32"),
        ("petnn", (*LEARNED, "model", "sizes", "told"), True, "gaps"),
        ("petnn", (*LEARNED, "history", "index", "range"), [0, 10**12, 1], "entries"),
        ("petnn", (*LEARNED, "history", "index", "range"), [0, 120, 2], "no series"),
        ("petnn", (*LEARNED, "history", "index", "kind"), "builtins", "is unknown"),
        ("calendar", (*LEARNED, "history", "index", "tz"), "/etc/passwd", "time zone"),
        ("calendar", (*LEARNED, "history", "index", "tz"), "dateutil//etc/passwd", "time zone"),
        ("calendar", (*LEARNED, "model", "features", "calendar"), ["hour"], "must be F32"),
        ("calendar", (*LEARNED, "model", "features", "calendar"), ["a", "b"], "is unknown"),
        ("exogenous, numbered", (*LEARNED, "model", "features", "columns"), None, "must be F32"),
        ("exogenous, numbered", (*LEARNED, "history", "exogenous"), None, "exogenous"),
        ("hierarchy", ("fitted", "panel", "names"), ["a"], "as many levels"),
        ("hierarchy", ("fitted", "panel", "series", "1", "fitted", "panel"), {}, "be NoneType"),
        ("hierarchy", ("fitted", "panel", "series", "7"), {}, "numbered"),
        ("hierarchy", ("fitted", "panel", "series"), {}, "numbered"),
        ("pretrained", ("fitted", "state"), "fitted", "one series or of a panel"),
        ("pretrained", ("fitted", "pretrained"), None, "neither fitted nor pretrained"),
        ("pretrained", ("fitted", "pretrained", "n_quantiles"), 7, "quantiles"),
        ("hssm, long", ("fitted", "estimator", "class"), "PETNNClassifier", "must be HSSMC"),
        ("hssm, long", ("fitted", "estimator"), None, "holds no estimator"),
        ("one class", ("fitted", "only_class"), None, "holds no estimator"),
        ("named targets", ("fitted", "X_metadata"), {"dict": []}, "none that sktime knows"),
    ],
)  # fmt: skip
def test_unknown_and_unfit_values(case, place, value, match, path, saved):
    assert_refused(path, changed(saved[case], place, value), match)


# Than the first files.
YOUNGER = (
    "kernels",
    "told",
    "frame",
    "choice",
    "reach",
    "irregular",
    "lacking",
    "past",
    "static",
    "adjusts",
    "prior",
)


def test_every_field_is_needed(path, saved):
    for case in ("petnn", "hssm, long", "pretrained"):
        _, model, _ = take_apart(saved[case])
        for place in places({"fitted": model["fitted"]}):
            if "estimator" in place or "y_metadata" in place or "X_metadata" in place:
                continue  # tried elsewhere; sktime's own
            if place[-1] in YOUNGER or place[1:] == ("pretrained", "names"):
                continue  # younger than the first files
            header, model, body = take_apart(saved[case])
            target = model
            for key in place[:-1]:
                target = target[key]
            if isinstance(target, dict) and "converter_store_y" not in place[:-1]:
                del target[place[-1]]
                assert_refused(path, put_together(header, model, body))


def test_swapped_missing_and_added_arrays(path, saved):
    header, model, body = take_apart(saved["petnn"])
    errors, history = "learned.scores.errors", "learned.history.values"
    assert_refused(
        path,
        put_together(header | {errors: header[history], history: header[errors]}, model, body),
    )
    more = header | {"learned.more": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    assert_refused(path, put_together(more, model, body), "'learned.more' must be absent")
    for name in header:
        wrong = copy.deepcopy(header)
        wrong[name]["shape"] = [*header[name]["shape"], 1]
        assert_refused(path, put_together(wrong, model, body), "must be")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learned.history.values", np.inf),  # NaN is a missing one
        ("learned.model.scaler.center", np.inf),
        ("learned.model.scaler.center", np.nan),
    ],
)
def test_values_that_are_not_finite(name, value, path, saved):
    header, model, body = take_apart(saved["petnn"])
    start = header[name]["data_offsets"][0]
    wrong = body[:start] + np.float64(value).tobytes() + body[start + 8 :]
    assert_refused(path, put_together(header, model, wrong), "not finite")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 10**9}, {"num_layers": 10**9}, {"num_blocks": 10**9},
        {"state_size": 10**9}, {"hidden_size": 10**30},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_sizes_that_only_the_header_claims(path, saved, change):
    for case, data in saved.items():
        if case == "one class":
            continue  # it has no weights, and makes none
        _, model, _ = take_apart(data)
        found = [
            place for place in places(model) if place[-1] in change and "parameters" in place[:-1]
        ]
        for place in found:
            path.write_bytes(changed(data, place, change[place[-1]]))
            tracemalloc.start()
            try:
                if place[0] == "fitted" or len(found) == 1:  # not what a panel's frame says alone
                    with pytest.raises(ValueError, match="cannot be loaded"):
                        sklearn_physrnn.load(path)
                assert tracemalloc.get_traced_memory()[1] < 60e6
            finally:
                tracemalloc.stop()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_value_changed_to_any_other(path, saved, draw):
    case = draw.draw(st.sampled_from([*SERIES, *PANELS]))
    _, model, _ = take_apart(saved[case])
    tried = [place for place in places(model) if place != ("sha256",)]
    path.write_bytes(changed(saved[case], draw.draw(st.sampled_from(tried)), draw.draw(JSON)))
    try:
        loaded = sklearn_physrnn.load(path)
    except ValueError:
        return
    assert type(loaded).__name__ == model["class"]
