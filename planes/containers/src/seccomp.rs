//! The system calls that a container may make: the policy of Docker's default profile, in a compact form.
//!
//! Source of the policy: <https://docs.docker.com/engine/security/seccomp/>. The notation `name+32` means
//! `name` and `name32`; the runtime skips names that an architecture lacks.

use serde_json::{Value, json};

const ALWAYS: &str = "\
    accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown+32 clock_adjtime+64 \
    clock_getres+_time64 clock_gettime+64 clock_nanosleep+_time64 close close_range connect copy_file_range creat \
    dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait \
    epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64+_64 fallocate \
    fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown+32 fchownat fcntl+64 fdatasync fgetxattr flistxattr \
    flock fork fremovexattr fsetxattr fstat+64 fstatat64 fstatfs+64 fsync ftruncate+64 futex+_time64 futex_waitv \
    futimesat get_robust_list get_thread_area getcpu getcwd getdents+64 getegid+32 geteuid+32 getgid+32 \
    getgroups+32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid+32 \
    getresuid+32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid+32 getxattr \
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents \
    io_pgetevents+_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule \
    landlock_create_ruleset landlock_restrict_self lchown+32 lgetxattr link linkat listen listxattr llistxattr \
    _llseek lremovexattr lseek lsetxattr lstat+64 madvise membarrier memfd_create memfd_secret mincore mkdir \
    mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open \
    mq_timedreceive+_time64 mq_timedsend+_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock \
    munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open \
    pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll+_time64 prctl pread64 preadv \
    preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6+_time64 ptrace pwrite64 \
    pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg+_time64 recvmsg \
    remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait+_time64 rt_tgsigqueueinfo \
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
    sched_getscheduler sched_rr_get_interval+_time64 sched_setaffinity sched_setattr sched_setparam \
    sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop+_time64 send sendfile+64 \
    sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid+32 setfsuid+32 setgid+32 \
    setgroups+32 setitimer setpgid setpriority setregid+32 setresgid+32 setresuid+32 setreuid+32 setrlimit \
    setsid setsockopt setuid+32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 \
    sigprocmask sigreturn socketcall socketpair splice stat+64 statfs+64 statx symlink symlinkat sync \
    sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime+64 \
    timer_settime+64 timerfd_create timerfd_gettime+64 timerfd_settime+64 times tkill truncate+64 ugetrlimit \
    umask uname unlink unlinkat utime utimensat+_time64 utimes vfork vmsplice wait4 waitid waitpid write writev \
    arch_prctl modify_ldt cacheflush set_tls sync_file_range2 arm_fadvise64_64";

/// Allowed only to a container that holds the capability.
const WITH_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount \
         open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime+64"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// The values of personality(2) without influence on security: Linux, Linux 32 bit, their UNAME26 forms, query.
const PERSONALITIES: &[u64] = &[0x0, 0x8, 0x20000, 0x20008, 0xffff_ffff];

/// All CLONE_NEW* bits: a plain clone(2) must not create a namespace.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

const AF_VSOCK: u64 = 40;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The `linux.seccomp` object of an OCI configuration.
pub(crate) fn profile(capabilities: &[String]) -> Value {
    let mut allowed = expand(ALWAYS);
    for (capability, calls) in WITH_CAPABILITY {
        if capabilities.iter().any(|c| c == capability) {
            allowed.extend(expand(calls));
        }
    }
    allowed.sort();
    allowed.dedup();
    let mut rules = vec![
        json!({"names": allowed, "action": "SCMP_ACT_ALLOW"}),
        json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": AF_VSOCK, "op": "SCMP_CMP_NE"}]}),
    ];
    rules.extend(PERSONALITIES.iter().map(|value| {
        json!({"names": ["personality"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]})
    }));
    if !capabilities.iter().any(|c| c == "CAP_SYS_ADMIN") {
        rules.push(json!({"names": ["clone"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": CLONE_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}));
        // ENOSYS, so that the C library falls back to clone(2), whose flags a filter can inspect.
        rules.push(json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}));
    }
    let architectures: &[&str] = match std::env::consts::ARCH {
        "x86_64" => &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "aarch64" => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        _ => &[],
    };
    json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": EPERM, "architectures": architectures,
           "syscalls": rules})
}

fn expand(words: &str) -> Vec<String> {
    let mut names = Vec::new();
    for word in words.split_whitespace() {
        let (name, suffix) = word.split_once('+').map_or((word, None), |(n, s)| (n, Some(s)));
        names.push(name.to_owned());
        names.extend(suffix.map(|s| format!("{name}{s}")));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(capabilities: &[&str], call: &str) -> bool {
        let caps: Vec<String> = capabilities.iter().map(|c| c.to_string()).collect();
        let names = profile(&caps)["syscalls"][0]["names"].clone();
        names.as_array().unwrap().iter().any(|n| n == call)
    }

    #[test]
    fn profile_follows_capabilities() {
        assert!(allows(&[], "futex_time64") && allows(&[], "futex"));
        assert!(!allows(&[], "mount") && !allows(&[], "clone") && !allows(&[], "io_uring_setup"));
        assert!(allows(&["CAP_SYS_ADMIN"], "mount"));
        assert!(allows(&["CAP_SYS_CHROOT"], "chroot"));
    }
}
