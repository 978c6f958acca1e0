"""System calls that code work does not need, with arguments that do nothing should they get through."""

refused = (-errno.EPERM, -errno.ENOSYS, -errno.EACCES)
null = None
for name, *arguments in (
    ("io_uring_setup", 0, null),
    ("userfaultfd", 1),
    ("perf_event_open", null, 0, -1, -1, 0),
    ("keyctl", 0, -3, 0),
    ("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"hostile"), ctypes.c_char_p(b"x"), 1, -3),
    ("bpf", 0, null, 0),
    ("fanotify_init", 0, 0),
    ("init_module", null, 0, null),
    ("kexec_load", 0, 0, null, 0xFFFF),
    ("reboot", 0, 0, 0, null),
    ("swapon", null, 0),
    ("acct", ctypes.c_char_p(b"/nothing")),
    ("settimeofday", null, null),
    ("sethostname", ctypes.c_char_p(b"hostile"), 7),
    ("iopl", 3),
    ("open_by_handle_at", -100, null, 0),
    ("kcmp", os.getpid(), os.getpid(), 99, 0, 0),
    ("process_vm_readv", os.getpid(), null, 0, null, 0, 0),
    ("ptrace", 0x4206, 0, null, null),
):
    result = call(name, *arguments)
    if result not in refused and (name, result) != ("ptrace", -errno.ESRCH):
        through(f"{name} gave {result}")
