#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live numbers and the protocol they are asked by (docs/protocol.md): exact at rest, never too much under a
# flood, and a meter that goes on whatever its clients do.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/live.sh
. tests/lib/fixture.sh

hostile_cgroup=
fixture_undo() {
	[ -z "$hostile_cgroup" ] || cgroup_remove "$hostile_cgroup"
}
fixture live

begin() {
	need_bpf
	processes_end
	trap processes_end EXIT
	rm -rf "${work:?}"/*
}

start() { # NAME OPTION...
	meter_instance=test-$$-$1
	mkdir "$work/$1"
	meter_start "$work/$1/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/$1" "${@:2}"
}

# What 1,000 * COUNT bytes of payload come to on the wire of IPv4.
send_as() { # UID COUNT PORT
	in_cgroup "$cgroup" setpriv --reuid "$1" --regid "$1" --clear-groups "$TRAFFIC" udp-send --to 127.0.0.1 "$3" --count "$2" --size 972 |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/'
}

assert_users() { # WHEN
	local users
	users=$(live_ask "users top=5000")
	assert_equal "out of 4001 $1" "$first" "$(live_user 4001 out bytes <<<"$users")"
	assert_equal "out of 4002 $1" "$second" "$(live_user 4002 out bytes <<<"$users")"
	assert_equal "packets out of 4002 $1" 70 "$(live_user 4002 out packets <<<"$users")"
}

has_rows() { cat "$1"/*_"$2".log 2>/dev/null | grep -q ^out; }

# The same numbers while they are in the tables, when they have been drained, and at each moment between.
at_rest() { # packet|flow
	local first second third i flows
	begin
	start "rest$1" --records "$1" --interval 2
	first=$(send_as 4001 300 4011)
	second=$(send_as 4002 70 4012)
	for ((i = 0; i < 4; i++)); do
		assert_users "look $i"
	done
	wait_until 20 has_rows "$work/rest$1" 4002
	assert_users "when drained"
	if [ "$1" = flow ]; then
		live_ask "flows user=4002" >"$work/none"
		third=$(send_as 4002 9 4013)
		flows=$(live_ask "flows user=4002 top=10")
		assert_equal "flow to port 4013" "$third 9 127.0.0.1 lo" "$(json_value \
			'next("{} {} {} {}".format(f["out"]["bytes"], f["out"]["packets"], f["remote"], f["interface"])
			for f in status["flows"] if f["remote_port"] == 4013)' <<<"$flows")"
		assert_equal "others' flows" 0 \
			"$(json_value 'sum(f["uid"] != 4002 for f in status["flows"])' <<<"$flows")"
		second=$((second + third))
		assert_equal "cgroup" "/${cgroup##*/}" "$(live_ask "groups by=cgroup user=4002" 1 |
			json_value 'status["groups"][0]["name"]')"
	fi
	meter_stop || fail "exit code $?"
	assert_equal "rows of 4001" "$first" "$(csv_sum out 2 "$work/rest$1"/*_4001.log)"
	assert_equal "rows of 4002" "$second" "$(csv_sum out 2 "$work/rest$1"/*_4002.log)"
}

counts_more_than() { [ "$(meter_counted out packets)" -gt "$1" ]; }

# Each answer is at most what the hooks had counted when it came, and no answer is lower than the one before.
under_flood() {
	local flood before=0 now counted i
	begin
	start flood --interval 1
	in_cgroup_start "$cgroup" "$TRAFFIC" flood --to 127.0.0.1 9 --seconds 60 --size 64 --spread 300 >"$work/sent"
	flood=$started_pid
	wait_until 10 counts_more_than 1000
	for ((i = 0; i < 5; i++)); do
		now=$(live_ask "users" | live_user 0 out bytes)
		counted=$(meter_counted out bytes)
		[ "$now" -le "$counted" ] || fail "$now bytes are shown, and $counted counted"
		[ "$now" -ge "$before" ] || fail "$now bytes are shown after $before"
		[ "$now" -gt 0 ] || fail "nothing is shown"
		before=$now
	done
	live_ask "groups by=remote every=1" 3 >"$work/groups"
	assert_equal "answers of the stream" 3 "$(wc -l <"$work/groups")"
	kill -0 "$flood" 2>/dev/null || fail "the flood had ended before"
	kill -TERM "$flood"
	wait "$flood"
	assert_equal "at rest" "$(sed -E 's/.*\bip_bytes=([0-9]+).*/\1/' "$work/sent")" \
		"$(live_ask users | live_user 0 out bytes)"
	meter_stop || fail "exit code $?: $(cat "$work/flood/log")"
}

# Garbage, requests without an end, 10,000 connections, and clients that read nothing.
hostile_clients() {
	local bytes
	begin
	start hostile --interval 1
	python3 -c '
import resource, signal, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def connect():
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    client.settimeout(10)
    return client
def send(client, data):
    try:
        client.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
answers = 0
for data in [b"\n", b"\0\0\n", b"\xff" * 300 + b"\n", b"users " + b"x" * 100000, b"a" * (1 << 20),
             b"users top=9999999\n", b"{}\n", b"GET / HTTP/1.1\r\n\r\n", b"users\n" * 1000]:
    client = connect()
    send(client, data)
    try:
        answers += b"protocol" in client.recv(65536)
    except ConnectionResetError:
        answers += 1
    client.close()
slow = [connect() for i in range(40)]
for client in slow:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    send(client, b"users top=5000 every=1\n")
for i in range(10000):
    client = connect()
    if i % 3 == 0:
        send(client, b"status\n")
    client.close()
print("answers", answers, flush=True)
signal.pause()' "/run/traffic-meter/$meter_instance.sock" >"$work/clients" 2>"$work/trouble" &
	process_note $!
	bytes=$(send_as 4001 500 4011)
	wait_until 100 grep -qE "answers|Error" "$work/clients" "$work/trouble"
	assert_equal "answers to garbage" "answers 9" "$(cat "$work/clients" "$work/trouble")"
	meter_status >"$work/status" || fail "exit code $? of status"
	assert_equal "counted" "$bytes" "$(json_value 'status["counted"]["out"]["bytes"]' <"$work/status")"
	assert_equal "shown" "$bytes" "$(live_ask users | live_user 4001 out bytes)"
	meter_stop || fail "exit code $?: $(cat "$work/hostile/log")"
	assert_equal "rows" "$bytes" "$(csv_sum out 2 "$work/hostile"/*_4001.log)"
}

# A client of before there were requests says nothing, and is sent the status.
old_client() {
	begin
	start old
	python3 -c '
import json, socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(20)
    client.connect(sys.argv[1])
    print(json.loads(client.makefile().readline())["pid"])' \
		"/run/traffic-meter/$meter_instance.sock" >"$work/pid"
	assert_equal "pid" "$meter_pid" "$(cat "$work/pid")"
	meter_stop || fail "exit code $?"
}

# JSON is UTF-8 whatever bytes a path holds, and text does not reach the terminal's controls.
hostile_path() {
	local name=$'\xff\xe2\x28 "q"\\\e[31m' path
	begin
	path=$(cgroup_root)/traffic-meter-test-$$-$name
	mkdir "$path"
	hostile_cgroup=$path
	meter_instance=test-$$-path
	mkdir "$work/path"
	meter_start "$work/path/log" "$METER" run --cgroup "$path" --output "csv:$work/path"
	meter_status >"$work/status" || fail "exit code $? of status"
	iconv -f UTF-8 -t UTF-8 "$work/status" >"$work/again" || fail "it is no UTF-8: $(cat "$work/status")"
	assert_contains "cgroup" 'test-[0-9]+-�' "$(json_value 'status["cgroup"]' <"$work/status")"
	"$METER" status --instance "$meter_instance" >"$work/text" || fail "exit code $?"
	! grep -q $'\e' "$work/text" || fail "an escape character is in the text"
	meter_stop || fail "exit code $?"
	cgroup_remove "$path"
	hostile_cgroup=
}

matches_schema() {
	python3 -c 'import json, jsonschema, sys
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open("docs/status.schema.json")))' "$1"
}

# The forms of status for other programs.
forms() {
	local line
	begin
	start forms
	send_as 4001 10 4011 >"$work/sent"
	line=$("$METER" status --instance "$meter_instance" --check) || fail "exit code $? of --check"
	"$METER" status --instance "$meter_instance" --json >"$work/status" || fail "exit code $? of --json"
	matches_schema "$work/status" || fail "it is not what docs/status.schema.json says: $(cat "$work/status")"
	sed 's/"unaccounted_bytes":0/"unaccounted_bytes":"0"/' "$work/status" >"$work/other"
	matches_schema "$work/other" 2>/dev/null && fail "the schema takes anything"
	assert_contains "line" '^TRAFFIC-METER OK - all bytes accounted for \| in=0c out=10000c unaccounted=0B' "$line"
	"$METER" status --instance "$meter_instance" --metrics "$work/meter.prom" || fail "exit code $? of --metrics"
	assert_equal "files" "meter.prom" "$(cd "$work" && ls meter*)"
	assert_contains "metrics" '^traffic_meter_transmit_bytes_total 10000$' "$(cat "$work/meter.prom")"
	assert_contains "metrics" "^traffic_meter_unaccounted_bytes\{output=\"csv:$work/forms\"\} 0$" "$(cat "$work/meter.prom")"
	assert_equal "metrics with no type" "" "$(awk '/^# TYPE/ { type[$3] = 1 } /^[^#]/ { sub(/[{ ].*/, ""); if (!type[$0]) print }' "$work/meter.prom")"
	meter_stop || fail "exit code $?"
	line=$("$METER" status --instance "$meter_instance" --check) && fail "no meter is no error"
	assert_contains "line" "^TRAFFIC-METER CRITICAL - no meter of the instance" "$line"
	"$METER" status --instance "$meter_instance" --metrics "$work/meter.prom" 2>/dev/null && fail "no meter is no error"
	assert_contains "metrics of none" '^traffic_meter_healthy 0$' "$(cat "$work/meter.prom")"
}

run_test "live sums at rest, flow records" at_rest flow
run_test "live sums at rest, packet records" at_rest packet
run_test "live sums under a flood" under_flood
run_test "hostile clients" hostile_clients
run_test "a client of an older version" old_client
run_test "JSON is UTF-8 whatever a path holds" hostile_path
run_test "one line for Nagios, metrics for Prometheus" forms
end_tests
