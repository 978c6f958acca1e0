"""A child changes the attachment when the block is over, and goes on doing so."""


def change():
    os.setsid()
    for _ in range(40):
        quietly(lambda: open("data.csv", "w").write("hostile"))
        quietly(os.unlink, "data.csv")
        time.sleep(0.02)


print(open("data.csv").read())
spawn(change, 3)
