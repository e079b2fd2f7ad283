import os
import signal

import numpy as np
import pytest
import torch

# What tests compute is small: threads would only wait for each other, most of all where
# several test processes share the cores. Tests of threads ask for their own number.
torch.set_num_threads(1)

# A shell that starts the tests in the background lets them ignore Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Without a GPU its kernels are interpreted. Triton reads this when it defines them.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


# Files whose tests share neither fixtures nor kernels to compile, and take long.
_APART = ("test_documentation.py", "test_reproduce.py", "test_sktime_checks.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let a process run whole files, the longest first: none compiles what another does."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return nodeid if file.endswith(_APART) else file

    return ByFile(config, log)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
