/* SPDX-License-Identifier: Apache-2.0 */
/* penstock-gendoc config|annotations|objects: prints a reference page as Markdown. */
#include <stdio.h>
#include <string.h>

#include "control/manifest/manifest.h"

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		enum ps_reference what;
	} page[] = {
		{"config", PS_REFERENCE_DATAPLANE},
		{"annotations", PS_REFERENCE_ANNOTATIONS},
		{"objects", PS_REFERENCE_OBJECTS},
	};
	unsigned i;

	for (i = 0; argc == 2 && i < sizeof(page) / sizeof(page[0]); i++) {
		if (strcmp(argv[1], page[i].name) != 0)
			continue;
		ps_reference_markdown(page[i].what, stdout);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fputs("usage: penstock-gendoc config|annotations|objects\n",
		argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
	return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
