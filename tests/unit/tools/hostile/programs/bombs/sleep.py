"""Wait, whatever interrupts it."""

while True:
    try:
        time.sleep(30)
    except BaseException:
        pass
