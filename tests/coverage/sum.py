#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gcov's JSON on standard input: the part of each file's lines that ran, an empty line, and the lines
that did not. Exit code 1: less of all than the argument, in percent."""
import collections
import json
import sys

counts = collections.defaultdict(lambda: collections.defaultdict(int))
for line in sys.stdin:
    for file in json.loads(line)["files"]:
        if file["file"].startswith("src/"):
            # A header's lines are in several objects.
            for entry in file["lines"]:
                counts[file["file"]][entry["line_number"]] += entry["count"]

lines = ran = 0
missing = []
for name, by_line in sorted(counts.items()):
    here = sum(1 for count in by_line.values() if count)
    print(f"{100 * here / len(by_line):5.1f} %  {here:4} of {len(by_line):4}  {name}")
    missing += [f"{name}:{number}" for number, count in sorted(by_line.items()) if not count]
    lines += len(by_line)
    ran += here
if not lines:
    sys.exit("nothing was counted")
print(f"{100 * ran / lines:5.1f} %  {ran:4} of {lines:4}  all")
print()
print("\n".join(missing))
if 100 * ran / lines < float(sys.argv[1]):
    sys.exit(f"coverage: less than {sys.argv[1]} % of the lines ran")
