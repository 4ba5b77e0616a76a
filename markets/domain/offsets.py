"""Where in a frame the trouble is: byte offsets for people who look at a refused frame.

Law: the cold path. It may be slow, it never raises, and -1 means that the place cannot be told.
"""

import json
import re

_BYTE = re.compile(r"\(byte (\d+)\)")
_PATH = re.compile(r"at `\$([^`]*)`")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_SPACE = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


def of_syntax_error(message: str, length: int) -> int:
    """msgspec says the byte, except of a frame that ends too soon."""
    found = _BYTE.search(message)
    return int(found.group(1)) if found else length


def of_wrong_field(data: bytes, message: str) -> int:
    """Start of the value whose path msgspec names; no path means the whole object."""
    found = _PATH.search(message)
    steps = _STEP.findall(found.group(1)) if found else []
    text = data.decode("latin-1")  # one character per byte
    at = _skip_space(text, 0)
    try:
        for name, index in steps:
            at = _in_object(text, at, name) if name else _in_array(text, at, int(index))
    except (ValueError, IndexError, RecursionError):
        return -1
    return at


def of_bad_number(data: bytes, spelled: str) -> int:
    """First place where that text stands as a value that is a number."""
    wanted = json.dumps(spelled, ensure_ascii=False).encode()
    found = re.search(rb'"(?:[a-z_]*(?:price|size|bid|ask))"\s*:\s*(?=' + re.escape(wanted) + rb")", data)
    return found.end() if found else data.find(wanted)


def of_item(data: bytes, index: int) -> int:
    """Where the item of an array frame begins."""
    text = data.decode("latin-1")
    try:
        return _in_array(text, _skip_space(text, 0), index)
    except (ValueError, IndexError, RecursionError):
        return 0


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _past_value(text: str, at: int) -> int:
    return _skip_space(text, _decoder.raw_decode(text, at)[1])


def _in_object(text: str, at: int, name: str) -> int:
    if text[at] != "{":
        raise ValueError(f"no object at {at}")
    at = _skip_space(text, at + 1)
    while True:
        key, at = _decoder.raw_decode(text, at)
        at = _skip_space(text, _skip_space(text, at) + 1)
        if key == name:
            return at
        at = _skip_space(text, _past_value(text, at) + 1)


def _in_array(text: str, at: int, index: int) -> int:
    if text[at] != "[":
        raise ValueError(f"no array at {at}")
    at = _skip_space(text, at + 1)
    for _ in range(index):
        at = _skip_space(text, _past_value(text, at) + 1)
    return at
