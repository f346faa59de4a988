#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Totals of users over what ends a machine without a stop: played by a meter that is killed, the pins
# removed, and the state directory put back to how it was before the last rows.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh

work=$(mktemp -d)
cgroup=
cleanup() {
	processes_end
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	rm -rf "$work"
}
trap cleanup EXIT

uid=4711
state=$work/state

meter() {
	meter_start "$work/log" "$METER" run --config /dev/null --cgroup "$cgroup" --interval 1 --records packet \
		--state-dir "$state" --output "csv:$work/out" "$@"
}

begin() {
	need_bpf
	trap processes_end EXIT
	rm -rf "$work/out" "$state" "/sys/fs/bpf/traffic-meter/$meter_instance"
	mkdir "$work/out"
}

rows() { find "$work/out" -name "traffic_user_unknown_$uid.log*" -exec cat {} +; }
rows_number() { [ "$(rows | wc -l)" -eq "$1" ]; }

send() { # COUNT
	local before
	before=$(rows | wc -l)
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count "$1" --size 100 --uid $uid >/dev/null
	wait_until 20 rows_number $((before + $1))
}

machine_ends() {
	kill -KILL "$meter_pid"
	wait "$meter_pid" 2>/dev/null || :
	rm -rf "/sys/fs/bpf/traffic-meter/$meter_instance"
}

# Each row's total is the one's before and its own bytes.
totals_go_on() {
	rows | sort -t, -k7,7n | awk -F, '
		NR > 1 && $7 - $2 != before { print "after a total of " before " comes: " $0; exit 1 }
		{ before = $7 }' || fail "totals"
}

totals_after() { # DO
	begin
	meter
	send 10
	wait_until 20 test -s "$state/$meter_instance.totals"
	cp -a "$state" "$work/kept"
	send 20
	machine_ends
	rm -rf "$state"
	"$1"
	meter
	send 5
	totals_go_on
	assert_equal "total at the end" $((35 * 128)) "$(rows | cut -d, -f7 | sort -n | tail -n 1)"
	meter_stop
}

of_before() { mv "$work/kept" "$state"; }
lost() { rm -rf "$work/kept"; }
rotated() {
	of_before
	mv "$work/out/traffic_user_unknown_$uid.log" "$work/out/traffic_user_unknown_$uid.log-20261123"
}

# Of a start that is refused nothing stays attached, with --persist too.
refused_directory() {
	begin
	mkdir "$state"
	chown $uid "$state"
	if (meter --persist) >"$work/said" 2>&1; then fail "it meters with a state directory of another user"; fi
	assert_contains "the words" "state directory $state" "$(cat "$work/said")"
	[ ! -e "/sys/fs/bpf/traffic-meter/$meter_instance/ingress" ] || fail "still attached"
	assert_equal "programs at the cgroup" 0 "$(bpftool cgroup show "$cgroup" | grep -c cgroup_inet || :)"
}

[ "$(id -u)" -ne 0 ] || cgroup=$(cgroup_make totals)
run_test "a power loss, with the state of an interval before: totals go on from the last rows" totals_after of_before
run_test "a power loss, with rows that were rotated away" totals_after rotated
run_test "without any state: totals go on from the last rows" totals_after lost
run_test "a refused state directory leaves nothing attached" refused_directory
end_tests
