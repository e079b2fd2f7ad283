"""One fit on two processes, as ``torchrun`` starts them: all that it gives is as in one."""

import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

from sklearn_physrnn.training._launched import launched

from . import _several

ROOT = Path(__file__).parents[2]
TIMEOUT = 500  # a hang, not a slow machine

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this build of torch has no process groups"
)


def environment(**more):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    quiet = {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **quiet, **more}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Two processes without ``torchrun``, of which the second is killed: what the first says."""
    folder = tmp_path_factory.mktemp("killed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability._several", folder / "checkpoint", "1"],
            env=environment(
                RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port
            ),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    running[1].wait(TIMEOUT)
    _, said = running[0].communicate(timeout=60)
    assert [process.returncode for process in running] == [1, -9]
    return folder / "checkpoint", said


@pytest.fixture(scope="module")
def together(killed, tmp_path_factory):
    """What the processes found, and what they printed."""
    folder = tmp_path_factory.mktemp("together")
    shutil.copy(killed[0], folder / "checkpoint")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *command, "-m", "tests.reliability._several", folder],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [dict(np.load(folder / f"{rank}.npz")) for rank in range(2)]
    said = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return found, said, done.stdout


def test_all_learn_the_same(together):
    first, second = together[0]
    assert [name for name in first if first[name].tobytes() != second[name].tobytes()] == []


@pytest.mark.parametrize("name", dict(_several.trainings()))
def test_it_is_what_one_process_learns(together, name):
    found = together[0][0]
    for key, alone in _several.learned(dict(_several.trainings())[name]()).items():
        scale = np.abs(alone).max()
        np.testing.assert_allclose(found[f"{name}|{key}"], alone, atol=1e-6 * scale, err_msg=key)


def test_processes_that_do_not_fit_the_same_are_told_what_differs(together):
    for said in together[1]:
        assert "hidden_size (4 in process 0, 5 in process 1)" in said["parameters"]
        assert "What differs: training data" in said["data"]
        assert "carry_state=True does not go with several processes" in said["carried"]


def test_workers_and_who_wants_it_fit_by_themselves(together):
    for rank, said in enumerate(together[1]):
        assert said["own"] == [8 + 2 * rank] * 3  # numbers of positions and speeds


def test_the_first_alone_prints_and_warns(together):
    _, (first, second), printed = together
    assert printed.count("Epoch 1/1") == 1
    assert any("no longer finite" in message for message in first["warned"])
    assert not any("no longer finite" in message for message in second["warned"])


def test_who_is_left_says_so(killed):
    assert "One of the 2 processes that fit together has ended" in killed[1]


def test_they_go_on_from_the_checkpoint(together):
    found = together[0][0]
    assert found["resumed"].tobytes() == found["uninterrupted"].tobytes()


def test_one_process_goes_on_from_the_checkpoint_of_two(killed, together, tmp_path):
    path = shutil.copy(killed[0], tmp_path)
    alone = _several.flat(_several.with_checkpoint(path))
    np.testing.assert_allclose(alone, together[0][0]["resumed"], rtol=1e-6, atol=1e-9)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_where_a_fit_is_shared(monkeypatch):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert launched()
    assert Parallel(2, "threading")(delayed(launched)() for _ in range(2)) == [False, False]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert not pool.apply(launched)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not launched()
