"""Text that cannot be written down, and numbers that JSON does not know."""

final_answer(
    {"\ud800": "\udfff \x00 \x1b[2J", "n": float("nan"), "i": [float("inf"), 10**5_000, -(10**40)], "b": b"\xff\x00"}
)
