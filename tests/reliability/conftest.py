"""Counts of hostile cases for the terminal's summary, and checkpoints of every epoch."""

from collections import Counter

import pytest

from sklearn_physrnn.training import _saving


@pytest.fixture
def saved_every_epoch(monkeypatch):
    monkeypatch.setattr(_saving, "INTERVAL", 0.0)
    monkeypatch.setattr(_saving, "_SHARE", float("inf"))


def pytest_terminal_summary(terminalreporter):
    ends = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == "hostile":
                        ends[value[0]] += value[1]
    if ends:
        terminalreporter.section("hostile input")
        parts = ", ".join(f"{n} {end}" for end, n in ends.most_common())
        terminalreporter.write_line(f"{sum(ends.values())} cases tried: {parts}")
