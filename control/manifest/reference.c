/* SPDX-License-Identifier: Apache-2.0 */
/* --help texts and reference pages, printed from the tables that validation uses. */
#include "control/manifest/reference.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "control/manifest/manifest.h"

struct page {
	FILE *out;
	bool markdown;
	bool states; /* say which fields have no effect yet */
};

/* "list of addresses", "integer", "one of a, b" ... */
static void
type_text(const struct ps_field *field, uint8_t type, char *text, size_t size)
{
	static const char *const name[PS_TYPES] = {
		[PS_T_ANY] = "any",
		[PS_T_PLACE] = "object",
		[PS_T_TEXT] = "text",
		[PS_T_INTEGER] = "integer",
		[PS_T_BOOLEAN] = "boolean",
		[PS_T_DURATION] = "duration",
		[PS_T_SIZE] = "size",
		[PS_T_IP] = "address",
		[PS_T_PREFIX] = "address/length",
		[PS_T_ROUTE] = "prefix, or default",
		[PS_T_IP_RANGE] = "address, range or prefix",
		[PS_T_CPU_RANGE] = "CPU number or range",
		[PS_T_PORT_RANGE] = "port range",
		[PS_T_PORT_REF] = "port number or name",
		[PS_T_MAC] = "MAC address",
		[PS_T_WEIGHTS] = "address=weight,...",
		[PS_T_MAP] = "map of texts",
		[PS_T_OBJECT] = "object",
		[PS_T_INLINE] = "object",
	};
	char item[200];

	if (type == PS_T_LIST) {
		type_text(field, field->item, item, sizeof(item));
		snprintf(text, size, "list: %s", item);
	} else if (type == PS_T_ENUM) {
		ps_names_text(field, ", ", item, sizeof(item));
		snprintf(text, size, "%s", item);
	} else if (type == PS_T_TEXT && field->format != NULL) {
		snprintf(text, size, "%s", field->format->name);
	} else {
		snprintf(text, size, "%s", name[type]);
	}
}

static void
range_and_unit(const struct ps_field *field, char *text, size_t size)
{
	uint8_t type = field->type == PS_T_LIST ? field->item : field->type;
	bool unit = field->unit != NULL && type != PS_T_SIZE;
	char range[100];

	ps_range_text(field, type, "..", range, sizeof(range));
	snprintf(text, size, "%s%s%s%s", range, range[0] && unit ? " " : "", unit ? field->unit : "",
		 type == PS_T_TEXT && range[0] ? " characters" : "");
}

/* A bar would end the cell. */
static void
put_cell(FILE *out, const char *text)
{
	fputs("| ", out);
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc(' ', out);
}

static void
put_field(const struct page *page, const struct ps_field *field, const char *path)
{
	char type[220], range[160], name[260];
	const char *fallback = field->required ? "required" : field->fallback ? field->fallback : "";

	type_text(field, field->type, type, sizeof(type));
	range_and_unit(field, range, sizeof(range));
	if (page->markdown) {
		snprintf(name, sizeof(name), "`%s`", path);
		put_cell(page->out, name);
		put_cell(page->out, type);
		put_cell(page->out, range);
		put_cell(
			page->out, field->fallback != NULL && field->fallback[0] == '\0' ? "\"\"" : fallback);
		if (page->states)
			put_cell(page->out, field->state == PS_INERT ? "no effect yet" : "yes");
		put_cell(page->out, field->help ? field->help : "");
		fputs("|\n", page->out);
		return;
	}
	fprintf(page->out, "  %s\n      %s", path, type);
	if (range[0] != '\0')
		fprintf(page->out, ", %s", range);
	if (field->required)
		fputs(", required", page->out);
	else if (field->fallback != NULL && field->fallback[0] != '\0')
		fprintf(page->out, ", default %s", field->fallback);
	fprintf(page->out, "%s\n      %s\n", field->state == PS_INERT ? "; has no effect yet" : "",
		field->help ? field->help : "");
}

static void
put_schema(const struct page *page, const struct ps_schema *schema, const char *prefix)
{
	const struct ps_field *field;
	char path[240];
	uint8_t type;

	for (field = schema->field; field < schema->field + schema->fields; field++) {
		if (field->state == PS_QUIET)
			continue;
		type = field->type == PS_T_LIST ? field->item : field->type;
		snprintf(path, sizeof(path), "%s%s%s", prefix, field->name,
			field->type == PS_T_LIST ? "[]" : "");
		if (field->help != NULL)
			put_field(page, field, path);
		if (type == PS_T_OBJECT || type == PS_T_INLINE) {
			size_t used = strlen(path);

			if (used + 2 < sizeof(path))
				memcpy(path + used, ".", 2);
			put_schema(page, field->sub, path);
		}
	}
}

static void
put_table(const struct page *page, const struct ps_schema *schema, const char *prefix)
{
	if (page->markdown) {
		fprintf(page->out, "| Field | Type | Range, unit | Default |%s Meaning |\n",
			page->states ? " Served |" : "");
		fprintf(page->out, "|---|---|---|---|%s---|\n", page->states ? "---|" : "");
	}
	put_schema(page, schema, prefix);
}

static void
put_dataplane(const struct page *page)
{
	if (page->markdown)
		fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Generated from the table in control/manifest/dataplane.c by penstock-gendoc. "
		      "-->\n"
		      "# Configuration\n\n"
		      "A `Dataplane` document says what Penstock runs on. Every field may be left out.\n\n"
		      "```yaml\napiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata:\n  name: "
		      "gateway\nspec:\n"
		      "  ports:\n  - name: wan\n    afPacket: eth1\n    addresses: [192.0.2.10/24]\n"
		      "  routes:\n  - to: default\n    via: 192.0.2.1\n```\n\n"
		      "Durations are written like `30s`, `500ms` or `1h30m` (GEP-2257), sizes like `512Mi` "
		      "or `1G`. "
		      "Fields below `spec`:\n\n",
			page->out);
	put_table(page, &ps_dataplane_schema, "");
}

static void
put_annotations(const struct page *page)
{
	if (page->markdown)
		fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Generated from the table in control/manifest/service.c by penstock-gendoc. -->\n"
		      "# Annotations of a Service\n\n"
		      "What Kubernetes has no field for. Values are texts: `penstock.dev/toa: \"true\"`.\n\n",
		      page->out);
	put_table(page, &ps_annotation_schema, PS_ANNOTATION_PREFIX);
}

static void
put_objects(const struct page *page)
{
	static const struct {
		const char *name;
		const struct ps_schema *schema;
	} object[] = {
		{"GatewayClass (gateway.networking.k8s.io/v1, v1beta1)", &ps_gateway_class_schema},
		{"Gateway (gateway.networking.k8s.io/v1, v1beta1)", &ps_gateway_schema},
		{"TCPRoute, UDPRoute (gateway.networking.k8s.io/v1, v1alpha2)", &ps_route_schema},
		{"Service (v1)", &ps_service_schema},
		{"EndpointSlice (discovery.k8s.io/v1)", &ps_slice_schema},
		{"ReferenceGrant (gateway.networking.k8s.io/v1, v1beta1)", &ps_grant_schema},
		{"metadata of all", &ps_metadata_schema},
	};
	unsigned i;

	if (page->markdown)
		fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Generated from the tables in control/manifest by penstock-gendoc. -->\n"
		      "# Fields of Kubernetes objects\n\n"
		      "Of Namespaces, the labels are read. Other kinds are listed by name and not served "
		      "yet.\n",
			page->out);
	for (i = 0; i < sizeof(object) / sizeof(object[0]); i++) {
		fprintf(page->out, page->markdown ? "\n## %s\n\n" : "%s\n", object[i].name);
		put_table(page, object[i].schema, "");
	}
}

static void
put_page(const struct page *page, enum ps_reference what)
{
	if (what == PS_REFERENCE_DATAPLANE)
		put_dataplane(page);
	else if (what == PS_REFERENCE_ANNOTATIONS)
		put_annotations(page);
	else
		put_objects(page);
}

void
ps_reference_text(enum ps_reference what, FILE *out)
{
	struct page page = {out, false, what == PS_REFERENCE_OBJECTS};

	put_page(&page, what);
}

void
ps_reference_markdown(enum ps_reference what, FILE *out)
{
	struct page page = {out, true, what == PS_REFERENCE_OBJECTS};

	put_page(&page, what);
}

static struct ps_dataplane_spec default_dataplane;

static void
make_defaults(void)
{
	static struct ps_arena arena; /* for the life of the process */
	struct ps_decoder d = {.arena = &arena};

	ps_decode_defaults(&d, &ps_dataplane_schema, &default_dataplane);
}

const struct ps_dataplane_spec *
ps_dataplane_defaults(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_defaults);
	return &default_dataplane;
}
