"""Which of several ways a kernel is run in on a card: by rule, by the clock, or as before.

Ways differ in tiles and warps, and so in the order of their sums: results agree to rounding,
not to the bit. A way is thus part of what a seed promises. It depends on the size of the work
and on the card alone: either by a rule, set from measurements, or, with ``SKLEARN_PHYSRNN_TUNE=1``
in the environment, by the clock, once for a size and card. What the clock said is kept on disk,
in ``SKLEARN_PHYSRNN_CACHE`` or the user's cache folder.

A :class:`Ways` is what a fitted model keeps of this, and takes up where it goes on. Ways are noted
in the thread that asks, as forward steps do, and taken up in the threads of back-propagation too:
while several models are at work at once, those threads may take up the ways of any of them.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

# The clock must find another way faster than the rule's by this factor: noise shall not
# choose, so that the same card chooses the same everywhere.
_CLEARLY = 0.9

_MOST_NUMBERS = 16  # that name a way

_Way = TypeVar("_Way", bound=NamedTuple)
_lock = threading.Lock()
_active: list["Ways"] = []  # those that were entered, the latest last
_tuned: dict[str, dict[str, list[Any]]] = {}  # by card


def _renew_lock() -> None:
    # A thread of the parent that held it is not in a forked child.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Ways:
    """The ways that a model's kernels were run in, and are run in again while it is entered.

    Parameters
    ----------
    known : dict of str to list, default=None
        Ways by kernel, size and card, as `to_dict` gives them. One that the kernel does not
        know, as of another version, is passed over.
    """

    def __init__(self, known: Mapping[str, Sequence[Any]] | None = None) -> None:
        self._known: dict[str, list[Any]] = {}
        self.take_up(known or {})

    def take_up(self, known: Mapping[str, Sequence[Any]]) -> None:
        """Run kernels as they were run, whatever rule or clock say."""
        with _lock:
            self._known.update({name: list(way) for name, way in known.items()})

    def to_dict(self) -> dict[str, list[Any]]:
        """Give what was taken up or noted, by kernel, size and card; fit for JSON."""
        with _lock:
            return {name: list(way) for name, way in sorted(self._known.items())}

    def __enter__(self) -> "Ways":
        self._thread = threading.get_ident()
        with _lock:
            _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            _active.remove(self)

    def mine(self) -> bool:
        """Tell whether this thread has entered it."""
        return self._thread == threading.get_ident()

    def get(self, name: str) -> list[Any] | None:
        """Give the way of this name, if there is one."""
        return self._known.get(name)

    def note(self, name: str, way: Sequence[Any]) -> None:
        """Keep a way that a kernel is run in."""
        self._known[name] = list(way)


def checked(ways: Any) -> dict[str, list[Any]]:
    """Give `ways`, read from a file, if they may be what `to_dict` gave.

    Raises
    ------
    ValueError
        If they are not lists of numbers, texts and truth values by name.
    """
    sound = isinstance(ways, dict) and all(
        type(name) is str
        and type(way) is list
        and len(way) <= _MOST_NUMBERS
        and all(type(part) in (bool, int, float, str) for part in way)
        for name, way in ways.items()
    )
    if not sound:
        raise ValueError("its ways of kernels must be lists of numbers and texts by name.")
    return dict(ways)


def forget() -> None:
    """Read anew what is on disk."""
    with _lock:
        _tuned.clear()


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
        That of the :class:`Ways` which was entered last, or the clearly fastest, or `usual`.
    """
    card = _card(device)
    name = _name(kernel, size, card)
    with _lock:
        mine = [ways for ways in _active if ways.mine()]
        # Threads of back-propagation have entered none.
        kept = next(filter(None, (x.get(name) for x in reversed(mine or _active))), None)
    if kept is None and _tuning(device):
        kept = _tune(name, card, usual, others, seconds)
    way = usual
    if kept not in (None, list(usual)):
        # A file may say anything: what is run is one of ours.
        way = next((other for other in others() if list(other) == kept), usual)
    with _lock:
        for ways in mine:
            ways.note(name, way)
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
