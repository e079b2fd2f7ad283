"""Counts of the cases that the hostile-input tests tried, in the terminal's summary."""

from collections import Counter


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
