/* SPDX-License-Identifier: Apache-2.0 */
/* What texts must look like, as Kubernetes and the Gateway API define it. */
#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "control/manifest/schema.h"

static bool
is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* RFC 1123 label, lower case as Kubernetes wants it. */
static bool
is_label(const char *s, size_t size)
{
	size_t i;

	if (size == 0 || size > 63 || s[0] == '-' || s[size - 1] == '-')
		return false;
	for (i = 0; i < size; i++)
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool
is_label_1035(const char *s, size_t size)
{
	return is_label(s, size) && s[0] >= 'a' && s[0] <= 'z';
}

static bool
is_subdomain(const char *s, size_t size)
{
	size_t start = 0, i;

	if (size == 0 || size > 253)
		return false;
	for (i = 0; i <= size; i++) {
		if (i < size && s[i] != '.')
			continue;
		if (!is_label(s + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

static bool
is_group(const char *s, size_t size)
{
	return size == 0 || is_subdomain(s, size);
}

static bool
is_kind(const char *s, size_t size)
{
	size_t i;

	if (size == 0 || size > 63 || !isalpha((unsigned char)s[0]) || s[size - 1] == '-')
		return false;
	for (i = 0; i < size; i++)
		if (!is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool
is_hostname(const char *s, size_t size)
{
	if (size > 2 && s[0] == '*' && s[1] == '.')
		return size <= 253 && is_subdomain(s + 2, size - 2);
	return is_subdomain(s, size);
}

/* "domain/path", the path as in RFC 3986 */
static bool
is_domain_path(const char *s, size_t size)
{
	const char *slash = memchr(s, '/', size);
	size_t i, domain;

	if (slash == NULL || size > 253)
		return false;
	domain = (size_t)(slash - s);
	if (!is_subdomain(s, domain) || domain + 1 >= size)
		return false;
	for (i = domain + 1; i < size; i++)
		if (!is_alnum(s[i]) && strchr("/-._~%!$&'()*+,;=:", s[i]) == NULL)
			return false;
	return true;
}

/* HTTP, TCP, ...: an upper-case-or-not word, or a domain-prefixed name */
static bool
is_protocol(const char *s, size_t size)
{
	size_t i;

	if (size == 0 || size > 255)
		return false;
	if (memchr(s, '/', size) != NULL)
		return is_domain_path(s, size);
	for (i = 0; i < size; i++)
		if (!is_alnum(s[i]) && !(s[i] == '-' && i > 0 && i + 1 < size))
			return false;
	return true;
}

static bool
is_address_type(const char *s, size_t size)
{
	return (size == 9 && memcmp(s, "IPAddress", 9) == 0) ||
	       (size == 8 && memcmp(s, "Hostname", 8) == 0) ||
	       (size == 12 && memcmp(s, "NamedAddress", 12) == 0) || is_domain_path(s, size);
}

/* RFC 6335 5.1 */
static bool
is_port_name(const char *s, size_t size)
{
	bool letter = false;
	size_t i;

	if (size == 0 || size > 15 || s[0] == '-' || s[size - 1] == '-')
		return false;
	for (i = 0; i < size; i++) {
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
		if (s[i] == '-' && s[i + 1] == '-')
			return false;
		letter |= s[i] >= 'a' && s[i] <= 'z';
	}
	return letter;
}

static bool
is_qualified_part(const char *s, size_t size)
{
	size_t i;

	if (size == 0 || size > 63 || !is_alnum(s[0]) || !is_alnum(s[size - 1]))
		return false;
	for (i = 0; i < size; i++)
		if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	return true;
}

static bool
is_label_key(const char *s, size_t size)
{
	const char *slash = memchr(s, '/', size);
	size_t prefix;

	if (slash == NULL)
		return is_qualified_part(s, size);
	prefix = (size_t)(slash - s);
	return is_subdomain(s, prefix) && is_qualified_part(slash + 1, size - prefix - 1);
}

static bool
is_label_value(const char *s, size_t size)
{
	return size == 0 || is_qualified_part(s, size);
}

static bool
is_present(const char *s, size_t size)
{
	(void)s;
	return size > 0;
}

/* A port's name becomes part of kernel interface names: "<name>" of a punt TAP, 15 bytes at most */
static bool
is_dataplane_port(const char *s, size_t size)
{
	return size <= 15 && is_label(s, size);
}

static bool
is_iface(const char *s, size_t size)
{
	const char *dot = memchr(s, '.', size);
	size_t name = dot ? (size_t)(dot - s) : size, i;

	if (!is_dataplane_port(s, name))
		return false;
	if (dot == NULL)
		return true;
	if (size - name < 2 || size - name > 5 || dot[1] == '0')
		return false;
	for (i = name + 1; i < size; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool
is_netdev(const char *s, size_t size)
{
	size_t i;

	if (size == 0 || size > 15 || (size == 1 && s[0] == '.') || (size == 2 && memcmp(s, "..", 2) == 0))
		return false;
	for (i = 0; i < size; i++)
		if (isspace((unsigned char)s[i]) || s[i] == '/' || s[i] == ':' || s[i] == ',')
			return false;
	return true;
}

/* [DDDD:]BB:DD.F */
static bool
is_pci(const char *s, size_t size)
{
	static const char shape[] = "xxxx:xx:xx.x";
	size_t i, skip = size == 7 ? 5 : 0;

	if (size != 12 && size != 7)
		return false;
	for (i = 0; i < size; i++)
		if (shape[i + skip] == 'x' ? !isxdigit((unsigned char)s[i]) : s[i] != shape[i + skip])
			return false;
	return s[size - 1] >= '0' && s[size - 1] <= '7';
}

/* also kept out: the comma, which separates DPDK's device arguments */
static bool
is_path(const char *s, size_t size)
{
	return size > 0 && size < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
	       memchr(s, ',', size) == NULL;
}

static bool
is_secret(const char *s, size_t size)
{
	return size > 0 && size <= 24 && memchr(s, ',', size) == NULL;
}

static bool
is_admin(const char *s, size_t size)
{
	struct ps_addr addr;
	uint16_t port;

	return (size == 4 && memcmp(s, "none", 4) == 0) || ps_parse_endpoint(s, &addr, &port);
}

const struct ps_format ps_format_label = {
	"DNS label", "a DNS label (a-z, 0-9, '-', at most 63, RFC 1123)", is_label};
const struct ps_format ps_format_label_1035 = {"DNS label",
	"a DNS label that begins with a letter (a-z, 0-9, '-', at most 63, RFC 1035)", is_label_1035};
const struct ps_format ps_format_subdomain = {
	"DNS name", "a DNS name (a-z, 0-9, '-', '.', at most 253, RFC 1123)", is_subdomain};
const struct ps_format ps_format_group = {
	"API group", "an API group like gateway.networking.k8s.io, or \"\" for the core group", is_group};
const struct ps_format ps_format_kind = {"kind", "a kind like Service", is_kind};
const struct ps_format ps_format_hostname = {
	"hostname", "a DNS name, the first label may be \"*\"", is_hostname};
const struct ps_format ps_format_protocol = {
	"protocol", "HTTP, HTTPS, TLS, TCP, UDP or a name like example.com/my-protocol", is_protocol};
const struct ps_format ps_format_address_type = {"address type",
	"IPAddress, Hostname, NamedAddress or a name like example.com/my-type", is_address_type};
const struct ps_format ps_format_port_name = {
	"port name", "a port name (a-z, 0-9, '-', a letter among them, at most 15)", is_port_name};
const struct ps_format ps_format_controller = {
	"controller name", "a controller name like example.com/gateway-controller", is_domain_path};
const struct ps_format ps_format_label_key = {
	"label key", "a label key like app or example.com/app", is_label_key};
const struct ps_format ps_format_label_value = {
	"label value", "a label value (letters, digits, '-', '_', '.', at most 63)", is_label_value};
const struct ps_format ps_format_section = {
	"section name", "a section name (a-z, 0-9, '-', '.', at most 253)", is_subdomain};
const struct ps_format ps_format_present = {"text", "a text that is not empty", is_present};
const struct ps_format ps_format_port = {
	"name", "a name of a-z, 0-9, '-', at most 15 characters", is_dataplane_port};
const struct ps_format ps_format_iface = {
	"interface", "a port's name, or PORT.VLAN like wan.100", is_iface};
const struct ps_format ps_format_netdev = {
	"kernel interface", "the name of a kernel interface (at most 15 characters)", is_netdev};
const struct ps_format ps_format_pci = {"PCI address", "a PCI address like 0000:01:00.0", is_pci};
const struct ps_format ps_format_path = {
	"path", "a path of at most 107 characters without comma", is_path};
const struct ps_format ps_format_secret = {"text", "1 to 24 characters without comma", is_secret};
const struct ps_format ps_format_admin = {
	"address and port", "ADDRESS:PORT, [ADDRESS]:PORT or none", is_admin};
