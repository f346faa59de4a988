#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An hour's worth of intervals of a second, in about a minute: the real program with its timers made
# faster, under traffic, with users, cgroups and connections that come and go, reloads and questions. Twice
# side by side: as it is built for all, which must not grow, nor keep files open; and with
# AddressSanitizer, which knows at the end what nobody holds any more, but grows by itself.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

intervals=3600
warm=600 # by then all tables, caches and buffers have the size that this traffic needs
hurry=100

fixture_undo() {
	[ -z "$cgroup" ] || cgroup_remove "$cgroup/job" # left only by a test that failed
}
fixture leaks

asan=build/leaks/traffic-meter
leaked=23 # exit code

intervals_done() { grep -c ' packets, ' "$work/plain.log"; }
files_open() { find "/proc/$meter_pid/fd" -mindepth 1 | wc -l; }
# One may just be written, or a question be answered; what is left by a turn is left some hundred times.
no_more_files() { [ "$(files_open)" -le $((files + 5)) ]; }
# What was swapped out is memory as well.
memory_kib() { awk '/^(RssAnon|VmSwap):/ { sum += $2 } END { print sum }' "/proc/$meter_pid/status"; }

# What happens over and over: a job of a cgroup of its own, with two users' traffic; the list and the
# files anew; people who ask.
turn() {
	local uid build
	mkdir -p "$cgroup/job"
	for uid in 4701 4702; do
		in_cgroup "$cgroup/job" "$TRAFFIC" udp-send --to 127.0.0.1 9 --count 50 --spread-ports 50 --size 100 \
			--uid $uid | sed -E 's/.*ip_bytes=([0-9]+).*/\1/' >>"$work/sent"
	done
	in_cgroup "$cgroup/job" "$TRAFFIC" tcp-many --to 127.0.0.1 7150 --connections 5 --bytes 1000 \
		--expect-reply 100 --uid 4701 >/dev/null
	# The path of one that is gone is kept: that is no leak, and so it ends when memory is compared.
	[ "$(intervals_done)" -ge $warm ] || rmdir "$cgroup/job"
	for build in plain asan; do
		[ $(($1 % 5)) -ne 0 ] || mv "$work/$build/rows.json" "$work/$build.rows.$1"
		kill -HUP "${pid_of[$build]}"
		"$METER" status --instance "$meter_instance-$build" >/dev/null
	done
}

sent() { awk '{ s += $1 } END { printf "%d\n", s }' "$work/sent"; }
json_sum() { # BUILD
	cat "$work/$1"/rows.json "$work/$1".rows.* | grep '"direction":"out"' | grep '"protocol":"udp"' |
		grep -o '"bytes":[0-9]*' | awk -F: '{ s += $2 } END { printf "%d\n", s }'
}
csv_out() { awk -F, '$1 == "out" && $10 == "udp" { s += $2 } END { printf "%d\n", s }' "$work/$1"/*.log; } # BUILD
all_there() { [ "$(csv_out plain) $(json_sum plain) $(csv_out asan) $(json_sum asan)" = "$(sent) $(sent) $(sent) $(sent)" ]; }

# BUILD [LIBRARY...]: which are preloaded.
start() {
	local build=$1 program=$METER
	shift
	[ "$build" = plain ] || program=$asan
	mkdir "$work/$build"
	meter_start "$work/$build.log" env HURRY=$hurry LD_PRELOAD="$*" \
		ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=1:exitcode=$leaked "$program" run --instance "$meter_instance-$build" --config /dev/null \
		--log-level info --cgroup "$cgroup" --interval 1 --untracked "$work/networks" \
		--output "csv:$work/$build" --output "json:$work/$build/rows.json"
	pid_of[$build]=$meter_pid
}

hour() {
	local i=0 build files memory hurry_library=$PWD/build/tests/tools/hurry.so
	local -A pid_of
	need_bpf
	trap processes_end EXIT
	: >"$work/sent"
	echo 10.77.0.0/16 >"$work/networks"
	in_cgroup_start "$cgroup" "$TRAFFIC" tcp-serve --bind 127.0.0.1 7150 --connections 1000000 --expect 1000 \
		--reply 100 --timeout 600 >"$work/served"
	wait_until 10 grep -q ready "$work/served"
	start asan "$("${CC:-cc}" -print-file-name=libasan.so)" "$hurry_library"
	start plain "$hurry_library"

	until [ "$(intervals_done)" -ge $warm ]; do turn $((i += 1)); done
	files=$(files_open)
	memory=$(memory_kib)
	until [ "$(intervals_done)" -ge $intervals ]; do turn $((i += 1)); done
	wait_until 10 no_more_files
	echo "# $(intervals_done) intervals, $i turns, $files files and then $(files_open), memory of $memory KiB grew by $(($(memory_kib) - memory)) KiB"
	[ $(($(memory_kib) - memory)) -le 256 ] || fail "memory grew from $memory to $(memory_kib) KiB"
	wait_until 20 all_there
	for build in plain asan; do
		meter_pid=${pid_of[$build]}
		meter_stop || fail "$build: exit code $? ($leaked: AddressSanitizer): $(
			grep -v ' packets, ' "$work/$build.log" | tail -n 60)"
		assert_contains "last words" "audit: 0 bytes unaccounted" "$(tail -n 3 "$work/$build.log")"
	done
}

make -s -j2 O=build/leaks SANITIZE=address CFLAGS='-O1 -g' build/leaks/traffic-meter || exit 1
make -s build/tests/tools/hurry.so || exit 1
run_test "an hour's worth of intervals: no growth, no leak, no file left open" hour
end_tests
