// SPDX-License-Identifier: Apache-2.0
// An HTTPS service with its TLS library linked in. "serve PORT CERTIFICATE KEY": one connection after the other, each
// request is answered with "hello"; on every second connection it is looked at first, and taken in parts. "call PORT":
// a line with a path on standard input is a request on the one connection that it keeps.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int is_fine, const char* what) {
    if (is_fine) return;
    perror(what);
    exit(1);
}

static SSL* session_on(SSL_CTX* context, int socket) {
    SSL* session = SSL_new(context);
    check(session && SSL_set_fd(session, socket), "SSL_new");
    return session;
}

// By SSL_peek, whose record comes from the socket before anything is read.
static int peek_and_read(SSL* session, char* buffer, int size) {
    const int there = SSL_peek(session, buffer, size);
    int taken = 0, part = 1;
    for (; taken < there && part > 0; taken += part > 0 ? part : 0)
        part = SSL_read(session, buffer + taken, (there - taken + 1) / 2);
    return taken;
}

static void serve(const char* port, const char* certificate, const char* key) {
    const char* answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    check(bind(listener, (struct sockaddr*)&address, sizeof(address)) == 0 && listen(listener, 64) == 0, "listen");
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    check(SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
              SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1,
          "certificate");
    for (int peeks = 0;;) {
        const int connection = accept(listener, NULL, NULL);
        SSL* session = session_on(context, connection);
        char buffer[4096];
        if (SSL_accept(session) == 1) {
            while ((peeks ? peek_and_read(session, buffer, sizeof(buffer))
                          : SSL_read(session, buffer, sizeof(buffer))) > 0)
                SSL_write(session, answer, strlen(answer));
            peeks = !peeks;
        }
        SSL_free(session);
        close(connection);
    }
}

static void call(const char* port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    char path[256], buffer[4096];
    SSL* session = NULL;
    while (fgets(path, sizeof(path), stdin)) {
        path[strcspn(path, "\n")] = 0;
        if (!session) {
            check(connect(connection, (struct sockaddr*)&address, sizeof(address)) == 0, "connect");
            session = session_on(SSL_CTX_new(TLS_client_method()), connection);
            check(SSL_connect(session) == 1, "SSL_connect");
        }
        const int size = snprintf(buffer, sizeof(buffer), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
        size_t moved;
        check(SSL_write_ex(session, buffer, size, &moved) == 1 &&
                  SSL_read_ex(session, buffer, sizeof(buffer), &moved) == 1,
              "a request");
        printf("answered\n");
        fflush(stdout);
    }
}

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && !strcmp(argv[1], "serve")) serve(argv[2], argv[3], argv[4]);
    if (argc == 3 && !strcmp(argv[1], "call")) call(argv[2]);
    return 1;
}
