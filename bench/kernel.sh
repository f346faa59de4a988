# SPDX-License-Identifier: GPL-2.0-or-later
# kernel: kernel time per packet, egress and ingress added up, baseline and meter in turn.

# At 5,000 packets/s caches are cold, and times differ with all that else uses them: many short rounds.
kernel_seconds=1
kernel_rounds_factor=3

# kernel_one baseline|meter|flow|empty RATE: sets ns, and woken: how often a reader went to sleep
# per 100 packets. In the baseline each sleep ends by a record's wake-up, and that these are
# measured must be seen.
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

# Of the medians in `times`: less what measuring costs.
net() { calculate %.0f "$(median ${times[$1]}) - $(median ${times[empty]})"; }

# kernel_rate RATE TARGET_PACKET TARGET_FLOW
kernel_rate() {
	local round which order reverse i wakes=()
	local -A target=([meter]=$2 [flow]=$3) records=([meter]="packet records" [flow]="flow records")
	local -A times ratios net_ratios # words
	order="baseline empty meter flow"
	reverse="flow meter empty baseline"
	for ((round = 0; round < rounds * kernel_rounds_factor; round++)); do
		local -A this=()
		for which in $order; do
			kernel_one "$which" "$1"
			this[$which]=$ns
			times[$which]+=" $ns"
			[ "$which" != baseline ] || wakes+=("$woken")
		done
		for which in meter flow; do
			ratios[$which]+=" $(calculate %.1f "${this[baseline]} / ${this[$which]}")"
			net_ratios[$which]+=" $(calculate %.1f "(${this[baseline]} - ${this[empty]}) / (${this[$which]} - ${this[empty]})")"
		done
		i=$order order=$reverse reverse=$i
	done
	# At 20,000 packets/s its reader is still busy with a record when many of the others come.
	[ "$(calculate %d "$(median "${wakes[@]}") >= 20")" -eq 1 ] ||
		die "the baseline's reader hardly slept ($(median "${wakes[@]}") times per 100 packets): nothing to compare with"
	for which in meter flow; do
		local ratio
		ratio=$(median ${ratios[$which]})
		result "kernel time per packet at $1/s, ${records[$which]}" \
			"ratio $ratio ($(spread ${ratios[$which]})); baseline $(median ${times[baseline]}) ns, meter $(median ${times[$which]}) ns" \
			">= ${target[$which]} x less" "$ratio" ">=" "${target[$which]}"
		result "  without the measuring itself, $(median ${times[empty]}) ns" \
			"ratio $(median ${net_ratios[$which]}) ($(spread ${net_ratios[$which]})); baseline $(net baseline), meter $(net "$which") ns"
	done
}

bench_kernel() {
	kernel_rate 5000 12 12
	kernel_rate 20000 6 6
}
