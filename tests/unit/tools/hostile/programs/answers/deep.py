"""A list within a list, a hundred thousand times, and one that holds itself."""

deep = []
for _ in range(100_000):
    deep = [deep]
itself = {}
itself["again"] = [itself] * 3
final_answer([deep, itself])
