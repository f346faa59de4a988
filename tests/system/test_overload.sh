#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Overload costs detail, never bytes: floods through a ring and tables that are far too small, a
# reader that is stopped, an output that takes nothing for a while. The truth is the sender's count.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh

work=$(mktemp -d)
cgroup=
cleanup() {
	[ -z "${meter_pid:-}" ] || kill -KILL "$meter_pid" 2>/dev/null
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	rm -rf "$work"
}
trap cleanup EXIT

begin() { # OPTION...
	need_bpf
	rm -rf "${work:?}"/*
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work" --interval 1 \
		--records packet "$@"
}

flood() { # UID SECONDS: adds what was sent to $work/sent
	in_cgroup "$cgroup" "$TRAFFIC" flood --to 127.0.0.1 9 --seconds "$2" --size 64 --uid "$1" |
		sed -E 's/.*\bpackets=([0-9]+).*ip_bytes=([0-9]+).*/\1 \2/' >>"$work/sent"
}

end() {
	meter_stop || fail "exit code $?: $(cat "$work/log")"
	cat "$work/log"
	assert_contains "closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' "$(cat "$work/log")"
	assert_equal "packets out" "$(awk '{ s += $1 } END { printf "%d\n", s }' "$work/sent")" \
		"$(csv_sum out 8 "$work"/*.log)"
	assert_equal "bytes out" "$(awk '{ s += $2 } END { printf "%d\n", s }' "$work/sent")" \
		"$(csv_sum out 2 "$work"/*.log)"
	# Each file's totals are the sums of its rows, whatever step they come from.
	awk -F, '{ t[FILENAME, $1] += $2; last[FILENAME, "in"] = $6; last[FILENAME, "out"] = $7 }
		END { for (k in t) if (t[k] != last[k]) { print "totals of " k; exit 1 } }' "$work"/*_*.log
}

rows_of_step() { cat "$work"/*_*.log | awk -F, -v step="$1" '$NF == step' | wc -l; }

smallest_ring() {
	begin --ring-size 4096
	flood 4400 2
	end
	assert_at_least "merged rows" 1 "$(rows_of_step user)"
}

more_users_than_entries() {
	begin --ring-size 4096 --user-entries 1
	local uid floods=()
	for uid in 4400 4401 4402; do
		flood "$uid" 2 &
		floods+=($!)
	done
	wait "${floods[@]}"
	end
	assert_at_least "rows of no user" 1 "$(rows_of_step total)"
	[ -s "$work/traffic_user_unknown_none.log" ] || fail "no file of nobody"
}

stopped_reader() {
	begin --ring-size 64K
	kill -STOP "$meter_pid"
	flood 4400 3
	kill -CONT "$meter_pid"
	flood 4400 1
	end
	assert_at_least "merged rows" 1 "$(rows_of_step user)"
}

# A pipe that nobody reads for a while: its output stalls, the ladder takes the rest.
stalled_output() {
	need_bpf
	rm -rf "${work:?}"/*
	mkfifo "$work/pipe"
	exec 7<>"$work/pipe"
	"$METER" run --cgroup "$cgroup" --output "csv:$work" --output json:- --records packet --ring-size 64K \
		--interval 1 2>"$work/log" >"$work/pipe" 7>&- &
	meter_pid=$!
	wait_until 30 grep -q 'metering ' "$work/log"
	flood 4400 3
	cat "$work/pipe" >"$work/all.json" 7>&- &
	local reader=$!
	flood 4400 1
	exec 7>&-
	end
	wait "$reader"
	assert_equal "bytes of the stalled output" "$(awk -F, '{ s += $2 } END { print s }' "$work"/*_*.log)" \
		"$(sed -E 's/.*"bytes":([0-9]+).*/\1/' "$work/all.json" | awk '{ s += $1 } END { print s }')"
	assert_at_least "merged rows" 1 "$(rows_of_step user)"
}

[ "$(id -u)" -ne 0 ] || cgroup=$(cgroup_make overload)
run_test "smallest ring" smallest_ring
run_test "more users than entries" more_users_than_entries
run_test "stopped reader" stopped_reader
run_test "stalled output" stalled_output
end_tests
