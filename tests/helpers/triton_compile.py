"""Compile Triton kernels for a GPU that is not there, and read what they will need of it.

The interpreter that runs the kernels in tests takes much that the compiler refuses. The
compiler in turn refuses a kernel that was defined for the interpreter: what compiles
belongs into a process of its own, see :func:`without_interpreter`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]

# The child's own last line; compilers may print before it.
_CALL = """
import importlib.util, json, sys
root, path, name, arguments = sys.argv[1:]
sys.path.append(root)
spec = importlib.util.spec_from_file_location("compiled_in_a_child", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("\\n" + json.dumps(getattr(module, name)(*json.loads(arguments))))
"""


def _tool(name: str) -> Path | None:
    """One of the binaries that Triton brings along for NVIDIA's cards."""
    spec = find_spec("triton")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "backends" / "nvidia" / "bin" / name
    return path if path.exists() else None


def why_not_compilable() -> str:
    """Reason why nothing can be compiled here, or an empty string."""
    if find_spec("triton") is None:
        return "needs Triton"
    if tuple(map(int, version("triton").split(".")[:2])) < (3, 3):
        return "Triton before 3.3 is told otherwise what to compile"
    missing = [name for name in ("ptxas", "cuobjdump") if _tool(name) is None]
    return f"Triton has no {' and no '.join(missing)}" if missing else ""


needs_compiler = pytest.mark.skipif(bool(why_not_compilable()), reason=why_not_compilable())


def without_interpreter(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a test module in a process where Triton compiles; its result.

    Parameters
    ----------
    function : callable
        Defined at the top of its module, which is imported anew. It should import
        kernels inside. What it returns must be representable in JSON.
    *arguments
        Likewise.
    """
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    path, name = function.__code__.co_filename, function.__name__
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", _CALL, _ROOT, path, name, json.dumps(arguments)],
            env={**environment, "TRITON_CACHE_DIR": cache},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def compile_for_hopper(
    kernel: Any,
    signature: dict[str, str],
    constexprs: dict[str, Any],
    num_warps: int = 4,
    num_stages: int = 3,
    maxnreg: int | None = None,
) -> dict[str, int]:
    """Compile `kernel` for sm_90, as a launch with these arguments would.

    Only in a process without the interpreter.

    Parameters
    ----------
    kernel : triton.jit function
    signature : dict
        Type of every argument that is not a constexpr, such as ``"*fp32"``, ``"i32"``,
        ``"i64"``, ``"fp32"``. Pointers are taken to be multiples of 16 bytes, which
        torch's are.
    constexprs : dict
        Value of every other argument. None is a value, and what a missing tensor is.
    num_warps, num_stages : int
    maxnreg : int or None
        Most registers of a thread.

    Returns
    -------
    dict
        registers: a thread's. local_bytes: a thread's memory off the chip, which is not
        0 if registers were spilled. shared_bytes: a program's.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    unknown = ({*signature, *constexprs} - {*names}, {*names} - {*signature, *constexprs})
    assert unknown == (set(), set()), f"not arguments, and not given: {unknown}"
    types = {name: signature.get(name, "constexpr") for name in names}
    attributes = {
        (names.index(name),): [["tt.divisibility", 16]]
        for name, kind in signature.items()
        if kind.startswith("*")
    }
    source = ASTSource(fn=kernel, signature=types, constexprs=constexprs, attrs=attributes)
    options = {"num_warps": num_warps, "num_stages": num_stages, "maxnreg": maxnreg}
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = subprocess.run(
            [str(_tool("cuobjdump")), "--dump-resource-usage", file.name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    (found,) = re.findall(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", usage)
    registers, stack, local = map(int, found)
    return {
        "registers": registers,
        "local_bytes": max(stack, local),
        "shared_bytes": compiled.metadata.shared,
    }
