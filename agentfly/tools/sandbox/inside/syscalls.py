"""Numbers of the system calls that filters speak of, on the machines that they are made for."""

from __future__ import annotations

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel calls the native ABI of each machine (AUDIT_ARCH_* of linux/audit.h)."""

_TABLE = """
ptrace 101 117          process_vm_readv 310 270    process_vm_writev 311 271   kcmp 312 272
kexec_load 246 104      kexec_file_load 320 294     bpf 321 280                 perf_event_open 298 241
userfaultfd 323 282     add_key 248 217             request_key 249 218         keyctl 250 219
mount 165 40            umount2 166 39              move_mount 429 429          open_tree 428 428
fsopen 430 430          fsconfig 431 431            fsmount 432 432             fspick 433 433
mount_setattr 442 442   open_tree_attr 467 467      statmount 457 457           listmount 458 458
pivot_root 155 41       chroot 161 51               unshare 272 97              setns 308 268
clone 56 220            clone3 435 435              io_uring_setup 425 425      io_uring_enter 426 426
io_uring_register 427 427                           init_module 175 105         delete_module 176 106
finit_module 313 273    create_module 174 -         query_module 178 -          get_kernel_syms 177 -
reboot 169 142          swapon 167 224              swapoff 168 225             acct 163 89
quotactl 179 60         quotactl_fd 443 443         syslog 103 116              settimeofday 164 170
clock_settime 227 112   adjtimex 159 171            clock_adjtime 305 266       sethostname 170 161
setdomainname 171 162   iopl 172 -                  ioperm 173 -                modify_ldt 154 -
open_by_handle_at 304 265                           name_to_handle_at 303 264   fanotify_init 300 262
fanotify_mark 301 263   lookup_dcookie 212 18       pidfd_getfd 438 438         process_madvise 440 440
process_mrelease 448 448                            move_pages 279 239          migrate_pages 256 238
memfd_create 319 279    memfd_secret 447 447        vhangup 153 58              uselib 134 -
ustat 136 -             sysfs 139 -                 _sysctl 156 -               nfsservctl 180 42
personality 135 92      ioctl 16 29                 fcntl 72 25                 prlimit64 302 261
socket 41 198           socketpair 53 199           bind 49 200                 listen 50 201
accept 43 202           accept4 288 242             connect 42 203              setpriority 141 140
sched_setaffinity 203 122                           sched_setscheduler 144 119  sched_setparam 142 118
sched_setattr 314 274   ioprio_set 251 30           kill 62 129                 tkill 200 130
tgkill 234 131          rt_sigqueueinfo 129 138     rt_tgsigqueueinfo 297 240   pidfd_send_signal 424 424
shmget 29 194           shmat 30 196                shmctl 31 195               semget 64 190
semop 65 193            semctl 66 191               semtimedop 220 192          msgget 68 186
msgsnd 69 189           msgrcv 70 188               msgctl 71 187               mq_open 240 180
mq_unlink 241 181       inotify_init 253 -          inotify_init1 294 26        inotify_add_watch 254 27
chmod 90 -              fchmod 91 52                fchmodat 268 53             fchmodat2 452 452
chown 92 -              lchown 94 -                 fchown 93 55                fchownat 260 54
utime 132 -             utimes 235 -                futimesat 261 -             utimensat 280 88
setxattr 188 5          lsetxattr 189 6             fsetxattr 190 7             setxattrat 463 463
removexattr 197 14      lremovexattr 198 15         fremovexattr 199 16         removexattrat 466 466
file_setattr 469 469    open 2 -                    openat 257 56               openat2 437 437
creat 85 -              mkdir 83 -                  mkdirat 258 34              mknod 133 -
mknodat 259 33
"""


def numbers(machine: str) -> dict[str, int]:
    """Number of each system call that a machine has.

    Args:
        machine: one of `MACHINES`.
    """
    column = list(MACHINES).index(machine)
    words = _TABLE.split()
    rows = zip(words[::3], words[1::3], words[2::3], strict=True)
    return {name: int(number) for name, *pair in rows if (number := pair[column]) != "-"}
