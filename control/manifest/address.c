/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions about addresses, labels and kinds. */
#include <string.h>

#include "control/manifest/schema.h"

const char *
ps_address_trouble(const struct ps_addr *addr)
{
	static const struct ps_addr zero;
	const uint8_t *b = addr->b;

	if (ps_addr_is_v4(addr)) {
		if (b[12] == 0)
			return "the unspecified address";
		if (b[12] == 127)
			return "a loopback address";
		if (b[12] == 169 && b[13] == 254)
			return "a link-local address";
		if (b[12] >= 224 && b[12] < 240)
			return "a multicast address";
		if (b[12] == 255 && b[13] == 255 && b[14] == 255 && b[15] == 255)
			return "the broadcast address";
		return NULL;
	}
	if (ps_addr_equal(addr, &zero))
		return "the unspecified address";
	if (memcmp(b, zero.b, 15) == 0 && b[15] == 1)
		return "a loopback address";
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "a link-local address";
	if (b[0] == 0xff)
		return "a multicast address";
	return NULL;
}

const char *
ps_pairs_get(const struct ps_pairs *pairs, const char *key)
{
	uint32_t i;

	for (i = 0; i < pairs->length; i++)
		if (strcmp(pairs->item[i].key, key) == 0)
			return pairs->item[i].value;
	return NULL;
}

static bool
requirement_holds(const struct ps_selector_requirement *r, const struct ps_pairs *labels)
{
	const char *value = ps_pairs_get(labels, r->key.s);
	bool found = false;
	uint32_t i;

	for (i = 0; i < r->values.length && value != NULL; i++)
		found |= strcmp(r->values.item[i].s, value) == 0;
	switch (r->op.v) {
	case PS_OP_IN:
		return found;
	case PS_OP_NOT_IN: /* also when the label is absent */
		return !found;
	case PS_OP_EXISTS:
		return value != NULL;
	default:
		return value == NULL;
	}
}

bool
ps_selector_matches(const struct ps_selector *selector, const struct ps_pairs *labels)
{
	const char *value;
	uint32_t i;

	if (selector->place.line == 0)
		return false;
	for (i = 0; i < selector->match_labels.length; i++) {
		value = ps_pairs_get(labels, selector->match_labels.item[i].key);
		if (value == NULL || strcmp(value, selector->match_labels.item[i].value) != 0)
			return false;
	}
	for (i = 0; i < selector->match_expressions.length; i++)
		if (!requirement_holds(&selector->match_expressions.item[i], labels))
			return false;
	return true;
}
