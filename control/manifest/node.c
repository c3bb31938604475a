/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/node.h"

#include <ctype.h>
#include <string.h>

#include "dataplane/api/digest.h"

static bool
is_one_of(const struct ps_node *node, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(node->text, *words) == 0)
			return true;
	return false;
}

static enum ps_meaning
number_meaning(const char *s)
{
	bool digits = false, exponent = false, fraction = false;

	if (*s == '+' || *s == '-')
		s++;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o'))
		return s[2] != '\0' && s[2 + strspn(s + 2, s[1] == 'x' ? "0123456789abcdefABCDEF"
								       : "01234567")] == '\0'
			       ? PS_MEANS_INTEGER
			       : PS_MEANS_STRING;
	for (; *s != '\0'; s++) {
		if (isdigit((unsigned char)*s)) {
			digits = true;
		} else if (*s == '.' && !fraction && !exponent) {
			fraction = true;
		} else if ((*s == 'e' || *s == 'E') && digits && !exponent) {
			exponent = true;
			digits = false;
			if (s[1] == '+' || s[1] == '-')
				s++;
		} else {
			return PS_MEANS_STRING;
		}
	}
	if (!digits)
		return PS_MEANS_STRING;
	return fraction || exponent ? PS_MEANS_FLOAT : PS_MEANS_INTEGER;
}

enum ps_meaning
ps_node_meaning(const struct ps_node *node)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const boolean[] = {"true", "false", "True", "False", "TRUE", "FALSE", NULL};

	if (node->type != PS_NODE_SCALAR || !node->plain)
		return PS_MEANS_STRING;
	if (node->size == 0)
		return PS_MEANS_NULL;
	switch (node->text[0]) {
	case '~':
	case 'n':
	case 'N':
		return is_one_of(node, nothing) ? PS_MEANS_NULL : PS_MEANS_STRING;
	case 't':
	case 'T':
	case 'f':
	case 'F':
		return is_one_of(node, boolean) ? PS_MEANS_BOOLEAN : PS_MEANS_STRING;
	case '+':
	case '-':
	case '.':
	case '0' ... '9':
		return number_meaning(node->text);
	default:
		return PS_MEANS_STRING;
	}
}

const struct ps_node *
ps_node_get(const struct ps_node *node, const char *key)
{
	const struct ps_node *child;

	if (node == NULL || node->type != PS_NODE_MAP)
		return NULL;
	for (child = node->first; child != NULL; child = child->next)
		if (strcmp(child->key, key) == 0)
			return ps_node_meaning(child) == PS_MEANS_NULL ? NULL : child;
	return NULL;
}

uint64_t
ps_node_digest(const struct ps_node *node, uint64_t seed)
{
	const struct ps_node *child;
	uint64_t digest;

	if (node->type == PS_NODE_SCALAR)
		return ps_digest(node->text, node->size, seed ^ (node->plain ? 1 : 2));
	digest = ps_mix64(seed ^ node->type, PS_DIGEST_K1);
	for (child = node->first; child != NULL; child = child->next) {
		if (child->key != NULL)
			digest = ps_digest(child->key, child->key_size, digest);
		digest = ps_node_digest(child, digest);
	}
	return ps_mix64(digest ^ node->length, PS_DIGEST_K2);
}
