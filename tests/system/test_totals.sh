#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Totals of users over what ends a machine without a stop: played by a meter that is killed, the pins
# removed, and the state directory put back to how it was before the last rows.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

fixture totals

uid=4711
state=$work/state

format=csv

meter() {
	local output=csv:$work/out
	[ $format = csv ] || output=json:$work/out/rows
	meter_start "$work/log" "$METER" run --config /dev/null --cgroup "$cgroup" --interval 1 --records packet \
		--state-dir "$state" --output "$output" "$@"
}

begin() {
	need_bpf
	trap processes_end EXIT
	rm -rf "$work/out" "$state" "/sys/fs/bpf/traffic-meter/$meter_instance"
	mkdir "$work/out"
}

# BYTES TOTAL BATCH of each; a row of csv has no batch.
rows() {
	if [ $format = csv ]; then
		find "$work/out" -name "traffic_user_unknown_$uid.log*" -exec cat {} + | awk -F, '{ print $2, $7, 0 }'
	else
		find "$work/out" -name 'rows*' -exec cat {} + |
			sed -nE "s/.*\"uid\":$uid,.*\"bytes\":([0-9]+),.*\"total_out\":([0-9]+),.*\"batch\":([0-9]+).*/\1 \2 \3/p"
	fi
}
rows_number() { [ "$(rows | wc -l)" -eq "$1" ]; }

send() { # COUNT
	local before
	before=$(rows | wc -l)
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count "$1" --size 100 --uid $uid >/dev/null
	wait_until 20 rows_number $((before + $1))
}

machine_ends() {
	meter_kill
	rm -rf "/sys/fs/bpf/traffic-meter/$meter_instance"
}

# Each row's total is the one's before and its own bytes; and batches' numbers grow with them.
totals_go_on() {
	rows | sort -k2,2n | awk '
		NR > 1 && $2 - $1 != total { print "after a total of " total " comes: " $0; exit 1 }
		$3 < batch { print "after batch " batch " comes: " $0; exit 1 }
		{ total = $2; batch = $3 }' || fail "totals"
}

totals_after() { # DO FORMAT
	format=$2
	begin
	meter
	send 10
	wait_until 20 test -s "$state/$meter_instance.totals"
	cp -a "$state" "$work/kept"
	send 20
	before=$(rows | sort -k3,3n | tail -n 1 | cut -d' ' -f3)
	machine_ends
	rm -rf "$state"
	"$1"
	meter
	send 5
	totals_go_on
	assert_equal "total at the end" $((35 * 128)) "$(rows | cut -d' ' -f2 | sort -n | tail -n 1)"
	[ $format = csv ] || [ "$(rows | sort -k3,3n | tail -n 5 | head -n 1 | cut -d' ' -f3)" -gt "$before" ] ||
		fail "a batch has a number that another had: $before"
	meter_stop
}

of_before() { mv "$work/kept" "$state"; }
lost() { rm -rf "$work/kept"; }
rotated() {
	of_before
	if [ $format = csv ]; then
		mv "$work/out/traffic_user_unknown_$uid.log" "$work/out/traffic_user_unknown_$uid.log-20261123"
	else
		mv "$work/out/rows" "$work/out/rows-20261123"
	fi
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

no_threads() {
	if (meter --persist --user nobody) >"$work/said" 2>&1; then fail "it meters without threads"; fi
	assert_contains "the words" "start a thread" "$(cat "$work/said")"
}

attached() { bpftool cgroup show "$cgroup" | grep -c cgroup_inet || :; }

# Nor of one that fails as the last step of it, after the attaching.
failed_start() {
	begin
	mkdir "$state"
	chown nobody "$work/out" "$state"
	chmod 0711 "$work"
	(ulimit -u 0 && no_threads)
	[ ! -e "/sys/fs/bpf/traffic-meter/$meter_instance/ingress" ] || fail "still pinned"
	assert_equal "programs at the cgroup" 0 "$(attached)"
}

# Where a meter has left something, that goes on being counted, and nothing is taken out of it.
failed_start_between() {
	format=csv
	failed_start
	meter --persist --user nobody
	send 10
	meter_kill
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 20 --size 100 --uid $uid >/dev/null
	(ulimit -u 0 && no_threads)
	assert_equal "programs at the cgroup" 2 "$(attached)"
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 30 --size 100 --uid $uid >/dev/null
	assert_equal "rows" 10 "$(rows | wc -l)"
	meter --user nobody
	wait_until 20 rows_number 60
	totals_go_on
	meter_stop
	assert_equal "programs at the cgroup" 0 "$(attached)"
}

for format in csv json; do
	run_test "a power loss, with the state of an interval before: totals go on from the last rows, $format" \
		totals_after of_before $format
	run_test "a power loss, with rows that were rotated away, $format" totals_after rotated $format
	run_test "without any state: totals go on from the last rows, $format" totals_after lost $format
done
run_test "a refused state directory leaves nothing attached" refused_directory
run_test "a start that fails after the attaching leaves nothing attached" failed_start
run_test "a start that fails leaves what a killed meter has left to the next one" failed_start_between
end_tests
