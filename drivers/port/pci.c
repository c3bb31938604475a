/* SPDX-License-Identifier: Apache-2.0 */
/* Physical and virtual functions bound to vfio-pci or uio, by PCI address. */
#include "drivers/port/family.h"

const struct ps_port_family ps_port_pci = {
	.kind = "pci",
	.bus = "pci",
	.quirks = PS_QUIRK_OFFLOADS | PS_QUIRK_RSS,
};
