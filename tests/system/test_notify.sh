#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the service manager is told, as a manager hears it: at a socket of its own, in order.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
fixture notify

# Writes each message as a line to $work/heard, its variables with a space between.
listen() {
	python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    while True:
        print(manager.recv(65536).decode().replace("\n", " "), flush=True)' "$work/socket" \
		>"$work/heard" &
	process_note $!
	wait_until 10 test -S "$work/socket"
}

heard() { [ "$(grep -cE -- "$1" "$work/heard")" -ge "$2" ]; } # PATTERN COUNT

begin() {
	need_bpf
	! "$METER" --version | grep -q '^not built:.*libsystemd' || skip "built without libsystemd"
	trap processes_end EXIT
	rm -rf "${work:?}"/*
	listen
}

in_order() {
	local lines
	begin
	meter_start "$work/log" env NOTIFY_SOCKET="$work/socket" WATCHDOG_USEC=400000 "$METER" run \
		--instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work" --interval 1
	wait_until 10 heard '^READY=1$' 1
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 50 --size 100 >/dev/null
	wait_until 10 heard '^STATUS=[0-9.]+ s: .*out 50 packets, 6400 bytes; 1 users$' 1
	wait_until 10 heard '^WATCHDOG=1$' 5
	kill -HUP "$meter_pid"
	wait_until 10 heard '^READY=1$' 2
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	lines=$(grep -vE '^(WATCHDOG=1|STATUS=[0-9].*)$' "$work/heard" | sed -E 's/USEC=[0-9]+$/USEC=n/')
	assert_equal "in order" "STATUS=metering READY=1 RELOADING=1 MONOTONIC_USEC=n READY=1 STOPPING=1" \
		"$(tr '\n' ' ' <<<"$lines" | sed 's/ $//')"
	assert_contains "between ready and reload" 'WATCHDOG=1' \
		"$(sed -n '/^READY=1$/,/^RELOADING=1/p' "$work/heard")"
}

# A manager that has gone away, or a socket that never was, is nobody's trouble.
nobody_listens() {
	begin
	meter_start "$work/log" env NOTIFY_SOCKET="$work/none" WATCHDOG_USEC=nonsense "$METER" run \
		--instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work"
	assert_contains "warning" 'warning: WATCHDOG_USEC is not understood' "$(cat "$work/log")"
	meter_stop || fail "exit code $?"
}

run_test "told in order: ready, signs of life, reload, stop" in_order
run_test "nobody listens" nobody_listens
end_tests
