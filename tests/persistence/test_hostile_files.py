"""Files that are not as `save` writes them: refused by a ValueError, before they cost anything."""

import copy
import json
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import sklearn_physrnn
from sklearn_physrnn import DynPMNNClassifier, PETNNClassifier

from ._files import put_together, take_apart
from ._models import CASES, TABLE, TEXT, TOKENS, small

TRIED = ["dynpmnn", "members", "quantiles", "labels: text", "petnn, time", "tokens",
         "hssm, every step", "hssm, nonlinear"]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file of each kind of model, and what to predict from."""
    path = tmp_path_factory.mktemp("saved") / "model"
    files = {}
    for case in TRIED:
        model, X, target = CASES[case]
        clone(model).fit(X, target).save(path)
        files[case] = path.read_bytes(), X[:3]
    return files


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The smallest file."""
    path = tmp_path_factory.mktemp("small") / "model"
    model = small(DynPMNNClassifier, hidden_size=1, num_layers=1, optimizer="sgd")
    model.fit(TABLE[:, :1], TEXT).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "model"


def load(path, data):
    path.write_bytes(data)
    return sklearn_physrnn.load(path)


def assert_refused(path, data, match=""):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"(?s)hostile.*model cannot be loaded: .*{match}"):
        sklearn_physrnn.load(path)


# -- accidents ---------------------------------------------------------------------------


def test_taking_apart_and_putting_together_changes_nothing(path, data):
    header, model, body = take_apart(data)
    model["sha256"] = "wrong"
    loaded = load(path, put_together(header, model, body))
    assert loaded.classes_.tolist() == ["down", "up"]


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        sklearn_physrnn.load(tmp_path / "absent")


def test_every_truncation(path, data):
    path.write_bytes(data)
    for length in reversed(range(len(data))):
        os.truncate(path, length)
        with pytest.raises(ValueError, match="truncated"):
            sklearn_physrnn.load(path)


@pytest.mark.parametrize("extra", [b"\0", b" ", b"{}", b"\0" * 1000])
def test_something_appended(path, data, extra):
    assert_refused(path, data + extra, "truncated or damaged")


def test_flipped_bytes(path, data):
    rng = np.random.default_rng(0)
    n_header = 8 + int.from_bytes(data[:8], "little")
    places = [*range(16), *rng.integers(n_header, size=300), *rng.integers(len(data), size=100)]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= int(rng.integers(1, 256))
        assert_refused(path, flipped)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8, b"\0" * 100, b"\xff" * 100, b"\x80\x04]\x94.", b"PK\x03\x04" * 20,
     (2).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]",
     (4).to_bytes(8, "little") + b"null", (8).to_bytes(8, "little") + b"\xff" * 8,
     (2**63).to_bytes(8, "little") + b"{}", (7).to_bytes(8, "little") + b'{"a":1}'],
)  # fmt: skip
def test_other_files(path, content):
    assert_refused(path, content)


def test_a_safetensors_file_of_something_else(path):
    from safetensors.numpy import save

    assert_refused(path, save({"weight": np.zeros(3)}), "not saved by sklearn_physrnn")


# -- tampering, with the right hash ------------------------------------------------------


@pytest.mark.parametrize("schema", [2, 99, 0, -1, "1", 1.0, None, True])
def test_other_schemas(path, data, schema):
    header, model, body = take_apart(data)
    newer = type(schema) is int and schema > 1
    expected = f"schema {schema}.*up to 1.*newer version" if newer else "positive integer"
    model["schema"] = schema
    model["unheard"] = "of"  # in a newer schema anything may be different
    assert_refused(path, put_together(header, model, body), expected)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"class": "Pipeline"}, "class 'Pipeline' is not one of"),
        ({"class": "os.system"}, "class 'os.system' is not one of"),
        ({"class": "_dynpmnn"}, "class '_dynpmnn' is not one of"),
        ({"class": "__all__"}, "class '__all__' is not one of"),
        ({"class": 3}, "must be str"),
        ({"class": "PETNNRegressor"}, "has no parameter"),
        ({"unheard": 1}, "unknown field 'unheard'"),
        ({"parameters": {"unheard": 1}}, "no parameter 'unheard'"),
        ({"parameters": {"checkpoint": "/home/user/.profile"}}, "no parameter 'checkpoint'"),
        ({"parameters": {"callbacks": ["print"]}}, "callbacks cannot be loaded"),
        ({"parameters": {"hidden_size": 0}}, "'hidden_size' parameter"),
        ({"parameters": {"hidden_size": 2}}, "must be F32 of shape"),
        ({"parameters": {"dynamics": "own"}}, "'dynamics' parameter"),
        ({"parameters": {"dynamics": {"module": "os"}}}, "unknown kind"),
        ({"parameters": {"random_state": {"array": ["object", [1]]}}}, "array of object"),
        ({"parameters": {"class_weight": {"dict": [[[1], 2]]}}}, "neither numbers nor text"),
        ({"fitted": {"unheard": 1}}, "unknown field 'unheard'"),
        ({"fitted": {"module_": 1}}, "unknown field 'module_'"),
        ({"fitted": {"n_features_in_": 2}}, "not one of 2 columns"),
        ({"fitted": {"n_features_in_": True}}, "must be int"),
        ({"fitted": {"feature_names_in_": ["a", "b"]}}, "one text a feature"),
        ({"fitted": {"feature_names_in_": [1]}}, "one text a feature"),
        ({"fitted": {"dtype": "float16"}}, "float32 or float64"),
        ({"fitted": {"classes_": {"array": ["str", ["up", "down"]]}}}, "in order"),
        ({"fitted": {"classes_": {"array": ["str", ["up"]]}}}, "two labels or more"),
        ({"fitted": {"classes_": {"array": ["str", ["a", "b", "c"]]}}}, "must be F32 of shape"),
        ({"fitted": {"classes_": {"array": ["int8", [1, 200]]}}}, "out of bounds"),
        ({"fitted": {"classes_": {"array": ["U999999999", ["a", "b"]]}}}, "unknown kind"),
        ({"fitted": {"curves": [10**12, None, None]}}, "curves"),
        ({"fitted": {"optimizer": {"name": "lbfgs"}}}, "lack"),
        ({"fitted": {"input_scaler": None}}, "scaler"),
        ({"fitted": {"input_scaler": {"kind": "quantile", "n_knots": [10**12]}}}, "be F64"),
    ],
)
def test_unknown_and_unfit_values(path, data, change, match):
    header, model, body = take_apart(data)
    for name, value in change.items():
        if isinstance(value, dict) and name in model:
            model[name] |= value
        else:
            model[name] = value
    assert_refused(path, put_together(header, model, body), match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"missing": "often"}, "missing='often' is unknown"),
        ({"missing": 1}, "must be str"),
        ({"unheard": 1}, "unknown field 'unheard'"),
        ({"holed": [1]}, "columns that there are not, or twice"),
        ({"holed": [0, 0]}, "columns that there are not, or twice"),
        ({"holed": ["0"]}, "must hold integers"),
        ({"holed": [0]}, "must be F32 of shape"),
        ({"empty": [0]}, "no column with a value"),
        ({"holed": [0], "empty": [0]}, "of two kinds"),
        ({"categories": [[0, ["a"]]]}, "not one of 0 columns"),
        ({"categories": [[1, ["a"]]]}, "columns that there are not"),
        ({"categories": [[0, ["a", "a"]]]}, "one column's, each once"),
        ({"categories": [[0, [{"dict": []}]]]}, "one column's, each once"),
        ({"categories": [[0, [["a"]]]]}, "one column's, each once"),
        ({"categories": [0]}, "not a column and a list"),
    ],
)
def test_tables_that_there_are_not(path, data, change, match):
    header, model, body = take_apart(data)
    model["fitted"]["table"] |= change
    assert_refused(path, put_together(header, model, body), match)


@pytest.mark.parametrize("part", ["versions", "class", "parameters", "fitted", "sha256"])
def test_missing_parts(path, data, part):
    header, model, body = take_apart(data)
    text = json.dumps({k: v for k, v in model.items() if k != part})
    assert_refused(path, put_together(header, model, body, text), "lack|names no hash")


def test_missing_fitted_attributes(path, data):
    header, model, body = take_apart(data)
    younger = {"split_seed", "table", "kernels"}  # than the first files
    for name in model["fitted"].keys() - younger:
        less = {k: v for k, v in model["fitted"].items() if k != name}
        assert_refused(path, put_together(header, model | {"fitted": less}, body), name)


def test_a_parameter_younger_than_the_file_has_its_default(path, data):
    header, model, body = take_apart(data)
    del model["parameters"]["scale_inputs"]
    assert load(path, put_together(header, model, body)).scale_inputs == "quantile"


def test_the_version_that_wrote_it_is_named(path, data):
    header, model, body = take_apart(data)
    model["versions"]["sklearn_physrnn"] = "7.8.9"
    model["parameters"]["unheard"] = 1
    assert_refused(path, put_together(header, model, body), "unheard.*saved by version 7.8.9")


@pytest.mark.parametrize("dtype", ["F64", "F16", "BF16", "I32", "BOOL", "U8", "unheard", None, 4])
def test_wrong_dtypes(path, data, dtype):
    header, model, body = take_apart(data)
    for name in ("module.head.weight", "input_scaler.values", "curves.loss_curve_"):
        if header[name]["dtype"] == dtype:
            continue
        changed = copy.deepcopy(header)
        changed[name]["dtype"] = dtype
        assert_refused(path, put_together(changed, model, body))


@pytest.mark.parametrize("shape", [[], [1], [4], [-2, -2], [2.0, 2], [True, 4], "22", None])
def test_wrong_shapes(path, data, shape):
    header, model, body = take_apart(data)
    assert header["module.head.weight"]["shape"] == [2, 2]  # 4 values, as in some of those
    header["module.head.weight"]["shape"] = shape
    assert_refused(path, put_together(header, model, body), "shape|truncated or damaged")


def test_swapped_missing_and_added_arrays(path, data):
    header, model, body = take_apart(data)
    a, b = "module.head.weight", "module.head.bias"
    swapped = header | {a: header[b], b: header[a]}
    assert_refused(path, put_together(swapped, model, body), "head")
    less = {name: entry for name, entry in header.items() if name != a}
    assert_refused(path, put_together(less, model, body), "damaged")
    more = header | {"module.more": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    assert_refused(path, put_together(more, model, body), "'module.more' must be absent")


@pytest.mark.parametrize("offsets", [[0, 4], [-8, 8], [8, 0], [2**62, 2**62 + 16], None, [0]])
def test_wrong_offsets(path, data, offsets):
    header, model, body = take_apart(data)
    header["module.head.weight"]["data_offsets"] = offsets
    assert_refused(path, put_together(header, model, body), "not a valid safetensors file")


def test_the_order_of_the_optimizers_parameters_is_not_the_files(path, saved):
    # A moment of another shape than its parameter corrupts memory in torch's fused kernels.
    data, _ = saved["dynpmnn"]
    _, X, target = CASES["dynpmnn"]
    expected = load(path, data).partial_fit(X, target).predict(X)
    header, contents, body = take_apart(data)
    contents["fitted"]["optimizer"]["parameters"].reverse()
    loaded = load(path, put_together(header, contents, body)).partial_fit(X, target)
    np.testing.assert_array_equal(loaded.predict(X), expected)


def test_names_that_occur_twice(path, data):
    header, model, body = take_apart(data)
    text = json.dumps({"sha256": "0" * 64} | model)
    twice = text[:-1] + ', "class": "DynPMNNClassifier"}'
    assert_refused(path, put_together(header, model, body, twice), "twice")


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "1" * 100_000])
def test_json_that_overflows(path, data, deep):
    header, model, body = take_apart(data)
    assert_refused(path, put_together(header, model, body, deep))


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 10**9},
        {"hidden_size": 2**40},
        {"hidden_size": 10**30},
        {"num_layers": 10**9},
        {"num_blocks": 10**9},
        {"patch_size": 10**9},
        {"state_size": 10**9},
        {"n_members": 10**9},
        {"n_frequencies": 10**9, "embedding_dim": 10**9},
        {"vocabulary_size": 10**9, "embedding_dim": 1000},
        {"every": 10**18},
        {"quantile": [i / 10**5 for i in range(1, 10**5)]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_sizes_that_only_the_header_claims(path, saved, change):
    for data, _ in saved.values():
        header, model, body = take_apart(data)
        if not change.keys() <= model["parameters"].keys():
            continue
        if "quantile" in change and model["parameters"]["loss"] != "quantile":
            continue
        if "every" in change and model["parameters"]["readout"] != "sequence":
            continue
        if "vocabulary_size" in change and model["parameters"]["vocabulary_size"] is None:
            continue
        model["parameters"] |= change
        path.write_bytes(put_together(header, model, body))
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="cannot be loaded"):
                sklearn_physrnn.load(path)
            assert tracemalloc.get_traced_memory()[1] < 40e6
        finally:
            tracemalloc.stop()


def test_a_header_that_claims_the_arrays_too(path):
    # The weights of 10**9 neurons, in a file of a few kB.
    model = small(PETNNClassifier, vocabulary_size=5, embedding_dim=2).fit(TOKENS, TEXT)
    model.save(path)
    header, contents, body = take_apart(path.read_bytes())
    contents["parameters"]["hidden_size"] = 10**9
    for entry in header.values():
        entry["shape"] = [10**9 if n in (3, 12, 18) else n for n in entry["shape"]]
    assert_refused(path, put_together(header, contents, body), "truncated or damaged")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 6) | st.floats() | st.text(max_size=3)
    | st.sampled_from([10**9, 2**63, 10**30, "auto", "sgd", "float64", "quantile", "mean"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["tuple", "dict", "array", "float"]), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip


def places(value, here=()):
    """All paths into a JSON value."""
    if isinstance(value, dict):
        parts = value.items()
    else:
        parts = enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*here, key)
        yield from places(part, (*here, key))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_value_changed_to_any_other(path, saved, draw):
    data, X = saved[draw.draw(st.sampled_from(TRIED))]
    header, model, body = take_apart(data)
    *outer, last = draw.draw(st.sampled_from([p for p in places(model) if p != ("sha256",)]))
    target = model
    for key in outer:
        target = target[key]
    target[last] = draw.draw(JSON)
    path.write_bytes(put_together(header, model, body))
    try:
        loaded = sklearn_physrnn.load(path)
    except ValueError:
        return
    if getattr(loaded, "n_steps", 0) > 1000:  # a stranger's model may take its time
        return
    try:
        assert len(loaded.predict(X)) == len(X)
    except ValueError:
        return
