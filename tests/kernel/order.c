// SPDX-License-Identifier: Apache-2.0
// Order: exchanges over loopback in which positions and the order of events are hard to tell. Commands
// come a line each on standard input, "done" or "failed: …" answers each:
//   CASE COUNT REQUEST RESPONSE TAG
//     COUNT exchanges POST /TAG/I with bodies of REQUEST bytes, answered 200 with RESPONSE bytes. CASE is
//     a form (order_forms.c) or a script (order_scripts.c, order_threads.c).
#define _GNU_SOURCE
#include "order.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void check(bool is_fine, const char* what) {
    if (is_fine) return;
    printf("failed: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

// ---- sockets

static struct sockaddr_in loopback(void) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void bind_loopback(int fd) {
    const struct sockaddr_in address = loopback();
    check(bind(fd, (const struct sockaddr*)&address, sizeof(address)) == 0, "bind");
}

int open_listener(int protocol) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    check(fd >= 0, "socket");
    bind_loopback(fd);
    check(listen(fd, 16) == 0, "listen");
    return fd;
}

void connect_to(int fd, int listener) {
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    check(getsockname(listener, (struct sockaddr*)&address, &size) == 0, "getsockname");
    check(connect(fd, (const struct sockaddr*)&address, sizeof(address)) == 0, "connect");
}

int open_client(int protocol, int listener) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    check(fd >= 0, "socket");
    connect_to(fd, listener);
    return fd;
}

void open_pair(struct talk* talk, int listener_protocol, int client_protocol) {
    talk->listener = open_listener(listener_protocol);
    talk->client = open_client(client_protocol, talk->listener);
    talk->server = accept(talk->listener, NULL, NULL);
    check(talk->server >= 0, "accept");
}

void close_pair(struct talk* talk) {
    close(talk->client);
    close(talk->server);
    close(talk->listener);
}

void wait_for_events(int fd, short events) {
    struct pollfd one = {.fd = fd, .events = events};
    check(poll(&one, 1, 20000) == 1, "poll");
}

// ---- messages

static struct message make(const char* head, size_t body) {
    static const char lure[] =
        "GET /invented HTTP/1.1\r\nHost: nowhere\r\n\r\nHTTP/1.1 299 Invented\r\nContent-Length: 0\r\n\r\n";
    struct message message = {.head = strlen(head), .size = strlen(head) + body};
    message.bytes = malloc(message.size + 1);
    check(message.bytes, "memory");
    memcpy(message.bytes, head, message.head);
    for (size_t i = 0; i < body; i++) message.bytes[message.head + i] = lure[i % (sizeof(lure) - 1)];
    return message;
}

struct message request_of(const struct talk* talk, int i) {
    char head[256];
    snprintf(head, sizeof(head), "POST /%s/%d HTTP/1.1\r\nHost: order\r\nContent-Length: %zu\r\n\r\n", talk->tag, i,
             talk->request);
    return make(head, talk->request);
}

struct message response_sized(size_t body) {
    char head[128];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    return make(head, body);
}

struct message response_of(const struct talk* talk) { return response_sized(talk->response); }

void free_message(struct message* message) { free(message->bytes); }

void write_all(int fd, const char* bytes, size_t size) {
    for (size_t sent = 0; sent < size;) {
        const ssize_t moved = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL);
        check(moved > 0, "send");
        sent += (size_t)moved;
    }
}

void write_plainly(int fd, const struct message* message) { write_all(fd, message->bytes, message->size); }

void read_plainly(int fd, const struct message* message) {
    char* bytes = malloc(message->size);
    for (size_t got = 0; got < message->size;) {
        const ssize_t moved = recv(fd, bytes + got, message->size - got, 0);
        check(moved > 0, "recv");
        got += (size_t)moved;
    }
    check(memcmp(bytes, message->bytes, message->size) == 0, "the bytes that were sent");
    free(bytes);
}

struct reading {
    int fd;
    const struct message* message;
    const struct form* form;
};

static void* read_aside(void* argument) {
    const struct reading* reading = argument;
    reading->form->read(reading->fd, reading->message);
    return NULL;
}

void transfer(int from, int to, const struct message* message, const struct form* form) {
    struct reading reading = {to, message, form};
    pthread_t thread;
    check(pthread_create(&thread, NULL, read_aside, &reading) == 0, "a thread");
    form->write(from, message);
    pthread_join(thread, NULL);
}

void exchange(struct talk* talk, int i, const struct form* form) {
    struct message request = request_of(talk, i), response = response_of(talk);
    transfer(talk->client, talk->server, &request, form);
    transfer(talk->server, talk->client, &response, form);
    free_message(&request);
    free_message(&response);
}

// ---- commands

static void run_form(struct talk* talk, const struct form* form) {
    open_pair(talk, form->listener_protocol, form->client_protocol);
    if (form->prepare) {
        form->prepare(talk->client);
        form->prepare(talk->server);
    }
    for (int i = 0; i < talk->count; i++) exchange(talk, i, form);
    close_pair(talk);
}

static void run(const char* line) {
    char name[64], tag[64];
    struct talk talk = {.tag = tag};
    const int n = sscanf(line, "%63s %d %zu %zu %63s", name, &talk.count, &talk.request, &talk.response, tag);
    check(n == 5, "five words");
    const struct form* form = find_form(name);
    const struct script* script = find_script(name);
    check(form || script, "a known case");
    if (form)
        run_form(&talk, form);
    else
        script->run(&talk);
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
