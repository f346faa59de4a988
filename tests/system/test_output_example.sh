#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The example of docs/outputs.md is copied out of the page into a copy of the sources, is built there
# with no other change than the line that the page names, and meters real traffic.
set -euo pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh

work=$(mktemp -d)
tree=$work/tree
PATH=$PATH:/usr/sbin
trap 'rm -rf "$work"' EXIT

# The code block behind <!-- example: NAME -->.
example() { # NAME
	awk -v mark="<!-- example: $1 -->" '
		$0 == mark { marked = 1; next }
		marked && /^```c$/ { inside = 1; next }
		inside && /^```$/ { exit }
		inside { print }
	' docs/outputs.md
}

# What a clone would have, and what is not committed yet.
copy_sources() {
	mkdir "$tree"
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
		tar --null --files-from=- -cf - | tar -C "$tree" -xf -
}

builds() {
	copy_sources
	example src/output/sum.c >"$tree/src/output/sum.c"
	example src/output/registry.c >"$work/line"
	assert_equal "lines for the registry" 1 "$(wc -l <"$work/line")"
	assert_at_least "lines of the example" 50 "$(wc -l <"$tree/src/output/sum.c")"
	sed -i "/^	OUTPUT(csv) /{
		r $work/line
	}" "$tree/src/output/registry.c"
	assert_equal "places in the registry" 1 "$(grep -c 'OUTPUT(sum)' "$tree/src/output/registry.c")"
	env -u MAKEFLAGS -u MAKELEVEL make -s -j2 -C "$tree" WERROR=1 traffic-meter >"$work/make.log" 2>&1 ||
		fail "$(tail -n 20 "$work/make.log")"
}

is_formatted() {
	command -v clang-format >/dev/null || skip "no clang-format"
	clang-format --dry-run --Werror "$tree/src/output/sum.c"
}

is_listed() {
	assert_contains "help" 'sum:PATH\|- +bytes of each user, in and out' "$("$tree/traffic-meter" run --help)"
}

# A test is a subshell: what it leaves behind it has to clear away itself.
leave() {
	[ -z "${meter_pid:-}" ] || kill -KILL "$meter_pid" 2>/dev/null || :
	[ -z "${cgroup:-}" ] || cgroup_remove "$cgroup" || :
}

# Sent by root in a cgroup of its own, so that the sum is the sender's to the byte.
works() {
	need_bpf
	trap leave EXIT
	local sent
	cgroup=$(cgroup_make example)
	meter_start "$work/log" "$tree/traffic-meter" run --cgroup "$cgroup" --output "sum:$work/sums"
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 100 --size 100 >"$work/sent"
	sent=$(sed 's/.*ip_bytes=//; s/ .*//' "$work/sent")
	assert_at_least "bytes that were sent" 10000 "$sent"
	wait_until 20 grep -q "^0 in [0-9]* out $sent\$" "$work/sums"
	meter_stop || fail "$(cat "$work/log")"
	assert_equal "users in the list" 1 "$(wc -l <"$work/sums")"
}

run_test "the example builds as the page says" builds
run_test "the example is formatted" is_formatted
run_test "the example is in the help" is_listed
run_test "the example meters traffic" works
end_tests
