#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Overload costs detail, never bytes: floods through a ring and tables that are far too small, a
# reader that is stopped, an output that takes nothing for a while, more flows than any table holds.
# The truth is the sender's own count.
#
# Two meters watch each flood, one with packet records and one with flow records. Each round is with
# meters of its own; ROUNDS tells how many there are.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/fixture.sh

ROUNDS=${ROUNDS:-10}

fixture overload

# An address that no other test listens at.
address=127.$(($$ >> 16 & 63 | 64)).$(($$ >> 8 & 255)).$(($$ & 255))
modes="packet flow"

declare -A pid_of

# Somebody has the address, but does not read: packets pass the ingress hook before they find the
# buffer full.
listen() {
	: >"$work/.receiver"
	in_cgroup_start "$cgroup" "$TRAFFIC" udp-receive --bind "$address" 5009 --count 100000000 \
		--timeout 600 --uid 4499 >"$work/.receiver"
	wait_until 10 grep -q ready "$work/.receiver"
	kill -STOP "$started_pid"
}

prepare() {
	need_bpf
	processes_end
	trap processes_end EXIT # of the test's own shell, which can wait for them
	rm -rf "${work:?}"/*
	listen
}

begin() { # OPTION...
	local mode
	prepare
	for mode in $modes; do
		mkdir "$work/$mode"
		meter_instance=test-$$-$mode
		totals_forget
		meter_start "$work/$mode/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/$mode" \
			--interval 1 --records "$mode" "$@"
		pid_of[$mode]=$meter_pid
	done
}

# Adds what was sent to $work/sent: packets and bytes.
note_sent() { sed -E 's/.*\bpackets=([0-9]+).*ip_bytes=([0-9]+).*/\1 \2/' >>"$work/sent"; }

flood() { # UID SECONDS [OPTION...]
	in_cgroup "$cgroup" "$TRAFFIC" flood --to "$address" 5009 --uid "$1" --seconds "$2" --size 64 "${@:3}" |
		note_sent
}

sent() { awk -v c="$1" '{ s += $c } END { printf "%d\n", s }' "$work/sent"; }

# The traffic has ended: the audit comes out, and what was counted is what was sent.
verify_status() { # MODE
	local status values
	status=$(meter_instance=test-$$-$1 meter_status) || fail "$1: exit code $? of status: $status"
	values=$(json_value '"%d %d / %s / %d %d" % (*status["counted"]["out"].values(),
		[(o["unaccounted_bytes"], o["lost_bytes"]) for o in status["outputs"]],
		*status["counted"]["in"].values())' <<<"$status")
	assert_equal "$1: counted / unaccounted and lost by status" "$(sent 1) $(sent 2) / [(0, 0)]" \
		"${values% / *}"
	echo "${values##* / }" >"$work/$1/in"
}

# Each file's totals are the sums of its rows, whatever step they come from.
verify_totals() { # FILE...
	awk -F, '{ t[FILENAME, $1] += $2; last[FILENAME, "in"] = $6; last[FILENAME, "out"] = $7 }
		END { for (k in t) if (t[k] != last[k]) { print "totals of " k; exit 1 } }' "$@"
}

verify_files() { # MODE
	local files=("$work/$1"/*.log)
	assert_equal "$1: packets and bytes out" "$(sent 1) $(sent 2)" \
		"$(csv_sum out 8 "${files[@]}") $(csv_sum out 2 "${files[@]}")"
	assert_equal "$1: packets and bytes in" "$(cat "$work/$1/in")" \
		"$(csv_sum in 8 "${files[@]}") $(csv_sum in 2 "${files[@]}")"
	verify_totals "${files[@]}"
}

end() {
	local mode
	assert_at_least "packets sent" 1 "$(sent 1)"
	for mode in $modes; do
		verify_status "$mode"
		meter_pid=${pid_of[$mode]}
		meter_stop || fail "$mode: exit code $?: $(cat "$work/$mode/log")"
		assert_contains "$mode: closing line" 'lost 0 bytes; audit: 0 bytes unaccounted' \
			"$(cat "$work/$mode/log")"
		verify_files "$mode"
	done
}

rows_of_step() { cat "$work/$1"/*_*.log | awk -F, -v step="$2" '$18 == step' | wc -l; }

had_step() { # MODE STEP...: else there was no overload, and the round has shown nothing
	local step
	for step in "${@:2}"; do
		assert_at_least "$1 records: rows of step $step" 1 "$(rows_of_step "$1" "$step")"
	done
}

smallest_ring() {
	begin --ring-size 4096
	flood 4400 0.5
	end
	had_step packet packet flow
	had_step flow flow
}

stopped_reader() {
	begin --ring-size 64K
	kill -STOP "${pid_of[packet]}" "${pid_of[flow]}"
	flood 4400 5
	kill -CONT "${pid_of[packet]}" "${pid_of[flow]}"
	flood 4400 0.2
	end
	had_step packet packet flow
}

more_flows_than_entries() {
	begin --ring-size 4096 --flow-entries 16
	flood 4400 0.5 --spread 64
	end
	had_step packet packet flow user
	had_step flow flow user
}

more_users_than_entries() {
	local uid mode floods=()
	begin --ring-size 4096 --flow-entries 2 --user-entries 2
	for uid in 4400 4401 4402 4403; do
		flood "$uid" 0.7 --spread 16 &
		floods+=($!)
	done
	wait "${floods[@]}"
	end
	for mode in $modes; do
		had_step "$mode" flow user total
		[ -s "$work/$mode/traffic_user_unknown_none.log" ] || fail "$mode: no file of nobody"
	done
}

# A pipe that nobody reads for a while: its output stalls, the ladder takes the rest.
stalled_output() {
	local reader modes=packet
	prepare
	mkdir "$work/packet"
	mkfifo "$work/pipe"
	exec 7<>"$work/pipe"
	meter_instance=test-$$-packet
	totals_forget
	meter_start "$work/packet/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/packet" \
		--output json:- --records packet --ring-size 64K --interval 1 >"$work/pipe" 7>&-
	pid_of[packet]=$meter_pid
	flood 4400 2
	cat "$work/pipe" >"$work/all.json" 7>&- &
	reader=$!
	process_note $reader
	flood 4400 0.5
	exec 7>&-
	meter_stop || fail "exit code $?: $(cat "$work/packet/log")"
	assert_equal "outputs without a loss" 2 \
		"$(grep -c 'lost 0 bytes; audit: 0 bytes unaccounted' "$work/packet/log")"
	wait "$reader"
	assert_equal "packets and bytes out" "$(sent 1) $(sent 2)" \
		"$(csv_sum out 8 "$work"/packet/*_*.log) $(csv_sum out 2 "$work"/packet/*_*.log)"
	assert_equal "bytes of the stalled output" \
		"$(awk -F, '{ s += $2 } END { print s }' "$work"/packet/*_*.log)" \
		"$(grep -o '"bytes":[0-9]*' "$work/all.json" | awk -F: '{ s += $2 } END { print s }')"
	had_step packet packet flow
}

# A million flows in one interval through a table of 262,144: none of the bytes is lost, and it is
# said how many packets have no addresses.
million_flows() {
	begin --ring-size 4096 --interval 60 --log-level info
	# From a port that is none of those, else the sender would be sent some to itself.
	in_cgroup "$cgroup" "$TRAFFIC" udp-send --to "$address" 10000 --from "$address" --from-port 5008 \
		--spread-ports 50000 --spread-addresses 20 --size 10 --batch --uid 4400 --timeout 120 | note_sent
	assert_equal "flows" 1000000 "$(sent 1)"
	end
	# And a few more: each CPU's recent flows find no room in the table, but rows of their own.
	local flows
	flows=$(rows_of_step flow flow)
	assert_at_least "flow records" 262144 "$flows"
	assert_at_least "no more flow records than there is room for" "$flows" $((262144 + 64 * $(nproc)))
	had_step flow flow user
	assert_contains "what it cost" "overload: 0 packets summed up by flow, $((1000000 - flows)) without" \
		"$(cat "$work/flow/log")"
}

rounds() { # FUNCTION
	local round
	for ((round = 1; round <= ROUNDS; round++)); do
		echo "# $1, round $round"
		"$1"
	done
}

run_test "smallest ring, $ROUNDS rounds" rounds smallest_ring
run_test "stopped reader, $ROUNDS rounds" rounds stopped_reader
run_test "more flows than entries, $ROUNDS rounds" rounds more_flows_than_entries
run_test "more users than entries, $ROUNDS rounds" rounds more_users_than_entries
run_test "stalled output" stalled_output
run_test "a million flows" million_flows
end_tests
