"""Files taken apart and put together again, by hand: what anybody could do to one."""

import hashlib
import json

ZEROS = b"0" * 64


def take_apart(data):
    """Give a file's header, the model's JSON in it, and the bytes of its arrays."""
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    model = json.loads(header.pop("__metadata__")["sklearn_physrnn"])
    return header, model, data[8 + n :]


def put_together(header, model, body, text=None):
    """Undo `take_apart`, with the right hash; `text` stands in for the model's JSON."""
    text = text or json.dumps(model | {"sha256": ZEROS.decode()})
    metadata = {"__metadata__": {"sklearn_physrnn": text}}
    raw = json.dumps(metadata | header).encode()
    raw += b" " * (-len(raw) % 8)
    data = len(raw).to_bytes(8, "little") + raw + body
    return data.replace(ZEROS, hashlib.sha256(data).hexdigest().encode(), 1)
