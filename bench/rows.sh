# SPDX-License-Identifier: GPL-2.0-or-later
# rows: records in memory to per-user CSV files, on one core: the csv output and the baseline's way
# (open, print, close for each row) in turn in one process (bench/rows.c).

rows_case() { # COLUMNS [TARGET]
	local round line meter_rate baseline_rate cpu rates=() baseline=() ratios=()
	cpu=$(taskset -cp $$ | sed 's/.*[:,-] *//') # the last one that we may use
	for ((round = 0; round < rounds; round++)); do
		wait_quiet
		mkdir "$directory/meter" "$directory/baseline"
		line=$(taskset -c "$cpu" "$tools/rows" "$1" "$directory/meter" "$directory/baseline") ||
			die "the csv output could not be driven"
		eval "$line" # numbers, named meter_rate and baseline_rate
		say "rows, columns=$1, round $((round + 1)): $meter_rate rows/s, baseline $baseline_rate"
		rates+=("$meter_rate")
		baseline+=("$baseline_rate")
		ratios+=("$(calculate %.1f "$meter_rate / $baseline_rate")")
		diff -rq "$directory/meter" "$directory/baseline" >&2 || die "the two did not write the same"
		rm -rf "$directory/meter" "$directory/baseline"
	done
	local ratio rate
	ratio=$(median "${ratios[@]}")
	rate=$(median "${rates[@]}")
	result "rows: columns=$1" \
		"ratio $ratio ($(spread "${ratios[@]}")); baseline $(median "${baseline[@]}") rows/s" \
		${2:+">= $2 x" "$ratio" ">=" "$2"}
	result "rows: columns=$1" "$rate rows/s ($(spread "${rates[@]}"))" "> 3000000" "$rate" ">" 3000000
}

bench_rows() {
	rows_case original 30
	rows_case all
}
