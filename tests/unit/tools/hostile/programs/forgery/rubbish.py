"""Things on the channel that are no frame, or a strange one."""

import json
import random
import stat
import struct

kinds = [
    b"\xff" * 64,
    b"\0\0\0\0",
    b"\0\0\0\2[]",
    b"\0\0\0\4null",
    b"\0\0\0\2\xff\xfe",
    b"\x7f\xff\xff\xff",
    struct.pack(">I", 200_000) + b"[" * 200_000,
    struct.pack(">I", 9) + b'{"op":"x',
]
frames = [
    {"op": "result"},
    {"op": "result", "id": None},
    {"op": "call"},
    {"op": "call", "name": ["x"], "args": {"a": 1}},
    {"op": "call", "name": None, "args": 5, "kwargs": [1], "id": "\ud800"},
    {"op": ["call"]},
    {"id": float("nan")},
]
rubbish = [struct.pack(">I", len(body)) + body for body in (json.dumps(f).encode() for f in frames)]
random.seed(HOST["turn"])
piece = [*rubbish, *kinds][HOST["turn"] % (len(kinds) + len(rubbish))]
for fd in range(3, 256):
    if quietly(lambda f: stat.S_ISSOCK(os.fstat(f).st_mode), fd):
        quietly(os.write, fd, piece)
