"""The file that an unfinished training is kept in, so that a killed one can go on."""

import contextlib
import glob
import hashlib
import io
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .durable import sync_folder, write_durably

# The number is that of the layout; files of another one are refused.
_NAME = b"sklearn_physrnn checkpoint "
_HEADER = _NAME + b"2\n"
_DIGEST_SIZE = hashlib.sha256().digest_size


def digest(parts: Iterable[Any]) -> str:
    """Hash arrays, tensors, texts, and dataclasses of them, by dtype, shape and value.

    What is too large to be had whole gives its parts by a method `digested`.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        if hasattr(part, "digested"):
            part = digest(part.digested())
        elif hasattr(part, "__dataclass_fields__"):
            part = digest(getattr(part, name) for name in part.__dataclass_fields__)
        if part is None or isinstance(part, str | int | float):
            hashed.update(repr(part).encode())
            continue
        array = part.detach().cpu().numpy() if isinstance(part, torch.Tensor) else part
        hashed.update(f"{array.dtype.str}{array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hashed.hexdigest()


def describe(value: Any) -> str:
    """Say what a parameter's value is, in words that are the same in another process."""
    if isinstance(value, nn.Module):
        return f"{type(value).__qualname__} {digest(value.state_dict().values())}"
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return repr(value)


class Checkpoint:
    """What one training is of, and how far it came, in a file of its own.

    The file is replaced in one step, so that a process killed at any moment leaves a
    whole one. Nothing in it is executed: it is a header, a hash, and tensors and plain
    values that ``torch.load(weights_only=True)`` reads.

    Parameters
    ----------
    path : str or path-like
        A file, or an existing folder, in which each training has a file of its own.
    description : dict of str to str
        All that the training follows from: it is the same one where this is the same.
    seeds : tuple of int
        The training's seeds; those in the file take their place.

    Attributes
    ----------
    seeds : tuple of int
    state : dict or None
        What :meth:`save` was last given, in this process or an earlier one.
    writes : bool
        Whether the file is this process's to write and to remove. Set it to False where
        another process does.

    Raises
    ------
    ValueError
        If the file is damaged, or holds another training, or its folder is missing.
    """

    writes = True

    def __init__(
        self, path: str | os.PathLike, description: dict[str, str], seeds: tuple[int, ...]
    ) -> None:
        self.description = description
        self.seeds = seeds
        self.state: dict[str, Any] | None = None
        key = digest(text for item in description.items() for text in item)
        self.path = Path(path).absolute()
        if self.path.is_dir():
            self.path /= f"{description['estimator']}-{key}.checkpoint"
        elif not self.path.parent.is_dir():
            raise ValueError(f"checkpoint: there is no folder {self.path.parent}.")
        # Only the same training writes there, so that what a killed one left can be removed.
        self._part = f"{self.path}.{key[:8]}"
        self._begun = False
        found = self._read()
        if found is not None:
            self.seeds, self.state = found

    def _read(self) -> tuple[tuple[int, ...], dict[str, Any] | None] | None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"checkpoint: {self.path} cannot be read: {error}") from error
        if not data.startswith(_HEADER):
            what = "another version's" if data.startswith(_NAME) else "no checkpoint"
            raise ValueError(
                f"checkpoint: {self.path} is {what}; choose another path, or delete it."
            )
        rest = memoryview(data)[len(_HEADER) :]
        payload = rest[_DIGEST_SIZE:]
        if hashlib.sha256(payload).digest() != rest[:_DIGEST_SIZE]:
            raise ValueError(
                f"checkpoint: {self.path} is truncated or damaged; delete it to train anew."
            )
        try:
            content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            description, seeds, state = (content[k] for k in ("description", "seeds", "state"))
            seeds = tuple(int(seed) for seed in seeds)
            differing = _differences(description, self.description)
        except Exception as error:  # whatever a file made to deceive leads to
            raise self.misfit(error) from error
        if differing:
            raise ValueError(
                f"checkpoint: {self.path} is of another training that has not ended: "
                f"{differing}. Delete it to train anew, choose another path, or give a folder, "
                "in which each training has a file of its own."
            )
        if len(seeds) != len(self.seeds) or not (state is None or isinstance(state, dict)):
            raise self.misfit(None)
        return seeds, state

    def misfit(self, reason: Any) -> ValueError:
        """Make the error of a file that is whole and yet not what was saved."""
        return ValueError(
            f"checkpoint: {self.path} does not hold what a checkpoint of this training holds"
            + (f" ({reason})" if reason is not None else "")
            + "; delete it to train anew."
        )

    def begin(self) -> None:
        """Take the path, before the first epoch, unless this training has it already.

        Raises
        ------
        ValueError
            If another training took the path in the meantime, or it cannot be written.
        """
        if not self.writes:
            return
        try:
            self._remove_parts()
            if self.state is None:
                self._write(exclusive=True)
        except FileExistsError:
            self._read()  # raises, unless it is a twin of this training
        except OSError as error:
            raise ValueError(f"checkpoint: {self.path} cannot be written: {error}") from error
        self._begun = True

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file's state.

        Parameters
        ----------
        state : dict
            Tensors, numbers, texts and None, in dicts and lists.
        """
        if not self.writes:
            return
        self.state = state
        self._write()

    def _write(self, *, exclusive: bool = False) -> None:
        buffer = io.BytesIO()
        content = {
            "description": self.description,
            "seeds": list(self.seeds),
            "state": self.state,
        }
        torch.save(content, buffer)
        payload = buffer.getbuffer()
        part = f"{self._part}.{os.getpid()}-{threading.get_ident()}.part"
        try:
            write_durably(part, [_HEADER, hashlib.sha256(payload).digest(), payload])
            if exclusive and _linked(part, self.path):
                os.unlink(part)
            else:
                os.replace(part, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """Delete the file, of a training that has ended."""
        if not self.writes:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._remove_parts()

    def remove_unless_saved(self) -> None:
        """Delete the file of a training that failed before anything was saved."""
        if self._begun and self.state is None:
            self.remove()

    def _remove_parts(self) -> None:
        for part in glob.glob(f"{glob.escape(self._part)}.*.part"):
            with contextlib.suppress(OSError):
                os.unlink(part)


def _linked(source: str, target: Path) -> bool:
    """Give `source` a second name, which must be new; False where no file can have two."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        return False
    return True


def _differences(there: dict[str, str], here: dict[str, str]) -> str:
    """Name what two descriptions differ in, values where they are short enough."""
    parts = []
    for name in {**here, **there}:
        a, b = there.get(name, "absent"), here.get(name, "absent")
        if a != b:
            short = " " not in name and len(a) + len(b) < 80
            parts.append(f"{name} ({a} there, {b} now)" if short else name)
    return ", ".join(parts)
