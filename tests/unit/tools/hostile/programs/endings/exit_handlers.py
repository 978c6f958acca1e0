"""Threads and exit handlers that hold up the end."""

import atexit

atexit.register(time.sleep, 30)
threading.Thread(target=time.sleep, args=(30,)).start()
sys.exit(0)
