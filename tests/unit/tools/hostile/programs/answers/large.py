"""An answer of 100 MB, in many pieces."""

final_answer([{"n": "x" * 10_000, "m": ["y" * 1000] * 10}] * 5_000)
