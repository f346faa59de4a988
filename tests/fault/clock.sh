#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rounds in which the clock is set, an hour forth and an hour back, at random moments under traffic, and
# the meter is killed and started again or not. tests/fault/run has them run inside of a guest, whose
# clock is nobody else's:
#
#	tests/fault/clock.sh ROUNDS SEED
#
# When a round has come to rest both outputs' rows are what was sent, to the byte and per user, and each
# user's totals go on row by row. The times of a row are held to what a clock that is set leaves true: its
# two ends are turned to wall clock together, so they are in order and no further apart than the round is
# long; and they lie in the round by one of the clocks that there were in it. What is sent when the meter
# knows of the last setting has the time of that one and no other.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
OWN_PLACES=yes # all of the machine is
. tests/lib/meter.sh
. tests/lib/datagrams.sh
mkdir -p /var/lib

work=$(mktemp -d)
users="1001 1002"
outputs="csv json"

# Of a time that the clock was noted at, under emulation beside others.
tolerance_s=0.5

# --- the clock -------------------------------------------------------------------------------------

uptime_now() { cut -d ' ' -f 1 /proc/uptime; }

# How far the clock is ahead of the one that nobody sets, noted with those that it was in the round so
# far. It is read between two readings of the other, again until they are the same.
note_clock() {
	local before after wall
	read -r before _ </proc/uptime
	while
		wall=$EPOCHREALTIME
		read -r after _ </proc/uptime
		[ "$before" != "$after" ]
	do
		before=$after
	done
	awk -v wall="$wall" -v up="$after" 'BEGIN { printf "%.3f\n", wall - up }' >>"$work/clocks"
}

set_clock() { # HOURS
	date -s "@$((EPOCHSECONDS + $1 * 3600))" >/dev/null && note_clock
}

moment() { sleep "0.$((RANDOM % 8 + 1))"; } # a random one is what is wanted

# Two or three times an hour forth or back, never further than an hour from the real one. Sets moves.
away=0
choose_moves() {
	local i hours
	moves=()
	for ((i = 2 + RANDOM % 2; i > 0; i--)); do
		hours=$((away ? -away : RANDOM % 2 * 2 - 1))
		moves+=("$hours")
		away=$((away + hours))
	done
}

set_clocks() { # SEED HOURS...
	local hours
	RANDOM=$1
	shift
	for hours in "$@"; do
		moment
		set_clock "$hours" || return
	done
}

# --- the traffic -----------------------------------------------------------------------------------

# Each to the other one, over a family of its own.
declare -A peer=([1001]=1002 [1002]=1001) address=([1001]=127.0.0.1 [1002]=::1)
port=7900

# At ends that nobody reads, where what comes passes the hook before it finds the buffer full.
sinks_start() {
	local uid
	for uid in $users; do
		sink_start "${peer[$uid]}" "${address[$uid]}" $port
	done
}

traffic_start() {
	local uid
	pids=()
	drops=$(backlog_drops)
	for uid in $users; do
		"$TRAFFIC" flood --uid "$uid" --to "${address[$uid]}" $port --seconds 1.$((RANDOM % 6)) \
			--size $((RANDOM % 900)) --spread 100 --rate $((1000 + RANDOM % 4000)) >"$work/sent-$uid" &
		pids+=($!)
	done
}

traffic_wait() {
	local pid
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "the traffic: exit code $?"
	done
	dropped=$(($(backlog_drops) - drops))
}

send_one() {
	local uid
	dropped=0
	for uid in $users; do
		"$TRAFFIC" udp-send --uid "$uid" --to "${address[$uid]}" $port --count 1 --size 100 >"$work/sent-$uid"
	done
}

# --- the meter -------------------------------------------------------------------------------------

# Each start is another one, so that what a meter finds is of other settings than its own.
start() { # [OPTION...]
	local records=(flow packet) entries=(16384 4000 64)
	meter_start "$work/log" "$METER" run --config /dev/null --nic-id guest --interval 1 \
		--records "${records[RANDOM % 2]}" --flow-entries "${entries[RANDOM % 3]}" \
		--ring-size $((64 << RANDOM % 7))K --output "csv:$work/out" --output "json:$work/out/rows.json" "$@"
}

stop() {
	meter_stop || fail "exit code $? of the meter: $(cat "$work/log")"
}

# By lots: killed, stopped, or left alone. Sets what.
strike() {
	local lots=(killed killed killed stopped none none)
	what=${lots[RANDOM % 6]}
	[ $what != none ] || return 0
	moment
	if [ $what = killed ]; then meter_kill; else stop; fi
	[ $((RANDOM % 2)) -eq 0 ] || moment
	start --persist
}

# --- the truth -------------------------------------------------------------------------------------

# Each output's rows of each user in a file, as DIRECTION BYTES TOTAL-IN TOTAL-OUT END START; what is no such
# row stays what it is.
read_rows() {
	local uid
	for uid in $users; do
		awk -F, 'NF == 21 { $0 = $1 " " $2 " " $6 " " $7 " " $5 " " $14 } { print }' \
			"$work/out/traffic_user_guest_$uid.log" >"$work/rows-csv-$uid"
		awk -v uid="$uid" '
			function value(key) {
				text = substr($0, index($0, "\"" key "\":") + length(key) + 3)
				return substr(text, 1, index(text, ",") - 1)
			}
			index($0, "\"uid\":" uid ",") {
				direction = value("direction")
				gsub("\"", "", direction)
				print direction, value("bytes"), value("total_in"), value("total_out"), value("time"),
					value("start")
			}' "$work/out/rows.json" >"$work/rows-json-$uid"
	done
}

sum() { # csv|json UID in|out
	awk -v d="$3" '$1 == d { s += $2 } END { printf "%.0f\n", s }' "$work/rows-$1-$2"
}

all_there() {
	local uid output received
	read_rows
	for output in $outputs; do
		for uid in $users; do
			[ "$(sum "$output" "$uid" out)" = "$(ip_bytes "$work/sent-$uid")" ] || return
			received=$(sum "$output" "$uid" in)
			# Who it was can't be told of a packet that the loopback dropped.
			[ "$received" = "$(ip_bytes "$work/sent-${peer[$uid]}")" ] || [ $dropped -gt 0 ] || return
		done
	done
}

tell_sums() {
	local uid output
	echo "# status: $(meter_status)"
	read_rows
	for uid in $users; do
		echo "# uid $uid: sent $(ip_bytes "$work/sent-$uid"), was sent $(ip_bytes "$work/sent-${peer[$uid]}")"
		for output in $outputs; do
			echo "# $output: out $(sum "$output" "$uid" out), in $(sum "$output" "$uid" in)"
		done
	done
}

# A file's rows, in their order, to the round that began at an uptime. Says the last total, or what is wrong.
hold_rows() { # FILE LAST-TOTAL BEGIN
	awk -v last="$2" -v begin="$3" -v now="$(uptime_now)" -v tolerance=$tolerance_s \
		-v clocks="$(tr '\n' ' ' <"$work/clocks")" '
		function bad(why) { print why ": " $0; failed = 1; exit 1 }
		function in_round(time) { return time > begin - tolerance && time < now + tolerance }
		BEGIN { n = split(clocks, ahead, " "); before = last }
		NF != 6 { bad("a row of other columns") }
		$3 + $4 - $2 != before { bad("the total before is " before) }
		$5 < $6 || $5 - $6 > now - begin { bad("its end and its start") }
		{
			before = $3 + $4
			for (i = 1; i <= n && !(in_round($5 - ahead[i]) && in_round($6 - ahead[i])); i++);
			if (i > n) bad("no clock of " begin " to " now " has been like that; ahead by " clocks)
		}
		END { if (!failed) printf "%.0f\n", before }' "$1"
}

verify() { # BEGIN
	local uid output now_s deadline
	read_now
	deadline=$((now_s + 40))
	until meter_at_rest && all_there; do
		read_now
		if [ $now_s -ge $deadline ]; then
			tell_sums
			return 1
		fi
		sleep 0.1
	done
	for output in $outputs; do
		for uid in $users; do
			hold_rows "$work/rows-$output-$uid" "$(cat "$work/total-$output-$uid" 2>/dev/null || echo 0)" "$1" \
				>"$work/new-total" || fail "$output, uid $uid: $(cat "$work/new-total")"
			mv "$work/new-total" "$work/total-$output-$uid"
		done
	done
	# Away with what was verified, as logrotate would.
	mkdir "$work/moved"
	mv "$work"/out/* "$work/moved"
	rm -r "$work/moved"
}

# --- the rounds ------------------------------------------------------------------------------------

one_round() { # ROUND
	local begin mover
	begin=$(uptime_now)
	: >"$work/clocks"
	note_clock
	choose_moves
	echo "# round $1: ${moves[*]}"
	traffic_start
	set_clocks "$RANDOM" "${moves[@]}" &
	mover=$!
	strike
	wait $mover || fail "the clock can't be set"
	traffic_wait
	echo "# round $1: $what, $(cut -d ' ' -f 1 "$work"/sent-* | tr '\n' ' ')$dropped dropped"
	verify "$begin" || return
	# It has read that the clock was set before it answers.
	meter_status >/dev/null
	begin=$(uptime_now)
	: >"$work/clocks"
	note_clock
	send_one
	verify "$begin"
}

rounds() { # ROUNDS SEED
	local i
	RANDOM=$2 # here, since a subshell begins with a seed of its own
	mkdir "$work/out"
	sinks_start
	start --persist
	for ((i = 1; i <= $1; i++)); do
		if ! one_round "$i"; then
			cat "$work/log"
			fail "round $i"
		fi
	done
	stop
	start
	stop # what persisted
	[ -z "$(ls -A /sys/fs/bpf/traffic-meter 2>/dev/null)" ] || fail "still pinned: $(ls -R /sys/fs/bpf/traffic-meter)"
}

run_test "$1 rounds, seed $2" rounds "$1" "$2"
end_tests
