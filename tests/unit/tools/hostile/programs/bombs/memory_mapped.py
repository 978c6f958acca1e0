"""Mappings: private, shared, and locked, which not every limit counts."""

import mmap

held = 0
pieces = []
for flags in (mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS):
    for _ in range((HOST["memory_mb"] + 64) // 16):
        if piece := quietly(mmap.mmap, -1, 16 << 20, flags):
            for at in range(0, 16 << 20, 4096):
                piece[at] = 1
            pieces.append(piece)
            held += 16
time.sleep(1)
if held > HOST["memory_mb"] + 64:
    through(f"{held} MB of mappings")
