# SPDX-License-Identifier: GPL-2.0-or-later
# kernel: kernel time per packet, egress and ingress added up, baseline and meter in turn.

kernel_seconds=3

# kernel_one baseline|meter|empty RATE: sets ns, and woken: how often a reader went to sleep per
# 100 packets. In the baseline each sleep ends by a record's wake-up, and that these are measured
# must be seen.
kernel_one() {
	local before
	wait_quiet
	"start_$1" "$directory/log" "$directory/files"
	# The first packets of a program and of a reader are not like the later ones.
	send --rate "$2" --milliseconds 200 --take
	before=$(voluntary_switches "$pid")
	kernel_ns --rate "$2" --milliseconds $((kernel_seconds * 1000)) --take
	woken=$(calculate %.0f "100 * ($(voluntary_switches "$pid") - $before) / $packets")
	stats 0
	stop "$directory/log"
	rm -rf "$directory/files"
	say "kernel $2/s: $1 $ns ns; its reader slept $woken times per 100 packets, $late_percent % of packets were late"
}

kernel_rate() { # RATE TARGET
	local round which order empty_ns=() meter_ns=() baseline_ns=() wakes=() ratios=() net_ratios=()
	for ((round = 0; round < rounds; round++)); do
		order="baseline empty meter"
		[ $((round % 2)) -eq 1 ] && order="meter empty baseline"
		for which in $order; do
			kernel_one "$which" "$1"
			case $which in
			empty) empty_ns+=("$ns") ;;
			meter) meter_ns+=("$ns") ;;
			baseline) baseline_ns+=("$ns") wakes+=("$woken") ;;
			esac
		done
		ratios+=("$(calculate %.1f "${baseline_ns[round]} / ${meter_ns[round]}")")
		net_ratios+=("$(calculate %.1f "(${baseline_ns[round]} - ${empty_ns[round]}) / (${meter_ns[round]} - ${empty_ns[round]})")")
	done
	# At 20,000 packets/s its reader is still busy with a record when many of the others come.
	[ "$(calculate %d "$(median "${wakes[@]}") >= 20")" -eq 1 ] ||
		die "the baseline's reader hardly slept ($(median "${wakes[@]}") times per 100 packets): nothing to compare with"
	local ratio
	ratio=$(median "${ratios[@]}")
	result "kernel time per packet at $1/s" \
		"ratio $ratio ($(spread "${ratios[@]}")); baseline $(median "${baseline_ns[@]}") ns, meter $(median "${meter_ns[@]}") ns" \
		">= $2 x less" "$ratio" ">=" "$2"
	result "  without the measuring itself" \
		"ratio $(median "${net_ratios[@]}") ($(spread "${net_ratios[@]}")); empty programs $(median "${empty_ns[@]}") ns"
}

bench_kernel() {
	kernel_rate 5000 12
	kernel_rate 20000 6
}
