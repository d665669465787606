// SPDX-License-Identifier: Apache-2.0
// Ways: talks HTTP/1.1 with itself over every family and every system call that moves bytes on a
// stream socket. Commands come a line each on standard input, "done" or "failed: …" answers each:
//   FAMILY READ WRITE BODY COUNT TAG
//     COUNT exchanges on one connection; request POST /TAG/I with a body of 100 bytes, response 200
//     with one of BODY bytes. Both ends read by READ and write by WRITE.
//   duplex COUNT TAG    one writer and one reader thread on the client's end, pipelined; "warm" after
//                       ten exchanges, goes on at the next line
//   pieces COUNT TAG    one response, in COUNT writes of 100 bytes; "answered" when it was read, ends
//                       at the next line
//   crowd THREADS COUNT TAG   THREADS threads, each blocked in read on a connection of its own; "blocked" when they
//                       are, and at the next line COUNT exchanges on each, all of them between two of one
//   late FAMILY TAG     one exchange whose answer is read when both ends have closed; "closed" before
//                       that, goes on at the next line
#define _GNU_SOURCE
#include "ways.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_BODY = 100, BUFFER = 1 << 20, WARM_UP = 10 };

struct talk {
    const struct way *read, *write;
    int listener;
    size_t chunk;  // most that one call reads
    size_t body;
    int count;
    char tag[64];
};

static char problem[256];

static void check(bool is_fine, const char* what) {
    if (is_fine) return;
    snprintf(problem, sizeof(problem), "%s: %s", what, strerror(errno));
    printf("failed: %s\n", problem);
    fflush(stdout);
    exit(1);
}

static void wait_for_line(const char* state) {
    char line[64];
    printf("%s\n", state);
    fflush(stdout);
    check(fgets(line, sizeof(line), stdin), "a line");
}

// ---- sockets

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static socklen_t make_address(const char* family, union address* address, bool is_server) {
    memset(address, 0, sizeof(*address));
    if (!strcmp(family, "unix")) {
        address->un.sun_family = AF_UNIX;
        return offsetof(struct sockaddr_un, sun_path) +
               snprintf(address->un.sun_path + 1, sizeof(address->un.sun_path) - 1, "waggle-ways-%d", getpid()) + 1;
    }
    if (!strcmp(family, "ipv6") || (!strcmp(family, "mapped") && is_server)) {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_addr = strcmp(family, "ipv6") ? in6addr_any : in6addr_loopback;
        return sizeof(address->in6);
    }
    address->in.sin_family = AF_INET;
    address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(address->in);
}

static int open_socket(const char* family, const union address* address) {
    const int protocol = strcmp(family, "mptcp") ? 0 : 262;
    const int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    check(fd >= 0, "socket");
    return fd;
}

static int open_listener(const char* family) {
    union address address;
    const socklen_t size = make_address(family, &address, true);
    const int fd = open_socket(family, &address);
    check(bind(fd, &address.any, size) == 0, "bind");
    check(listen(fd, 16) == 0, "listen");
    return fd;
}

static int open_client(const char* family, int listener) {
    union address bound, address;
    socklen_t bound_size = sizeof(bound);
    check(getsockname(listener, &bound.any, &bound_size) == 0, "getsockname");
    const socklen_t size = make_address(family, &address, false);
    if (address.any.sa_family == AF_INET) address.in.sin_port = bound.in.sin_port;
    if (address.any.sa_family == AF_INET6) address.in6.sin6_port = bound.in6.sin6_port;
    const int fd = open_socket(family, &address);
    check(connect(fd, &address.any, size) == 0, "connect");
    return fd;
}

// ---- messages

static size_t content_length(const char* head) {
    const char* found = strcasestr(head, "content-length:");
    return found ? strtoul(found + 15, NULL, 10) : 0;
}

// Reads one message; false at the end of the stream. `left` bytes of the next one stay in the buffer.
static bool read_message(const struct talk* talk, int fd, char* buffer, size_t* left) {
    const struct way* way = talk->read;
    size_t have = *left, whole = 0;
    for (;;) {
        buffer[have] = 0;
        char* end = strstr(buffer, "\r\n\r\n");
        if (end) whole = (size_t)(end + 4 - buffer) + content_length(buffer);
        if (whole && have >= whole) break;
        const size_t room = BUFFER - 1 - have;
        const ssize_t got = way->move(fd, buffer + have, talk->chunk < room ? talk->chunk : room, whole != 0);
        check(got >= 0, way->name);
        if (got == 0) return false;
        have += (size_t)got;
    }
    memmove(buffer, buffer + whole, have - whole);
    *left = have - whole;
    return true;
}

static void write_message(const struct way* way, int fd, const char* head, size_t body) {
    const size_t size = strlen(head);
    char* message = malloc(size + body);
    memcpy(message, head, size);
    memset(message + size, 'b', body);
    for (size_t sent = 0; sent < size + body;) {
        // Pages carry no head: what sendfile and splice move is a body.
        const bool is_body = sent >= size;
        const size_t part = way->is_body_only && !is_body ? size - sent : size + body - sent;
        const ssize_t moved = way->move(fd, message + sent, part, is_body);
        check(moved > 0, way->name);
        sent += (size_t)moved;
    }
    free(message);
}

static void write_request(const struct talk* talk, int fd, int i) {
    char head[256];
    snprintf(head, sizeof(head), "POST /%s/%d HTTP/1.1\r\nHost: ways\r\nContent-Length: %d\r\n\r\n", talk->tag, i,
             REQUEST_BODY);
    write_message(talk->write, fd, head, REQUEST_BODY);
}

static void write_response(const struct talk* talk, int fd, size_t body) {
    char head[128];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    write_message(talk->write, fd, head, body);
}

// ---- commands

static void* serve(void* argument) {
    const struct talk* talk = argument;
    const int fd = accept(talk->listener, NULL, NULL);
    check(fd >= 0, "accept");
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    for (int i = 0; read_message(talk, fd, buffer, &left); i++) write_response(talk, fd, talk->body);
    free(buffer);
    close(fd);
    return NULL;
}

static void run_exchanges(const char* family, struct talk* talk) {
    pthread_t server;
    talk->listener = open_listener(family);
    pthread_create(&server, NULL, serve, talk);
    const int fd = open_client(family, talk->listener);
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    for (int i = 0; i < talk->count; i++) {
        write_request(talk, fd, i);
        check(read_message(talk, fd, buffer, &left), "an answer");
    }
    free(buffer);
    shutdown(fd, SHUT_WR);  // a request of io_uring that is still armed keeps the socket open
    close(fd);
    pthread_join(server, NULL);
    close(talk->listener);
}

// The body's size tells which request was answered.
static void* serve_numbered(void* argument) {
    const struct talk* talk = argument;
    const int fd = accept(talk->listener, NULL, NULL);
    check(fd >= 0, "accept");
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    for (size_t i = 0; read_message(talk, fd, buffer, &left); i++) write_response(talk, fd, i % 500);
    free(buffer);
    close(fd);
    return NULL;
}

struct writer {
    const struct talk* talk;
    int fd;
};

static void* write_all(void* argument) {
    const struct writer* writer = argument;
    for (int i = WARM_UP; i < writer->talk->count; i++) write_request(writer->talk, writer->fd, i);
    return NULL;
}

static void run_duplex(struct talk* talk) {
    pthread_t server, writing;
    talk->listener = open_listener("ipv4");
    pthread_create(&server, NULL, serve_numbered, talk);
    struct writer writer = {talk, open_client("ipv4", talk->listener)};
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    // A few pipelined requests first, so that the agent knows what it looks at.
    for (int i = 0; i < WARM_UP; i++) write_request(talk, writer.fd, i);
    for (int i = 0; i < WARM_UP; i++) check(read_message(talk, writer.fd, buffer, &left), "an answer");
    wait_for_line("warm");
    pthread_create(&writing, NULL, write_all, &writer);
    for (int i = WARM_UP; i < talk->count; i++) check(read_message(talk, writer.fd, buffer, &left), "an answer");
    free(buffer);
    pthread_join(writing, NULL);
    close(writer.fd);
    pthread_join(server, NULL);
    close(talk->listener);
}

static void* serve_pieces(void* argument) {
    const struct talk* talk = argument;
    const int fd = accept(talk->listener, NULL, NULL);
    check(fd >= 0, "accept");
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    check(read_message(talk, fd, buffer, &left), "a request");
    char head[128], piece[100];
    const int size = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 100 * talk->count);
    check(write(fd, head, (size_t)size) == size, "write");
    memset(piece, 'p', sizeof(piece));
    for (int i = 0; i < talk->count; i++) check(write(fd, piece, sizeof(piece)) == sizeof(piece), "write");
    // Open until the client has looked at what is known of the exchange meanwhile.
    while (read_message(talk, fd, buffer, &left)) {
    }
    free(buffer);
    close(fd);
    return NULL;
}

static void run_pieces(struct talk* talk) {
    pthread_t server;
    talk->listener = open_listener("ipv4");
    pthread_create(&server, NULL, serve_pieces, talk);
    const int fd = open_client("ipv4", talk->listener);
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    write_request(talk, fd, 0);
    check(read_message(talk, fd, buffer, &left), "an answer");
    free(buffer);
    wait_for_line("answered");
    close(fd);
    pthread_join(server, NULL);
    close(talk->listener);
}

// The answer is read long after the connection has ended in the kernel: both ends have said that they
// send no more.
static void run_late(const char* family, struct talk* talk) {
    pthread_t server;
    talk->listener = open_listener(family);
    talk->body = 3000;
    pthread_create(&server, NULL, serve, talk);
    const int fd = open_client(family, talk->listener);
    write_request(talk, fd, 0);
    check(shutdown(fd, SHUT_WR) == 0, "shutdown");
    struct pollfd hung_up = {.fd = fd, .events = POLLRDHUP};
    while (!(hung_up.revents & POLLHUP)) check(poll(&hung_up, 1, 10000) == 1, "poll");
    pthread_join(server, NULL);
    wait_for_line("closed");
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    check(read_message(talk, fd, buffer, &left), "an answer");
    free(buffer);
    close(fd);
    close(talk->listener);
}

// ---- many threads that wait in a read

static char thread_state(long thread) {
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", thread);
    FILE* file = fopen(path, "r");
    check(file && fgets(text, sizeof(text), file), path);
    fclose(file);
    const char* end = strrchr(text, ')');  // of its name
    return end ? end[2] : 0;
}

struct waiter {
    struct talk talk;  // its listener is the accepted connection
    pthread_t thread;
    _Atomic long number;  // the kernel's, once it is about to read
    int client;
};

static void* wait_in_read(void* argument) {
    struct waiter* waiter = argument;
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    waiter->number = gettid();
    while (read_message(&waiter->talk, waiter->talk.listener, buffer, &left))
        write_response(&waiter->talk, waiter->talk.listener, 10);
    free(buffer);
    close(waiter->talk.listener);
    return NULL;
}

static void run_crowd(int threads, struct talk* talk) {
    struct waiter* waiters = calloc((size_t)threads, sizeof(*waiters));
    char* buffer = malloc(BUFFER);
    size_t left = 0;
    const int listener = open_listener("ipv4");
    for (int i = 0; i < threads; i++) {
        waiters[i].talk = *talk;
        waiters[i].client = open_client("ipv4", listener);
        waiters[i].talk.listener = accept(listener, NULL, NULL);
        check(waiters[i].talk.listener >= 0, "accept");
        pthread_create(&waiters[i].thread, NULL, wait_in_read, &waiters[i]);
    }
    // From the store of its number on a thread sleeps nowhere but in its read.
    for (int i = 0; i < threads; i++)
        while (!waiters[i].number || thread_state(waiters[i].number) != 'S') usleep(1000);
    wait_for_line("blocked");
    for (int round = 0; round < talk->count; round++) {
        for (int i = 0; i < threads; i++) write_request(talk, waiters[i].client, round * threads + i);
        for (int i = 0; i < threads; i++) check(read_message(talk, waiters[i].client, buffer, &left), "an answer");
    }
    for (int i = 0; i < threads; i++) {
        close(waiters[i].client);
        pthread_join(waiters[i].thread, NULL);
    }
    free(buffer);
    free(waiters);
    close(listener);
}

static void run(char* line) {
    char words[6][64] = {};
    const int n =
        sscanf(line, "%63s %63s %63s %63s %63s %63s", words[0], words[1], words[2], words[3], words[4], words[5]);
    struct talk talk = {.read = find_way("read"), .write = find_way("write"), .chunk = BUFFER};
    if (n == 3) {
        talk.count = atoi(words[1]);
        memcpy(talk.tag, words[2], sizeof(talk.tag));
        if (!strcmp(words[0], "late")) return run_late(words[1], &talk);
        talk.chunk = 8192;
        if (!strcmp(words[0], "duplex"))
            run_duplex(&talk);
        else
            run_pieces(&talk);
        return;
    }
    if (n == 4 && !strcmp(words[0], "crowd")) {
        talk.count = atoi(words[2]);
        memcpy(talk.tag, words[3], sizeof(talk.tag));
        return run_crowd(atoi(words[1]), &talk);
    }
    check(n == 6, "six words");
    talk.read = find_way(words[1]);
    talk.write = find_way(words[2]);
    check(talk.read && talk.write, "a known way");
    talk.body = strtoul(words[3], NULL, 10);
    talk.count = atoi(words[4]);
    memcpy(talk.tag, words[5], sizeof(talk.tag));
    run_exchanges(words[0], &talk);
}

int main(void) {
    char line[512];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        run(line);
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}
