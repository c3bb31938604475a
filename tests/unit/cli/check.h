/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs before it. */
#ifndef PS_TEST_CLI_CHECK_H
#define PS_TEST_CLI_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CONTAINS(text, part)                                                                                 \
	do {                                                                                                 \
		if (strstr(text, part) == NULL)                                                              \
			fail_msg("\"%s\" is missing in:\n%s", part, text);                                   \
	} while (0)

#define LACKS(text, part)                                                                                    \
	do {                                                                                                 \
		if (strstr(text, part) != NULL)                                                              \
			fail_msg("\"%s\" should not be in:\n%s", part, text);                                \
	} while (0)

#endif
