#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What holds on every kernel, on $METER, a build that finds a lesser one:
#
#	tests/lesser/core.sh ABSENT OWNER SAYS
#
# ABSENT: what `check` lists, by a pattern; OWNER: the policy that is left of `process`; SAYS: the words
# with which it starts, once, or nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

absent=$1
owner=$2
says=$3
net=tm-lesser-$$
anna=61601
bert=61602
fixture_undo() {
	"$METER" detach --config /dev/null --instance "$meter_instance" --output "csv:$work" >/dev/null 2>&1 || : # what a failed test has left
}
fixture lesser "$net"

# In a network namespace with lo and a link to itself, where nobody else sends.
start() { # OPTION...
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	meter_start "$work/log" nsenter --net="/run/netns/$net" "$METER" run --config /dev/null \
		--instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work/out" "$@"
}

stop() {
	meter_stop || fail "the meter's exit code: $(cat "$work/log")"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
}

enter() { in_cgroup "$cgroup" nsenter --net="/run/netns/$net" "$@"; }

send() { # UID ADDRESS PACKETS; of 1000 bytes from the IP header on, over IPv4
	enter "$TRAFFIC" udp-send --uid "$1" --to "$2" 5000 --count "$3" --size 972 >"$work/sent"
}

charged() { # UID COLUMN
	find "$work/out" -name "*_$1.log" -exec cat {} + | csv_sum out "$2" -
}

checks() {
	assert_contains "check" "$absent" "$("$METER" check 2>/dev/null)"
	assert_contains "check" '^ok +programs accepted' "$("$METER" check 2>/dev/null)"
}

says_so_once() {
	start --interval 1
	send $anna 10.1.0.1 1
	stop
	assert_equal "warnings and notices" "$([ -z "$says" ] || echo 1)" \
		"$(grep -cE 'this kernel|keep metering|not here' "$work/log" | sed 's/^0$//')"
	[ -z "$says" ] || assert_contains "what it says" "$says" "$(cat "$work/log")"
}

sums() { # OPTION...
	start "$@"
	send $anna 10.1.0.1 300
	send $bert 10.1.0.1 200
	send $bert 2001:db8::1 100
	stop
	assert_equal "packets and bytes out of anna" "300 300000" "$(charged $anna 8) $(charged $anna 2)"
	assert_equal "packets and bytes out of bert" "300 302000" "$(charged $bert 8) $(charged $bert 2)"
}

# Of a socket that root makes and anna uses.
owners() {
	local user=$anna
	start
	assert_equal "status" "$owner" "$(meter_status | json_value 'status["owner"]')"
	enter python3 -c 'import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
os.setuid('$anna')
for i in range(50): s.sendto(bytes(972), ("10.1.0.1", 5000))'
	stop
	[ "$owner" = process ] || user=0
	assert_equal "bytes out of uid $user" 50000 "$(charged $user 2)"
}

ladder() { # STEPS OPTION...
	local steps=$1 sent
	shift
	start --interval 1 "$@"
	sent=$(enter "$TRAFFIC" flood --to 10.1.0.1 5009 --uid $anna --seconds 1 --size 64 --spread 64 |
		sed -E 's/.*\bpackets=([0-9]+).*ip_bytes=([0-9]+).*/\1 \2/')
	stop
	assert_equal "packets and bytes out" "$sent" \
		"$(csv_sum out 8 "$work"/out/*.log) $(csv_sum out 2 "$work"/out/*.log)"
	assert_equal "steps" "$steps" "$(awk -F, '{ print $18 }' "$work"/out/*.log | sort -u | xargs)"
}

reloaded() { [ "$(grep -c 'untracked networks from' "$work/log")" -ge "$1" ]; }

networks() {
	printf '%s\n' '10.1.0.0/16' '10.*.5.*' >"$work/list"
	start --untracked "$work/list" --untracked-match remote
	send $anna 10.1.0.1 20
	send $anna 10.2.5.1 20
	send $anna 10.2.0.1 30
	echo 10.2.0.0/16 >"$work/list"
	kill -HUP "$meter_pid"
	wait_until 20 reloaded 2
	send $anna 10.2.0.1 20
	send $anna 10.1.0.1 40
	stop
	assert_equal "bytes out" 70000 "$(charged $anna 2)"
}

# Our programs at the cgroup, and our filters at the interface: a link is not shown by every bpftool.
hooks() { bpftool cgroup show "$cgroup" | grep -c 'meter_'; }
filters() { nsenter --net="/run/netns/$net" bpftool net show dev hook0 | grep -c 'meter_frames'; }
hooked() { [ "$(hooks)" -eq "$1" ]; }

# What is pinned outlives a kill, and the next one takes it over; without bpffs it ends with the process.
detached() {
	local by_filter=0 after_kill=2
	[[ $says != *TCX* ]] || by_filter=1
	[[ $says != *keep\ metering* ]] || after_kill=0
	start
	assert_equal "hooks, filters" "2 $by_filter" "$(hooks) $(filters)"
	stop
	assert_equal "hooks, filters after a stop" "0 0" "$(hooks) $(filters)"
	start
	kill -KILL "$meter_pid"
	wait "$meter_pid" 2>/dev/null || :
	wait_until 10 hooked $after_kill
	assert_equal "filters after a kill" $by_filter "$(filters)"
	start
	assert_equal "hooks, filters of the next one" "2 $by_filter" "$(hooks) $(filters)"
	stop
	assert_equal "hooks, filters after its stop" "0 0" "$(hooks) $(filters)"
}

need_bpf
netns_any "$net"
ip -n "$net" link add hook0 type veth peer name hook1
ip -n "$net" link set hook0 up
run_test "check tells" checks
run_test "says so once" says_so_once
run_test "sums of two users, flow records" sums
run_test "sums of two users, packet records" sums --records packet
run_test "owner: $owner" owners
run_test "ladder, flow records" ladder "flow user" --flow-entries 16
run_test "ladder, packet records" ladder "flow packet user" --records packet --ring-size 4096 --flow-entries 16
run_test "untracked list and its reload" networks
run_test "nothing stays attached" detached
end_tests
