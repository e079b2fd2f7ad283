"""Training over records of any length in the memory of a piece: what it takes, and what it gives.

memory: one epoch of an estimator's ``fit`` (one step, of two sequences) from a memory-mapped file
of 3 channels, in pieces, whole, and whole with ``torch.utils.checkpoint`` by hand, by length;
every row is a process of its own of one thread, its memory the largest anonymous one above that
of the imports and of a first short fit; seconds are the processor's. gradients: how far the
gradient of one step is from that of the whole in float64, whole, in pieces and with time undone;
and how exactly that returns. cue: noise of unit variance with a
level of plus or minus 3 in its first percent, which a model that reads the last step must tell;
trained by whole gradients, and by truncated ones: those of the last piece alone.

docs/long_records.csv has rows of this; long_records_pictures.py draws them.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from _report import Report, parser, read

from sklearn_physrnn import HSSMRegressor, PETNNRegressor
from sklearn_physrnn.nn import HSSM, PETNN
from sklearn_physrnn.nn._recurrent import RecurrentModel
from sklearn_physrnn.training._pieces import Pieces, StepsInMemory

LENGTHS = (10**4, 10**5, 10**6, 10**7)
WHOLE = 10**6  # the longest that is walked whole
PIECE = 2048  # what "auto" takes of two sequences, 64 wide
MODELS = {
    "PETNN": lambda **options: PETNNRegressor(64, **options),
    "HSSM, rhel": lambda **options: HSSMRegressor(64, 64, 2, norm="layer", **options),
    "HSSM, bptt": lambda **options: HSSMRegressor(
        64, 64, 2, norm="layer", fitter="bptt", **options
    ),
}
WAYS = {"pieces": PIECE, "whole": None, "checkpoint": None}


# -- memory ----------------------------------------------------------------------------


def anonymous():
    """Anonymous memory of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1e3


class Peak:
    """The largest anonymous memory while the context is open."""

    def __enter__(self):
        self.before = self.most = anonymous()
        self.open = True
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self):
        while self.open:
            self.most = max(self.most, anonymous())
            time.sleep(0.002)

    def __exit__(self, *_):
        self.open = False
        self.thread.join()

    @property
    def used(self):
        """MB above what was taken before."""
        return self.most - self.before


def write_record(path, length):
    """Write two samples of noise in 3 channels, a million steps at a time."""
    rng = np.random.default_rng(0)
    record = np.lib.format.open_memmap(path, "w+", np.float32, (2, length // 2, 3))
    steps = record.reshape(-1, 3)
    for start in range(0, len(steps), 10**6):
        steps[start : start + 10**6] = rng.normal(size=steps[start : start + 10**6].shape)
    record.flush()


def checkpointed(module, x):
    """Walk pieces under torch.utils.checkpoint, as one would by hand."""
    from torch.utils.checkpoint import checkpoint

    state = module.begin(len(x))

    def walk(piece, position, *tensors):
        before = state.with_tensors(tensors)._replace(position=position)
        return module.walk(piece, before)[1].tensors

    tensors = state.tensors
    for start in range(0, x.shape[1], PIECE):
        piece = x[:, start : start + PIECE]
        tensors = checkpoint(walk, piece, start, *tensors, use_reentrant=False)
    return module.conclude(state.with_tensors(tensors)._replace(position=x.shape[1]))


def measure(name, way, length):
    """Print this process's MB, and the seconds of one step."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "record.npy"
        write_record(path, length)
        record, y = np.load(path, mmap_mode="r"), np.array([1.0, -1.0])
        options = {"max_iter": 1, "random_state": 0, "device": "cpu", "alpha": 0.0}
        short = np.random.default_rng(0).normal(size=(2, 600, 3)).astype(np.float32)
        model = MODELS[name](chunk_size=300, **options).fit(short, np.arange(2.0))
        with Peak() as peak:
            start = time.process_time()
            if way == "checkpoint":
                x = torch.from_numpy(np.array(record))
                checkpointed(model.module_.train(), x).sum().backward()
            else:
                model.set_params(chunk_size=WAYS[way], scale_inputs=way == "pieces" and "standard")
                model.fit(record if way == "pieces" else np.array(record), y)
            seconds = time.process_time() - start
    print(peak.used, seconds)


def memory(report, options):
    """Report memory and time, by length, model and way."""
    for length, name, way in itertools.product(options.lengths, options.models, WAYS):
        if way != "pieces" and length > WHOLE:
            continue
        child = [sys.executable, __file__, "--measure", name, way, str(length)]
        answer = subprocess.run(child, check=True, capture_output=True, text=True).stdout
        used, seconds = map(float, answer.split())
        for metric, value in (("MB", used), ("s a step", seconds)):
            report.add(data=f"{length:,} steps", model=f"{name}, {way}", seed=0, metric=metric,
                       value=value, seconds=seconds)  # fmt: skip


# -- gradients -------------------------------------------------------------------------

PRECISIONS = {
    "float32, whole": (torch.float32, None, False),
    "float32, pieces": (torch.float32, PIECE, False),
    "float32, undone": (torch.float32, PIECE, True),
    "float64, pieces": (torch.float64, PIECE, False),
    "float64, undone": (torch.float64, PIECE, True),
}


def network(name, dtype):
    """Draw a network of the size that `memory` has, which reads the mean over steps."""
    torch.manual_seed(0)
    if name == "PETNN":
        return RecurrentModel(PETNN(1, 64, release="soft"), 64, 1, readout="mean").to(dtype)
    sizes = {"hidden_size": 64, "state_size": 64, "num_blocks": 2}
    return HSSM(1, 1, **sizes, norm="layer", gradient=name.partition(", ")[2]).to(dtype)


def gradient(name, x, size, undo):
    """Give the gradient of a loss of order one, and the return error where time is undone."""

    def loss(outputs, *_):
        return (outputs - 1).square().sum()

    model = network(name, x.dtype)
    pieces = Pieces(model, StepsInMemory({"x": x}), size or x.shape[1], undo=undo)
    pieces.backward(loss)
    return torch.cat([p.grad.double().flatten() for p in model.parameters()]), pieces.return_error


def gradients(report, options):
    """Report distances to the whole gradient in float64, by length, model and precision."""
    for length, name in itertools.product(options.exact, options.models):
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(1, length, 1, dtype=torch.float64, generator=generator)
        exact, _ = gradient(name, x, None, False)
        for way, (dtype, size, undo) in PRECISIONS.items():
            if undo and name == "PETNN":
                continue
            start = time.process_time()
            found, error = gradient(name, x.to(dtype), size, undo)
            seconds = time.process_time() - start
            values = {"distance": (found - exact).norm() / exact.norm()}
            values["1 - cosine"] = 1 - found @ exact / (found.norm() * exact.norm())
            if undo:
                values["return error"] = error
            for metric, value in values.items():
                report.add(data=f"{length:,} steps", model=f"{name}, {way}", seed=0,
                           metric=metric, value=float(value), seconds=seconds)  # fmt: skip


# -- cue -------------------------------------------------------------------------------


SHORT, LONG = "HSSM, memory of a piece", "HSSM, memory of the length"
READERS = ("PETNN", "PETNN, memory of the length", "HSSM", SHORT, LONG)


def piece_of(length):
    """Steps of the pieces in which a cue of this length is walked through."""
    return min(4096, -(-length // 8))


def reader(name, length, seed):
    """Draw a network that reads the last step, of two outputs.

    PETNN's neurons remember up to 64 steps at first, or up to `length`. HSSM begins as in the
    paper, or, a smaller one that batch normalisation leaves without an offset, with oscillators
    that fade within a piece or over the whole.
    """
    torch.manual_seed(seed)
    if name.startswith("PETNN"):
        memory = 64 if name == "PETNN" else length
        layers = PETNN(1, 32, release="soft", memory=memory)
        return RecurrentModel(layers, 32, 2, readout="last")
    if name in (SHORT, LONG):
        memory = piece_of(length) if name == SHORT else length
        sizes = {"hidden_size": 16, "state_size": 16, "num_blocks": 1}
        return HSSM(1, 2, **sizes, norm="batch", readout="last", dynamics="damped", memory=memory)
    return HSSM(1, 2, hidden_size=32, state_size=32, num_blocks=2, norm="layer", readout="last")


def cues(n, length, seed):
    """Give noise with a level in its first percent, and the level's sign."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, length, 1)).astype(np.float32)
    y = rng.integers(0, 2, n)
    X[:, : length // 100] += (6 * y[:, None, None] - 3).astype(np.float32)
    return torch.from_numpy(X), torch.from_numpy(y)


def back_propagate(model, x, y, size, truncated):
    """Add the gradient of a batch: the whole one, or that of the last piece alone.

    Batch normalisation, which does not walk in training, has the whole at once, and before a
    truncated step knows its averages from a run without a gradient.
    """

    def loss(outputs, *_):
        return torch.nn.functional.cross_entropy(outputs, y)

    at_once = getattr(model, "takes_weights", False)
    if not truncated and at_once:
        loss(model(x)).backward()
        return
    if not truncated:
        Pieces(model, StepsInMemory({"x": x}), size).backward(loss)
        return
    state = model.begin(len(x))
    with torch.no_grad():
        if at_once:
            model(x)
            model.eval()
        for start in range(0, x.shape[1] - size, size):
            _, state = model.walk(x[:, start : start + size], state)
    _, state = model.walk(x[:, state.position :], state)
    loss(model.conclude(state)).backward()


def cue(report, options):
    """Report the accuracy that whole and truncated gradients come to."""
    n_steps, n = (3, 16) if options.quick else (options.steps, options.shown)
    each = itertools.product(options.cue, options.readers, range(options.seeds), (False, True))
    for length, name, seed, truncated in each:
        model, size = reader(name, length, seed), piece_of(length)
        optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, options.rate, total_steps=n_steps
        )
        start = time.process_time()
        for step in range(n_steps):  # new noise in every batch
            optimizer.zero_grad()
            batch = cues(options.batch, length, n_steps * seed + step)
            back_propagate(model.train(), *batch, size, truncated)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        seconds = time.process_time() - start
        x, y = cues(n, length, 10**6)
        with torch.no_grad():
            outputs = [
                Pieces(model.eval(), StepsInMemory({"x": part}), size).outputs()
                for part in x.split(16)
            ]
        accuracy = (torch.cat(outputs).argmax(1) == y).double().mean()
        report.add(data=f"cue, {length:,} steps", seed=seed, metric="accuracy",
                   model=f"{name}, {'truncated' if truncated else 'whole'}",
                   value=float(accuracy), seconds=seconds,
                   detail=f"{n_steps} steps of {options.batch}")  # fmt: skip


PARTS = {"memory": memory, "gradients": gradients, "cue": cue}


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--exact", type=int, nargs="*", default=(5000, 20_000, 200_000))
    options.add_argument("--cue", type=int, nargs="*", default=(2000, 20_000))
    options.add_argument("--readers", nargs="*", default=READERS, choices=READERS)
    options.add_argument("--steps", type=int, default=300, help="of training, for the cue")
    options.add_argument("--batch", type=int, default=16, help="sequences, of the cue")
    options.add_argument("--rate", type=float, default=0.003, help="largest learning rate")
    options.add_argument("--shown", type=int, default=200, help="sequences to score on")
    options.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = read(options, arguments)
    if options.measure:
        name, way, length = options.measure
        measure(name, way, int(length))
        return
    if options.quick:
        options.lengths, options.exact, options.cue = (3000,), (3000,), (100,)
        options.models = ["HSSM, rhel"]
    report = Report("long records", options, 0)
    for part in options.parts:
        PARTS[part](report, options)


if __name__ == "__main__":
    main()
