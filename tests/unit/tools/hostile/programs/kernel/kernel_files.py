"""Switches of the kernel: opened for writing, never written."""

for path in (
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/modprobe",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/power/state",
    "/proc/sys/net/ipv4/ip_forward",
    f"/proc/{HOST['victim']}/oom_score_adj",
    f"/proc/{HOST['launcher']}/comm",
    "/sys/kernel/debug",
    "/sys/kernel/tracing/tracing_on",
    "/proc/acpi",
):
    try_to(path, os.open, path, os.O_WRONLY)
for identity in (os.setuid, os.setgid):
    try_to("another user", identity, 0)
try_to("other groups", os.setgroups, [0])
try_to("less likely to be killed", lambda: os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1000"))
told = open("/proc/self/status").read()
if "NoNewPrivs:\t1" not in told or any(f"Cap{n}:\t0000000000000000" not in told for n in ("Eff", "Prm", "Inh", "Amb")):
    through("it may still gain rights")
