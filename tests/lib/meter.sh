# SPDX-License-Identifier: GPL-2.0-or-later
# Starting and stopping the real program in a shell test: sourced after tap.sh.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
METER=${METER:-$root/traffic-meter}
TRAFFIC=${TRAFFIC:-$root/build/tests/tools/traffic}

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

cgroup_remove() { # PATH
	local pid
	while read -r pid; do kill -KILL "$pid"; done <"$1/cgroup.procs" 2>/dev/null
	wait_until 10 rmdir "$1" 2>/dev/null
}

in_cgroup() { # PATH COMMAND...
	local path=$1
	shift
	(echo $BASHPID >"$path/cgroup.procs" && exec "$@")
}

# meter_start LOG COMMAND...: runs the meter in the background and waits until it meters.
# Sets meter_pid.
meter_start() {
	local log=$1
	shift
	: >"$log"
	"$@" 2>"$log" &
	meter_pid=$!
	local deadline=$((SECONDS + 30))
	until grep -q 'metering ' "$log"; do
		if ! kill -0 "$meter_pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
			cat "$log"
			fail "the meter did not start: $*"
		fi
		sleep 0.02
	done
}

# Stops it as an administrator would; its exit code is the function's.
meter_stop() {
	kill -TERM "$meter_pid"
	wait "$meter_pid"
}

# Sum of a CSV column over files, by direction: csv_sum DIRECTION COLUMN FILE...
csv_sum() {
	local direction=$1 column=$2
	shift 2
	awk -F, -v d="$direction" -v c="$column" '$1 == d { s += $c } END { printf "%d\n", s }' "$@"
}
