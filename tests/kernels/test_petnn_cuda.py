"""Energy-transition neurons on a GPU: how loops are cut, the precisions only a GPU has, and
what compiled code needs, for a GPU that need not be there.
"""

import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels.petnn import Switches, petnn, trajectory
from tests.helpers.backends import CUDA, HAS_GPU, needs_triton, on_the_gpu
from tests.helpers.petnn import apply, assert_close, error, problem, run
from tests.helpers.triton_compile import compile_for_hopper, needs_compiler, without_interpreter

PLACE = CUDA.values[0]
HERE, DEVICE = PLACE.options, PLACE.device

pytestmark = needs_triton


@pytest.fixture
def tf32():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    "switches",
    [
        Switches("surrogate", 0.7),
        Switches("hard", increment="tanh", time_decay=False, ground_state=False),
    ],
)
def test_weights_that_do_not_fit_on_the_chip(switches):
    inputs, options = problem((3, 2, 2, 70), switches, dt=True, lengths=True, seed=5)
    expected = run(inputs, use_final=(), backend="reference", **options)
    assert_close(run(inputs, use_final=(), **HERE, **options), expected, 1e-12)


# Weights of some blocks in registers, of the others read at every step; three TF32 products.
@pytest.mark.parametrize(
    "cut", [("ieee", 1, 2, 8, 1, 8), ("ieee", 3, 1, 8, 1, 8), ("tf32x3", 0, 16, 32, 3, 8)]
)
def test_a_prescribed_tiling_is_run_and_named(cut):
    from sklearn_physrnn.kernels import _ways as ways

    inputs, options = problem((3, 2, 2, 70), Switches("soft"), lengths=True, seed=5)
    expected = run(inputs, backend="reference", **options)
    inputs, options = problem(
        (3, 2, 2, 70), Switches("soft"), lengths=True, seed=5, dtype=torch.float32
    )
    with ways.Ways() as first:
        assert_close(run(inputs, **HERE, **options), expected, 1e-5)
    ((name, usual),) = first.to_dict().items()
    assert "PETNN ieee float32 3 x 70" in name
    assert tuple(usual) != cut
    with ways.Ways({name: cut}) as second:
        assert_close(run(inputs, **HERE, **options), expected, 1e-5)
    assert second.to_dict() == {name: list(cut)}


def test_the_clock_may_choose_the_tiling(monkeypatch, tmp_path):
    from sklearn_physrnn.kernels import _ways as ways
    from sklearn_physrnn.kernels.petnn import cuda

    other = cuda.Tiling("ieee", 4, 2, 16, 1, 4)
    timed = []
    real = cuda._seconds

    def clock(call, device):
        timed.append(real(call, device))
        return 1.0 if len(timed) == 1 else 0.1

    monkeypatch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
    monkeypatch.setenv("SKLEARN_PHYSRNN_CACHE", str(tmp_path))
    monkeypatch.setattr(cuda, "_TRIAL_STEPS", 1)
    monkeypatch.setattr(cuda, "_seconds", clock)
    monkeypatch.setattr(cuda, "other_tilings", lambda *a: [other])
    inputs, options = problem((3, 2, 2, 5), Switches("soft"))
    expected = run(inputs, backend="reference", **options)
    ways.forget()
    try:
        with ways.Ways() as own:
            assert_close(run(inputs, **HERE, **options), expected, 1e-11)
        assert list(own.to_dict().values()) == [list(other)]
    finally:
        ways.forget()
    assert len(timed) == 2
    assert min(timed) > 0


# Many rows, so that tensor cores pay, with weights that fit on the chip or do not.
@pytest.mark.parametrize("shape", [(40, 3, 2, 20), (20, 2, 2, 70)])
def test_tf32(shape, tf32):
    # It keeps 10 bits behind the point, which the interpreter knows nothing of.
    inputs, options = problem(shape, Switches("soft"), lengths=True)
    expected = run(inputs, backend="reference", **options)
    inputs, options = problem(shape, Switches("soft"), lengths=True, dtype=torch.float32)
    assert_close(run(inputs, **HERE, **options), expected, 5e-3 if HAS_GPU else 1e-5)


@pytest.mark.parametrize("shape", [(40, 3, 2, 20), (3, 3, 2, 70), (3, 2, 2, 130)])
@pytest.mark.parametrize("half", [False, True])
def test_autocast(shape, half):
    # bfloat16 keeps 7 bits: products, and what is kept, are off by 2^-8 each. "soft", as
    # rounding would decide over some releases.
    inputs, options = problem(shape, Switches("soft"), lengths=True)
    inputs[0] = inputs[0].bfloat16().double()
    expected = run(inputs, backend="reference", **options)
    inputs, options = problem(shape, Switches("soft"), lengths=True, dtype=torch.float32)
    inputs[0] = inputs[0].bfloat16() if half else inputs[0].bfloat16().float()
    with torch.autocast(DEVICE, torch.bfloat16):
        actual = run(inputs, **HERE, **options)
    assert actual["output"].dtype == torch.float32
    assert actual["dU"].dtype == torch.float32
    assert actual["dx"].dtype == inputs[0].dtype
    assert_close(actual, expected, 3e-2)
    # The products were bfloat16's, where those pay at any size: exact ones are 100 times
    # as good.
    if shape[3] > 64:
        error = (actual["output"].double() - expected["output"]).abs().max()
        assert error > 1e-4


def test_autocast_to_float16_computes_in_float32():
    inputs, options = problem((3, 3, 2, 5), Switches("soft"))
    expected = run(inputs, backend="reference", **options)
    inputs, options = problem((3, 3, 2, 5), Switches("soft"), dtype=torch.float32)
    with torch.autocast(DEVICE, torch.float16):
        assert_close(run(inputs, **HERE, **options), expected, 1e-5)


def test_precision_is_the_one_that_torch_is_told(tf32):
    from sklearn_physrnn.kernels.petnn.cuda import precision_of

    x = torch.zeros(1, device=DEVICE)
    assert precision_of(x) == "tf32"
    assert precision_of(x.double()) == "ieee"
    torch.set_float32_matmul_precision("highest")
    assert precision_of(x) == "ieee"
    with torch.autocast(DEVICE, torch.bfloat16):
        assert precision_of(x) == "bf16"


def test_trajectory_and_large_hidden_sizes_are_the_references(monkeypatch):
    from sklearn_physrnn.kernels.petnn import cuda

    inputs, options = problem((3, 4, 2, 5), Switches())
    arguments = [x.to(DEVICE) for x in inputs]
    seen = trajectory(*arguments[:4], tuple(arguments[4:]), backend="cuda", **options)
    output, _ = apply(inputs, PLACE, **options)
    np.testing.assert_allclose(seen.state.cpu(), output.cpu(), rtol=0, atol=1e-12)
    monkeypatch.setattr(cuda, "MAX_HIDDEN", 4)
    monkeypatch.setattr(cuda, "forward", None)
    large, _ = apply(inputs, PLACE, **options)
    assert torch.equal(large, seen.state)


@pytest.mark.parametrize("n_batch", [1, 100, 132, 133, 256, 500])
def test_rows_share_a_program_only_when_every_multiprocessor_has_one(n_batch):
    from sklearn_physrnn.kernels.petnn.cuda import tiling

    for precision in ("ieee", "tf32"):
        cut = tiling(precision, n_batch, 128, 132, False)
        assert cut.precision == "ieee"
        assert 66 < -(-n_batch // cut.n_rows) <= 132 or cut.n_rows == 1
        assert cut.held == 2  # else the L2 cache is waited for


# Loops as real batches cut them: precision asked for, batch, units, float64?
CUTS = [
    ("ieee", 64, 64, False),
    ("ieee", 128, 128, False),
    ("tf32x3", 256, 128, False),
    ("ieee", 64, 32, True),
    ("bf16", 256, 128, False),
]
# 16 rows of 256 units are more than the registers of a program hold: some hundred bytes
# a thread, which stay in the L1 cache. A few registers do not matter either: an H200 ran
# these faster than with other warps, that spill none.
SPILLING = [
    ("bf16", 256, 256, False),
    ("tf32", 1024, 128, False),
    ("tf32x3", 1024, 128, False),
]
SMALL_CARD = 99 * 1024  # bytes of shared memory for a program


def _compile(precision, n_batch, n_hidden, wide, release="surrogate", bounded=False, other=True):
    """What both kernels need. `other`: time_decay, ground_state, dt, lengths, gradients."""
    from sklearn_physrnn.kernels.petnn import Switches
    from sklearn_physrnn.kernels.petnn import cuda as backend

    cut = backend.tiling(precision, n_batch, n_hidden, 132, wide)
    switches = Switches(release, 0.7, "tanh" if bounded else "linear", other, other)
    constants = backend._options(switches, n_hidden, n_hidden, cut)
    n_warps, n_stages = constants.pop("num_warps"), constants.pop("num_stages")
    real = "*fp64" if wide else "*fp32"
    product = "*bf16" if cut.precision == "bf16" else real
    counts = dict.fromkeys(("n_batch", "n_steps", "shift"), "i32")
    timed = release != "hard" or other
    pointers = {
        **dict.fromkeys(("s0", "c0", "t0", "out", "s_out", "c_out", "t_out", "kept"), real),
        **dict.fromkeys(("drive", "weights"), product),
        "dt": real if other else None,
        "lengths": "*i64" if other else None,
        "shared": product if cut.held < 4 else None,
    }
    back = {
        **dict.fromkeys(("kept", "last_s", "first_s", "first_c"), real),
        **dict.fromkeys(("gates", "weights", "grads", "recalled"), product),
        **dict.fromkeys(("grad_out", "grad_s", "grad_c", "grad_t"), real if other else None),
        **{name: pointers[name] for name in ("dt", "lengths", "shared")},
        "first_t": real if timed else None,
    }
    results = []
    for kernel, types, more in (
        (backend.forward_kernel, pointers, {"KEEP": True}),
        (backend.backward_kernel, back, {"SURROGATE": release != "hard", "TIMED": timed}),
    ):
        signature = counts | {k: v for k, v in types.items() if v}
        absent = dict.fromkeys(types.keys() - signature.keys())
        values = {**absent, **constants, **more}
        results.append(compile_for_hopper(kernel, signature, values, n_warps, n_stages))
    return results


def _compile_all():
    _compile(*CUTS[0], "hard", bounded=True, other=False)
    _compile(*CUTS[-1], "soft", bounded=True)
    return [_compile(*cut) for cut in CUTS + SPILLING]


@pytest.mark.slow
@needs_compiler
def test_kernels_compile_for_a_gpu_and_fit_onto_it():
    import triton

    from sklearn_physrnn.kernels.petnn import cuda

    # Triton 3.6 spills a little where 3.7 does not.
    little, more = (0, 512) if triton.__version__ >= "3.7" else (128, 1024)
    for cut, pair in zip(CUTS + SPILLING, without_interpreter(_compile_all), strict=True):
        for usage in pair:
            assert usage["local_bytes"] <= (more if cut in SPILLING else little), (cut, usage)
            large = cut[0] != "ieee" and cut[2] == 128  # not for small cards
            room = cuda._TENSOR_CORE_ROOM if large else SMALL_CARD
            assert usage["shared_bytes"] <= room, (cut, usage)


@on_the_gpu
@pytest.mark.parametrize(
    "shape", [(70, 50, 16, 64), (600, 20, 8, 48), (300, 40, 20, 100), (33, 20, 8, 200)]
)
@pytest.mark.parametrize("precision", ["float64", "float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("release", ["soft", "surrogate"])
def test_real_sizes(shape, precision, release, request):
    # Sums over up to 12000 rows of what a contracting recurrence makes of rounding: some
    # 100 times the type's epsilon. Of a million T' some lie so near 0 that rounding decides
    # over a release, and results differ at all scales, except in float64.
    tolerance = {"float64": 1e-11, "float32": 2e-5, "tf32": 2e-2, "bfloat16": 6e-2}[precision]
    dtype = torch.float64 if precision == "float64" else torch.float32
    if precision != "float64" and release != "soft":
        pytest.skip("rounding decides over releases")
    if precision == "tf32":
        request.getfixturevalue("tf32")
    switches = Switches(release)
    inputs, options = problem(shape, switches, dt=True, lengths=True)
    inputs = [x.to(dtype).double() for x in inputs]
    options["dt"] = options["dt"].to(dtype).double()
    expected = run(inputs, device="cuda", backend="reference", **options)
    options["dt"] = options["dt"].to(dtype)
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
        actual = run([x.to(dtype) for x in inputs], **HERE, **options)
        if precision == "bfloat16":
            # Some problems magnify rounding more: of (300, 40, 20, 100) plain torch, which
            # rounds the same factors of the same products, has dU off by 8e-2. Where a
            # kernel rounds is its own affair, so that it may be off half as much again.
            plain = run(
                [x.to(dtype) for x in inputs], device="cuda", backend="reference", **options
            )
            tolerance = max(tolerance, 1.5 * max(error(plain, expected).values()))
    assert_close(actual, expected, tolerance)


@on_the_gpu
def test_nothing_waits_for_the_gpu():
    inputs, _ = problem((64, 20, 8, 32), Switches(), dtype=torch.float32)
    arguments = [x.cuda().requires_grad_() for x in inputs]
    dt = torch.rand(64, 20, device="cuda")
    lengths = torch.full((64,), 20, device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        output, _ = petnn(
            *arguments[:4], tuple(arguments[4:]), dt=dt, lengths=lengths, switches=Switches()
        )
        output.sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
