import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import get_data_home as sklearn_data_home

from sklearn_physrnn import datasets


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_PHYSRNN_DATA", str(tmp_path))
    return tmp_path


def test_data_home_comes_from_the_argument_then_the_environment(home, tmp_path):
    assert datasets.get_data_home() == home
    assert datasets.get_data_home(tmp_path / "other") == tmp_path / "other"


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (lambda: datasets.load_panel("FordA"), "FordA.npz"),
        (datasets.load_mnist_rows, "train-images-idx3-ubyte.gz"),
        (datasets.load_imdb_tokens, "imdb_ids20k.npz"),
        (datasets.load_banknote, "data_banknote_authentication.txt"),
        (lambda: datasets.load_multivariate_series("ETTh1"), "ETTh1.csv"),
    ],
)
def test_a_missing_file_is_named_with_its_source(home, load, name):
    with pytest.raises(FileNotFoundError, match=f"{name}.*SKLEARN_PHYSRNN_DATA") as caught:
        load()
    assert "http" in str(caught.value)
    assert str(home) in str(caught.value)


def test_panel_shipped_by_sktime_has_time_before_channels():
    bunch = datasets.load_panel("BasicMotions")
    assert bunch.X_train.shape == bunch.X_test.shape == (40, 100, 6)
    assert len(bunch.y_train) == 40


def test_panel_of_unequal_length_is_a_list():
    bunch = datasets.load_panel("JapaneseVowels")
    assert isinstance(bunch.X_train, list)
    assert bunch.X_train[0].shape[1] == 12
    assert len({len(x) for x in bunch.X_train}) > 1


def test_panel_from_a_file_in_a_folder_of_the_data_home(home):
    (home / "panel").mkdir()
    parts = {"X_train": np.ones((3, 5, 2)), "y_train": np.arange(3)}
    np.savez(home / "panel" / "Mine.npz", **parts, X_test=np.ones((1, 5, 2)), y_test=[0])
    bunch = datasets.load_panel("Mine")
    np.testing.assert_array_equal(bunch.X_train, parts["X_train"])
    np.testing.assert_array_equal(bunch.y_train, parts["y_train"])


@pytest.mark.parametrize("pixels", [False, True])
def test_mnist(home, pixels):
    images = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
    for prefix in ("train", "t10k"):
        for name, header, array in (
            ("images-idx3", 16, images),
            ("labels-idx1", 8, np.array([3, 7], np.uint8)),
        ):
            content = bytes(header) + array.tobytes()
            (home / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    bunch = datasets.load_mnist_rows(pixels=pixels)
    assert bunch.X_train.shape == ((2, 784, 1) if pixels else (2, 28, 28))
    np.testing.assert_allclose(bunch.X_test.reshape(2, 28, 28), images / 255, rtol=1e-6)
    assert bunch.y_test.tolist() == [3, 7]


def test_imdb_cuts_vocabulary_and_length(home):
    ids = np.array([5, 1, 9, 2, 2, 7], np.uint16)
    np.savez(
        home / "imdb_ids20k.npz",
        **{f"ids_{part}": ids for part in ("train", "test")},
        **{f"offsets_{part}": np.array([0, 4, 6]) for part in ("train", "test")},
        **{f"y_{part}": np.array([0, 1], np.int8) for part in ("train", "test")},
    )
    bunch = datasets.load_imdb_tokens(vocabulary_size=8, max_length=3)
    assert [review.tolist() for review in bunch.X_train] == [[1, 7, 2], [2, 7]]
    assert bunch.y_test.tolist() == [0, 1]


def test_banknote(home):
    (home / "data_banknote_authentication.txt").write_text("3.6,8.6,-2.8,-0.4,0\n1,2,3,4,1\n")
    bunch = datasets.load_banknote()
    assert bunch.data.shape == (2, 4)
    assert bunch.target.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_multivariate_series(home, suffix):
    index = pd.date_range("2020-01-01", periods=5, freq="h", name="date")
    frame = pd.DataFrame({"a": range(5), "b": range(5)}, index=index)
    frame.to_csv(home / f"mine.{suffix}")
    loaded = datasets.load_multivariate_series("mine")
    pd.testing.assert_frame_equal(loaded, frame)


def test_california_is_split_as_in_the_paper():
    if not (Path(sklearn_data_home()) / "cal_housing_py3.pkz").is_file():
        pytest.skip("California Housing is not in scikit-learn's data home")
    bunch = datasets.load_california_split()
    sizes = [len(bunch[f"X_{part}"]) for part in ("train", "val", "test")]
    assert sum(sizes) == 20640
    assert sizes == [14489, 4102, 2049]


def test_adding_sums_the_marked_numbers():
    X, y = datasets.make_adding(200, 50, random_state=0)
    np.testing.assert_allclose((X[..., 0] * X[..., 1]).sum(1), y, rtol=1e-6)
    assert (X[:, :25, 1].sum(1) == 1).all()
    assert (X[:, 25:, 1].sum(1) == 1).all()
    assert 0.12 < y.var() < 0.22


def test_copy_shows_the_symbol_first():
    X, y = datasets.make_copy_memory(100, 30, n_symbols=5, random_state=0)
    assert X.shape == (100, 30, 5)
    np.testing.assert_array_equal(X[:, 0].argmax(1), y)
    assert np.abs(X[:, 1:]).max() < 0.7
    assert set(y) == set(range(5))


def test_selective_copy_shows_the_marked_symbol():
    X, y = datasets.make_selective_copy(100, 60, n_symbols=4, random_state=0)
    marked = X[..., 4].argmax(1)
    assert marked.max() < 6
    np.testing.assert_array_equal(X[np.arange(100), marked, :4].argmax(1), y)


@pytest.mark.parametrize(
    "make", [datasets.make_adding, datasets.make_copy_memory, datasets.make_selective_copy]
)
def test_same_seed_same_data(make):
    for one, other in zip(make(5, 20, random_state=3), make(5, 20, random_state=3), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="n_timesteps must be at least 2, got 1"):
        make(5, 1)
