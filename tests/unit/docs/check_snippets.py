#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Every YAML snippet of the documentation is accepted by `penstock check --strict`, and every penstock command has the
options it is shown with. Usage: check_snippets.py PENSTOCK PENSTOCKD SOURCE_ROOT

Fragments are completed: what begins with a field of a Dataplane document's spec becomes one, metadata alone becomes a
Service's.
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap

penstock, penstockd, root = sys.argv[1:4]
failures = []
counts = {"yaml": 0, "command": 0}


def blocks(text, languages):
    for m in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```", text, re.M | re.S):
        if m[2] in languages:
            yield text[:m.start()].count("\n") + 1, textwrap.dedent(m[3])


def complete(snippet):
    first = re.match(r"(?:#.*\n|---\n)*(\w+):", snippet)
    if first is None or first[1] == "apiVersion":
        return snippet
    if first[1] == "metadata":
        body = textwrap.indent(snippet.split("\n", 1)[1], "")
        return "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n" + body + "spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}\n"
    if first[1] == "spec":
        return "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: x}\n" + snippet
    return ("apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: x}\nspec:\n"
            + textwrap.indent(snippet, "  "))


def check_yaml(where, snippet, directory):
    counts["yaml"] += 1
    path = pathlib.Path(directory, "snippet.yaml")
    path.write_text(complete(snippet))
    r = subprocess.run([penstock, "check", "--strict", "-f", path], capture_output=True, text=True)
    if r.returncode != 0 and re.search(r": error: ", r.stdout):
        failures.append(f"{where}: {r.stdout.strip()}")


def check_command(where, line):
    line = re.split(r"\s+#\s|\s*[|>]\s|\s*&&\s|\s+&$", line)[0]
    words = shlex.split(line)
    while words and (words[0] == "sudo" or "=" in words[0]):
        words.pop(0)
    if not words or pathlib.PurePath(words[0]).name not in ("penstock", "penstockd") or len(words) == 1:
        return
    counts["command"] += 1
    if pathlib.PurePath(words[0]).name == "penstockd" or words[1] == "run":
        usage = subprocess.run([penstockd, "--help"] if words[0].endswith("d") else [penstock, "help", "run"],
                               capture_output=True, text=True).stdout
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", " ".join(words)):
            if not re.search(re.escape(option) + r"(?![a-z-])", usage):
                failures.append(f"{where}: {line}: there is no {option}")
        return
    if words[1].isupper() or "..." in line:
        return
    r = subprocess.run([penstock, *words[1:], *([] if words[1] in ("check", "fields", "version", "completion", "help", "diff")
                                               else ["--runtime-dir", "/nonexistent"])],
                       capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    if r.returncode == 2:
        failures.append(f"{where}: {line}: {r.stderr.strip()}")


with tempfile.TemporaryDirectory() as directory:
    for page in [*sorted(pathlib.Path(root, "docs").rglob("*.md")), pathlib.Path(root, "README.md")]:
        if not page.exists():
            continue
        text = page.read_text()
        for line, snippet in blocks(text, ("yaml",)):
            check_yaml(f"{page}:{line}", snippet, directory)
        for line, snippet in blocks(text, ("", "sh", "console")):
            for command in snippet.replace("\\\n", " ").splitlines():
                if re.match(r"\s*(\$ )?(sudo )?(\S*/)?penstockd? ", command):
                    check_command(f"{page}:{line}", re.sub(r"^\s*\$ ", "", command))

for failure in failures:
    print(failure)
print(f"{counts['yaml']} snippets, {counts['command']} commands, {len(failures)} wrong")
sys.exit(1 if failures or counts["yaml"] < 8 or counts["command"] < 20 else 0)
