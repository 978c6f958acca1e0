"""Move files out and in, exchange them, move the workspace itself."""

open("bait", "w").write("hostile")
os.makedirs("deep/er", exist_ok=True)
quietly(os.rename, "bait", f"{HOST['outside']}/{HOST['name']}")
quietly(os.replace, "bait", HOST["canary"])
quietly(os.rename, HOST["canary"], "taken")
quietly(os.rename, "deep", f"{HOST['outside']}/{HOST['name']}.d")
outside = ctypes.c_char_p(HOST["canary"].encode())
if call("renameat2", -100, ctypes.c_char_p(b"bait"), -100, outside, 2) == 0:
    through("two files exchanged")
for here in (os.getcwd(), "."):
    quietly(os.rename, here, f"{HOST['above']}/{HOST['name']}")
    quietly(os.rmdir, here)
inner = os.open("deep/er", os.O_RDONLY)
quietly(os.rename, "deep/er", "er")
quietly(lambda: print(os.read(os.open("../../../../../.." + HOST["canary"], os.O_RDONLY, dir_fd=inner), 100)))
