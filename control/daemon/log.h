/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penstockd's log: lines on standard error, with journald's "<N>" priority prefix when standard error is
 * the journal, else with a time. Any thread.
 */
#ifndef PS_DAEMON_LOG_H
#define PS_DAEMON_LOG_H

enum ps_log_level { PS_LOG_ERROR, PS_LOG_WARNING, PS_LOG_INFO, PS_LOG_DEBUG };

/* "error", "warning", "info" or "debug"; -EINVAL otherwise. */
int ps_log_level_parse(const char *text, enum ps_log_level *level);
void ps_log_setup(enum ps_log_level level);
void ps_log(enum ps_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
