// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ways.h"

// Three unequal buffers, so that heads are cut at odd places.
static int split(char* bytes, size_t size, struct iovec parts[3]) {
    const size_t first = size < 7 ? size : 7;
    const size_t second = size - first < 30 ? size - first : 30;
    parts[0] = (struct iovec){bytes, first};
    parts[1] = (struct iovec){bytes + first, second};
    parts[2] = (struct iovec){bytes + first + second, size - first - second};
    return 3;
}

// ---- reads

static ssize_t by_read(int fd, char* bytes, size_t size, bool is_body) { return read(fd, bytes, size); }

static ssize_t by_readv(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    return readv(fd, parts, split(bytes, size, parts));
}

static ssize_t by_preadv2(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    return preadv2(fd, parts, split(bytes, size, parts), -1, 0);
}

static ssize_t by_recv(int fd, char* bytes, size_t size, bool is_body) { return recv(fd, bytes, size, 0); }

static ssize_t by_recvfrom(int fd, char* bytes, size_t size, bool is_body) {
    return recvfrom(fd, bytes, size, 0, NULL, NULL);
}

static ssize_t by_recvmsg(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)split(bytes, size, parts)};
    return recvmsg(fd, &message, 0);
}

static ssize_t by_recvmmsg(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec part = {bytes, size};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    char more[8];
    struct iovec rest = {more, 0};
    messages[1].msg_hdr = (struct msghdr){.msg_iov = &rest, .msg_iovlen = 1};
    const int got = recvmmsg(fd, messages, 1, MSG_WAITFORONE, NULL);
    return got < 0 ? -1 : (ssize_t)messages[0].msg_len;
}

static ssize_t by_peek(int fd, char* bytes, size_t size, bool is_body) {
    const ssize_t seen = recv(fd, bytes, size, MSG_PEEK);
    if (seen <= 0) return seen;
    return recv(fd, bytes, (size_t)seen, 0);
}

// One byte a call while a head is read.
static ssize_t by_byte(int fd, char* bytes, size_t size, bool is_body) { return read(fd, bytes, is_body ? size : 1); }

// No byte beyond the head.
static ssize_t read_head(int fd, char* bytes, size_t size) {
    const ssize_t seen = recv(fd, bytes, size, MSG_PEEK);
    if (seen <= 0) return seen;
    const char* end = memmem(bytes, (size_t)seen, "\r\n\r\n", 4);
    return recv(fd, bytes, end ? (size_t)(end + 4 - bytes) : (size_t)seen, 0);
}

static ssize_t by_splice_read(int fd, char* bytes, size_t size, bool is_body) {
    // A proxy reads the head, which says how long the body is, and splices the body.
    if (!is_body) return read_head(fd, bytes, size);
    int pipes[2];
    if (pipe(pipes)) return -1;
    ssize_t moved = splice(fd, NULL, pipes[1], NULL, size < 65536 ? size : 65536, 0);
    if (moved > 0) moved = read(pipes[0], bytes, (size_t)moved);
    close(pipes[0]);
    close(pipes[1]);
    return moved;
}

// ---- writes

static ssize_t by_write(int fd, char* bytes, size_t size, bool is_body) { return write(fd, bytes, size); }

static ssize_t by_writev(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    return writev(fd, parts, split(bytes, size, parts));
}

static ssize_t by_pwritev2(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    return pwritev2(fd, parts, split(bytes, size, parts), -1, 0);
}

static ssize_t by_send(int fd, char* bytes, size_t size, bool is_body) { return send(fd, bytes, size, MSG_NOSIGNAL); }

static ssize_t by_sendto(int fd, char* bytes, size_t size, bool is_body) {
    return sendto(fd, bytes, size, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t by_sendmsg(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)split(bytes, size, parts)};
    return sendmsg(fd, &message, 0);
}

static ssize_t by_sendmmsg(int fd, char* bytes, size_t size, bool is_body) {
    struct iovec parts[3];
    struct mmsghdr messages[3] = {};
    split(bytes, size, parts);
    for (int i = 0; i < 3; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    const int sent = sendmmsg(fd, messages, 3, 0);
    ssize_t total = sent < 0 ? -1 : 0;
    for (int i = 0; i < sent; i++) total += messages[i].msg_len;
    return total;
}

static ssize_t by_sendfile(int fd, char* bytes, size_t size, bool is_body) {
    if (!is_body) return send(fd, bytes, size, MSG_MORE);
    const int file = memfd_create("body", MFD_CLOEXEC);
    off_t offset = 0;
    ssize_t sent = write(file, bytes, size);
    if (sent > 0) sent = sendfile(fd, file, &offset, size);
    close(file);
    return sent;
}

static ssize_t by_splice_write(int fd, char* bytes, size_t size, bool is_body) {
    if (!is_body) return write(fd, bytes, size);
    int pipes[2];
    if (pipe(pipes)) return -1;
    ssize_t moved = write(pipes[1], bytes, size < 65536 ? size : 65536);
    if (moved > 0) moved = splice(pipes[0], NULL, fd, NULL, (size_t)moved, 0);
    close(pipes[0]);
    close(pipes[1]);
    return moved;
}

// ---- io_uring: a ring a thread

static __thread struct io_uring uring;
static __thread bool has_uring;

static struct io_uring_sqe* prepare(void) {
    if (!has_uring && io_uring_queue_init(8, &uring, 0) < 0) return NULL;
    has_uring = true;
    return io_uring_get_sqe(&uring);
}

static ssize_t complete(struct io_uring_sqe* sqe, unsigned flags) {
    struct io_uring_cqe* cqe;
    sqe->flags |= flags;
    if (io_uring_submit(&uring) < 0 || io_uring_wait_cqe(&uring, &cqe) < 0) return -1;
    const int result = cqe->res;
    io_uring_cqe_seen(&uring, cqe);
    return result < 0 ? -1 : result;
}

#define URING(name, flags, ...)                                                \
    static ssize_t by_##name(int fd, char* bytes, size_t size, bool is_body) { \
        struct iovec parts[3];                                                 \
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};           \
        split(bytes, size, parts);                                             \
        (void)message;                                                         \
        struct io_uring_sqe* sqe = prepare();                                  \
        if (!sqe) return -1;                                                   \
        __VA_ARGS__;                                                           \
        return complete(sqe, flags);                                           \
    }

URING(uring_read, 0, io_uring_prep_read(sqe, fd, bytes, (unsigned)size, 0))
URING(uring_recv, 0, io_uring_prep_recv(sqe, fd, bytes, size, 0))
URING(uring_recv_async, IOSQE_ASYNC, io_uring_prep_recv(sqe, fd, bytes, size, 0))
URING(uring_readv, 0, io_uring_prep_readv(sqe, fd, parts, 3, 0))
URING(uring_recvmsg, 0, io_uring_prep_recvmsg(sqe, fd, &message, 0))
URING(uring_write, 0, io_uring_prep_write(sqe, fd, bytes, (unsigned)size, 0))
URING(uring_send, 0, io_uring_prep_send(sqe, fd, bytes, size, 0))
URING(uring_send_async, IOSQE_ASYNC, io_uring_prep_send(sqe, fd, bytes, size, 0))
URING(uring_writev, 0, io_uring_prep_writev(sqe, fd, parts, 3, 0))
URING(uring_sendmsg, 0, io_uring_prep_sendmsg(sqe, fd, &message, 0))

// The body only.
#define URING_BODY(name, head)                                                        \
    static ssize_t by_##name##_body(int fd, char* bytes, size_t size, bool is_body) { \
        return is_body ? by_##name(fd, bytes, size, is_body) : head(fd, bytes, size); \
    }

URING_BODY(uring_readv, read_head)
URING_BODY(uring_recvmsg, read_head)
URING_BODY(uring_writev, write)
URING_BODY(uring_sendmsg, write)

// One request, armed once, that completes for whatever comes, into buffers of the kernel's choice. For one connection
// a thread.
enum { SHOTS = 16, SHOT_SIZE = 4096, SHOT_GROUP = 1 };
static __thread char shots[SHOTS][SHOT_SIZE];
static __thread bool is_armed;
static __thread struct {
    const char* bytes;
    size_t size;
} shot;  // what the caller has not taken yet

static bool arm(int fd) {
    struct io_uring_sqe* sqe = prepare();
    if (!sqe) return false;
    io_uring_prep_provide_buffers(sqe, shots, SHOT_SIZE, SHOTS, SHOT_GROUP, 0);
    if (complete(sqe, 0) < 0) return false;
    sqe = io_uring_get_sqe(&uring);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = SHOT_GROUP;
    return is_armed = io_uring_submit(&uring) == 1;
}

static ssize_t by_uring_recv_multishot(int fd, char* bytes, size_t size, bool is_body) {
    (void)is_body;
    if (!shot.size) {
        struct io_uring_cqe* cqe;
        if ((!is_armed && !arm(fd)) || io_uring_wait_cqe(&uring, &cqe) < 0) return -1;
        const int result = cqe->res;
        is_armed = cqe->flags & IORING_CQE_F_MORE;
        shot.bytes = shots[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
        shot.size = result > 0 ? (size_t)result : 0;
        io_uring_cqe_seen(&uring, cqe);
        if (result <= 0) return result;
    }
    const size_t taken = size < shot.size ? size : shot.size;
    memcpy(bytes, shot.bytes, taken);
    shot.bytes += taken;
    shot.size -= taken;
    return (ssize_t)taken;
}

static const struct way ways[] = {
    {"read", by_read, false},
    {"readv", by_readv, false},
    {"preadv2", by_preadv2, false},
    {"recv", by_recv, false},
    {"recvfrom", by_recvfrom, false},
    {"recvmsg", by_recvmsg, false},
    {"recvmmsg", by_recvmmsg, false},
    {"peek", by_peek, false},
    {"byte", by_byte, false},
    {"splice_read", by_splice_read, false},
    {"write", by_write, false},
    {"writev", by_writev, false},
    {"pwritev2", by_pwritev2, false},
    {"send", by_send, false},
    {"sendto", by_sendto, false},
    {"sendmsg", by_sendmsg, false},
    {"sendmmsg", by_sendmmsg, false},
    {"sendfile", by_sendfile, true},
    {"splice_write", by_splice_write, true},
    {"uring_read", by_uring_read, false},
    {"uring_recv", by_uring_recv, false},
    {"uring_recv_async", by_uring_recv_async, false},
    {"uring_readv", by_uring_readv, false},
    {"uring_recvmsg", by_uring_recvmsg, false},
    {"uring_readv_body", by_uring_readv_body, false},
    {"uring_recvmsg_body", by_uring_recvmsg_body, false},
    {"uring_recv_multishot", by_uring_recv_multishot, false},
    {"uring_write", by_uring_write, false},
    {"uring_send", by_uring_send, false},
    {"uring_send_async", by_uring_send_async, false},
    {"uring_writev", by_uring_writev, false},
    {"uring_sendmsg", by_uring_sendmsg, false},
    {"uring_writev_body", by_uring_writev_body, true},
    {"uring_sendmsg_body", by_uring_sendmsg_body, true},
};

const struct way* find_way(const char* name) {
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (!strcmp(ways[i].name, name)) return &ways[i];
    return NULL;
}
