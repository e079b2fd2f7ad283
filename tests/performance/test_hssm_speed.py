"""One HSSM training step, with its oscillators and with nothing in their place.

Not part of the default suite:

    pytest tests/performance/test_hssm_speed.py --benchmark-columns=min,median
    python tests/performance/test_hssm_speed.py

The second form interleaves the models, which a busy machine needs, and prints the
ratios to the model whose scan is the identity: at most 1.25 by back-propagation, with
damping too, and 1.6 by echoes are asked for, on one thread in float32.
"""

import statistics
import sys
import time

import pytest
import torch

from sklearn_physrnn.nn.hssm import HSSM

# Batch, steps, channels, classes, and the model, of the released experiments.
CONFIGURATIONS = {
    "SelfRegulationSCP1": (
        32, 896, 7, 2, {"hidden_size": 64, "state_size": 256, "num_blocks": 6},
    ),
    "EigenWorms": (
        4, 17_984, 6, 5, {"hidden_size": 64, "state_size": 16, "num_blocks": 2},
    ),
}  # fmt: skip
VARIANTS = ("identity", "bptt", "rhel", "damped-bptt", "damped-rhel")


class _Projections(torch.nn.Module):
    """A linear unit without its scan: ``Re(C B u) + D u``, all its products kept."""

    def __init__(self, unit):
        super().__init__()
        self.unit = unit
        self.n_oscillators = unit.n_oscillators

    def forward(self, u, state=None, *, dt=None, lengths=None):
        unit = self.unit
        b_matrix = torch.cat([unit.B[..., 0], unit.B[..., 1]])
        c_matrix = torch.cat([unit.C[..., 0], -unit.C[..., 1]], 1)
        return torch.addcmul(u @ b_matrix.T @ c_matrix.T, u, unit.D), state


def make_step(configuration, variant, dynamics="linear"):
    """A function that trains for one step."""
    if variant.startswith("damped-"):
        dynamics, variant = variant.split("-")
    batch, n_steps, channels, n_classes, sizes = CONFIGURATIONS[configuration]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y = torch.randn(batch, n_steps, channels), torch.randint(n_classes, (batch,))
        gradient = "rhel" if variant == "rhel" else "bptt"
        model = HSSM(channels, n_classes, gradient=gradient, dynamics=dynamics, **sizes)
    if variant == "identity":
        for block in model.blocks:
            block.hru = _Projections(block.hru)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_training_step(benchmark, configuration, variant):
    step = make_step(configuration, variant)
    benchmark.pedantic(step, rounds=5, warmup_rounds=1)


def main(repetitions=7):
    """Print seconds of wall and of processor time, and ratios of the latter."""
    torch.set_num_threads(1)
    for configuration in CONFIGURATIONS:
        steps = {variant: make_step(configuration, variant) for variant in VARIANTS}
        times = {variant: [] for variant in VARIANTS}
        for repetition in range(repetitions + 1):
            for variant, step in steps.items():
                start = time.perf_counter(), time.process_time()
                step()
                stop = time.perf_counter(), time.process_time()
                if repetition:  # the first one compiles
                    times[variant].append([b - a for a, b in zip(start, stop, strict=True)])
        print(configuration)
        base = statistics.median(cpu for _, cpu in times["identity"])
        for variant, rows in times.items():
            wall, cpu = zip(*rows, strict=True)
            print(
                f"  {variant:11} wall {min(wall):.3f} s, processor min {min(cpu):.3f} "
                f"median {statistics.median(cpu):.3f} s, ratio {statistics.median(cpu) / base:.2f}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
