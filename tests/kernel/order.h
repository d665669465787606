// SPDX-License-Identifier: Apache-2.0
// One connection whose two ends are held by the same program, and the messages that go over it. Their
// sizes are known in advance, so that nothing has to be parsed: what a case does to the socket is all
// that it does. Bodies are full of text that looks like requests and responses: whoever reads them at a
// wrong place invents exchanges.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct talk {
    const char* tag;
    int count;
    size_t request, response;  // bytes of bodies
    int listener, client, server;
};

struct message {
    char* bytes;
    size_t head, size;
};

// How one message is written, and how it is read; prepare: options of both ends.
struct form {
    const char* name;
    int listener_protocol, client_protocol;
    void (*prepare)(int fd);
    void (*write)(int fd, const struct message* message);
    void (*read)(int fd, const struct message* message);
};

// What a form cannot say: who does what, when.
struct script {
    const char* name;
    void (*run)(struct talk* talk);
};

enum { MPTCP = 262 };  // IPPROTO_MPTCP

const struct form* find_form(const char* name);
const struct script* find_script(const char* name);

// Says what failed and ends the program.
void check(bool is_fine, const char* what);

int open_listener(int protocol);
void bind_loopback(int fd);
void connect_to(int fd, int listener);
int open_client(int protocol, int listener);
// Fills in listener, client and server.
void open_pair(struct talk* talk, int listener_protocol, int client_protocol);
void close_pair(struct talk* talk);
void wait_for_events(int fd, short events);

struct message request_of(const struct talk* talk, int i);
// Its body has talk->response bytes.
struct message response_of(const struct talk* talk);
struct message response_sized(size_t body);
void free_message(struct message* message);

void write_all(int fd, const char* bytes, size_t size);
void write_plainly(int fd, const struct message* message);
// The bytes must be those of the message.
void read_plainly(int fd, const struct message* message);
// Reads on a thread of its own meanwhile, so that a message may be larger than what the kernel keeps.
void transfer(int from, int to, const struct message* message, const struct form* form);
void exchange(struct talk* talk, int i, const struct form* form);
