#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a meter says of itself, and how it comes to an end: status in all states of a meter, stops that
# are bounded whatever hangs, and options that can't be.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
memory_cgroup=
fixture_undo() {
	[ -z "$memory_cgroup" ] || cgroup_remove "$memory_cgroup"
}
fixture status

begin() {
	need_bpf
	processes_end
	trap processes_end EXIT # of the test's own shell, which can wait for them
	rm -rf "${work:?}"/*
}

start() { # NAME OPTION...: a meter with a directory and a status of its own
	meter_instance=test-$$-$1
	mkdir "$work/$1"
	meter_start "$work/$1/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/$1" "${@:2}"
}

# So many datagrams; says how many bytes that is.
send() { # COUNT
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count "$1" --size 100 |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/'
}

# refuse CODE PATTERN COMMAND...: ends with that code and one line of message, and is soon back.
refuse() {
	local code=$1 pattern=$2 got=0
	shift 2
	timeout 20 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
	assert_equal "exit code of $*" "$code" "$got"
	assert_equal "standard output of $*" "" "$(cat "$work/stdout")"
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "not one line of $*: $(cat "$work/stderr")"
	assert_contains "message of $*" "$pattern" "$(cat "$work/stderr")"
}

refuse_status() { refuse 1 "$1" "$METER" status --instance "$meter_instance" "${@:2}"; }

none_runs="no meter of the instance 'test-$$-[a-z]*' is running.*traffic-meter run"

no_meter() {
	meter_instance=test-$$-none
	refuse_status "$none_runs"
	refuse_status "$none_runs" --json
}

text_and_json() {
	local bytes status
	begin
	start talk --interval 7 --records packet
	bytes=$(send 50)
	status=$(meter_status) || fail "exit code $? of status: $status"
	assert_equal "lines of JSON" 1 "$(wc -l <<<"$status")"
	assert_equal "what it says" "test-$$-talk $meter_pid $cgroup packet 7 50 $bytes csv:$work/talk 0 0 0 ''" \
		"$(json_value '" ".join(map(str, [status["instance"], status["pid"], status["cgroup"],
			status["records"], status["interval"], status["counted"]["out"]["packets"],
			status["counted"]["out"]["bytes"]] + [x for o in status["outputs"] for x in (o["spec"],
			o["unaccounted_bytes"], o["lost_packets"], o["lost_bytes"], repr(o["error"]))]))' <<<"$status")"
	assert_equal "the parts make up the whole" 0 "$(json_value 'sum(
		status["counted"][d][w] - status["held"][d][w] - o["delivered"][d][w] - o["queued"][d][w]
		for d in ("in", "out") for w in ("packets", "bytes") for o in status["outputs"])' <<<"$status")"

	status=$("$METER" status --instance "$meter_instance") || fail "exit code $? of status: $status"
	assert_contains "text" "^traffic-meter .* instance test-$$-talk, pid $meter_pid" "$status"
	assert_contains "text" "^cgroup $cgroup, packet records, .*interval 7 s" "$status"
	assert_contains "text" "^  counted +0 +0 +$bytes +50$" "$status"
	assert_contains "text" "^  in kernel " "$status"
	assert_contains "text" "^output csv:$work/talk$" "$status"
	assert_contains "text" "^  audit: 0 bytes unaccounted$" "$status"
	meter_stop || fail "exit code $?"
	refuse_status "$none_runs"
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

# The socket that a killed meter leaves is nobody's, and the next meter's.
stale_socket() {
	begin
	start stale
	disown "$meter_pid" # whose end is no news
	kill -KILL "$meter_pid"
	wait_until 10 has_ended "$meter_pid"
	[ -S "/run/traffic-meter/$meter_instance.sock" ] || fail "there is no stale socket"
	refuse_status "$none_runs"
	rm -r "$work/stale"
	start stale
	assert_equal "warnings" 0 "$(grep -c warning "$work/stale/log")"
	meter_status >"$work/status" || fail "exit code $? of status"
	assert_equal "pid" "$meter_pid" "$(json_value 'status["pid"]' <"$work/status")"
	meter_stop || fail "exit code $?"
	[ ! -e "/run/traffic-meter/$meter_instance.sock" ] || fail "the socket is still there"
}

two_of_one_name() {
	local first bytes
	begin
	start twin
	first=$meter_pid
	mkdir "$work/second"
	refuse 1 "'test-$$-twin' is metered by process $first already.*--instance" \
		"$METER" run --instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work/second"
	bytes=$(send 20)
	assert_equal "who answers" "$first" "$(meter_status | json_value 'status["pid"]')"
	assert_equal "files of the second" "" "$(ls "$work/second")"
	meter_stop || fail "exit code $? of the first"
	assert_equal "bytes of the first" "$bytes" "$(csv_sum out 2 "$work"/twin/*_*.log)"
}

# While packets come in, what was counted between the readings is not taken for missing.
under_flood() { # packet|flow
	local flood i begun status
	begin
	start "flood$1" --records "$1" --interval 1
	in_cgroup_start "$cgroup" "$TRAFFIC" flood --to 127.0.0.1 9 --seconds 60 --size 64 --spread 32 \
		>"$work/sent"
	flood=$started_pid
	wait_until 10 counts_more_than 1000
	for ((i = 0; i < 8; i++)); do
		begun=$EPOCHSECONDS
		status=$(meter_status) || fail "exit code $? of status: $status"
		[ $((EPOCHSECONDS - begun)) -le 5 ] || fail "status took $((EPOCHSECONDS - begun)) s"
		assert_equal "unaccounted" 0 "$(json_value 'status["outputs"][0]["unaccounted_bytes"]' <<<"$status")"
	done
	# `status` asks again when it does not come out. That must not be what it lives on: only a packet
	# between its two counters may make a difference.
	python3 - "/run/traffic-meter/$meter_instance.sock" <<-'END' >"$work/differences"
		import json, socket, sys
		differences = 0
		for i in range(200):
		    with socket.socket(socket.AF_UNIX) as client:
		        client.connect(sys.argv[1])
		        client.sendall(b"status\n")
		        status = json.loads(client.makefile().readline())
		        differences += status["outputs"][0]["unaccounted_bytes"] != 0
		print(differences)
	END
	[ "$(cat "$work/differences")" -le 40 ] ||
		fail "$(cat "$work/differences") of 200 answers under the flood don't come out"
	kill -0 "$flood" 2>/dev/null || fail "the flood had ended before"
	kill -TERM "$flood"
	wait "$flood"
	assert_equal "counted at rest" "$(sed -E 's/.*\bip_bytes=([0-9]+).*/\1/' "$work/sent")" \
		"$(meter_counted out bytes)"
	meter_stop || fail "exit code $?: $(cat "$work/flood$1/log")"
	echo "# $1: $(cat "$work/differences") of 200 answers differed"
}

counts_more_than() { [ "$(meter_counted out packets)" -gt "$1" ]; }

# A meter that does not answer is not waited for for ever; neither is a client that takes no answer.
no_answer() {
	local client
	begin
	start mute
	kill -STOP "$meter_pid"
	refuse_status "ask the meter of the instance 'test-$$-mute': .*timed out"
	kill -CONT "$meter_pid"
	meter_status >"$work/status" || fail "exit code $? of status"

	python3 -c '
import signal, socket, sys
clients = [socket.socket(socket.AF_UNIX) for i in range(8)]
for client in clients:
    client.connect(sys.argv[1])
print("ready", flush=True)
signal.pause()' "/run/traffic-meter/$meter_instance.sock" >"$work/clients" &
	client=$!
	process_note $client
	wait_until 10 grep -q ready "$work/clients"
	meter_status >"$work/status" || fail "exit code $? of status"
	kill "$client"
	meter_stop || fail "exit code $?"
}

not_ours() {
	begin
	start ours
	refuse 1 "ask the meter of the instance.*Permission denied" setpriv --reuid 65534 --regid 65534 \
		--clear-groups "$METER" status --instance "$meter_instance"
	meter_stop || fail "exit code $?"
}

duration() {
	local bytes begun=$EPOCHSECONDS code=0
	begin
	start duration --duration 2
	bytes=$(send 30)
	wait "$meter_pid" || code=$?
	assert_equal "exit code" 0 $code
	assert_at_least "seconds" 2 $((EPOCHSECONDS - begun))
	[ $((EPOCHSECONDS - begun)) -le 10 ] || fail "it took $((EPOCHSECONDS - begun)) s"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/duration/log")"
	assert_equal "bytes" "$bytes" "$(csv_sum out 2 "$work"/duration/*_*.log)"
	refuse_status "$none_runs"
}

# In the middle of an interval: what the tables hold is written.
signals() {
	local signal bytes code begun
	for signal in INT TERM; do
		begin
		start "signal" --interval 3600
		bytes=$(send 40)
		begun=$EPOCHSECONDS code=0
		kill -$signal "$meter_pid"
		wait "$meter_pid" || code=$?
		assert_equal "exit code at SIG$signal" 0 $code
		[ $((EPOCHSECONDS - begun)) -le 5 ] || fail "it took $((EPOCHSECONDS - begun)) s"
		assert_equal "bytes at SIG$signal" "$bytes" "$(csv_sum out 2 "$work"/signal/*_*.log)"
	done
}

# start_hung NAME FD FIRST SECOND OPTION...: a meter with two outputs, of which `json` goes to a pipe
# that is full and that nobody reads.
start_hung() {
	local spec outputs=()
	mkfifo "$work/$1.pipe"
	eval "exec $2<>'$work/$1.pipe'"
	dd if=/dev/zero of="$work/$1.pipe" bs=4096 oflag=nonblock 2>/dev/null && fail "the pipe is never full"
	for spec in "$3" "$4"; do
		case $spec in
		csv) outputs+=(--output "csv:$work/$1") ;;
		json) outputs+=(--output json:-) ;;
		esac
	done
	meter_instance=test-$$-$1
	mkdir "$work/$1"
	meter_start "$work/$1/log" "$METER" run --cgroup "$cgroup" "${outputs[@]}" "${@:5}" >"$work/$1.pipe"
}

# The same, but its standard output is a socket that takes the beginning of a write and then keeps the
# caller: the thread can't be ended, only left.
start_stuck() { # NAME OPTION...
	meter_instance=test-$$-$1
	mkdir "$work/$1"
	meter_start "$work/$1/log" python3 -c '
import os, socket, sys
ours, peer = socket.socketpair()
peer.set_inheritable(True)
ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
os.dup2(ours.fileno(), 1)
os.execv(sys.argv[1], sys.argv[1:])' "$METER" run --instance "$meter_instance" --cgroup "$cgroup" \
		--output json:- --output "csv:$work/$1" "${@:2}"
}

# verify_hung NAME BYTES TAKEN LOST: the other output has all, and this one's loss is told.
verify_hung() {
	assert_equal "$1: bytes of the other output" "$2" "$(csv_sum out 2 "$work/$1"/*_*.log)"
	assert_contains "$1: closing line" "csv:.* out $2 bytes; lost 0 bytes; audit: 0 bytes" "$(cat "$work/$1/log")"
	assert_contains "$1: closing line" "json:-: $3.*lost $4 bytes; audit: 0 bytes" "$(cat "$work/$1/log")"
	assert_equal "$1: warnings of the other output" 0 "$(grep -c 'warning: output csv' "$work/$1/log")"
	assert_contains "$1: warning" "warning: output json:-: .*(not written|given up)" "$(cat "$work/$1/log")"
}

# Stops that wait for an output that hangs: with little to write, with so much that its queue is full
# and keeps the other output from what the kernel holds, and in the middle of a system call.
hung_output() {
	local little much last stuck pid bytes more begun code
	begin
	start_hung little 7 json csv --interval 1
	little=$meter_pid
	bytes=$(send 60)
	start_hung much 8 json csv --interval 1 --records packet --ring-size 64K
	much=$meter_pid
	more=$(in_cgroup "$cgroup" "$TRAFFIC" flood --to 127.0.0.1 9 --seconds 1 --size 64 |
		sed -E 's/.*\bip_bytes=([0-9]+).*/\1/')
	start_hung last 9 csv json --interval 1
	last=$meter_pid
	start_stuck stuck --interval 1
	stuck=$meter_pid
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 10000 --spread-ports 5000 --size 0 --from 127.0.0.2 \
		--from-port 9999 --batch >/dev/null
	wait_until 10 counts_more_than 4999

	begun=$EPOCHSECONDS
	kill -INT "$little"
	kill -TERM "$much" "$last" "$stuck"
	for pid in "$little" "$much" "$last" "$stuck"; do
		code=0
		wait "$pid" || code=$?
		assert_equal "exit code" 1 $code
	done
	assert_at_least "seconds that they took" 9 $((EPOCHSECONDS - begun))
	[ $((EPOCHSECONDS - begun)) -le 18 ] || fail "they took $((EPOCHSECONDS - begun)) s"
	exec 7>&- 8>&- 9>&-
	verify_hung little $((bytes + more + 140000)) "0 packets" $((bytes + more + 140000))
	verify_hung much $((more + 140000)) "0 packets" $((more + 140000))
	verify_hung last 140000 "0 packets" 140000
	verify_hung stuck 140000 "[0-9]+ packets" "[1-9][0-9]*"
	assert_contains "warning" "json:-: does not come to an end and is given up" "$(cat "$work/stuck/log")"
}

usage() {
	local value
	for value in 0 -1 1.5 ten 86401 "" " "; do
		refuse 2 "--interval" "$METER" run --interval "$value"
	done
	for value in 0 -1 x 1K 67108865 18446744073709551617; do
		refuse 2 "--flow-entries" "$METER" run --flow-entries "$value"
	done
	for value in 0 -1 x 16777217; do
		refuse 2 "--user-entries" "$METER" run --user-entries "$value"
	done
	for value in 0 4095 -1 x 1025M 2G; do
		refuse 2 "--ring-size" "$METER" run --ring-size "$value"
	done
	for value in 0 -1 x; do
		refuse 2 "--duration" "$METER" run --duration "$value"
	done
	for value in "" .x ../x a/b "a b" "$(printf '%065d' 0)"; do
		refuse 2 "instance" "$METER" run --instance "$value"
		refuse 2 "instance" "$METER" status --instance "$value"
	done
	refuse 2 "--records" "$METER" run --records flows
	refuse 2 "stray" "$METER" status stray
	refuse 2 "--jsno" "$METER" status --jsno
}

# A memory cgroup of the test's own, of 256 MiB: where a machine has no such bound of its own the sizes
# that it can't have would take all it has.
make_memory_cgroup() {
	local v1 v2
	v2=$(cgroup_root)
	v1=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/self/mounts)
	if grep -qw memory "$v2/cgroup.subtree_control"; then
		memory_cgroup=$v2/traffic-meter-test-memory-$$
		mkdir "$memory_cgroup" && echo $((256 << 20)) >"$memory_cgroup/memory.max"
	elif [ -n "$v1" ]; then
		memory_cgroup=$v1/traffic-meter-test-memory-$$
		mkdir "$memory_cgroup" && echo $((256 << 20)) >"$memory_cgroup/memory.limit_in_bytes"
	fi
}

refuse_sizes() { # PATTERN OPTION...
	refuse 1 "$1" bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$memory_cgroup" "$METER" run \
		--instance "test-$$-sizes" --cgroup "$cgroup" --output "csv:$work" --duration 1 "${@:2}"
	assert_equal "attached with ${*:2}" "" "$(bpftool cgroup show "$cgroup")"
}

sizes_beyond_memory() {
	begin
	[ -n "$memory_cgroup" ] || skip "no memory cgroup to be had"
	# Where this is no error maps are not charged to the group, and the rest would be too much.
	refuse_sizes "BPF maps.*--flow-entries 4000000.*Cannot allocate memory" --flow-entries 4000000
	refuse_sizes "BPF maps.*--flow-entries 67108864.*Cannot allocate memory" --flow-entries 67108864
	refuse_sizes "BPF maps.*--user-entries 16777216.*Cannot allocate memory" --user-entries 16777216
	refuse_sizes "BPF maps.*--ring-size 1073741824.*Cannot allocate memory" --records packet --ring-size 1G
	refuse_sizes "BPF maps.*--ring-size 1073741824.*--flow-entries 67108864.*Cannot allocate memory" \
		--records packet --ring-size 1G --flow-entries 67108864 --user-entries 16777216
}

[ "$(id -u)" -ne 0 ] || make_memory_cgroup
run_test "usage" usage
run_test "no meter runs" no_meter
run_test "text and JSON" text_and_json
run_test "the socket of a killed meter" stale_socket
run_test "a second meter of one name is refused" two_of_one_name
run_test "status under a flood, packet records" under_flood packet
run_test "status under a flood, flow records" under_flood flow
run_test "no answer" no_answer
run_test "somebody else's meter" not_ours
run_test "a duration" duration
run_test "SIGINT and SIGTERM" signals
run_test "sizes beyond memory" sizes_beyond_memory
run_test "an output that hangs is given up" hung_output
end_tests
