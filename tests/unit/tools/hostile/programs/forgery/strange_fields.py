"""A result for the block that is running, as the worker would send it, with fields that are not what they should be."""

import json
import stat
import struct

frame = sys._getframe()
while frame and not isinstance(frame.f_locals.get("request"), dict):
    frame = frame.f_back
number = frame.f_locals["request"]["id"] if frame else 1
text = '{"op": "result", "id": %s, "value": {"a": [1]}, "error": ["\\ud800"], "answered": true, "timed_out": "x", '
text += '"answer": {"a": NaN, "b": -Infinity, "\\udfff": "\\ud800", "c": [[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]}}'
body = (text % json.dumps(number)).encode()
for fd in range(3, 256):
    if quietly(lambda f: stat.S_ISSOCK(os.fstat(f).st_mode), fd):
        quietly(os.write, fd, struct.pack(">I", len(body)) + body)
