/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PS_TEST_PERF_H
#define PS_TEST_PERF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
