"""Memory and time of a training step under RHEL and BPTT, by length.

Two blocks of 64 channels and 16 oscillators, batches of 4 series in 6 channels, one thread. Every
row is a process of its own. Its peak memory is read by the operating system, and given above what
the imports and a first step on 16 values (which loads the compiled loops) had taken; "kept" is
what autograd holds between forward and backward. Time is the least of three steps.
"""

import argparse
import itertools
import resource
import subprocess
import sys
import time

from _report import Report, parser, read

LENGTHS = (1000, 2000, 5000, 10000, 20000, 50000)


def peak():
    """Largest resident memory of this process so far, MB."""
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(gradient, dynamics, length):
    """Print this process's peak MB, kept MB and seconds a step."""
    import torch

    from sklearn_physrnn.nn import HSSM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = HSSM(
        6, 5, hidden_size=64, state_size=16, num_blocks=2, dynamics=dynamics, gradient=gradient
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    target = torch.arange(4)

    def step(x):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    step(torch.randn(4, 16, 6))
    before = peak()
    x = torch.randn(4, length, 6)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        step(x)
        seconds.append(time.perf_counter() - start)
    used = peak() - before

    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(x)
    print(used, sum(kept.values()) / 1e6, min(seconds))


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options.add_argument("--dynamics", default="linear", choices=("linear", "nonlinear"))
    options.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = read(options, arguments)
    if options.measure:
        gradient, dynamics, length = options.measure
        measure(gradient, dynamics, int(length))
        return
    lengths = (200,) if options.quick else options.lengths
    report = Report("RHEL memory", options, 6 * len(lengths))
    for length, gradient in itertools.product(lengths, ("rhel", "bptt")):
        child = [sys.executable, __file__, "--measure", gradient, options.dynamics, str(length)]
        answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
        values = [float(value) for value in answer.split()]
        for metric, value in zip(("peak MB", "kept MB", "s a step"), values, strict=True):
            report.add(
                data=f"{options.dynamics}, {length} steps", model=gradient, seed=0,
                metric=metric, value=value, seconds=values[2],
            )  # fmt: skip


if __name__ == "__main__":
    main()
