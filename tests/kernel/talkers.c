// SPDX-License-Identifier: Apache-2.0
// Talks with itself what needs more of a kernel than byte streams, and says "done" or "failed: …":
//   talkers names     questions and answers of DNS over UDP, by each form of call, from a socket with and without a
//   peer talkers messages  PostgreSQL, several statements a call behind a long one
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROUNDS = 3, STATEMENTS = 3, LONG = 40000 };

static long check(long result, const char* what) {
    if (result >= 0) return result;
    printf("failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// ---- DNS

static size_t question(char* to, int id, const char* label) {
    memset(to, 0, 12);
    to[0] = id >> 8, to[1] = id, to[2] = 1 /* recursion desired */, to[5] = 1;
    char* at = to + 12;
    *at = strlen(label);
    memcpy(at + 1, label, strlen(label));
    at += 1 + strlen(label);
    memcpy(at, "\4test\0\0\1\0\1", 10);
    return at + 10 - to;
}

static void* answer(void* listener) {
    const int socket = *(int*)listener;
    for (;;) {
        char text[512];
        struct sockaddr_in peer;
        struct iovec vector = {text, sizeof(text)};
        struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &vector, .msg_iovlen = 1};
        vector.iov_len = check(recvmsg(socket, &message, 0), "recvmsg");
        text[2] |= 0x80;
        if (text[13] == 'm') text[3] = 3;  // there is no such name
        check(sendmsg(socket, &message, 0), "sendmsg");
    }
    return NULL;
}

// The question, by the form of call that its label names.
static void ask(int id, const char* label) {
    char out[64];
    char in[512];
    const size_t size = question(out, id, label);
    struct sockaddr_in server = loopback(53);
    const int socket_ = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    struct iovec vectors[2] = {{out, size}, {in, sizeof(in)}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &vectors[0], .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &vectors[1], .msg_iovlen = 1}}};
    if (strcmp(label, "apart") == 0) {
        check(sendto(socket_, out, size, 0, (struct sockaddr*)&server, sizeof(server)), "sendto");
        check(recvfrom(socket_, in, sizeof(in), 0, NULL, NULL), "recvfrom");
    } else {
        check(connect(socket_, (struct sockaddr*)&server, sizeof(server)), "connect");
        if (strcmp(label, "several") == 0) {
            check(sendmmsg(socket_, &messages[0], 1, 0), "sendmmsg");
            check(recvmmsg(socket_, &messages[1], 1, 0, NULL), "recvmmsg");
        } else {
            check(write(socket_, out, size), "write");
            check(read(socket_, in, sizeof(in)), "read");
        }
    }
    close(socket_);
}

static void names(void) {
    int listener = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    struct sockaddr_in address = loopback(53);
    check(bind(listener, (struct sockaddr*)&address, sizeof(address)), "bind");
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, &listener)) check(-1, "pthread_create");
    ask(1, "plain");
    ask(2, "apart");
    ask(3, "several");
    ask(4, "missing");
}

// ---- PostgreSQL

static size_t message(char* to, char type, const char* text, size_t size) {
    const uint32_t length = htonl(4 + size);
    *to = type;
    memcpy(to + 1, &length, 4);
    memcpy(to + 5, text, size);
    return 5 + size;
}

static void take(int from, size_t size) {
    char text[65536];
    while (size) {
        const size_t got = check(read(from, text, size < sizeof(text) ? size : sizeof(text)), "read");
        if (!got) check(-1, "end");
        size -= got;
    }
}

static void pass(int from, int to, const char* text, size_t size) {
    if (check(write(from, text, size), "write") != (long)size) check(-1, "short write");
    take(to, size);
}

static void messages(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(bind(listener, (struct sockaddr*)&address, size), "bind");
    check(listen(listener, 1), "listen");
    check(getsockname(listener, (struct sockaddr*)&address, &size), "getsockname");
    const int client = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(connect(client, (struct sockaddr*)&address, size), "connect");
    const int server = check(accept(listener, NULL, NULL), "accept");
    const int room = 1 << 20;
    setsockopt(client, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    pass(client, server, "\0\0\0\x10\0\3\0\0user\0a\0\0", 17 - 1);
    pass(server, client, "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I", 15);
    static char text[LONG + 1000];
    static char statement[LONG];
    for (int round = 0; round < ROUNDS; round++) {
        size_t at = 0;
        if (round) {  // after the first one is known what the connection speaks
            memset(statement, 'x', sizeof(statement));
            memcpy(statement, "SELECT 1 -- ", 12);
            statement[LONG - 1] = 0;
            at = message(text, 'Q', statement, LONG);
        }
        for (int i = round ? 1 : 0; i < STATEMENTS; i++) {
            const int length = sprintf(statement, "SELECT a FROM r%d_%d", round, i);
            at += message(text + at, 'Q', statement, length + 1);
        }
        pass(client, server, text, at);
        at = 0;
        for (int i = 0; i < STATEMENTS; i++) {
            at += message(text + at, 'C', "SELECT 0", 9);
            at += message(text + at, 'Z', "I", 1);
        }
        pass(server, client, text, at);
        usleep(1000000);  // the connection's rule is told meanwhile
    }
    close(client);
    close(server);
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "names") == 0)
        names();
    else
        messages();
    printf("done\n");
    return 0;
}
