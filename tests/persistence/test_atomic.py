"""A file is written whole or not at all."""

import os
import subprocess
import sys
import threading

import pytest

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.storage import atomic

from ._models import TABLE, small, y


@pytest.fixture
def model():
    return small(DynPMNNRegressor).fit(TABLE, y)


@pytest.fixture
def path(tmp_path, model):
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_leaves_the_former_file_and_nothing_else(step, error, model, path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        model.set_params(max_iter=50).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    model.save(path)
    assert path.read_bytes() != before


_KILLED = """
import os, sys, signal
from sklearn_physrnn.storage import atomic
from sklearn_physrnn.storage import durable

step, path = sys.argv[1:]

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if step == "open":
    class Slow:  # half of it arrives
        def __getattr__(self, name): return getattr(self.file, name)
        def __enter__(self): return self
        def __exit__(self, *_): pass
        def write(self, data):
            self.file.write(data[: len(data) // 2]); self.file.flush(); kill()
    def opened(*arguments):
        slow = Slow(); slow.file = open(*arguments); return slow
    durable.open = opened
else:
    setattr(os, step, kill)
atomic.write_atomically(path, b"new" * 10_000)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_killed_process_leaves_the_former_file(step, model, path):
    before = path.read_bytes()
    command = [sys.executable, "-c", _KILLED, step, str(path)]
    killed = subprocess.run(command, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    assert path.read_bytes() == before
    sklearn_physrnn.load(path)


def test_links_and_permissions_stay(model, path):
    link = path.with_name("link")
    link.symlink_to(path)
    path.chmod(0o640)
    model.set_params(max_iter=50).save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sklearn_physrnn.load(path).max_iter == 50


def test_new_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        atomic.write_atomically(tmp_path / "new", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_relative_path(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save("here")
    sklearn_physrnn.load("here")


@pytest.mark.parametrize("path", ["absent/model", "."])
def test_where_nothing_can_be_written(path, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"absent|directory"):
        model.save(path)
    assert not list(tmp_path.iterdir())


def test_readers_see_the_old_file_or_the_new_one(model, path):
    ended, errors, seen = threading.Event(), [], set()

    def read():
        while not ended.is_set():
            try:
                seen.add(sklearn_physrnn.load(path).max_iter)
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(10):
        model.set_params(max_iter=1 + i % 2).save(path)
    ended.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert seen <= {1, 2}
    assert seen
