#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests of the kernel matrix, run inside of the guest: what may differ between kernels. That the
# verifier takes the programs and how much of its limits they use, that both hooks see every byte on
# each step of the ladder, that lists and their reload work, that nothing stays behind.
#
# The witness is the traffic generator's own count of what it sent and received. Lines "kernel: ",
# "check: " and "verifier: " are what tests/kernels/table makes docs/kernels.md from.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
OWN_PLACES=yes # all of the machine is
. tests/lib/meter.sh
. tests/lib/datagrams.sh
mkdir -p /var/lib

anna=1001
bert=1002
port=7000

# The kernel's limits, of which a program may use this part.
insns_limit=1000000
stack_limit=512
percent=60

# What the generator says of each user, in bytes from the IP header on.
declare -A sent=() received=()

# A directory of the test's own; and however it ends, nothing of it runs on into the next one.
begin() {
	work=$(mktemp -d)
	sent=() received=()
	totals_forget
	undo=:
	trap 'kill -KILL $(jobs -p) 2>/dev/null || :; $undo' EXIT
}

# meter_run [OPTION...]: starts the meter with files in $work.
# Tables of the default size, which take a second of emulation to make and one to read, are one test's.
meter_run() {
	meter_start "$work/log" "$METER" run --nic-id guest --flow-entries 16384 --output "csv:$work" "$@"
}

# Stops it and holds it to its own audit. A stop with a difference is an exit code other than 0.
meter_end() {
	meter_stop || { cat "$work/log" && fail "the meter ended with $?"; }
	assert_contains "audit" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(<"$work/log")"
}

# exchange SENDER RECEIVER ADDRESS COUNT SIZE [OPTION...]: datagrams from one user to another, all
# of which arrive. The options are the sender's; the receiver may be elsewhere by $receive_in.
receive_in=()
exchange() {
	local sender=$1 receiver=$2 address=$3 count=$4 size=$5
	shift 5
	port=$((port + 1))
	serve "$work/receiver" "${receive_in[@]}" "$TRAFFIC" udp-receive --uid "$receiver" \
		--bind "$address" $port --count "$count"
	"$TRAFFIC" udp-send --uid "$sender" --to "$address" $port --count "$count" --size "$size" \
		"$@" >"$work/sender"
	wait $served_pid || fail "not all arrived: sent $(<"$work/sender"), received $(<"$work/receiver")"
	sent[$sender]=$((${sent[$sender]:-0} + $(ip_bytes "$work/sender")))
	received[$receiver]=$((${received[$receiver]:-0} + $(ip_bytes "$work/receiver")))
}

# The sum of the users' rows, or of one user's; 0 where there is no file.
rows_sum() { # DIRECTION [UID]
	local file
	for file in "$work"/traffic_user_guest_${2:-*}.log; do
		[ -f "$file" ] && cat "$file"
	done | csv_sum "$1" 2
}

# The steps of the ladder that the rows of all users come from.
steps() {
	cut -d , -f 18 "$work"/traffic_user_guest_*.log | sort -u | tr '\n' ' ' | sed 's/ $//'
}

assert_user() { # UID
	assert_equal "bytes out of $1" "${sent[$1]:-0}" "$(rows_sum out "$1")"
	assert_equal "bytes in to $1" "${received[$1]:-0}" "$(rows_sum in "$1")"
}

# Every row has that many columns, each of its form, and totals that are the sums so far.
assert_rows() { # COLUMNS FILE
	awk -F , -v columns="$1" '
	function bad(why) { print "# row " NR ", " why ": " $0; failed = 1; exit 1 }
	NF != columns { bad("number of columns") }
	$1 != "in" && $1 != "out" { bad("direction") }
	$2 !~ /^[0-9]+$/ { bad("bytes") }
	$3 "," $4 !~ /^([0-9.]+,[0-9.]+|[0-9a-f:]+,[0-9a-f:]+|,)$/ { bad("addresses") }
	$5 !~ /^[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]$/ { bad("time") }
	{ total[$1] += $2 }
	$6 != total["in"] + 0 || $7 != total["out"] + 0 { bad("totals") }
	END { if (!NR) print "# no rows"; exit failed || !NR }' "$2" || fail "$2"
}

test_check() {
	local output code=0
	output=$("$METER" check 2>&1) || code=$?
	sed 's/^/check: /' <<<"$output"
	[ $code -eq 0 ] && return
	# The kernel's own words.
	"$METER" run --output json:- --duration 1 --log-level debug 2>&1 |
		grep -vE 'sec .*: relo|: found ' | tail -n 100
	fail "check ended with $code"
}

test_verifier() {
	local output name insns stack
	output=$(build/tests/kernels/verifier)
	echo "$output"
	while read -r _ name records insns stack; do
		insns=${insns#insns=} stack=${stack#stack=}
		[ "$insns" -le $((insns_limit * percent / 100)) ] ||
			fail "$name, $records records: $insns instructions, of $insns_limit"
		[ "$stack" -le $((stack_limit * percent / 100)) ] ||
			fail "$name, $records records: $stack bytes of stack, of $stack_limit"
	done <<<"$output"
}

test_options() { # OPTION...
	begin
	meter_run "$@"
	exchange $anna $bert 127.0.0.1 10 100
	exchange $anna $bert ::1 10 100
	meter_end
	assert_user $anna
	assert_user $bert
}

test_two_users() { # RECORDS
	begin
	meter_run --records "$1" --interval 1
	exchange $anna $bert 127.0.0.1 400 100
	exchange $bert $anna 127.0.0.1 300 1400
	meter_status || fail "status ended with $?"
	exchange $anna $bert ::1 200 333
	exchange $bert $anna ::1 100 8000
	meter_end
	for user in $anna $bert; do
		assert_user $user
		assert_rows 21 "$work/traffic_user_guest_$user.log"
	done
	assert_equal "steps" "$1" "$(steps)"
}

test_original() {
	begin
	meter_start "$work/log" ./traffic_meter_user "" lo
	exchange $anna $bert 127.0.0.1 300 100
	exchange $bert $anna ::1 200 333
	meter_end
	for user in $anna $bert; do
		mv "/tmp/traffic_user_lo_$user.log" "$work/traffic_user_guest_$user.log"
		assert_user $user
		assert_rows 7 "$work/traffic_user_guest_$user.log"
	done
}

# A socket that root makes, in the session of somebody who logged in as 1003, and anna uses.
test_owner() { # POLICY UID
	[ -w /proc/self/loginuid ] || skip "no audit in this kernel"
	begin
	meter_run --owner "$1"
	serve "$work/receiver" "$TRAFFIC" udp-receive --uid $bert --bind 127.0.0.1 7801 --count 10
	(
		exec 3>/dev/udp/127.0.0.1/7801
		echo 1003 >/proc/self/loginuid
		su anna -s /bin/bash -c 'for i in {1..10}; do printf %0100d 0 >&3; done'
	)
	wait $served_pid
	assert_equal "bytes of udp" 1280 "$(ip_bytes "$work/receiver")"
	serve "$work/server" "$TRAFFIC" tcp-serve --uid $bert --bind 127.0.0.1 7802 --connections 1
	(
		exec 3>/dev/tcp/127.0.0.1/7802
		echo 1003 >/proc/self/loginuid
		su anna -s /bin/bash -c 'head -c 300000 /dev/zero >&3'
	)
	wait $served_pid
	meter_end
	assert_equal "bytes out, udp" 1280 "$(protocol_sum udp "$2")"
	assert_at_least "bytes out, tcp" 300000 "$(protocol_sum tcp "$2")"
}

# Bytes out by a user over a protocol.
protocol_sum() { # PROTOCOL UID
	awk -F , -v p="$1" '$1 == "out" && $10 == p { sum += $2 } END { print sum + 0 }' \
		"$work/traffic_user_guest_$2.log"
}

# Segments are merged and ends are closed before the last packets, so the generator's count is only
# a lower bound here.
test_tcp() {
	local address
	begin
	meter_run
	for address in 127.0.0.1 ::1; do
		port=$((port + 1))
		serve "$work/server" "$TRAFFIC" tcp-serve --uid $bert --bind $address $port \
			--connections 1 --reply 50000
		"$TRAFFIC" tcp-send --uid $anna --to $address $port --bytes 300000 \
			--expect-reply 50000
		wait $served_pid
	done
	meter_end
	assert_at_least "bytes out of anna" 600000 "$(rows_sum out $anna)"
	assert_at_least "bytes in to bert" 600000 "$(rows_sum in $bert)"
	assert_at_least "bytes out of bert" 100000 "$(rows_sum out $bert)"
	assert_at_least "bytes in to anna" 100000 "$(rows_sum in $anna)"
	for user in $anna $bert; do
		assert_rows 21 "$work/traffic_user_guest_$user.log"
		awk -F , '$9 < $2 { print "# wire_bytes: " $0; exit 1 }' \
			"$work/traffic_user_guest_$user.log"
	done
}

far_remove() {
	ip link del near 2>/dev/null
	ip netns del far
}

carrier() { [ "$(</sys/class/net/near/operstate)" = up ]; }

# A link to another network namespace.
veth_make() {
	[ -d /sys/module/veth ] || skip "no veth in this kernel"
	ip netns add far
	undo=far_remove
	ip link add near type veth peer name away netns far
	ip addr add 192.0.2.1/24 dev near
	ip addr add 2001:db8:2::1/64 dev near nodad
	ip link set near up
	ip -n far addr add 192.0.2.2/24 dev away
	ip -n far addr add 2001:db8:2::2/64 dev away nodad
	ip -n far link set away up
	wait_until 20 carrier
}

test_veth() {
	begin
	veth_make
	meter_run
	receive_in=(ip netns exec far)
	# One first: more than a few must not wait for the neighbour's address.
	exchange $anna $bert 192.0.2.2 1 10
	exchange $anna $bert 2001:db8:2::2 1 10
	exchange $anna $bert 192.0.2.2 200 1000
	exchange $anna $bert 2001:db8:2::2 200 1000
	meter_end
	assert_user $anna
	assert_user $bert
	assert_equal "interface" near \
		"$(awk -F , '{ print $13 }' "$work/traffic_user_guest_$anna.log" | sort -u)"
}

# The hooks at interfaces, by a filter of clsact or by a TCX link.
test_frames() {
	local mac
	begin
	veth_make
	mac=$(ip -n far -o link show dev away | grep -oE 'ether [0-9a-f:]+' | cut -d ' ' -f 2)
	meter_run
	"$TRAFFIC" road packet --to 192.0.2.2 5000 --device near --mac "$mac" --bytes 50000 --size 1000 \
		--uid $anna >"$work/sender"
	meter_end
	assert_equal "bytes out of anna" "$(ip_bytes "$work/sender")" "$(rows_sum out $anna)"
	! bpftool net show dev near | grep meter_frames || fail "a filter is left at the interface"
}

# flood_both SECONDS: two users at once, one over each family, to the other one, in more flows than a
# CPU has recent ones.
flood_both() {
	local drops pid
	drops=$(backlog_drops)
	sink_start $bert 127.0.0.1 7900
	local sinks=$sink_pid
	sink_start $anna ::1 7901
	sinks="$sinks $sink_pid"
	"$TRAFFIC" flood --uid $anna --to 127.0.0.1 7900 --seconds "$1" --size 64 \
		--spread 100 >"$work/flood_anna" &
	pid=$!
	"$TRAFFIC" flood --uid $bert --to ::1 7901 --seconds "$1" --size 200 --spread 100 \
		>"$work/flood_bert"
	wait $pid
	for sink_pid in $sinks; do
		sink_stop
	done
	cat "$work"/flood_*
	sent[$anna]=$(ip_bytes "$work/flood_anna")
	sent[$bert]=$(ip_bytes "$work/flood_bert")
	dropped=$(($(backlog_drops) - drops))
}

# Nobody drops on the loopback but its backlog; where it did, who it was can't be told.
assert_received() {
	if [ $dropped -eq 0 ]; then
		assert_equal "bytes in" "$2" "$1"
	else
		[ "$1" -lt "$2" ] || fail "$dropped packets dropped, and $1 bytes in, $2 sent"
	fi
}

# Overload of one step is detail lost to the next, for each user to the byte.
test_ladder() { # STEPS OPTION...
	local steps=$1
	shift
	begin
	meter_run --interval 1 "$@"
	flood_both 2
	meter_end
	for user in $anna $bert; do
		assert_equal "bytes out of $user" "${sent[$user]}" "$(rows_sum out $user)"
		assert_rows 21 "$work/traffic_user_guest_$user.log"
	done
	assert_received "$(rows_sum in)" "$((sent[$anna] + sent[$bert]))"
	assert_equal "steps" "$steps" "$(steps)"
}

# With room for one user in one direction the rest is nobody's, and still counted.
test_total() {
	begin
	meter_run --records packet --ring-size 4096 --flow-entries 1 --user-entries 1 --interval 1
	flood_both 2
	meter_end
	assert_equal "bytes out" "$((sent[$anna] + sent[$bert]))" "$(rows_sum out)"
	assert_received "$(rows_sum in)" "$((sent[$anna] + sent[$bert]))"
	assert_rows 21 "$work/traffic_user_guest_none.log"
	assert_equal "steps" "flow packet total user" "$(steps)"
}

lists_loaded() { [ "$(grep -c 'untracked networks from' "$work/log")" -ge "$1" ]; }

# The list's four forms, then another list in its place.
test_untracked() {
	begin
	printf '%s\n' 127.1.0.0/16 '127.2.*.*' '127.*.5.*' '2001:db8:1::*' 127.4.0.1 >"$work/list"
	ip addr add 2001:db8:1::1/128 dev lo
	undo='ip addr del 2001:db8:1::1/128 dev lo'
	meter_run --untracked "$work/list"
	# In a subshell: not kept, since not to be counted.
	(exchange $anna $bert 127.1.0.1 20 100 --from 127.1.255.254)
	(exchange $anna $bert 127.2.9.9 20 100 --from 127.2.8.8)
	(exchange $anna $bert 127.7.5.1 20 100 --from 127.200.5.3)
	(exchange $anna $bert 2001:db8:1::1 20 100 --from 2001:db8:1::1)
	(exchange $anna $bert 127.4.0.1 20 100 --from 127.4.0.1)
	# Beside each, and between one in the list and one that is not.
	exchange $anna $bert 127.3.0.1 11 100 --from 127.3.0.2
	exchange $anna $bert 127.7.6.1 12 100 --from 127.7.5.1
	exchange $anna $bert 127.1.0.1 13 100 --from 127.0.0.1
	exchange $anna $bert ::1 14 100
	exchange $anna $bert 127.4.0.2 15 100 --from 127.4.0.1
	echo 127.3.0.0/16 >"$work/list"
	kill -HUP "$meter_pid"
	wait_until 20 lists_loaded 2
	exchange $anna $bert 127.1.0.1 16 100 --from 127.1.255.254
	exchange $anna $bert 127.7.5.1 17 100 --from 127.200.5.3
	exchange $anna $bert 2001:db8:1::1 18 100 --from 2001:db8:1::1
	(exchange $anna $bert 127.3.0.1 19 100 --from 127.3.0.2)
	meter_end
	assert_user $anna
	assert_user $bert
}

# From outside of the list to inside: `remote` looks at the far end alone, which on the way in is
# the source.
test_match() { # RULE COUNTED-OUT COUNTED-IN
	begin
	echo 127.1.0.0/16 >"$work/list"
	meter_run --untracked "$work/list" --untracked-match "$1"
	exchange $anna $bert 127.1.0.1 20 72 --from 127.9.0.1
	meter_end
	assert_equal "bytes out" "$2" "$(rows_sum out $anna)"
	assert_equal "bytes in" "$3" "$(rows_sum in $bert)"
}

udp_sent() { awk '/^Udp: [0-9]/ { print $5 }' /proc/net/snmp; }

# Both lists hold the network, so a single row would be a packet judged by half a list.
test_reload_under_load() {
	local i flood before
	begin
	{
		echo 127.1.0.0/16
		for ((i = 0; i < 2000; i++)); do
			echo "10.$((i / 250)).$((i % 250)).0/24"
		done
	} >"$work/list"
	meter_run --untracked "$work/list"
	sink_start $bert 127.1.0.1 7900
	"$TRAFFIC" flood --uid $anna --from 127.1.0.2 --to 127.1.0.1 7900 --seconds 300 --size 64 &
	flood=$!
	before=$(udp_sent)
	for i in 2 3 4 5; do
		kill -HUP "$meter_pid"
		wait_until 60 lists_loaded $i
	done
	assert_at_least "datagrams sent meanwhile" 1000 $(($(udp_sent) - before))
	kill -KILL $flood
	sink_stop
	meter_end
	assert_user $anna
	assert_user $bert
}

test_json() {
	begin
	# Its standard output is the records' alone.
	meter_start "$work/log" "$METER" run --output json:- >"$work/out"
	exchange $anna $bert 127.0.0.1 50 100
	exchange $anna $bert ::1 50 100
	meter_end
	assert_equal "lines that are no object" 0 "$(grep -cv '^{.*}$' "$work/out" || :)"
	assert_equal "bytes out of anna" "${sent[$anna]}" "$(grep '"uid":1001,' "$work/out" |
		grep '"direction":"out"' | grep -o '"bytes":[0-9]*' |
		awk -F : '{ sum += $2 } END { print sum }')"
}

# 5.10 does not list programs that a link attached below their cgroup, so links are asked for too.
ours_in_kernel() {
	bpftool prog show | grep -o 'name meter_[a-z]*'
	bpftool map show | grep -oE 'name (packets|users|audit|networks|untracked)[a-z0-9_]*'
	bpftool link show | grep -o 'attach_type cgroup_inet_[a-z]*'
	bpftool cgroup tree "$(cgroup_root)" | grep -o 'cgroup_inet_[a-z]* .*meter_[a-z]*'
}

nothing_left() { [ -z "$(ours_in_kernel)" ]; }

# The kernel frees programs and maps a little after the last one lets go of them.
test_detach() {
	begin
	wait_until 10 nothing_left
	meter_run
	for name in 'name meter_packets' 'name packets' \
		'attach_type cgroup_inet_ingress' 'attach_type cgroup_inet_egress'; do
		assert_contains "what bpftool shows" "$name" "$(ours_in_kernel)"
	done
	meter_end
	wait_until 10 nothing_left
}

# Killed, and killed as it takes over: what is counted meanwhile is the next one's, and nothing is there
# twice. At the end a command does that without a meter.
test_killed() { # RECORDS
	begin
	meter_run --records "$1" --interval 1
	exchange $anna $bert 127.0.0.1 400 100
	meter_kill
	exchange $anna $bert ::1 200 333
	meter_run --records "$1" --interval 1 --flow-entries 1000
	exchange $bert $anna 127.0.0.1 300 1400
	meter_kill
	meter_run --interval 1
	meter_kill
	exchange $anna $bert 127.0.0.1 100 64
	"$METER" detach --instance "$meter_instance" --nic-id guest --output "csv:$work" >"$work/log" 2>&1 ||
		{ cat "$work/log" && fail "detach ended with $?"; }
	for user in $anna $bert; do assert_user $user; done
	wait_until 10 nothing_left
}

test_persist() {
	begin
	meter_run --interval 1 --persist
	exchange $anna $bert 127.0.0.1 400 100
	meter_stop || { cat "$work/log" && fail "the meter ended with $?"; }
	assert_contains "audit" 'lost 0 bytes; 0 bytes are in the kernel .*; audit: 0 bytes unaccounted' \
		"$(<"$work/log")"
	exchange $anna $bert ::1 200 333
	meter_run --interval 1
	meter_end
	for user in $anna $bert; do assert_user $user; done
	wait_until 10 nothing_left
}

# An hour forth and back: times follow, and sums don't mind.
test_clock() {
	begin
	meter_run --interval 1 --records packet
	exchange $anna $bert 127.0.0.1 400 100
	date -s "@$(($(date +%s) + 3600))" >/dev/null
	exchange $anna $bert 127.0.0.1 300 100
	date -s "@$(($(date +%s) - 7200))" >/dev/null
	exchange $anna $bert 127.0.0.1 200 100
	date -s "@$(($(date +%s) + 3600))" >/dev/null
	meter_end
	for user in $anna $bert; do assert_user $user; done
}

# Stalls are the emulator's, on a busy machine.
test_dmesg() {
	! dmesg | grep -v 'soft lockup' | grep -E -A 20 'WARNING: |BUG: |Oops'
}

echo "kernel: $(uname -v | sed -nE "s/.*Debian ([^ ]+).*/\1/p")"
run_test "check" test_check
run_test "verifier headroom" test_verifier
# Where nothing loads the rest would only bury the kernel's words.
[ $tests_failed -eq 0 ] || end_tests
for program in build/tests/bpf/test_*; do
	[ -x "$program" ] && run_cmocka "$program"
done
for match in both either remote; do
	run_test "loads: match $match, flow records" test_options --untracked-match $match
	for size in 4096 16M; do
		run_test "loads: match $match, packet records, ring of $size" test_options \
			--untracked-match $match --records packet --ring-size $size
	done
done
run_test "loads: tables of a few entries" test_options --flow-entries 1 --user-entries 4
run_test "loads: tables as they are by default" test_options --flow-entries 262144
run_test "loads: one interface" test_options --interface lo
run_test "loads: all interfaces but one" test_options --exclude-interface near
run_test "sums of two users, both families, flow records" test_two_users flow
run_test "sums of two users, both families, packet records" test_two_users packet
run_test "traffic_meter_user" test_original
run_test "owner: the process's user" test_owner process $anna
run_test "owner: who logged in" test_owner login 1003
run_test "owner: the socket's creator" test_owner socket 0
run_test "tcp" test_tcp
run_test "veth and another network namespace" test_veth
run_test "frames of a packet socket" test_frames
run_test "full ring, exact by user" test_ladder "flow packet" --records packet --ring-size 4096
run_test "full flow table, exact by user" test_ladder "flow user" --flow-entries 1
run_test "full user table, exact in total" test_total
run_test "untracked list and its reload" test_untracked
run_test "untracked, match both" test_match both 2000 2000
run_test "untracked, match either" test_match either 0 0
run_test "untracked, match remote" test_match remote 0 2000
run_test "reload under load" test_reload_under_load
run_test "json to standard output" test_json
run_test "nothing stays attached after a stop" test_detach
run_test "killed, and gone on with, flow records" test_killed flow
run_test "killed, and gone on with, packet records" test_killed packet
run_test "persists over a restart" test_persist
run_test "the clock set back and forth" test_clock
run_test "the kernel does not complain" test_dmesg
end_tests
