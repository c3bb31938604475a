/* SPDX-License-Identifier: Apache-2.0 */
/* RSS of a device: asked for, and remembered as it runs. */
#ifndef PS_DRIVERS_PORT_RSS_H
#define PS_DRIVERS_PORT_RSS_H

#include <rte_ethdev.h>

#include "drivers/port/port.h"

/* Sets conf for RSS over addresses and ports, with our key where the device has one of at most its size. */
void ps_rss_configure(struct ps_port_device *dev, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);

/* After start: key, hash types and table as the device reports them. */
void ps_rss_remember(struct ps_port_device *dev);

#endif
