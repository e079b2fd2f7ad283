"""Which of several ways a kernel is run in on a card: by rule, by the clock, or as before.

Ways differ in tiles and warps, and so in the order of their sums: results agree to rounding,
not to the bit. A way is thus part of what a seed promises. It depends on the size of the work
and on the card alone: either by a rule, set from measurements, or, with ``SKLEARN_PHYSRNN_TUNE=1``
in the environment, by the clock, once for a size and card. What the clock said is kept on disk,
in ``SKLEARN_PHYSRNN_CACHE`` or the user's cache folder.

What training used between two calls of :func:`now` and :func:`used` belongs to a checkpoint and
to the fitted model; :func:`prescribe` takes it up again. All of this is for the whole process:
back-propagation runs in threads of its own.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

# The clock must find another way faster than the rule's by this factor: noise shall not
# choose, so that the same card chooses the same everywhere.
_CLEARLY = 0.9

_Way = TypeVar("_Way", bound=NamedTuple)
_lock = threading.Lock()
_ticks = count(1)
_prescribed: dict[str, list[Any]] = {}
_tuned: dict[str, dict[str, list[Any]]] = {}  # by card
_used: dict[str, tuple[int, list[Any]]] = {}


def now() -> int:
    """A mark in time for :func:`used`."""
    return next(_ticks)


def used(since: int = 0) -> dict[str, list[Any]]:
    """Ways that kernels were run in since a mark, by kernel, card and size; fit for JSON."""
    with _lock:
        return {name: list(way) for name, (tick, way) in sorted(_used.items()) if tick > since}


def prescribe(ways: Mapping[str, Sequence[Any]]) -> None:
    """Run kernels as they were run, whatever rule or clock say: what :func:`used` gave."""
    with _lock:
        _prescribed.update({name: list(way) for name, way in ways.items()})


def forget() -> None:
    """Undo :func:`prescribe`, and read anew what is on disk."""
    with _lock:
        for table in (_prescribed, _tuned, _used):
            table.clear()


def choose(
    kernel: str,
    size: tuple[Any, ...],
    device: torch.device,
    usual: _Way,
    others: Callable[[], Sequence[_Way]],
    seconds: Callable[[_Way], float],
) -> _Way:
    """The way to run `kernel` on work of `size`.

    Parameters
    ----------
    kernel : str
    size : tuple
        All that a way may depend on, besides the card.
    device : torch.device
    usual : NamedTuple
        What the rule says: numbers, strings and truth values.
    others : callable
        Gives the other ways to try, of the same type.
    seconds : callable
        Time that a way takes on work of this size; it may raise where it cannot run.

    Returns
    -------
    NamedTuple
        The way that was prescribed, or is clearly the fastest, or `usual`.
    """
    card = _card(device)
    name = _name(kernel, size, card)
    kept = _prescribed.get(name)
    if kept is None and _tuning(device):
        kept = _tune(name, card, usual, others, seconds)
    way = usual if kept is None else type(usual)(*kept)
    _used[name] = next(_ticks), list(way)
    return way


@lru_cache(4096)
def _name(kernel: str, size: tuple[Any, ...], card: str) -> str:
    return " ".join(map(str, (kernel, *size, "on", card)))


@cache
def _card(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _tuning(device: torch.device) -> bool:
    if os.environ.get("SKLEARN_PHYSRNN_TUNE") != "1":
        return False
    return device.type != "cuda" or not torch.cuda.is_current_stream_capturing()


def _tune(
    name: str,
    card: str,
    usual: _Way,
    others: Callable[[], Sequence[_Way]],
    seconds: Callable[[_Way], float],
) -> list[Any]:
    with _lock:
        if card not in _tuned:
            _tuned[card] = _read(_file(card))
        if name not in _tuned[card]:
            best, shortest = usual, _CLEARLY * seconds(usual)
            for way in others():
                try:
                    time = seconds(way)
                except Exception:  # more of something than this card has
                    continue
                if time < shortest:
                    best, shortest = way, time
            _tuned[card][name] = list(best)
            _write(_file(card), _tuned[card])
        return _tuned[card][name]


def _file(card: str) -> Path:
    folder = os.environ.get("SKLEARN_PHYSRNN_CACHE")
    if folder is None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = str(Path(home) / "sklearn_physrnn")
    letters = "".join(x if x.isalnum() else "-" for x in card)
    return Path(folder) / f"ways-{letters}-torch-{torch.__version__}.json"


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, ways: dict[str, list[Any]]) -> None:
    """Keep `ways` on disk if that can be: a process beside this one may do so, too."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({**_read(file), **ways}, indent=1))
        part.replace(file)
    except OSError:
        pass
