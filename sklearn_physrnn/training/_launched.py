"""Which process this is, of those that a launcher started to fit together.

Launchers such as ``torchrun`` say so in the environment of each.
"""

import multiprocessing
import os
import threading

import torch.distributed as dist
from joblib.parallel import get_active_backend

ALONE = "SKLEARN_PHYSRNN_ALONE"

_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_here: list[bool] = []  # holds something once this package has made the group


def launched() -> bool:
    """Tell whether a fit here is one of several processes' together.

    Not in workers of joblib, multiprocessing or a thread pool, which inherit the environment
    and have fits of their own.
    """
    environment = os.environ
    if any(name not in environment for name in _LAUNCHED) or environment["WORLD_SIZE"] == "1":
        return False
    if environment.get(ALONE, "0") not in ("", "0") or not dist.is_available():
        return False
    if multiprocessing.parent_process() is not None or get_active_backend()[0].nesting_level:
        return False
    # A launcher that has made the group itself may run the script in another thread.
    main = threading.current_thread() is threading.main_thread()
    return main or (not _here and dist.is_initialized())


def note_that_made_here() -> None:
    """Remember that no launcher has made torch's process group."""
    _here.append(True)


def local_rank() -> int | None:
    """Give the number of this process on its machine; None where it is by itself."""
    return int(os.environ.get("LOCAL_RANK", os.environ["RANK"])) if launched() else None
