"""Read where nothing is."""

ctypes.string_at(0)
