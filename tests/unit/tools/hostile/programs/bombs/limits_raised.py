"""Take the limits away, or a higher priority."""

import resource

for name in ("RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE"):
    which = getattr(resource, name)
    soft, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY:
        through(f"{name} is not limited")
    try_to(f"{name} raised", resource.setrlimit, which, (hard + 1, hard + 1))
    quietly(resource.prlimit, HOST["victim"], which, (0, 0))
try_to("a higher priority", os.nice, -5)
try_to("real time", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(10))
quietly(os.sched_setaffinity, HOST["victim"], {0})
quietly(os.setpriority, os.PRIO_PROCESS, HOST["victim"], 19)
