"""Print the speeds of this package on a GPU, and its kernels' errors there.

``python tests/performance/gpu.py`` takes less than four minutes on the CUDA device that it finds,
what is most worth knowing first, and writes the table as csv, too. Times of kernels are medians of
repeated calls between CUDA events, those of fits are by the wall's clock; what is compared runs in
turn. Kernels of a few milliseconds are replayed from a CUDA graph, for launched one by one they
would measure the host; that time stands in a column of its own. The card's own limits are measured
beside them: the rate at which it copies memory and multiplies matrices.

``--device cpu --quick`` runs the same code on the CPU with tiny sizes, to see that it runs. Its
figures mean nothing.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from gpu_bench import SPEED, Bench, Table
from gpu_fits import inside_fits, mnist, where_it_pays
from gpu_kernels import compare_hssm, compare_petnn, errors, hssm_layer, neurons, scans

PARTS = {
    "Fits": (SPEED, (inside_fits, mnist)),
    "Networks": (SPEED, (compare_petnn, hssm_layer, compare_hssm)),
    "Scans and neurons": (SPEED, (scans, neurons)),
    "A step of small fits": (
        ("fit", "million multiply-adds", "GPU, ms", "CPU, ms", "times faster"), (where_it_pays,),
    ),
    "Largest error, relative": (
        ("recurrence", "backend", "type", "outputs", "gradients"), (errors,),
    ),
}  # fmt: skip


def _limits(bench: Bench, name: str) -> str:
    rates = {dtype: bench.multiplied(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return (
        f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}: copies "
        f"{bench.copied / 1e9:.0f} GB/s, multiplies "
        + ", ".join(f"{rate / 1e12:.1f} TFLOP/s in {str(d)[6:]}" for d, rate in rates.items())
        + f"; float32 products are{'' if torch.backends.cuda.matmul.allow_tf32 else ' not'} "
        f"rounded to TF32, cuDNN's are{'' if torch.backends.cudnn.allow_tf32 else ' not'}."
    )


def main(arguments: list[str] | None = None) -> int:
    """Print all; 1 where there is no GPU to do it on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; figures mean nothing")
    parser.add_argument("--csv", type=Path, default=Path("gpu.csv"), help="where to write it")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured.")
        return 1
    if device.type == "cuda":
        if device.index is None:  # which set_device insists on
            device = torch.device("cuda", torch.cuda.current_device())
        torch.cuda.set_device(device)
        name = torch.cuda.get_device_name(device)
    else:
        name = f"the CPU, {torch.get_num_threads()} threads"
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    bench, table = Bench(device, options.quick), Table()
    print(_limits(bench, name), flush=True)
    try:
        for part, (columns, functions) in PARTS.items():
            table.heading(part, *columns)
            for function in functions:
                function(bench, table)
    finally:  # what is there if time runs out
        table.write(options.csv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
