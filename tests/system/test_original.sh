#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# traffic_meter_user as the original's README has it: `traffic_meter_user "" lo` on this machine.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

label=lo$$
fixture_undo() {
	rm -f "/tmp/traffic_user_${label}_"*
}
fixture original

# A strict parser: what is not exactly seven well-formed columns is an error.
parse() {
	python3 - "$@" <<-'END'
		import ipaddress, re, sys, time
		for path in sys.argv[1:]:
		    total = {"in": 0, "out": 0}
		    rows = 0
		    for line in open(path, newline=""):
		        assert line.endswith("\n") and "\r" not in line, line
		        fields = line[:-1].split(",")
		        assert len(fields) == 7, line
		        direction, size, source, destination, stamp, total_in, total_out = fields
		        assert direction in ("in", "out"), line
		        assert re.fullmatch("[1-9][0-9]*", size), line
		        source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
		        assert source.version == destination.version, line
		        assert str(source) == fields[2] and str(destination) == fields[3], line
		        assert re.fullmatch(r"[0-9]+\.[0-9]{9}", stamp), line
		        assert abs(float(stamp) - time.time()) < 120, line
		        total[direction] += int(size)
		        assert int(total_in) == total["in"] and int(total_out) == total["out"], line
		        rows += 1
		    assert rows, path
		    print(path, rows, total["in"], total["out"])
	END
}

rows() {
	need_bpf
	meter_start "$work/log" ./traffic_meter_user "" "$label"
	"$TRAFFIC" udp-receive --bind ::1 5300 --count 20 --timeout 20 --uid 4301 >"$work/receiver" &
	wait_until 10 grep -q ready "$work/receiver"
	"$TRAFFIC" udp-send --to ::1 5300 --count 20 --size 100 --uid 4302 >/dev/null
	"$TRAFFIC" udp-send --to 127.0.0.1 9 --count 20 --size 200 --uid 4302 >/dev/null
	# Ctrl+C
	kill -INT "$meter_pid"
	wait "$meter_pid" || fail "exit code $? after Ctrl+C: $(cat "$work/log")"
	meter_pid=
	cat "$work/log"
	assert_contains "closing line" "audit: 0 bytes unaccounted" "$(cat "$work/log")"
	parse "/tmp/traffic_user_${label}_"*.log
	# The sender's file holds its packets out, and the receiver's what came in.
	assert_equal "out of uid 4302" $((20 * 148 + 20 * 228)) \
		"$(csv_sum out 2 "/tmp/traffic_user_${label}_4302.log")"
	assert_equal "in of uid 4301" $((20 * 148)) "$(csv_sum in 2 "/tmp/traffic_user_${label}_4301.log")"
	assert_contains "a row" '^out,148,::1,::1,[0-9]+\.[0-9]{9},0,148$' \
		"$(head -n 1 "/tmp/traffic_user_${label}_4302.log")"
}

nothing_attached() { [ -z "$(bpftool cgroup show "$cgroup")" ]; }

# Two programs while it runs, none after it, however it ended.
nothing_stays() {
	need_bpf
	local signal
	for signal in INT TERM KILL; do
		meter_start "$work/log" ./traffic_meter_user "$cgroup" "$label"
		assert_equal "programs while it runs" 2 "$(bpftool cgroup show "$cgroup" | grep -c meter_)"
		kill -"$signal" "$meter_pid"
		wait "$meter_pid" || [ "$signal" = KILL ] || fail "exit code after $signal"
		wait_until 10 nothing_attached
	done
}

# With user.slice there it is the default; elsewhere it is the whole machine.
default_cgroup() {
	need_bpf
	local slice made=
	slice=$(cgroup_root)/user.slice
	[ -d "$slice" ] || { mkdir "$slice" && made=1; }
	meter_start "$work/log" ./traffic_meter_user "" "$label"
	meter_stop || fail "$(cat "$work/log")"
	[ -z "$made" ] || rmdir "$slice"
	assert_contains "what it metered" "metering $slice" "$(cat "$work/log")"
	[ -n "$made" ] || return 0
	meter_start "$work/log" ./traffic_meter_user
	meter_stop || fail "$(cat "$work/log")"
	assert_contains "what it metered" "metering $(cgroup_root)\$" "$(cat "$work/log")"
	assert_contains "label" "unknown|csv:/tmp" "$(cat "$work/log")"
}

# untracked_masks.h compiled in: the networks of the header, and no others, are left out.
compiled_list() {
	need_bpf
	local tree=$work/tree
	mkdir "$tree"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree"
	printf '127.0.0.0/8\n' >"$work/list"
	./ipmask_tool "$work/list" >"$tree/untracked_masks.h"
	make -s -C "$tree" traffic_meter_user >"$work/make" 2>&1 || fail "$(cat "$work/make")"
	rm -f "/tmp/traffic_user_${label}_"*
	meter_start "$work/log" "$tree/traffic_meter_user" "" "$label"
	"$TRAFFIC" udp-send --to 127.0.0.1 9 --count 20 --size 200 --uid 4302 >/dev/null
	"$TRAFFIC" udp-send --to ::1 9 --count 5 --size 200 --uid 4302 >/dev/null
	meter_stop || fail "$(cat "$work/log")"
	assert_equal "bytes" $((5 * 248)) "$(csv_sum out 2 "/tmp/traffic_user_${label}_4302.log")"
}

run_test "rows of traffic_meter_user \"\" lo" rows
run_test "nothing stays attached" nothing_stays
run_test "default cgroup" default_cgroup
run_test "untracked_masks.h" compiled_list
end_tests
