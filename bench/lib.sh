# SPDX-License-Identifier: GPL-2.0-or-later
# What the benches share: a place of their own, starting and stopping what is measured, the kernel's
# account of a program's time, medians, the table of results. Sourced by bench/run.

# Directory of temporary files; in memory where there is room, so that a disk is not what is
# measured.
choose_directory() {
	local candidate free_kib
	for candidate in "${BENCH_DIR:-}" /dev/shm "${TMPDIR:-/tmp}"; do
		[ -n "$candidate" ] && [ -d "$candidate" ] || continue
		free_kib=$(df --output=avail -k "$candidate" | tail -1)
		[ "$free_kib" -gt $((4 << 20)) ] && break
	done
	mktemp -d "$candidate/traffic-meter-bench.XXXXXX"
}

cgroup_root() { awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts; }

# Sets directory, cgroup, stats_before; whatever way the script ends, cleanup() undoes it all.
bench_begin() {
	directory= cgroup= stats_before= pids=() namespaces=()
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	# Two benches would disturb each other, and switch each other's accounting off.
	exec {lock}>/run/lock/traffic-meter-bench || die "can't make a lock in /run/lock"
	flock -n "$lock" || {
		say "another bench runs; waiting for its end"
		flock "$lock"
	}
	directory=$(choose_directory)
	cgroup=$(cgroup_root)/traffic-meter-bench-$$
	mkdir "$cgroup" || die "can't make the cgroup $cgroup: is cgroup v2 mounted, and are you root?"
	stats_before=$(cat /proc/sys/kernel/bpf_stats_enabled)
}

cleanup() {
	local code=$? pid name
	trap '' INT TERM HUP
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	if [ -n "$cgroup" ] && [ -d "$cgroup" ]; then
		while read -r pid; do kill -KILL "$pid"; done <"$cgroup/cgroup.procs"
		local tries=0
		until rmdir "$cgroup" 2>/dev/null || [ $((tries += 1)) -gt 100 ]; do sleep 0.05; done
	fi
	for name in "${namespaces[@]}"; do ip netns delete "$name"; done
	[ -n "$stats_before" ] && echo "$stats_before" >/proc/sys/kernel/bpf_stats_enabled
	[ -n "$directory" ] && rm -rf "$directory"
	return "$code"
}

# namespace_new VARIABLE: makes one and sets the variable to its name.
namespace_new() {
	local name=traffic-meter-bench-$1-$$
	ip netns add "$name" || die "can't make a network namespace"
	namespaces+=("$name")
	printf -v "$1" %s "$name"
}

# A measurement that could not be made.
die() {
	echo "bench: $*" >&2
	exit 1
}

say() { echo "# $*" >&2; }

stats() { echo "$1" >/proc/sys/kernel/bpf_stats_enabled; } # 0|1

# --- processes -----------------------------------------------------------------------------------

# start LOG COMMAND...: in the background, until it says that it meters. Sets pid.
start() {
	local log=$1 deadline=$((SECONDS + 60))
	shift
	: >"$log" # what an earlier one said there is not to be taken for this one's
	"$@" 2>"$log" {lock}>&- &
	pid=$!
	pids+=("$pid")
	until grep -q 'metering ' "$log"; do
		if ! kill -0 "$pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
			cat "$log" >&2
			die "did not start: $*"
		fi
		sleep 0.01
	done
}

start_meter() { # LOG DIRECTORY OPTION...
	local log=$1 files=$2
	shift 2
	mkdir -p "$files"
	start "$log" "$meter" run --config /dev/null --instance "bench-$$" --cgroup "$cgroup" \
		--records packet --output "csv:$files,columns=original" "$@"
}

start_baseline() { # LOG DIRECTORY
	mkdir -p "$2"
	start "$1" "$tools/baseline/baseline" "$cgroup" "$2"
}

# The meter as it is by default, but for the output's columns.
start_flow() { # LOG DIRECTORY OPTION...
	local log=$1 files=$2
	shift 2
	start_meter "$log" "$files" --records flow "$@"
}

start_primitive() { start "$1" "$tools/primitives/primitives" "$cgroup" "$2"; } # LOG NAME

# Programs that do nothing: what measuring itself costs.
start_empty() { start_primitive "$1" empty; } # LOG

# stop LOG: the process `pid`, which is to end well.
stop() {
	local code
	kill -TERM "$pid"
	wait "$pid"
	code=$?
	forget "$pid"
	[ $code -eq 0 ] || {
		cat "$1" >&2
		die "process $pid ended with code $code"
	}
}

forget() {
	local kept=() each
	for each in "${pids[@]}"; do [ "$each" = "$1" ] || kept+=("$each"); done
	pids=("${kept[@]}")
}

# send OPTION...: sends in the cgroup, in the network namespace `send_in` if that is set; sets packets, ip_bytes, seconds, rate, late_percent.
send() {
	local line
	line=$(echo $BASHPID >"$cgroup/cgroup.procs" &&
		exec ${send_in:+nsenter --net="/run/netns/$send_in"} "$tools/sender" "$@") || die "the sender failed"
	eval "$line" # our own sender's, numbers only
}

# Waits until the machine has been idle for half a second, for at most 20 s: what others run makes
# times longer, and the baseline's wake-ups cheaper, as its reader's CPU is awake then. Counts the
# measurements that were made all the same.
quiet_tries=0 quiet_missed=0
wait_quiet() {
	local deadline=$((SECONDS + ${QUIET_SECONDS:-20})) before after idle
	quiet_tries=$((quiet_tries + 1))
	while :; do
		before=$(head -1 /proc/stat)
		sleep 0.5
		after=$(head -1 /proc/stat)
		idle=$(echo "$before $after" | awk '{
			n = NF / 2
			for (i = 2; i <= n; i++) all += $(n + i) - $i
			print int(100 * ($(n + 5) - $5) / all)
		}')
		[ "$idle" -ge 90 ] && return
		[ $SECONDS -ge $deadline ] && break
	done
	quiet_missed=$((quiet_missed + 1))
}

# --- what the kernel says ------------------------------------------------------------------------

# A line "NAME RUN_TIME_NS RUN_CNT" for each program of the cgroup, in order of its id.
program_times() {
	local id
	bpftool cgroup show "$cgroup" | awk 'NR > 1 { print $1 }' | sort -nu | while read -r id; do
		bpftool prog show id "$id"
	done | awk '
		function after(word,  i) { for (i = 1; i < NF; i++) if ($i == word) return $(i + 1); return 0 }
		/^[0-9]+:/ { printf "%s %d %d\n", after("name"), after("run_time_ns"), after("run_cnt") }'
}

# kernel_ns OPTION_OF_SEND...: sets ns, the kernel time of the cgroup's two programs per packet,
# egress and ingress added up, while that is sent. Each packet has to pass both.
kernel_ns() {
	local before after
	stats 1
	before=$(program_times)
	send "$@"
	after=$(program_times)
	ns=$(paste -d' ' <(echo "$before") <(echo "$after") | awk -v packets="$packets" '
		{ ns += $5 - $2; runs += $6 - $3; programs++ }
		END {
			if (programs >= 1 && runs == 2 * packets)
				printf "%.1f\n", ns / packets
			else
				printf "bench: %d programs ran %d times for %d packets\n", programs, runs,
					packets >"/dev/stderr"
		}')
	[ -n "$ns" ] || die "the kernel's count of runs is not what was sent"
}

voluntary_switches() { # PID: how often it went to sleep
	awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"
}

# --- numbers -------------------------------------------------------------------------------------

median() { # NUMBER...
	printf '%s\n' "$@" | sort -g | awk '
		{ v[NR] = $1 }
		END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

spread() { # NUMBER...: smallest .. largest
	printf '%s\n' "$@" | sort -g | awk 'NR == 1 { printf "%s..", $1 } { last = $1 } END { print last }'
}

calculate() { awk "BEGIN { printf \"$1\", ($2) }"; } # FORMAT EXPRESSION

# Files of rows: lines, and the sum of the bytes column, by direction ("" for both).
count_rows() { cat "$1"/*.log 2>/dev/null | wc -l; }
sum_bytes() { # DIRECTORY DIRECTION
	cat "$1"/*.log 2>/dev/null |
		awk -F, -v d="$2" '$1 == d { s += $2 } END { printf "%.0f\n", s }'
}

# --- the table -----------------------------------------------------------------------------------

missed=0

# result WHAT MEASURED TARGET_WORDS VALUE OPERATOR LIMIT: a line of the table; a VALUE that does not
# hold against the LIMIT is a target missed. Without VALUE: a line for the reader.
result() {
	local verdict=
	if [ $# -gt 3 ]; then
		verdict=met
		awk "BEGIN { exit !($4 $5 $6) }" || {
			verdict=MISSED
			missed=$((missed + 1))
		}
	fi
	printf '%-48s %-62s %-14s %s\n' "$1" "$2" "${3:-}" "$verdict" | sed 's/ *$//'
}
