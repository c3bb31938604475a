/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void
ps_metric_family(struct ps_exposition *x, enum ps_metric_type type, const char *name, const char *help)
{
	size_t n = strlen(name);

	assert((type == PS_METRIC_COUNTER) == (n > 6 && strcmp(name + n - 6, "_total") == 0));
	(void)n;
	x->name = name;
	evbuffer_add_printf(x->out, "# HELP penstock_%s %s\n# TYPE penstock_%s %s\n", name, help, name,
		type == PS_METRIC_COUNTER ? "counter" : "gauge");
}

static void
label_value(struct evbuffer *out, const char *s)
{
	const char *plain;

	for (plain = s; *s != '\0'; s++) {
		if (*s != '\\' && *s != '"' && *s != '\n')
			continue;
		evbuffer_add(out, plain, (size_t)(s - plain));
		evbuffer_add(out, *s == '\n' ? "\\n" : *s == '"' ? "\\\"" : "\\\\", 2);
		plain = s + 1;
	}
	evbuffer_add(out, plain, (size_t)(s - plain));
}

static void
labels(struct ps_exposition *x, va_list args)
{
	const char *name;
	bool any = false;

	evbuffer_add_printf(x->out, "penstock_%s", x->name);
	while ((name = va_arg(args, const char *)) != NULL) {
		evbuffer_add_printf(x->out, "%c%s=\"", any ? ',' : '{', name);
		label_value(x->out, va_arg(args, const char *));
		evbuffer_add(x->out, "\"", 1);
		any = true;
	}
	evbuffer_add(x->out, any ? "} " : " ", any ? 2 : 1);
}

void
ps_metric(struct ps_exposition *x, double value, ...)
{
	va_list args;

	va_start(args, value);
	labels(x, args);
	va_end(args);
	evbuffer_add_printf(x->out, "%.9g\n", value);
}

void
ps_metric_u64(struct ps_exposition *x, uint64_t value, ...)
{
	va_list args;

	va_start(args, value);
	labels(x, args);
	va_end(args);
	evbuffer_add_printf(x->out, "%" PRIu64 "\n", value);
}
