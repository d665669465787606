// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "order.h"

extern const struct script thread_scripts[];

static void set_option(int fd, int level, int option, int value) {
    check(setsockopt(fd, level, option, &value, sizeof(value)) == 0, "setsockopt");
}

// ---- ends

// All that has come, and the peer's FIN, by the same call.
static void read_with_fin(int fd, const struct message* message) {
    wait_for_events(fd, POLLRDHUP);
    char* bytes = malloc(message->size + 1);
    check(recv(fd, bytes, message->size + 1, 0) == (ssize_t)message->size, "all at once");
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

static void write_then_shut(int fd, const struct message* message) {
    write_plainly(fd, message);
    check(shutdown(fd, SHUT_WR) == 0, "shutdown");
}

static void run_ends(struct talk* talk, void (*read)(int, const struct message*), bool is_asked_again) {
    const struct form plain = {.write = write_plainly, .read = read_plainly};
    const struct form last = {.write = write_then_shut, .read = read};
    for (int i = 0; i < talk->count; i++) {
        open_pair(talk, 0, 0);
        if (i % 2) exchange(talk, i++, &plain);  // one before it on the same connection
        if (i < talk->count) exchange(talk, i, &last);
        char byte;
        if (is_asked_again) {
            check(recv(talk->server, &byte, 1, 0) == 0, "the end");
            check(recv(talk->client, &byte, 1, 0) == 0, "the end");
        }
        close_pair(talk);
    }
}

static void run_fin_with_data(struct talk* talk) { run_ends(talk, read_with_fin, false); }
static void run_fin_after_data(struct talk* talk) { run_ends(talk, read_plainly, true); }

// ---- descriptors: written by one, read by the other; served by whoever has inherited the socket

static void serve_one(struct talk* talk, int i) {
    struct message request = request_of(talk, i), response = response_of(talk);
    read_plainly(talk->server, &request);
    write_plainly(talk->server, &response);
    free_message(&request);
    free_message(&response);
}

static void run_descriptors(struct talk* talk) {
    open_pair(talk, 0, 0);
    const int copy = dup(talk->client);
    check(copy >= 0, "dup");
    for (int i = 0; i < talk->count; i++) {
        struct message request = request_of(talk, i), response = response_of(talk);
        pid_t child = 0;
        if (i % 2) {
            child = fork();
            check(child >= 0, "fork");
            if (child == 0) {
                serve_one(talk, i);
                _exit(0);
            }
        }
        write_plainly(copy, &request);
        if (!child) serve_one(talk, i);
        read_plainly(talk->client, &response);
        int status = 0;
        if (child) check(waitpid(child, &status, 0) == child && status == 0, "the child's answer");
        free_message(&request);
        free_message(&response);
    }
    close(copy);
    close_pair(talk);
}

// ---- a request in the SYN

static void run_fast_open(struct talk* talk) {
    for (int i = 0; i < talk->count; i++) {
        struct message request = request_of(talk, i), response = response_of(talk);
        talk->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bind_loopback(talk->listener);
        set_option(talk->listener, IPPROTO_TCP, TCP_FASTOPEN, 16);
        set_option(talk->listener, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
        check(listen(talk->listener, 16) == 0, "listen");
        talk->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        set_option(talk->client, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
        struct sockaddr_in to;
        socklen_t size = sizeof(to);
        check(getsockname(talk->listener, (struct sockaddr*)&to, &size) == 0, "getsockname");
        check(sendto(talk->client, request.bytes, request.size, MSG_FASTOPEN, (struct sockaddr*)&to, size) ==
                  (ssize_t)request.size,
              "sendto");
        talk->server = accept(talk->listener, NULL, NULL);
        check(talk->server >= 0, "accept");
        read_plainly(talk->server, &request);
        write_plainly(talk->server, &response);
        read_plainly(talk->client, &response);
        struct tcp_info info;
        socklen_t info_size = sizeof(info);
        check(getsockopt(talk->client, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0, "TCP_INFO");
        check(info.tcpi_options & TCPI_OPT_SYN_DATA, "a request in the SYN");
        free_message(&request);
        free_message(&response);
        close_pair(talk);
    }
}

// ---- sequence numbers that wrap

// The client's numbers wrap after a few bytes, a few more on every connection: in a head, in a body and
// on their borders.
static void run_wrap(struct talk* talk) {
    const struct form plain = {.write = write_plainly, .read = read_plainly};
    for (int i = 0; i < talk->count;) {
        talk->listener = open_listener(0);
        talk->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        set_option(talk->client, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
        set_option(talk->client, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
        set_option(talk->client, IPPROTO_TCP, TCP_QUEUE_SEQ, -1 - 5 * i);
        set_option(talk->client, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF);
        connect_to(talk->client, talk->listener);
        talk->server = accept(talk->listener, NULL, NULL);
        check(talk->server >= 0, "accept");
        for (int k = 0; k < 3 && i < talk->count; k++) exchange(talk, i++, &plain);
        close_pair(talk);
    }
}

// More bytes than there are numbers.
static void write_endlessly(int fd, const struct message* message) {
    static int file = -1;
    const off_t block = 64 << 20;
    if (file < 0) {
        file = memfd_create("body", MFD_CLOEXEC);
        check(ftruncate(file, block) == 0, "ftruncate");
    }
    write_all(fd, message->bytes, message->head);
    for (size_t sent = message->head; sent < message->size;) {
        off_t at = 0;
        const size_t rest = message->size - sent;
        const ssize_t moved = sendfile(fd, file, &at, rest < (size_t)block ? rest : (size_t)block);
        check(moved > 0, "sendfile");
        sent += (size_t)moved;
    }
}

static void discard(int fd, const struct message* message) {
    const struct message head = {message->bytes, message->head, message->head};
    read_plainly(fd, &head);
    for (size_t got = message->head; got < message->size;) {
        const ssize_t moved = recv(fd, NULL, message->size - got, MSG_TRUNC);
        check(moved > 0, "recv");
        got += (size_t)moved;
    }
}

static void run_endless(struct talk* talk) {
    const struct form plain = {.write = write_plainly, .read = read_plainly};
    const struct form endless = {.write = write_endlessly, .read = discard};
    open_pair(talk, 0, 0);
    for (int i = 0; i < talk->count; i++) {
        struct message request = request_of(talk, i), response = response_sized(0);
        transfer(talk->client, talk->server, &request, &plain);
        // Only the head is kept in memory.
        const size_t length = response.size;
        response.bytes = realloc(response.bytes, length + 16);
        char* zero = memmem(response.bytes, length, "0\r\n\r\n", 5);
        response.size = response.head = (size_t)(zero - response.bytes);
        for (size_t digits = talk->response, unit = 1000000000000; unit; unit /= 10)
            if (digits >= unit) response.bytes[response.head++] = (char)('0' + digits / unit % 10);
        memcpy(response.bytes + response.head, "\r\n\r\n", 4);
        response.head += 4;
        response.size = response.head + talk->response;
        transfer(talk->server, talk->client, &response, &endless);
        free_message(&request);
        free_message(&response);
    }
    close_pair(talk);
}

// ---- an answer while the request is still being sent

static void* answer_early(void* argument) {
    struct talk* talk = argument;
    for (int i = 0; i < talk->count; i++) {
        struct message request = request_of(talk, i), response = response_of(talk);
        const struct message head = {request.bytes, request.head, request.head};
        const struct message rest = {request.bytes + request.head, 0, request.size - request.head};
        read_plainly(talk->server, &head);
        write_plainly(talk->server, &response);
        read_plainly(talk->server, &rest);
        free_message(&request);
        free_message(&response);
    }
    return NULL;
}

static void run_early(struct talk* talk) {
    open_pair(talk, 0, 0);
    pthread_t server;
    check(pthread_create(&server, NULL, answer_early, talk) == 0, "a thread");
    for (int i = 0; i < talk->count; i++) {
        struct message request = request_of(talk, i), response = response_of(talk);
        check(send(talk->client, request.bytes, request.size, 0) == (ssize_t)request.size, "one blocking send");
        read_plainly(talk->client, &response);
        free_message(&request);
        free_message(&response);
    }
    pthread_join(server, NULL);
    close_pair(talk);
}

static const struct script scripts[] = {
    {"fin_with_data", run_fin_with_data},
    {"fin_after_data", run_fin_after_data},
    {"descriptors", run_descriptors},
    {"fast_open", run_fast_open},
    {"wrap", run_wrap},
    {"endless", run_endless},
    {"early", run_early},
};

const struct script* find_script(const char* name) {
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (!strcmp(scripts[i].name, name)) return &scripts[i];
    for (const struct script* script = thread_scripts; script->name; script++)
        if (!strcmp(script->name, name)) return script;
    return NULL;
}
