// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "order.h"

static void set_option(int fd, int level, int option, int value) {
    check(setsockopt(fd, level, option, &value, sizeof(value)) == 0, "setsockopt");
}

// ---- looks before it reads

static void read_after_peeks(int fd, const struct message* message) {
    char* bytes = malloc(message->size);
    for (size_t got = 0; got < message->size;) {
        char few[10];
        check(recv(fd, few, sizeof(few), MSG_PEEK) > 0, "a short look");
        ssize_t seen = 0;
        for (int i = 0; i < 3; i++) seen = recv(fd, bytes + got, message->size - got, MSG_PEEK);
        check(seen > 0, "a look");
        // Part of what was seen, so that the next look overlaps.
        const ssize_t moved = recv(fd, bytes + got, (size_t)(seen > 20 ? seen - 10 : seen), 0);
        check(moved > 0, "recv");
        got += (size_t)moved;
    }
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

// ---- own packets that come back by the error queue, headers included

static void want_stamps(int fd) {
    set_option(fd, SOL_SOCKET, SO_TIMESTAMPING,
               SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK |
                   SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID);
}

static size_t read_errors(int fd, bool* has_text) {
    char bytes[4096], control[512];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    size_t count = 0;
    for (;; count++) {
        header.msg_controllen = sizeof(control);
        const ssize_t got = recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (got < 0) return count;
        if (has_text && memmem(bytes, (size_t)got, "HTTP/1.1", 8)) *has_text = true;
    }
}

static void write_with_stamps(int fd, const struct message* message) {
    bool has_text = false;
    write_all(fd, message->bytes, message->size);
    while (!has_text) {
        wait_for_events(fd, 0);  // POLLERR
        check(read_errors(fd, &has_text) > 0, "a time stamp");
    }
}

static void allow_zerocopy(int fd) { set_option(fd, SOL_SOCKET, SO_ZEROCOPY, 1); }

static void write_without_copy(int fd, const struct message* message) {
    size_t calls = 0;
    for (size_t sent = 0; sent < message->size; calls++) {
        const ssize_t moved = send(fd, message->bytes + sent, message->size - sent, MSG_ZEROCOPY);
        check(moved > 0, "send");
        sent += (size_t)moved;
    }
    // Notifications may be joined, so at least one; the memory is ours until the last.
    size_t told = 0;
    while (!told) {
        wait_for_events(fd, 0);
        told += read_errors(fd, NULL);
    }
    check(told <= calls, "notifications");
}

// ---- urgent data: a newline before a request, which HTTP allows

static bool is_request(const struct message* message) { return message->bytes[0] == 'P'; }

static void write_after_urgent(int fd, const struct message* message) {
    if (is_request(message)) check(send(fd, "\n", 1, MSG_OOB) == 1, "urgent");
    write_plainly(fd, message);
}

static void read_after_urgent(int fd, const struct message* message) {
    char byte = 0;
    if (is_request(message)) wait_for_events(fd, POLLPRI);
    if (is_request(message)) check(recv(fd, &byte, 1, MSG_OOB) == 1 && byte == '\n', "the urgent byte");
    read_plainly(fd, message);
}

static void want_urgent_inline(int fd) { set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1); }

static void read_urgent_inline(int fd, const struct message* message) {
    char byte = 0;
    if (is_request(message)) check(recv(fd, &byte, 1, 0) == 1 && byte == '\n', "the urgent byte");
    read_plainly(fd, message);
}

// ---- bodies that go through pipes

static void read_head_then_splice(int fd, const struct message* message) {
    const struct message head = {message->bytes, message->head, message->head};
    read_plainly(fd, &head);
    int pipes[2];
    check(pipe(pipes) == 0, "pipe");
    char* bytes = malloc(message->size);
    for (size_t got = message->head; got < message->size;) {
        size_t want = message->size - got;
        ssize_t moved = splice(fd, NULL, pipes[1], NULL, want < 65536 ? want : 65536, 0);
        check(moved > 0, "splice");
        check(read(pipes[0], bytes, (size_t)moved) == moved, "read");
        check(memcmp(bytes, message->bytes + got, (size_t)moved) == 0, "the bytes that were sent");
        got += (size_t)moved;
    }
    free(bytes);
    close(pipes[0]);
    close(pipes[1]);
}

static void write_head_then_splice(int fd, const struct message* message) {
    write_all(fd, message->bytes, message->head);
    int pipes[2];
    check(pipe(pipes) == 0, "pipe");
    for (size_t sent = message->head; sent < message->size;) {
        const size_t want = message->size - sent;
        const ssize_t put = write(pipes[1], message->bytes + sent, want < 65536 ? want : 65536);
        check(put > 0, "write");
        check(splice(pipes[0], NULL, fd, NULL, (size_t)put, 0) == put, "splice");
        sent += (size_t)put;
    }
    close(pipes[0]);
    close(pipes[1]);
}

// ---- in pieces

static void want_small_buffer(int fd) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, 20000);
    check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
}

// Takes what fits, and asks again too early as well as in time.
static void write_what_fits(int fd, const struct message* message) {
    for (size_t sent = 0; sent < message->size;) {
        const ssize_t moved = send(fd, message->bytes + sent, message->size - sent, 0);
        check(moved > 0 || errno == EAGAIN, "send");
        if (moved > 0)
            sent += (size_t)moved;
        else
            wait_for_events(fd, POLLOUT);
    }
}

static void read_what_is_there(int fd, const struct message* message) {
    char* bytes = malloc(message->size);
    for (size_t got = 0; got < message->size;) {
        const ssize_t moved = recv(fd, bytes + got, message->size - got, 0);
        check(moved > 0 || errno == EAGAIN, "recv");
        if (moved > 0)
            got += (size_t)moved;
        else
            wait_for_events(fd, POLLIN);
    }
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

static void write_more(int fd, const struct message* message) {
    const size_t cuts[] = {0, 3, 9, message->head - 2, message->head, message->size};
    for (int i = 0; i < 5; i++) {
        const ssize_t size = (ssize_t)(cuts[i + 1] - cuts[i]);
        if (size) check(send(fd, message->bytes + cuts[i], (size_t)size, i < 4 ? MSG_MORE : 0) == size, "send");
    }
}

static void write_corked(int fd, const struct message* message) {
    set_option(fd, IPPROTO_TCP, TCP_CORK, 1);
    write_all(fd, message->bytes, 5);
    write_all(fd, message->bytes + 5, message->head - 5);
    write_all(fd, message->bytes + message->head, message->size - message->head);
    set_option(fd, IPPROTO_TCP, TCP_CORK, 0);
}

static void write_several(int fd, const struct message* message) {
    struct iovec parts[3] = {{message->bytes, 10},
                             {message->bytes + 10, message->head - 10},
                             {message->bytes + message->head, message->size - message->head}};
    struct mmsghdr messages[3] = {};
    for (int i = 0; i < 3; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    check(sendmmsg(fd, messages, 3, 0) == 3, "sendmmsg");
    for (int i = 0; i < 3; i++) check(messages[i].msg_len == parts[i].iov_len, "all of a message");
}

// The head in the first message of a call, the body in the others.
static void read_several(int fd, const struct message* message) {
    char* bytes = malloc(message->size);
    const size_t half = message->head + (message->size - message->head) / 2;
    struct iovec parts[3] = {
        {bytes, message->head}, {bytes + message->head, half - message->head}, {bytes + half, message->size - half}};
    struct mmsghdr messages[3] = {};
    for (int i = 0; i < 3; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    check(recvmmsg(fd, messages, 3, MSG_WAITALL, NULL) == 3, "recvmmsg");
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

static void read_waiting_for_all(int fd, const struct message* message) {
    char* bytes = malloc(message->size);
    check(recv(fd, bytes, message->size, MSG_WAITALL) == (ssize_t)message->size, "all of it");
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

static void read_and_discard(int fd, const struct message* message) {
    const struct message head = {message->bytes, message->head, message->head};
    read_plainly(fd, &head);
    for (size_t got = message->head; got < message->size;) {
        const ssize_t moved = recv(fd, NULL, message->size - got, MSG_TRUNC);
        check(moved > 0, "recv");
        got += (size_t)moved;
    }
}

// A call for nothing waits until something has come, or says that it has: .NET does so before it takes a
// buffer. It is no end of the stream.
static void read_after_nothing(int fd, const struct message* message) {
    check(recv(fd, NULL, 0, 0) == 0, "recv of nothing");
    wait_for_events(fd, POLLIN);
    check(recv(fd, NULL, 0, 0) == 0, "recv of nothing");
    const struct message front = {message->bytes, 9, 9};
    read_plainly(fd, &front);
    check(recv(fd, NULL, 0, MSG_DONTWAIT) == 0 || errno == EAGAIN, "recv of nothing");
    const struct message head = {message->bytes + 9, 0, message->head - 9};
    read_plainly(fd, &head);
    check(recv(fd, NULL, 0, MSG_DONTWAIT) == 0 || errno == EAGAIN, "recv of nothing");
    const struct message body = {message->bytes + message->head, 0, message->size - message->head};
    read_plainly(fd, &body);
}

static const struct form forms[] = {
    {"plain", 0, 0, NULL, write_plainly, read_plainly},
    {"peek", 0, 0, NULL, write_plainly, read_after_peeks},
    {"stamps", 0, 0, want_stamps, write_with_stamps, read_plainly},
    {"zerocopy", 0, 0, allow_zerocopy, write_without_copy, read_plainly},
    {"urgent", 0, 0, NULL, write_after_urgent, read_after_urgent},
    {"urgent_inline", 0, 0, want_urgent_inline, write_after_urgent, read_urgent_inline},
    {"splice_in", 0, 0, NULL, write_plainly, read_head_then_splice},
    {"splice_out", 0, 0, NULL, write_head_then_splice, read_plainly},
    {"partial", 0, 0, want_small_buffer, write_what_fits, read_what_is_there},
    {"more", 0, 0, NULL, write_more, read_plainly},
    {"cork", 0, 0, NULL, write_corked, read_plainly},
    {"several", 0, 0, NULL, write_several, read_several},
    {"waitall", 0, 0, NULL, write_plainly, read_waiting_for_all},
    {"discard", 0, 0, NULL, write_plainly, read_and_discard},
    {"nothing", 0, 0, NULL, write_plainly, read_after_nothing},
    {"mptcp", MPTCP, MPTCP, NULL, write_plainly, read_plainly},
    {"mptcp_listener", MPTCP, 0, NULL, write_plainly, read_plainly},
    {"mptcp_client", 0, MPTCP, NULL, write_plainly, read_plainly},
    {"mptcp_peek", MPTCP, MPTCP, NULL, write_plainly, read_after_peeks},
    {"mptcp_nothing", MPTCP, MPTCP, NULL, write_plainly, read_after_nothing},
};

const struct form* find_form(const char* name) {
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (!strcmp(forms[i].name, name)) return &forms[i];
    return NULL;
}
