# SPDX-License-Identifier: GPL-2.0-or-later
# Starting and stopping the real program in a shell test: sourced after tap.sh.

. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

PATH=$PATH:/usr/sbin:/sbin
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
METER=${METER:-$root/traffic-meter}
TRAFFIC=${TRAFFIC:-$root/build/tests/tools/traffic}

# Meters of a test have a name of their own, so that suites can run side by side.
meter_instance=test-$$

# The cgroup2 mount, wherever it is.
cgroup_root() { awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts; }

need_bpf() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	"$METER" check >/dev/null || skip "this machine can't run the meter"
}

# A cgroup of the test's own; what runs in it is started with in_cgroup. Removed by cgroup_remove.
cgroup_make() { # NAME
	local path
	path=$(cgroup_root)/traffic-meter-test-$1-$$
	mkdir "$path"
	echo "$path"
}

# A cleanup goes on when it fails: what else there is has to go too.
cgroup_remove() { # PATH
	local pid deadline=$((SECONDS + 30))
	until rmdir "$1" 2>/dev/null || [ ! -d "$1" ]; do
		if [ $SECONDS -ge $deadline ]; then
			echo "# can't remove $1"
			return 1
		fi
		while read -r pid; do kill -KILL "$pid"; done <"$1/cgroup.procs" 2>/dev/null
		sleep 0.05
	done
}

in_cgroup() { # PATH COMMAND...
	local path=$1
	shift
	(echo $BASHPID >"$path/cgroup.procs" && exec "$@")
}

# The same in the background. Sets started_pid to the command's own, where $! of `in_cgroup ... &` is
# a shell's; what ends it is noted for processes_end.
in_cgroup_start() { # PATH COMMAND...
	local path=$1
	shift
	(echo $BASHPID >"$path/cgroup.procs" && exec "$@") &
	started_pid=$!
	process_note $started_pid
}

# A test runs in a subshell, so what it leaves running when it fails is kept in a file for the
# cleanup: process id and start time, which together name no other process, however long ago.
process_start_time() { sed -E 's/.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

process_note() { # PID
	[ -z "${work:-}" ] || echo "$1 $(process_start_time "$1")" >>"$work/.processes"
}

# For the cleanup, before it removes $work; and before a test, for what a failed one has left.
processes_end() {
	local pid start
	rm -f /run/traffic-meter/test-$$*.sock # which a killed meter leaves
	[ -f "$work/.processes" ] || return 0
	while read -r pid start; do
		if [ -n "$start" ] && [ "$(process_start_time "$pid")" = "$start" ]; then
			kill -KILL "$pid" || :
			wait "$pid" 2>/dev/null || : # if it is a child of this shell
		fi
	done <"$work/.processes"
	rm "$work/.processes"
}

# meter_start LOG COMMAND...: runs the meter in the background and waits until it meters. A `run`
# gets $meter_instance as its name. Sets meter_pid.
meter_start() {
	local log=$1
	shift
	if [ "$1" = "$METER" ] && [ "$2" = run ]; then
		set -- "$METER" run --instance "$meter_instance" "${@:3}"
	fi
	: >"$log"
	"$@" 2>"$log" &
	meter_pid=$!
	process_note "$meter_pid"
	local now_s deadline
	read_now
	deadline=$((now_s + 90)) # an emulated machine that shares its CPU took more than 30
	until grep -qE '(: |>)metering ' "$log"; do
		read_now
		if ! kill -0 "$meter_pid" 2>/dev/null || [ $now_s -ge $deadline ]; then
			cat "$log"
			fail "the meter did not start: $*"
		fi
		sleep 0.02
	done
}

# For a test of totals that begin at 0.
totals_forget() { rm -f "/var/lib/traffic-meter/$meter_instance".totals*; }

# Stops it as an administrator would; its exit code is the function's.
meter_stop() {
	kill -TERM "$meter_pid"
	wait "$meter_pid"
}

meter_kill() {
	kill -KILL "$meter_pid"
	wait "$meter_pid" 2>/dev/null || :
}

# What the meter of $meter_instance says of itself: one line of JSON.
meter_status() { "$METER" status --json --instance "$meter_instance"; }

# Has each output been given all that is counted? Then what comes after is another round's. Without python,
# which not every guest has.
meter_at_rest() {
	meter_status | grep -oE '"(counted|delivered)":\{"in":\{[^}]*\},"out":\{[^}]*\}' | cut -d : -f 2- |
		awk 'NR == 1 { counted = $0 } $0 != counted { behind = 1 } END { exit NR < 2 || behind }'
}

# What it has counted so far. Without python, which a test that asks often would spend its time in.
meter_counted() { # in|out packets|bytes
	local status
	status=$(meter_status) || return
	grep -o '"counted":{"in":{[^}]*},"out":{[^}]*}' <<<"$status" |
		sed -E "s/.*\"$1\":\{[^}]*\"$2\":([0-9]+).*/\1/"
}

# A value out of JSON on standard input: json_value 'status["counted"]["out"]["bytes"]'
json_value() { python3 -c 'import json, sys; print(eval(sys.argv[1], {"status": json.load(sys.stdin)}))' "$1"; }

# Sum of a CSV column over files, by direction: csv_sum DIRECTION COLUMN FILE...
csv_sum() {
	local direction=$1 column=$2
	shift 2
	awk -F, -v d="$direction" -v c="$column" '$1 == d { s += $c } END { printf "%d\n", s }' "$@"
}
