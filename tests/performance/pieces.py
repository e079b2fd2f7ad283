"""Print what a training step in pieces of time takes, and how exact its gradient is.

Not part of the default suite:

    python tests/performance/pieces.py cost       # time and memory, whole and in pieces
    python tests/performance/pieces.py gradients  # float32 against float64, 200,000 steps

Memory is anonymous memory above what the process held before, at its highest; time is the
process's own, on one thread, so that other work on the machine does not count. Every
configuration has a process to itself.
"""

import gc
import subprocess
import sys
import threading
import time

import torch

from sklearn_physrnn.nn import HSSM, PETNN
from sklearn_physrnn.nn._recurrent import RecurrentModel
from sklearn_physrnn.training._pieces import Pieces, StepsInMemory

UNITS = 64
MODELS = ("petnn", "hssm-bptt", "hssm-rhel")


def make(name, *, readout="mean", dropout=0.0, dtype=torch.float32):
    torch.manual_seed(0)
    if name == "petnn":
        model = RecurrentModel(PETNN(1, UNITS, release="soft"), UNITS, 1, readout=readout)
    else:
        model = HSSM(
            1, 1, hidden_size=UNITS, state_size=UNITS, num_blocks=2, norm="layer", dropout=dropout,
            gradient=name.partition("-")[2], readout=readout,
        )  # fmt: skip
    return model.to(dtype)


def step(model, x, size, *, undo=False):
    """Gradients of one step; in pieces, unless `size` is None."""

    def loss(outputs, start, stop):
        return (outputs - 1).square().sum()

    model.zero_grad()
    if size is None:
        loss(model(x), 0, 0).backward()
        return None
    pieces = Pieces(model, StepsInMemory({"x": x}), size, undo=undo)
    pieces.backward(loss)
    return pieces.return_error


def held():
    """Anonymous memory of this process, in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024


class Highest:
    """The most memory that is held while it is entered, above what was before."""

    def __enter__(self):
        gc.collect()
        self._before = self._most = held()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._over.wait(0.01):
            self._most = max(self._most, held())

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()
        self.mb = self._most - self._before


def cost(name, n_steps, n_rows, size, undo):
    model, x = make(name), torch.randn(n_rows, n_steps, 1)
    step(model, x[:, :2000], size, undo=undo)
    times = []
    with Highest() as highest:
        for _ in range(2):
            start = time.process_time()
            step(model, x, size, undo=undo)
            times.append(time.process_time() - start)
    way = "whole" if size is None else f"pieces of {size:5d}{', undone' if undo else ''}"
    print(
        f"{name:9} {n_rows:2d} x {n_steps:8d}  {way:22} {min(times):6.2f} s {highest.mb:6.0f} MB",
        flush=True,
    )


def gradients(name, readout):
    x = torch.randn(1, 200_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def gradient(dtype, size, undo=False):
        model = make(name, readout=readout, dtype=dtype)
        error = step(model, x.to(dtype), size, undo=undo)
        return torch.cat([p.grad.double().flatten() for p in model.parameters()]), error

    exact, _ = gradient(torch.float64, None)
    ways = [
        (torch.float64, 4096, False),
        (torch.float32, None, False),
        (torch.float32, 4096, False),
    ]
    if name != "petnn":
        ways += [(torch.float64, 4096, True), (torch.float32, 4096, True)]
    for dtype, size, undo in ways:
        found, error = gradient(dtype, size, undo)
        cosine = float(found @ exact / (found.norm() * exact.norm()))
        off = float((found - exact).norm() / exact.norm())
        way = "whole" if size is None else f"pieces of {size}{', undone' if undo else ''}"
        back = "" if error is None else f", return error {float(error):.1e}"
        print(
            f"{name:9} {readout:4} {str(dtype)[6:]} {way:22} 1 - cosine {1 - cosine:8.1e}, "
            f"distance {off:8.1e}{back}",
            flush=True,
        )


def main(what):
    def apart(*arguments):
        subprocess.run([sys.executable, __file__, what, *map(str, arguments)], check=True)

    if what == "cost":
        for name in MODELS:
            for n_steps, n_rows in ((16_000, 4), (100_000, 4), (16_000, 32)):
                for size in (None, 512, 1024, 2048, 4096, 8192):
                    apart(name, n_steps, n_rows, size, False)
                if name == "hssm-rhel":
                    apart(name, n_steps, n_rows, 2048, True)
    else:
        for name in MODELS:
            for readout in ("mean", "last"):
                apart(name, readout)


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, *arguments = sys.argv[1:]
    if not arguments:
        main(what)
    else:
        values = [a if a[0] in "phml" else eval(a) for a in arguments]
        {"cost": cost, "gradients": gradients}[what](*values)
