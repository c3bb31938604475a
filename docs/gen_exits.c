/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/reference/exits.md from the one list of exits. */
#include <ctype.h>
#include <stdio.h>

#include "dataplane/api/exits.h"

int
main(void)
{
	static const char *const kind[] = {"forward", "consume", "drop", "answer"};

	puts("<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Generated from dataplane/api/exits.h by docs/generate. -->\n"
	     "# Exits: every way a packet leaves the pipeline\n\n"
	     "The name is the counter (`penstock get drops`), the last step of a trace (`penstock trace`) and, in lower\n"
	     "case, the label `reason` of `penstock_exits_total`.\n\n"
	     "* *forward*: went where it should\n"
	     "* *consume*: the gateway itself was the addressee\n"
	     "* *drop*: discarded\n"
	     "* *answer*: discarded, and an answer was sent\n\n"
	     "| name | kind | what it means |\n|---|---|---|");
	for (unsigned i = 0; i < PS_EXIT_COUNT; i++)
		printf("| %s | %s | %s |\n", ps_exit_info[i].name, kind[ps_exit_info[i].kind], ps_exit_info[i].text);
	return 0;
}
