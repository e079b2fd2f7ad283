import pytest

from sklearn_physrnn.kernels._dispatch import has_triton
from tests.helpers.oscillators import LINEAR, NONLINEAR


@pytest.fixture
def small(monkeypatch):
    """Tiles of 4 steps, of linear oscillators 2 sub-chunks of them: short series fill several.

    The interpreter's time is mostly that of the tiles.
    """
    if has_triton():
        linear, nonlinear = LINEAR.cuda(), NONLINEAR.cuda()
        monkeypatch.setattr(linear, "_LANES", 16)
        monkeypatch.setattr(linear, "_STEPS", 4)
        # Half of it for float64.
        steps = dict.fromkeys(linear._SEQUENCE_STEPS, 8)
        monkeypatch.setattr(linear, "_SEQUENCE_STEPS", steps)
        monkeypatch.setattr(nonlinear, "_STEPS", dict.fromkeys(nonlinear._STEPS, 8))
