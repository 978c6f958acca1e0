"""More memory than allowed, touched, in one piece and in many."""

import gc

size = HOST["memory_mb"] << 20
for make in (lambda: bytearray(size + (64 << 20)), lambda: [b"x" * (1 << 20) for _ in range((size >> 20) + 64)]):
    if try_to("too many bytes", make) is not None:
        gc.collect()
