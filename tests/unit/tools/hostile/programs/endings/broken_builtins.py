"""Take away what the worker itself stands on."""

import builtins
import json

json.loads = json.dumps = lambda *a, **k: 1 / 0
socket.socket.recv = socket.socket.sendall = lambda *a: 1 / 0
builtins.len = builtins.isinstance = lambda *a: 1 / 0
