"""A fitted model in the midst of its data: steps in, answers out, in constant time."""

from ._stream import Stream

__all__ = ["Stream"]
