/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/manifest/manifest.h"

int
ps_source_new(struct ps_source **source, const char *path, char *text, size_t size)
{
	struct ps_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->path = strdup(path);
	if (s->path == NULL) {
		free(s);
		return -ENOMEM;
	}
	s->text = text;
	s->size = size;
	s->references = 1;
	*source = s;
	return 0;
}

int
ps_source_read(struct ps_source **source, const char *path)
{
	size_t size = 0, room;
	struct stat st;
	char *text = NULL;
	ssize_t got;
	int fd, rc;

	/* O_NONBLOCK: a FIFO named like a manifest must not hang the reader */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0) {
		rc = -errno;
		goto out;
	}
	rc = S_ISDIR(st.st_mode) ? -EISDIR : S_ISREG(st.st_mode) ? 0 : -ENOTSUP;
	if (rc == 0 && st.st_size > (off_t)PS_MANIFEST_MAX_FILE)
		rc = -EFBIG;
	if (rc != 0)
		goto out;
	room = (size_t)st.st_size;
	text = malloc(room + 1);
	if (text == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	while (size < room) {
		got = read(fd, text + size, room - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			rc = -errno;
			goto out;
		}
		if (got == 0)
			break;
		size += (size_t)got;
	}
	text[size] = '\0';
	rc = ps_source_new(source, path, text, size);
	if (rc == 0)
		text = NULL;
out:
	free(text);
	close(fd);
	return rc;
}

struct ps_source *
ps_source_keep(struct ps_source *source)
{
	source->references++;
	return source;
}

void
ps_source_drop(struct ps_source *source)
{
	if (source == NULL || --source->references != 0)
		return;
	free(source->path);
	free(source->text);
	free(source->line_start);
	free(source->line_copy);
	free(source);
}

size_t
ps_source_mark(const struct ps_source *source)
{
	return source->size >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static int
find_lines(struct ps_source *source)
{
	const char *p = source->text, *end = source->text + source->size;
	uint32_t lines = 1;

	for (; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	source->line_start = malloc((lines + 1) * sizeof(*source->line_start));
	if (source->line_start == NULL)
		return -ENOMEM;
	source->line_start[0] = (uint32_t)ps_source_mark(source);
	lines = 1;
	for (p = source->text; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		source->line_start[lines++] = (uint32_t)(p + 1 - source->text);
	source->line_start[lines] = (uint32_t)source->size + 1;
	source->lines = lines;
	return 0;
}

const char *
ps_source_line(struct ps_source *source, uint32_t line)
{
	const char *start;
	size_t size;

	if (source->lines == 0 && find_lines(source) != 0)
		return NULL;
	if (line == 0 || line > source->lines)
		return NULL;
	start = source->text + source->line_start[line - 1];
	size = source->line_start[line] - source->line_start[line - 1] - 1;
	if (size > 0 && start[size - 1] == '\r')
		size--;
	free(source->line_copy);
	source->line_copy = malloc(size + 1);
	if (source->line_copy == NULL)
		return NULL;
	memcpy(source->line_copy, start, size);
	source->line_copy[size] = '\0';
	return source->line_copy;
}

/* Bytes of the character at p, 0 when it is none; *code is the character. */
static unsigned
utf8_size(const unsigned char *p, const unsigned char *end, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned size = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	unsigned i;

	if (size == 0 || size > (size_t)(end - p))
		return 0;
	*code = size == 1 ? *p : *p & (0x7fu >> size);
	for (i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return size;
}

static bool
is_allowed(uint32_t c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r' || c == 0x85 ||
	       (c >= 0xa0 && c <= 0xfffd) || c >= 0x10000;
}

const char *
ps_source_check(const struct ps_source *source, struct ps_place *place)
{
	const unsigned char *start = (const unsigned char *)source->text, *p = start;
	const unsigned char *end = start + source->size;
	const char *why = NULL;
	uint32_t code = 0;
	unsigned size;

	p += ps_source_mark(source);
	while (p < end && why == NULL) {
		/* most text is ASCII: eight characters at a time, none with the high bit, none below the
		 * blank or DEL */
		if (end - p >= 8) {
			uint64_t v, ones = 0x0101010101010101ull, high = ones * 0x80;

			memcpy(&v, p, sizeof(v));
			if (((v | (v - ones * 0x20) | (v + ones)) & high) == 0) {
				p += 8;
				continue;
			}
		}
		if (*p == '\n' || (*p >= 0x20 && *p < 0x7f)) {
			p++;
			continue;
		}
		size = utf8_size(p, end, &code);
		if (size == 0)
			why = "text is not UTF-8";
		else if (code == 0xfeff || !is_allowed(code))
			why = "control character in text";
		else
			p += size;
	}
	if (why == NULL)
		return NULL;
	place->line = 1;
	place->column = 1;
	for (end = p, p = start; p < end; p++) {
		if (*p == '\n') {
			place->line++;
			place->column = 1;
		} else if ((*p & 0xc0) != 0x80) {
			place->column++;
		}
	}
	return why;
}
