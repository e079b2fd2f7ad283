"""Trainings whose steps are recorded and replayed on the CPU."""

import pytest

from sklearn_physrnn.kernels import _dispatch
from sklearn_physrnn.training import _engine
from sklearn_physrnn.training._callbacks import Schedule
from tests.helpers.recorder import DryRecorder


@pytest.fixture
def recorders(monkeypatch):
    """What was made to record trainings, one each."""
    made = []

    def recorder_for(device, generators):
        made.append(DryRecorder(generators))
        return made[-1]

    monkeypatch.setattr(_engine, "recorder_for", recorder_for)
    # As on a GPU, whose kernels torch launches: the CPU's write where torch does not see it.
    monkeypatch.setattr(_dispatch, "_COMPILED_DTYPES", ())
    # Rates as a GPU's optimizer reads them.
    exact = Schedule.__init__
    monkeypatch.setattr(
        Schedule, "__init__", lambda self, *args, single: exact(self, *args, single=True)
    )
    return made
