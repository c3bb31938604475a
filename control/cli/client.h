/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to penstockd's admin socket: HTTP/1.1 with JSON over a Unix socket. Blocking; one thread. */
#ifndef PS_CLI_CLIENT_H
#define PS_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct ps_client;

/* The runtime directory that the options and the environment name. Static storage of the caller's strings. */
const char *ps_runtime_dir(const char *option);

/* Connects lazily. NULL when out of memory. */
struct ps_client *ps_client_new(const char *runtime_dir);
void ps_client_free(struct ps_client *c);

/* Gives up on an answer after this time; 0 waits for ever. Default 10000. */
void ps_client_timeout(struct ps_client *c, unsigned int milliseconds);

/*
 * Sends one request. On success *answer is a new reference (NULL for an empty body).
 * Returns 0; -ENOTCONN when nobody listens; -ENOENT for 404; -EHOSTDOWN for 503, no dataplane; -ETIMEDOUT;
 * -EPROTO for an answer that is no JSON; -EIO for another HTTP error. ps_client_error() says it in a
 * sentence.
 */
int ps_client_get(struct ps_client *c, const char *path, json_t **answer);
int ps_client_post(struct ps_client *c, const char *path, json_t **answer);

/*
 * POSTs and calls line() for each JSON line of the answer as it comes; line() returns false to stop.
 * `silence_ms`: leaves with -ETIMEDOUT when nothing comes for so long; 0 waits for ever.
 */
int ps_client_stream(struct ps_client *c, const char *path, unsigned int silence_ms,
	bool (*line)(void *arg, json_t *object), void *arg);

/* What went wrong in the last call; valid until the next one. */
const char *ps_client_error(const struct ps_client *c);

/* Adds "?key=value" or "&key=value", escaped, to path of the given size. Returns 0 or -ENAMETOOLONG. */
int ps_query_add(char *path, size_t size, const char *key, const char *value);

/* Adds "/segment", escaped. */
int ps_path_add(char *path, size_t size, const char *segment);

#endif
