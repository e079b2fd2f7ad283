"""Files that are written whole or not at all."""

import os
import secrets
import shutil
from contextlib import suppress

from .durable import sync_folder, write_durably


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Put `data` into the file `path`: after a crash there is the old file or the new one.

    The bytes go to a temporary file in the same directory and to the disk, before it takes
    the name. An error, KeyboardInterrupt included, leaves no temporary file behind; a
    process that is killed in the midst of it may.
    """
    target = os.path.realpath(os.fspath(path))  # a link stays a link
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        # As open() would make it, with the permissions that the user's umask leaves.
        write_durably(temporary, [data], new=True)
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(folder)
