# SPDX-License-Identifier: Apache-2.0
"""Every option of penstock-loadgen is in its reference and its manual page, and nothing else is."""
import re
import subprocess
import sys

program, reference, manual = sys.argv[1:4]
shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
options = set(re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE))
with open(reference, encoding="utf-8") as f:
    in_reference = set(re.findall(r"^\| `(--[a-z-]+)", f.read(), re.MULTILINE))
with open(manual, encoding="utf-8") as f:
    in_manual = set(re.findall(r"^\.TP\n\.B[IR]? (--[a-z-]+)", f.read().replace("\\-", "-"), re.MULTILINE))
failed = False
for where, found in (("reference", in_reference), ("manual page", in_manual)):
    for option in sorted(options ^ found):
        print(f"{option}: {'not in the ' + where if option in options else 'in the ' + where + ' only'}")
        failed = True
sys.exit(1 if failed or len(options) < 30 else 0)
