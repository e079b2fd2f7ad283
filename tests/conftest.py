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


@pytest.fixture
def rng():
    return np.random.default_rng(0)
