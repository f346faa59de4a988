#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a meter is started with and in: closed descriptors, a lock that others could hold, an environment
# of somebody else's, places where it can't meter.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
net=tm-start-$$
pin=/sys/fs/bpf/tm-start-$$
fixture_undo() {
	rm -f "$pin"
	rmdir "$cgroup/session/job" "$cgroup/session" "$cgroup/below" 2>/dev/null || :
}
fixture start "$net"

begin() {
	need_bpf
	trap processes_end EXIT
	rm -rf "${work:?}"/*
}

metering() { "$METER" status --instance "$meter_instance" >/dev/null 2>&1; }

# closed DESCRIPTORS: all that is counted is in the files, in good shape, and no message is in any of them.
closed() {
	local sent
	begin
	mkdir "$work/csv" "$work/state"
	case $1 in
	2) exec 2>&- ;;
	12) exec 3>&1 >&- 2>&- ;;
	012) exec 3>&1 <&- >&- 2>&- ;;
	esac
	"$METER" run --instance "$meter_instance" --cgroup "$cgroup" --state-dir "$work/state" --interval 1 \
		--log-level debug --output "csv:$work/csv" --output "json:$work/lines" &
	meter_pid=$!
	process_note $meter_pid
	exec 2>"$work/stderr"
	[ "$1" = 2 ] || exec >&3
	wait_until 20 metering
	sent=$(in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 100 --size 100 |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/')
	ls -l "/proc/$meter_pid/fd" >"$work/fd"
	kill -HUP "$meter_pid"
	meter_stop || fail "exit code $?"
	for fd in $(fold -w 1 <<<"$1"); do
		assert_contains "descriptor $fd" " $fd -> /dev/null$" "$(cat "$work/fd")"
	done
	assert_equal "bytes out" "$sent" "$(csv_sum out 2 "$work"/csv/*.log)"
	! grep -rl 'traffic-meter:' "$work/csv" "$work/lines" "$work/state" || fail "messages in data files"
	python3 -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$work/lines" || fail "json lines"
}

# Records to a standard output that is closed are an error, not nowhere.
closed_stdout() {
	begin
	"$METER" run --instance "$meter_instance" --cgroup "$cgroup" --output json:- --duration 1 \
		>&- 2>"$work/log" && fail "$(cat "$work/log")"
	assert_contains "what it says" 'standard output is not open' "$(cat "$work/log")"
}

lock_mode() { stat -c %a "/run/traffic-meter/$meter_instance.lock"; }

lock() {
	begin
	mkdir -p /run/traffic-meter
	(umask 022 && : >"/run/traffic-meter/$meter_instance.lock") # as an earlier version made it
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work"
	assert_equal "mode of the file that was there" 600 "$(lock_mode)"
	meter_stop || fail "exit code $?"
	rm "/run/traffic-meter/$meter_instance.lock"
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work"
	assert_equal "mode of a new file" 600 "$(lock_mode)"
	meter_stop || fail "exit code $?"
	rm "/run/traffic-meter/$meter_instance.lock"
}

# The words of one line to $work/log, with $JOURNAL_STREAM as given.
said() { # STREAM
	JOURNAL_STREAM=$1 "$METER" networks /nonexistent 2>"$work/log"
	cut -c 1-22 "$work/log"
}

journal_stream() {
	rm -rf "${work:?}"/*
	: >"$work/log"
	assert_equal "another file's" "traffic-meter: error: " "$(said 9:12345)"
	assert_equal "nonsense" "traffic-meter: error: " "$(said journal)"
	assert_equal "its own" "<3>can't read the list" "$(said "$(stat -c %d:%i "$work/log")")"
}

short_help() {
	local command
	for command in "" "run" "status" "detach" "check" "networks"; do
		"$METER" $command -h >"$work/short" 2>&1 || fail "$command -h: $(cat "$work/short")"
		assert_equal "$command -h" "$("$METER" $command --help)" "$(cat "$work/short")"
	done
	for command in ./traffic_meter_user ./ipmask_tool; do
		assert_equal "$command -h" "$($command --help)" "$($command -h)"
	done
}

# `ip netns exec` hides the hierarchy below a /sys of its own.
netns_exec() {
	begin
	ip netns exec "$net" "$METER" run --output "csv:$work" 2>"$work/log" && fail "it has started"
	assert_contains "why, and what to do" 'ip netns exec.*nsenter --net=/run/netns/NAME traffic-meter' \
		"$(cat "$work/log")"
	assert_contains "check" 'nsenter --net=/run/netns/NAME' "$(ip netns exec "$net" "$METER" check)"
}

# A program that allows no other: on the metered cgroup itself, on one above it, on one below.
exclusive() {
	begin
	cat >"$work/all.c" <<-'END'
		__attribute__((section("cgroup_skb/egress"), used)) int all(void *skb) { return 1; }
		__attribute__((section("license"), used)) char license_text[] = "GPL";
	END
	clang -O2 -target bpf -c "$work/all.c" -o "$work/all.o" || fail "no program"
	bpftool prog load "$work/all.o" "$pin" type cgroup/skb || fail "not loaded"
	mkdir "$cgroup/below"
	bpftool cgroup attach "$cgroup" egress pinned "$pin"
	for path in "$cgroup" "$cgroup/below"; do
		"$METER" run --instance "$meter_instance" --cgroup "$path" --output "csv:$work" 2>"$work/log" &&
			fail "it has started"
		assert_contains "whose fault it is" \
			"attach to the cgroup $path: the BPF program [0-9]+, .*attached to $cgroup, .*bpftool cgroup show $cgroup'" \
			"$(cat "$work/log")"
	done
	bpftool cgroup detach "$cgroup" egress pinned "$pin"
	bpftool cgroup attach "$cgroup/below" egress pinned "$pin"
	"$METER" run --instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work" --duration 1 \
		2>"$work/log" || fail "a program below stops it: $(cat "$work/log")"
	bpftool cgroup detach "$cgroup/below" egress pinned "$pin"
	rmdir "$cgroup/below"
}

# What the meter does of it, in a cgroup of its own below $cgroup/session.
job=
job_send() { # PACKETS
	in_cgroup "$job" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count "$1" --size 972 >"$work/sent"
}

says() { grep -cE "$1" "$work/log"; }
said_times() { [ "$(says "$1")" -ge "$2" ]; }
gone='is gone; nothing is metered until it is there again'
back='is there again: metering it'

# A restarted service, a new session: the same path, another cgroup; also with those above it.
comes_again() { # OPTION...
	local code
	begin
	job=$cgroup/session/job
	mkdir -p "$job"
	meter_start "$work/log" "$METER" run --cgroup "$job" --output "csv:$work" --interval 1 "$@"
	job_send 100
	rmdir "$job"
	wait_until 10 said_times "$gone" 1
	code=0
	meter_status >"$work/status" || code=$?
	assert_equal "status' exit code while it is gone" 1 "$code"
	assert_equal "problem" 1 "$(json_value 'len(status["problems"])' <"$work/status")"
	assert_contains "in words" '^problem: .*cgroup is gone' \
		"$("$METER" status --instance "$meter_instance")"
	mkdir "$job"
	wait_until 10 said_times "$back" 1
	meter_status >"$work/status" || fail "not healthy: $(cat "$work/status")"
	job_send 200
	rmdir "$job" "$cgroup/session"
	wait_until 10 said_times "$gone" 2
	mkdir -p "$job"
	wait_until 10 said_times "$back" 2
	job_send 400
	meter_stop || fail "exit code: $(cat "$work/log")"
	assert_equal "bytes out" 700000 "$(csv_sum out 2 "$work"/*_0.log)"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
	rmdir "$job" "$cgroup/session"
}

ip netns add "$net" 2>/dev/null
run_test "started without descriptor 2" closed 2
run_test "started without descriptors 1 and 2" closed 12
run_test "started without descriptors 0, 1 and 2" closed 012
run_test "records to a closed standard output" closed_stdout
run_test "the lock is no one else's to hold" lock
run_test "JOURNAL_STREAM of another program" journal_stream
run_test "-h is --help" short_help
run_test "inside ip netns exec" netns_exec
run_test "a program that allows no other one" exclusive
run_test "the metered cgroup goes and comes again" comes_again
run_test "the metered cgroup goes and comes again, packet records" comes_again --records packet
end_tests
