// SPDX-License-Identifier: Apache-2.0
// Several threads on one end of a connection. Every request is written by one call and has the same
// size; few are under way, so that no call is cut. The answer to request I has a body of I % 500 bytes.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "order.h"

enum { WRITERS = 4, READERS = 3, UNDER_WAY = 64, REQUEST = 256, SIZES = 500 };

struct crowd {
    struct talk* talk;
    atomic_int next;  // request to write
    sem_t room;       // requests that may be under way
    sem_t* is_read;   // one for each number
    sem_t answered;
    int* order;  // numbers in the order of their requests
};

static void make_numbered(const struct talk* talk, int i, char request[REQUEST + 1]) {
    const int size = snprintf(request, REQUEST, "GET /%s/%06d HTTP/1.1\r\nHost: order\r\nX-Filler: ", talk->tag, i);
    memset(request + size, 'f', (size_t)(REQUEST - 4 - size));
    memcpy(request + REQUEST - 4, "\r\n\r\n", 5);
}

static int number_of(const struct talk* talk, const char* request) {
    return atoi(request + strlen("GET //") + strlen(talk->tag));
}

static void* write_numbered(void* argument) {
    struct crowd* crowd = argument;
    char request[REQUEST + 1];
    for (;;) {
        sem_wait(&crowd->room);
        const int i = atomic_fetch_add(&crowd->next, 1);
        if (i >= crowd->talk->count) break;
        make_numbered(crowd->talk, i, request);
        check(send(crowd->talk->client, request, REQUEST, 0) == REQUEST, "one whole request");
    }
    sem_post(&crowd->room);  // for the other writers, to see that there is no more
    return NULL;
}

static void* read_numbered(void* argument) {
    struct crowd* crowd = argument;
    char request[REQUEST + 1] = {};
    for (;;) {
        const ssize_t got = recv(crowd->talk->server, request, REQUEST, 0);
        if (got == 0) return NULL;
        check(got == REQUEST, "one whole request");
        sem_post(&crowd->is_read[number_of(crowd->talk, request)]);
    }
}

static void answer(struct crowd* crowd, int place, int number) {
    struct message response = response_sized((size_t)(number % SIZES));
    crowd->order[place] = number;
    write_plainly(crowd->talk->server, &response);
    free_message(&response);
    sem_post(&crowd->answered);
}

// One thread reads, and answers in the order in which it reads.
static void* serve_as_read(void* argument) {
    struct crowd* crowd = argument;
    char request[REQUEST + 1] = {};
    for (int i = 0; i < crowd->talk->count; i++) {
        check(recv(crowd->talk->server, request, REQUEST, MSG_WAITALL) == REQUEST, "one whole request");
        answer(crowd, i, number_of(crowd->talk, request));
    }
    return NULL;
}

// Others read; this thread answers in the order in which the requests were written.
static void* serve_as_written(void* argument) {
    struct crowd* crowd = argument;
    for (int i = 0; i < crowd->talk->count; i++) {
        sem_wait(&crowd->is_read[i]);
        answer(crowd, i, i);
    }
    return NULL;
}

static void run_crowd(struct talk* talk, int writers, int readers) {
    struct crowd crowd = {.talk = talk};
    crowd.order = calloc((size_t)talk->count, sizeof(int));
    crowd.is_read = calloc((size_t)talk->count, sizeof(sem_t));
    for (int i = 0; i < talk->count; i++) sem_init(&crowd.is_read[i], 0, 0);
    sem_init(&crowd.room, 0, UNDER_WAY);
    sem_init(&crowd.answered, 0, 0);
    open_pair(talk, 0, 0);
    pthread_t server, writing[WRITERS], reading[READERS];
    check(pthread_create(&server, NULL, readers ? serve_as_written : serve_as_read, &crowd) == 0, "a thread");
    for (int i = 0; i < readers; i++) check(pthread_create(&reading[i], NULL, read_numbered, &crowd) == 0, "a thread");
    for (int i = 0; i < writers; i++) check(pthread_create(&writing[i], NULL, write_numbered, &crowd) == 0, "a thread");
    for (int i = 0; i < talk->count; i++) {
        sem_wait(&crowd.answered);
        struct message response = response_sized((size_t)(crowd.order[i] % SIZES));
        read_plainly(talk->client, &response);
        free_message(&response);
        sem_post(&crowd.room);
    }
    for (int i = 0; i < writers; i++) pthread_join(writing[i], NULL);
    check(shutdown(talk->client, SHUT_WR) == 0, "shutdown");
    for (int i = 0; i < readers; i++) pthread_join(reading[i], NULL);
    pthread_join(server, NULL);
    close_pair(talk);
    free(crowd.order);
    free(crowd.is_read);
}

static void run_writers(struct talk* talk) { run_crowd(talk, WRITERS, 0); }
static void run_readers(struct talk* talk) { run_crowd(talk, 1, READERS); }

const struct script thread_scripts[] = {{"writers", run_writers}, {"readers", run_readers}, {NULL, NULL}};
