// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The few kernel types we read, by hand: only the fields we use, relocated at load (CO-RE). What
// differs between kernel versions is in compat.h.
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef unsigned long size_t;
typedef long ssize_t;
typedef long long loff_t;

struct page;
struct pipe_inode_info;

#ifndef AF_UNIX
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };
#endif
enum { SOCK_STREAM = 1 };
enum { IPPROTO_TCP_ = 6, IPPROTO_UDP_ = 17, IPPROTO_MPTCP_ = 262 };
enum {
    MSG_OOB_ = 0x1,
    MSG_PEEK_ = 0x2,
    MSG_TRUNC_ = 0x20,
    MSG_ERRQUEUE_ = 0x2000,
};
enum { PF_IO_WORKER_ = 0x10, PF_USER_WORKER_ = 0x4000, PF_KTHREAD_ = 0x200000 };
enum {
    TCP_ESTABLISHED_ = 1,
    TCP_FIN_WAIT1_ = 4,
    TCP_CLOSE_ = 7,
    TCP_LAST_ACK_ = 9,
    TCP_CLOSE_WAIT_ = 8,
    TCP_SYN_RECV_ = 3,
    TCP_LISTEN_ = 10,
};
enum { RCV_SHUTDOWN_ = 1 };
enum { SOCK_DONE_ = 1 };  // bit of skc_flags: the peer's FIN has come

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};
struct pid_namespace {
    struct ns_common ns;
};
struct net {
    struct ns_common ns;
};
typedef struct {
    struct net* net;
} possible_net_t;

struct upid {
    int nr;
    struct pid_namespace* ns;
};
struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct super_block {
    u32 s_dev;
};
struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
    struct super_block* i_sb;
};
struct file {
    struct inode* f_inode;
    void* private_data;
};
struct fdtable {
    unsigned int max_fds;
    struct file** fd;
};
struct files_struct {
    struct fdtable* fdt;
};
struct io_uring_task;
struct mm_struct {
    unsigned long start_code, start_brk;
    unsigned long arg_start;
    unsigned long arg_end;
    struct file* exe_file;
};
struct kernfs_node {
    u64 id;
};
struct cgroup {
    struct kernfs_node* kn;
};
struct css_set {
    struct cgroup* dfl_cgrp;
};
typedef struct {
    int counter;
} atomic_t;
struct signal_struct {
    atomic_t live;
    struct pid* pids[4];  // PIDTYPE_TGID = 1
};
struct nsproxy {
    struct net* net_ns;
};
struct thread_info {
    u32 status;
};
struct task_struct {
    struct thread_info thread_info;
    unsigned int flags;
    int pid;
    int tgid;
    struct task_struct* real_parent;
    struct task_struct* group_leader;
    u64 start_boottime;
    struct mm_struct* mm;
    struct signal_struct* signal;
    struct css_set* cgroups;
    struct nsproxy* nsproxy;
    struct files_struct* files;
    struct io_uring_task* io_uring;
    char comm[16];
};
struct socket {
    struct sock* sk;
};

struct in6_addr {
    u8 bytes[16];
};
struct sock_common {
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned long skc_flags;
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_dport;
    u16 skc_num;
    possible_net_t skc_net;
    struct {
        s64 counter;
    } skc_cookie;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};
struct sk_buff_head {
    u32 qlen;
};
struct sock {
    struct sock_common __sk_common;
    struct sk_buff_head sk_receive_queue;
    struct socket* sk_socket;
    int sk_err;
    u32 sk_max_ack_backlog;
    u8 sk_shutdown;
    u16 sk_type;
    u16 sk_protocol;
    void* sk_bpf_storage;
};
struct inet_sock {
    u16 inet_sport;  // as it was when the socket got it: skc_num is 0 once the port was given back
};
struct tcp_sock {
    u32 rcv_nxt;
    u32 copied_seq;
    u32 snd_una;
    u32 write_seq;
    u64 bytes_received;
    u64 bytes_acked;
};
struct tcp_ulp_ops {
    char name[16];
};
struct inet_connection_sock {
    const struct tcp_ulp_ops* icsk_ulp_ops;
};
struct mptcp_sock {
    struct sock* first;
};
struct sockaddr_un {
    unsigned short sun_family;
    char sun_path[108];
};
struct unix_address {
    int len;
    struct sockaddr_un name[0];
};
struct unix_sock {
    struct unix_address* addr;
    struct sock* peer;
};
struct linux_binprm {
    const char* filename;
};

#pragma clang attribute pop

#define WG_INLINE static __always_inline
#define WG_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define WG_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

// What is read anew from a map's value is unknown to the verifier: ways that differ by it only become one.
#define WG_ANEW(field) (*(volatile __typeof__(field)*)&(field))

// WG_PLAIN: programs that get no typed pointers (kprobes, and every tracing program before 5.15) read
// fields by the helper, and what else stands beside a socket stands in a hash (lib/storage.h).
#ifdef WG_PLAIN
#define WG_GET(pointer, field) BPF_CORE_READ(pointer, field)
#else
#define WG_GET(pointer, field) ((pointer)->field)
#endif

// What few events need: a function of its own, so that the way of the others is short (their instructions share the
// processor's cache with the service's) and the verifier looks at it once. It takes numbers and pointers to values of
// maps, which may be NULL; kernels before 5.12, which load WG_PLAIN, know no pointers there. WG_UPROBES: their cookies
// need 5.15.
#if defined(WG_PLAIN) && !defined(WG_UPROBES)
#define WG_COLD static __always_inline
#else
#define WG_COLD __attribute__((noinline))
#endif

// WG_CAST: in objects for 6.2 and later only. Makes a number or pointer one of a kernel type, for reading; the verifier
// turns it into nothing. (Where a kernel has it not, libbpf looks for it in every module, which takes CAP_SYS_ADMIN.)
#ifdef WG_CAST
extern void* bpf_rdonly_cast(const void* object, u32 type) __ksym;
#endif

WG_INLINE struct task_struct* wg_current_task(void) {
#ifdef WG_PLAIN
    return (struct task_struct*)bpf_get_current_task();
#else
    return bpf_get_current_task_btf();
#endif
}

// 5.17
WG_INLINE bool wg_has_loop(void) { return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop); }

// Calls step(index, &state) up to `most` times, until it returns 1. From 5.17 on the verifier looks at the step once,
// before at each turn. Objects with WG_CAST or WG_HAS_LOOP are for later kernels only; those of WG_PLAIN also for 5.10,
// which knows no functions as arguments.
#define WG_EACH_TURN(most, step, state)                                          \
    do {                                                                         \
        for (u32 turn_ = 0; turn_ < (most) && !step(turn_, &(state)); turn_++) { \
        }                                                                        \
    } while (0)
#if defined(WG_CAST) || defined(WG_HAS_LOOP)
#define WG_LOOP(most, step, state) bpf_loop(most, step, &(state), 0)
#elif !defined(WG_PLAIN)
#define WG_LOOP(most, step, state)             \
    do {                                       \
        if (wg_has_loop())                     \
            bpf_loop(most, step, &(state), 0); \
        else                                   \
            WG_EACH_TURN(most, step, state);   \
    } while (0)
#else
#define WG_LOOP WG_EACH_TURN
#endif

// Keeps the compiler from forgetting a bound that the verifier has to see.
#define WG_BOUND(value, limit)                              \
    ({                                                      \
        u64 bound_value_ = (value);                         \
        asm volatile("" : "+r"(bound_value_));              \
        if (bound_value_ > (limit)) bound_value_ = (limit); \
        asm volatile("" : "+r"(bound_value_));              \
        bound_value_;                                       \
    })

WG_INLINE u16 bpf_ntohs_(u16 value) { return __builtin_bswap16(value); }

// The port at this end, in host order; also while the connection is being closed.
WG_INLINE u16 wg_own_port(struct sock* sk) { return bpf_ntohs_(BPF_CORE_READ((struct inet_sock*)sk, inet_sport)); }
