// SPDX-License-Identifier: Apache-2.0
// Many connections, long heads, many names and many processes, for tests of limits. `crowd serve PORT` answers every
// request; `crowd load PORT` takes lines: "open N", "heads N BYTES", "churn N", "names N", "forks N", "close", and
// answers each with "done".
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1 << 20, PER_ADDRESS = 20000, CHILDREN = 100 };

static void fail(const char* what) {
    perror(what);
    exit(1);
}

static void raise_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) fail("RLIMIT_NOFILE");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) fail("RLIMIT_NOFILE");
}

static void serve(int port) {
    static unsigned char seen[MOST + 100];  // of "\r\n\r\n", by descriptor
    const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (bind(listener, (struct sockaddr*)&address, sizeof(address)) || listen(listener, 4096)) fail("listen");
    const int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        if (epoll_wait(poll, &event, 1, -1) != 1) continue;
        const int fd = event.data.fd;
        if (fd == listener) {
            const int client = accept(listener, NULL, NULL);
            if (client < 0) fail("accept");
            seen[client] = 0;
            event.data.fd = client;
            epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
            continue;
        }
        char bytes[65536];
        const ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size <= 0) {
            close(fd);
            continue;
        }
        for (ssize_t i = 0; i < size; i++) {
            seen[fd] = bytes[i] == "\r\n\r\n"[seen[fd]] ? seen[fd] + 1 : bytes[i] == '\r';
            if (seen[fd] < 4) continue;
            seen[fd] = 0;
            if (write(fd, answer, sizeof(answer) - 1) != sizeof(answer) - 1) fail("write");
        }
    }
}

static int dial(int port, long number) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(0x7f000001 + number / PER_ADDRESS);
    if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof(address))) fail("connect");
    return fd;
}

static void say(int fd, const char* text, size_t size) {
    while (size > 0) {
        const ssize_t sent = write(fd, text, size);
        if (sent <= 0) fail("write");
        text += sent;
        size -= sent;
    }
}

static void ask(int fd, const char* request) {
    char answer[256];
    say(fd, request, strlen(request));
    if (read(fd, answer, sizeof(answer)) <= 0) fail("read");
}

// As fast as it goes, so many of them alive at a time.
static void make_children(long count) {
    for (long i = 0; i < count; i++) {
        if (i >= CHILDREN && wait(NULL) < 0) fail("wait");
        const pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) _exit(0);
    }
    while (wait(NULL) > 0) {
    }
}

static void load(int port) {
    static int open_fds[MOST];
    long opened = 0;
    char line[128], command[16], text[512];
    while (fgets(line, sizeof(line), stdin)) {
        long count = 0, bytes = 0;
        sscanf(line, "%15s %ld %ld", command, &count, &bytes);
        char* head = NULL;
        if (!strcmp(command, "heads")) {
            head = malloc(bytes);
            memset(head, 'a', bytes);
            memcpy(head, "GET /long HTTP/1.1\r\nX: ", 23);
        }
        const int one = !strcmp(command, "names") ? dial(port, 0) : -1;
        if (!strcmp(command, "forks")) {
            make_children(count);
            count = 0;
        }
        for (long i = 0; i < count; i++) {
            if (one >= 0) {
                snprintf(text, sizeof(text), "M%ld /p/%ld/q%ld HTTP/1.1\r\nHost: h%ld.example\r\nX-%ld: 1\r\n\r\n", i,
                         i, i, i, i);
                ask(one, text);
                continue;
            }
            const int fd = dial(port, opened + (!strcmp(command, "churn") ? i % PER_ADDRESS : 0));
            if (head)
                say(fd, head, bytes);
            else
                ask(fd, "GET /open HTTP/1.1\r\nHost: crowd\r\n\r\n");
            if (!strcmp(command, "churn")) {
                const struct linger now = {1, 0};  // no TIME_WAIT: ports are few
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
                close(fd);
            } else {
                open_fds[opened++] = fd;
            }
        }
        if (one >= 0) close(one);
        if (!strcmp(command, "close"))
            while (opened > 0) close(open_fds[--opened]);
        free(head);
        puts("done");
        fflush(stdout);
    }
}

int main(int count, char** arguments) {
    if (count != 3) return 2;
    raise_files();
    if (!strcmp(arguments[1], "serve"))
        serve(atoi(arguments[2]));
    else
        load(atoi(arguments[2]));
    return 0;
}
