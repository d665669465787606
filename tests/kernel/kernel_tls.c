// SPDX-License-Identifier: Apache-2.0
// Kernel TLS that no library is seen to use, as by a program whose library cannot be read: talks HTTP/1.1 with itself
// over one connection, keys set on both ends, and says "done" or "failed: …". Its first argument is how many requests;
// with a second one it waits for a line before it begins.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int check(int result, const char* what) {
    if (result >= 0) return result;
    printf("failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void encrypt(int end) {
    struct tls12_crypto_info_aes_gcm_128 keys = {
        .info = {.version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128}};
    memset(keys.key, 7, sizeof(keys.key));
    check(setsockopt(end, SOL_TCP, TCP_ULP, "tls", sizeof("tls")), "TCP_ULP");
    check(setsockopt(end, SOL_TLS, TLS_TX, &keys, sizeof(keys)), "TLS_TX");
    check(setsockopt(end, SOL_TLS, TLS_RX, &keys, sizeof(keys)), "TLS_RX");
}

static void move(int from, int to, const char* text) {
    char buffer[256];
    const ssize_t size = strlen(text);
    if (check(send(from, text, size, 0), "send") != size ||
        check(recv(to, buffer, sizeof(buffer), 0), "recv") != size || memcmp(buffer, text, size) != 0) {
        printf("failed: other bytes\n");
        exit(1);
    }
}

int main(int argc, char** argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (argc > 2) getchar();
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(bind(listener, (struct sockaddr*)&address, size), "bind");
    check(listen(listener, 1), "listen");
    check(getsockname(listener, (struct sockaddr*)&address, &size), "getsockname");
    const int client = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(connect(client, (struct sockaddr*)&address, size), "connect");
    const int server = check(accept(listener, NULL, NULL), "accept");
    encrypt(client);
    encrypt(server);
    for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 1); i++) {
        move(client, server, "GET /kernel-tls HTTP/1.1\r\nHost: a\r\n\r\n");
        move(server, client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    }
    close(client);
    close(server);
    printf("done\n");
    return 0;
}
