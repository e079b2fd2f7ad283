import pytest

from sklearn_physrnn.preparation import recordings
from tests.helpers.recordings import mapped_in


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Maps arrays, or lists of them, which estimators then leave in their files, however small."""

    def write(X):
        monkeypatch.setattr(recordings, "_WORTH_LEAVING", 1)
        return [write(x) for x in X] if isinstance(X, list) else mapped_in(tmp_path, X)

    return write
