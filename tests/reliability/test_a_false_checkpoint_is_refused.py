"""Files of another training, forged and damaged ones are refused, and left as they are."""

import builtins
import hashlib
import io

import pytest
import torch

from sklearn_physrnn.storage.checkpoint import _HEADER, Checkpoint

from ._trainings import data, make, stopped

pytestmark = pytest.mark.usefixtures("saved_every_epoch")


@pytest.mark.parametrize(
    ("parameters", "change", "message"),
    [
        ({"max_iter": 13}, {}, r"max_iter \(12 there, 13 now\)"),
        ({"random_state": 4}, {}, "random_state"),
        ({"hidden_size": 7, "alpha": 0.5}, {}, r"alpha .*hidden_size \(6 there, 7 now\)"),
        ({}, {"X": data("petnn", 1)["X"]}, "training data"),
        ({}, {"sample_weight": None}, "training data"),
        ({}, {"X_val": data("petnn")["X"], "y_val": data("petnn")["y"]}, "validation data"),
        ({}, {"y": data("petnn")["y"] + 1, "y_val": data("petnn")["y_val"] + 1}, "classes"),
    ],
)
def test_another_training_is_refused(parameters, change, message, tmp_path):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    before = path.read_bytes()
    other = make("petnn", checkpoint=path, **parameters)
    with pytest.raises(ValueError, match=rf"{message}.*Delete it"):
        other.fit(**{**fit, **change})
    assert path.read_bytes() == before
    assert not hasattr(other, "module_")


def _sealed(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    return _HEADER + hashlib.sha256(payload).digest() + payload


class Malice:
    def __reduce__(self):
        return builtins.print, ("executed",)


def _spoil(kind, good):
    content = torch.load(io.BytesIO(good[len(_HEADER) + 32 :]), weights_only=True)
    state = content["state"]
    if kind == "code":
        return _sealed({**content, "state": Malice()})
    if kind == "shape":
        state["weights"][0] = state["weights"][0][:1]
    elif kind == "dtype":
        state["weights"][0] = state["weights"][0].double()
    elif kind == "moments":
        state["optimizer"][0]["exp_avg"] = torch.zeros(1)
    elif kind == "parameter":
        state["optimizer"][99] = state["optimizer"][0]
    elif kind == "generator":
        state["generators"]["batches"] = torch.zeros(3, dtype=torch.uint8)
    elif kind == "missing":
        del state["keeper"]
    elif kind == "description":
        content["description"] = 3
    return _sealed(content)


@pytest.mark.parametrize(
    "kind",
    ["code", "shape", "dtype", "moments", "parameter", "generator", "missing", "description"],
)
def test_a_forged_file_is_refused(kind, tmp_path, capsys):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    path.write_bytes(_spoil(kind, path.read_bytes()))
    with pytest.raises(ValueError, match="does not hold what a checkpoint"):
        make("petnn", checkpoint=path).fit(**fit)
    assert "executed" not in capsys.readouterr().out


def test_a_damaged_file_is_refused(tmp_path):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    cases = [(good[:n], "truncated") for n in (len(_HEADER), 50, len(good) // 2, len(good) - 1)]
    cases += [(bytes(flipped), "damaged"), (good + b"x", "damaged")]
    cases += [(b"", "is no checkpoint"), (b"something else", "is no checkpoint")]
    another = _HEADER[:-2] + b"9\n"  # a version to come
    cases += [(good.replace(_HEADER, another, 1), "another version's")]
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            make("petnn", checkpoint=path).fit(**fit)
        assert path.read_bytes() == content


def test_two_trainings_never_share_a_file(tmp_path):
    first, second = (
        Checkpoint(tmp_path / "c", {"estimator": "E", "max_iter": n}, (1, 2)) for n in "12"
    )
    twin = Checkpoint(tmp_path / "c", {"estimator": "E", "max_iter": "1"}, (3, 4))
    first.begin()
    first.save({"a": 1})
    twin.begin()
    with pytest.raises(ValueError, match="another training"):
        second.begin()
    second.remove_unless_saved()  # it has nothing there to remove
    assert Checkpoint(tmp_path / "c", first.description, (3, 4)).seeds == (1, 2)
