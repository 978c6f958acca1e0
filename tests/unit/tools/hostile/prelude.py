# What every program begins with; HOST stands above it. `through` is how a program says that it got somewhere.
# ruff: noqa: E401, F401, F821, I001
import contextlib, ctypes, errno, os, platform, signal, socket, subprocess, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
denied = (OSError, subprocess.SubprocessError, ValueError, MemoryError, RuntimeError, EOFError)


def through(what):
    os.write(1, f"\n{HOST['mark']} {what}\n".encode(errors="replace"))


def try_to(what, act, *args):
    try:
        result = act(*args)
    except denied:
        return None
    through(what)
    return result


def quietly(act, *args):
    with contextlib.suppress(*denied):
        return act(*args)


def call(name, *args):
    """A system call by its name: its result, or minus the error number."""
    columns = {"x86_64": 0, "aarch64": 1}
    number = NUMBERS[name][columns[platform.machine()]]
    if number is None:
        return -errno.ENOSYS
    result = libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    return -ctypes.get_errno() if result < 0 else result


def spawn(act, seconds=8):
    """A child that runs `act` and is gone after some seconds whatever happens."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            act()
        os._exit(0)
    return child


NUMBERS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone": (56, 220),
    "clone3": (435, 435),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "sethostname": (170, 161),
    "iopl": (172, None),
    "modify_ldt": (154, None),
    "memfd_create": (319, 279),
    "openat": (257, 56),
    "openat2": (437, 437),
    "socket": (41, 198),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "mq_open": (240, 180),
    "mq_timedsend": (242, 182),
    "linkat": (265, 37),
    "renameat2": (316, 276),
    "mknodat": (259, 33),
    "fchmodat2": (452, 452),
    "seccomp": (317, 277),
    "process_madvise": (440, 440),
    "move_pages": (279, 239),
}
