// SPDX-License-Identifier: Apache-2.0
// Runs a program under a filter of system calls as Chromium's sandbox has it: filtered PROGRAM ARGUMENT…. The
// architecture is looked at first, then the call's number and the flags of some; whatever is not listed is a trap
// (SIGSYS), by which a program dies that has no handler of its own. filtered --call NUMBER ARGUMENT… makes one call
// under the filter, and --foreign NUMBER one by the 32-bit kernel's gate. Both end with 0 where the call came back.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { X32_CALLS = 0x40000000, MOST_INSTRUCTIONS = 1024, MOST_ARGUMENTS = 6 };

static const uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;

// What OpenSSL's servers need, and curl. clang-format would put each on a line.
// clang-format off
static const int kAllowed[] = {
    // Files
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_pwritev, SYS_sendfile, SYS_open, SYS_openat,
    SYS_close, SYS_lseek, SYS_stat, SYS_fstat, SYS_lstat, SYS_newfstatat, SYS_statx, SYS_access, SYS_faccessat, SYS_faccessat2,
    SYS_readlink, SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_mkdir, SYS_unlink, SYS_chown, SYS_ftruncate, SYS_fadvise64,
    SYS_fcntl, SYS_dup, SYS_dup2, SYS_dup3, SYS_pipe2, SYS_eventfd2,
    // Processes, users, memory
    SYS_execve, SYS_exit, SYS_exit_group, SYS_wait4, SYS_kill, SYS_tgkill, SYS_getpid, SYS_getppid, SYS_gettid, SYS_setsid,
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_setuid, SYS_setgid, SYS_setgroups, SYS_umask, SYS_prlimit64,
    SYS_getrlimit, SYS_uname, SYS_sysinfo, SYS_getrandom, SYS_getcpu, SYS_arch_prctl, SYS_brk, SYS_munmap, SYS_mremap,
    SYS_madvise,
    // Threads, signals, time
    SYS_futex, SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_membarrier, SYS_sched_yield, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_restart_syscall, SYS_clock_gettime,
    SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_time, SYS_setitimer,
    // Sockets and waiting
    SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_getsockname, SYS_getpeername,
    SYS_setsockopt, SYS_getsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_poll, SYS_ppoll, SYS_select,
    SYS_pselect6, SYS_epoll_create, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait,
};
// clang-format on

// Calls that are allowed with one of these values in an argument, or without these bits in it; the low half of either.
static const struct {
    int call, argument, is_bits;
    uint32_t value;
} kChecked[] = {
    {SYS_clone, 0, 1, kNamespaces},
    {SYS_mmap, 3, 1,
     ~(uint32_t)(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_DENYWRITE)},
    {SYS_mprotect, 2, 1, ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)},
    {SYS_socket, 0, 0, AF_UNIX},
    {SYS_socket, 0, 0, AF_INET},
    {SYS_socket, 0, 0, AF_INET6},
    {SYS_ioctl, 1, 0, TCGETS},
    {SYS_ioctl, 1, 0, FIONBIO},
    {SYS_ioctl, 1, 0, FIOASYNC},
    {SYS_ioctl, 1, 0, FIOCLEX},
    {SYS_ioctl, 1, 0, FIONREAD},
    {SYS_ioctl, 1, 0, TIOCGWINSZ},
    {SYS_prctl, 0, 0, PR_SET_NAME},
    {SYS_prctl, 0, 0, PR_SET_DUMPABLE},
    {SYS_prctl, 0, 0, PR_CAPBSET_READ},
};

static struct sock_filter program[MOST_INSTRUCTIONS];
static int size;

static void add(uint16_t code, uint32_t value, int if_true, int if_false) {
    program[size++] = (struct sock_filter){code, if_true, if_false, value};
}

static void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }

static void give(uint32_t result) { add(BPF_RET | BPF_K, result, 0, 0); }

static void give_for(int call, uint32_t result) {
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
    give(result);
}

static void check(int call, int argument, int is_bits, uint32_t value) {
    load(offsetof(struct seccomp_data, nr));
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3);
    load(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    add(BPF_JMP | (is_bits ? BPF_JSET : BPF_JEQ) | BPF_K, value, is_bits, !is_bits);
    give(SECCOMP_RET_ALLOW);
}

static void filter(void) {
    load(offsetof(struct seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    give(SECCOMP_RET_TRAP);
    load(offsetof(struct seccomp_data, nr));
    add(BPF_JMP | BPF_JSET | BPF_K, X32_CALLS, 0, 1);
    give(SECCOMP_RET_TRAP);
    // Its flags are in memory, which no filter sees: whoever is told that it is not there takes clone.
    give_for(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    for (size_t i = 0; i < sizeof kAllowed / sizeof *kAllowed; i++) give_for(kAllowed[i], SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < sizeof kChecked / sizeof *kChecked; i++)
        check(kChecked[i].call, kChecked[i].argument, kChecked[i].is_bits, kChecked[i].value);
    give(SECCOMP_RET_TRAP);
    const struct sock_fprog whole = {size, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole)) {
        perror("seccomp");
        exit(2);
    }
}

static void call_foreign(long number) { __asm__ volatile("int $0x80" : "+a"(number) : : "memory"); }

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const int is_call = !strcmp(argv[1], "--call"), is_foreign = !strcmp(argv[1], "--foreign");
    long call[1 + MOST_ARGUMENTS] = {0};
    for (int i = 2; i < argc && i < 2 + 1 + MOST_ARGUMENTS; i++)
        if (is_call || is_foreign) call[i - 2] = strtol(argv[i], NULL, 0);
    filter();
    if (is_call) {
        syscall(call[0], call[1], call[2], call[3], call[4], call[5], call[6]);
        return 0;
    }
    if (is_foreign) {
        call_foreign(call[0]);
        return 0;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 2;
}
