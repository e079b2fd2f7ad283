"""A clock on a device, the device's limits, and a table of what was measured."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

Call = Callable[[], object]


class Bench:
    """A device, a clock on it, and its limits."""

    def __init__(self, device: torch.device, quick: bool) -> None:
        self.device = device
        self.quick = quick
        self.rounds = 2 if quick else 20
        self.warm_up = 1 if quick else 3
        self.copied = self._copied()

    def size(self, whole: int, tiny: int) -> int:
        return tiny if self.quick else whole

    def random(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, device=self.device)

    def time(self, call: Call) -> float:
        """Seconds of one call on the device."""
        if self.device.type != "cuda":
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) / 1e3

    def medians(self, *calls: Call, rounds: int | None = None) -> list[float]:
        """Median seconds of each of several calls, timed in turn."""
        for _ in range(self.warm_up):
            for call in calls:
                call()
        times = [[self.time(call) for call in calls] for _ in range(rounds or self.rounds)]
        return [median(column) for column in zip(*times, strict=True)]

    def _copied(self) -> float:
        source = self.random(self.size(256 * 2**20, 2**16))
        target = torch.empty_like(source)
        (seconds,) = self.medians(lambda: target.copy_(source))
        return 2 * source.nbytes / seconds

    def multiplied(self, dtype: torch.dtype) -> float:
        n = self.size(8192, 64)
        a, b = (self.random(n, n).to(dtype) for _ in "ab")
        (seconds,) = self.medians(lambda: a @ b)
        return 2 * n**3 / seconds

    def replayed(self, call: Call) -> Call:
        """Record `call` as a CUDA graph, so that its launches take no time.

        What cannot be recorded is given back, and that is printed.
        """
        if self.device.type != "cuda":
            return call
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            # On the same stream: back-propagation keeps to that of its forward steps.
            with torch.cuda.graph(graph, stream=stream):
                call()
        except RuntimeError as error:
            print(f"Launched one by one, since it cannot be recorded: {error!s:.200}", flush=True)
            return call
        return graph.replay

    def both(self, *calls: Call) -> list[tuple[float, float]]:
        """Median seconds of each of several calls, replayed and launched one by one, in turn."""
        times = self.medians(*map(self.replayed, calls), *calls)
        return list(zip(times[: len(calls)], times[len(calls) :], strict=True))

    def backward(self, forward: Callable[[], torch.Tensor], inputs: list[torch.Tensor]) -> Call:
        """Back-propagation alone, as a call; the forward steps are made once on each stream."""
        made: dict[object, tuple[torch.Tensor, torch.Tensor]] = {}

        def call() -> object:
            stream = torch.cuda.current_stream() if self.device.type == "cuda" else None
            if stream not in made:
                out = forward()
                made[stream] = out, torch.randn_like(out)
            out, grad = made[stream]
            return torch.autograd.grad(out, inputs, grad, retain_graph=True)

        return call


class Table:
    """Rows that are printed as they come, and written as csv when all are there."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self._start = time.perf_counter()

    def heading(self, text: str, *columns: str) -> None:
        """Begin a part."""
        self._part = text
        self._columns = columns
        elapsed = time.perf_counter() - self._start
        print(f"\n**{text}** (after {elapsed:.0f} s)\n\n| {' | '.join(columns)} |")
        print("|---" * len(columns) + "|", flush=True)

    def row(self, *cells: object) -> None:
        """Print a row."""
        texts = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells]
        print(f"| {' | '.join(texts)} |", flush=True)
        self.rows.append({"part": self._part, **dict(zip(self._columns, cells, strict=True))})

    def speed(
        self,
        what: str,
        ours: float,
        other: float,
        figure: str,
        goal: str = "",
        *,
        launched: float | None = None,
    ) -> None:
        """Print a row of times in seconds; `launched` is ours where `ours` is a replay's."""
        one_by_one = "" if launched is None else 1e3 * launched
        self.row(what, 1e3 * ours, 1e3 * other, figure, goal, one_by_one)

    def write(self, path: Path) -> None:
        """Write all rows, with the columns of every part."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*names])
            writer.writeheader()
            writer.writerows(self.rows)


SPEED = "ours: other", "ours, ms", "other, ms", "figure", "goal", "launched one by one, ms"
