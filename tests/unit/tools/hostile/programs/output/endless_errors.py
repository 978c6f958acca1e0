"""Print without end to stderr, from a child, while the block is over soon."""


def flood():
    for _ in range(50_000):
        os.write(2, b"hostile " * 1_000)


spawn(flood, 3)
time.sleep(0.2)
