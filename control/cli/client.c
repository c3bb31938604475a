/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "dataplane/api/abi.h"

#define ANSWER_MAX (512u << 20) /* bytes; a listing of some million flows */

struct ps_client {
	CURL *curl;
	char socket[108];
	unsigned int timeout_ms;
	char error[512];
};

struct body {
	char *data;
	size_t size;
	/* streaming */
	bool (*line)(void *arg, json_t *object);
	void *arg;
	bool stopped;
	bool plain; /* status is an error: collect, do not stream */
	CURL *curl;
	double silence_s;
	double last_s;
	bool silent;
};

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

const char *
ps_runtime_dir(const char *option)
{
	const char *env = getenv("PENSTOCK_RUNTIME_DIR");

	if (option != NULL)
		return option;
	return env != NULL && env[0] != '\0' ? env : PS_RUNTIME_DIR;
}

struct ps_client *
ps_client_new(const char *runtime_dir)
{
	struct ps_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->timeout_ms = 10000;
	snprintf(c->socket, sizeof(c->socket), "%s/%s", runtime_dir, PS_ADMIN_SOCKET);
	c->curl = curl_easy_init();
	if (c->curl == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void
ps_client_free(struct ps_client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	free(c);
}

void
ps_client_timeout(struct ps_client *c, unsigned int milliseconds)
{
	c->timeout_ms = milliseconds;
}

const char *
ps_client_error(const struct ps_client *c)
{
	return c->error;
}

/* Hands complete lines out. Returns false when the receiver has enough. */
static bool
stream_lines(struct body *b)
{
	char *start = b->data, *end;

	while ((end = memchr(start, '\n', b->size - (size_t)(start - b->data))) != NULL) {
		json_t *object = json_loadb(start, (size_t)(end - start), 0, NULL);
		bool more = true;

		if (object != NULL) {
			more = b->line(b->arg, object);
			json_decref(object);
		}
		start = end + 1;
		if (!more) {
			b->stopped = true;
			return false;
		}
	}
	b->size -= (size_t)(start - b->data);
	memmove(b->data, start, b->size);
	return true;
}

static size_t
on_data(char *data, size_t one, size_t size, void *arg)
{
	struct body *b = arg;
	long status = 0;
	char *grown;

	if (b->size + size > ANSWER_MAX)
		return 0;
	grown = realloc(b->data, b->size + size + 1);
	if (grown == NULL)
		return 0;
	b->data = grown;
	memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
	b->last_s = now_s();
	if (b->line == NULL)
		return size * one;
	curl_easy_getinfo(b->curl, CURLINFO_RESPONSE_CODE, &status);
	b->plain = status >= 400;
	return b->plain || stream_lines(b) ? size : 0;
}

static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct body *body = arg;

	if (body->silence_s > 0 && now_s() - body->last_s > body->silence_s) {
		body->silent = true;
		return 1;
	}
	return 0;
}

/* The "error" of a refusal, or its text. */
static void
error_from_body(struct ps_client *c, long status, const struct body *b)
{
	json_t *object = b->size > 0 ? json_loadb(b->data, b->size, 0, NULL) : NULL;
	const char *message = NULL;

	if (object != NULL) {
		message = json_string_value(json_object_get(object, "error"));
		if (message == NULL)
			message = json_string_value(json_object_get(object, "message"));
	}
	if (message != NULL)
		snprintf(c->error, sizeof(c->error), "%s", message);
	else
		snprintf(c->error, sizeof(c->error), "penstockd answered with status %ld", status);
	json_decref(object);
}

static int
perform(struct ps_client *c, const char *path, bool post, struct body *b)
{
	char url[2048];
	CURLcode code;
	long status = 0;

	c->error[0] = '\0';
	if ((size_t)snprintf(url, sizeof(url), "http://penstock%s", path) >= sizeof(url)) {
		snprintf(c->error, sizeof(c->error), "the request is too long");
		return -ENAMETOOLONG;
	}
	b->curl = c->curl;
	b->last_s = now_s();
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, b);
	if (b->line == NULL) {
		curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	} else {
		curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, b);
	}
	if (post) {
		curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
	}
	code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (b->stopped)
		return 0;
	if (b->silent || code == CURLE_OPERATION_TIMEDOUT) {
		snprintf(c->error, sizeof(c->error), "no answer in time from %s", c->socket);
		return -ETIMEDOUT;
	}
	if (code == CURLE_COULDNT_CONNECT) {
		snprintf(c->error, sizeof(c->error), "Penstock is not running here: nobody answers at %s",
			c->socket);
		return -ENOTCONN;
	}
	if (code != CURLE_OK) {
		snprintf(c->error, sizeof(c->error), "%s: %s", c->socket, curl_easy_strerror(code));
		return code == CURLE_OUT_OF_MEMORY                             ? -ENOMEM
		       : code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ? -ENOTCONN
									       : -EIO;
	}
	if (status >= 400) {
		error_from_body(c, status, b);
		return status == 404 ? -ENOENT : status == 503 ? -EHOSTDOWN : -EIO;
	}
	return 0;
}

static int
exchange(struct ps_client *c, const char *path, bool post, json_t **answer)
{
	struct body b = {0};
	json_error_t where;
	int rc;

	*answer = NULL;
	rc = perform(c, path, post, &b);
	if (rc == 0 && b.size > 0) {
		*answer = json_loadb(b.data, b.size, JSON_DECODE_ANY, &where);
		if (*answer == NULL) {
			snprintf(c->error, sizeof(c->error), "the answer to %s is no JSON: %s", path,
				where.text);
			rc = -EPROTO;
		}
	}
	free(b.data);
	return rc;
}

int
ps_client_get(struct ps_client *c, const char *path, json_t **answer)
{
	return exchange(c, path, false, answer);
}

int
ps_client_post(struct ps_client *c, const char *path, json_t **answer)
{
	return exchange(c, path, true, answer);
}

int
ps_client_stream(struct ps_client *c, const char *path, unsigned int silence_ms,
	bool (*line)(void *arg, json_t *object), void *arg)
{
	struct body b = {.line = line, .arg = arg, .silence_s = silence_ms / 1000.0};
	int rc = perform(c, path, true, &b);

	free(b.data);
	return rc;
}

static int
append_escaped(char *path, size_t size, const char *text)
{
	size_t at = strlen(path);

	for (; *text != '\0'; text++) {
		unsigned char ch = (unsigned char)*text;
		bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
			     (ch >= 'A' && ch <= 'Z') || strchr("-._~:", ch) != NULL;

		if (at + 4 > size)
			return -ENAMETOOLONG;
		at += (size_t)snprintf(path + at, size - at, plain ? "%c" : "%%%02X", ch);
	}
	return 0;
}

int
ps_query_add(char *path, size_t size, const char *key, const char *value)
{
	size_t at = strlen(path);

	if (at + strlen(key) + 3 > size)
		return -ENAMETOOLONG;
	snprintf(path + at, size - at, "%c%s=", strchr(path, '?') != NULL ? '&' : '?', key);
	return append_escaped(path, size, value);
}

int
ps_path_add(char *path, size_t size, const char *segment)
{
	size_t at = strlen(path);

	if (at + 2 > size)
		return -ENAMETOOLONG;
	snprintf(path + at, size - at, "/");
	return append_escaped(path, size, segment);
}
