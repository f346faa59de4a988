# SPDX-License-Identifier: GPL-2.0-or-later
# flood: one process sends as fast as it goes; which share of the packets become rows of their own,
# and whether the sum of the rows' bytes is what was sent, both ways.

flood_seconds=10

# flood_one baseline|meter: sets share (percent of the hook runs that are rows), off_in and off_out
# (bytes in the rows minus bytes sent) and rate.
flood_one() {
	local files=$directory/files rows
	wait_quiet
	"start_$1" "$directory/log" "$files"
	send --milliseconds $((flood_seconds * 1000))
	stop "$directory/log"
	rows=$(count_rows "$files")
	share=$(calculate %.2f "100 * $rows / (2 * $packets)")
	off_in=$(($(sum_bytes "$files" in) - ip_bytes))
	off_out=$(($(sum_bytes "$files" out) - ip_bytes))
	rm -rf "$files"
}

bench_flood() {
	local round which off=0 rates=() meter_share=() baseline_share=()
	stats 0
	for ((round = 0; round < flood_rounds; round++)); do
		for which in baseline meter; do
			flood_one $which
			say "flood, round $((round + 1)): $which: $rate packets/s, $share % are rows, bytes off: in $off_in, out $off_out"
			if [ $which = meter ]; then
				meter_share+=("$share")
				rates+=("$rate")
				off=$((off + ${off_in#-} + ${off_out#-}))
			else
				baseline_share+=("$share")
			fi
		done
	done
	share=$(median "${meter_share[@]}")
	result "flood: packets that are rows of their own" \
		"$share % ($(spread "${meter_share[@]}")) at $(median "${rates[@]}")/s; baseline $(median "${baseline_share[@]}") %" \
		">= 99 %" "$share" ">=" 99
	result "flood: bytes in the rows minus bytes sent" "$off (all rounds, both directions)" "0" "$off" "==" 0
}
