# SPDX-License-Identifier: GPL-2.0-or-later
# flows: flow records. The hooks at flood against the sum of what they can't do without; a table
# that is too small for what comes; how long a full one takes to drain.

flows_table=262144

# flows_one NAME: kernel ns per packet, both hooks, at flood.
flows_one() {
	wait_quiet
	case $1 in
	process | socket) start_meter "$directory/log" "$directory/files" --records flow --owner "$1" ;;
	*) start_primitive "$directory/log" "$1" ;;
	esac
	send --milliseconds 200 --take
	kernel_ns --milliseconds 1500 --take
	stats 0
	stop "$directory/log"
	rm -rf "$directory/files"
	say "flows: $1 $ns ns at $rate packets/s"
}

flows_cost() {
	local round name names="empty header uid storage hash process socket" ratios=() owners=()
	local -A net
	for ((round = 0; round < rounds; round++)); do
		local -A this=()
		for name in $names; do
			flows_one "$name"
			this[$name]=$ns
		done
		for name in header uid storage hash process socket; do
			this[$name]=$(calculate %.1f "(${this[$name]} - ${this[empty]}) / 2")
			net[$name]+=" ${this[$name]}"
		done
		ratios+=("$(calculate %.2f "${this[process]} / (${this[storage]} + ${this[hash]} + ${this[header]})")")
		owners+=("$(calculate %.2f "${this[process]} / ${this[socket]}")")
		names=$(tr ' ' '\n' <<<"$names" | tac | tr '\n' ' ')
	done
	local ratio
	ratio=$(median "${ratios[@]}")
	result "flow records at flood, net ns per hook" \
		"$(median ${net[process]}) = $ratio x ($(spread "${ratios[@]}")) the sum of owner $(median ${net[storage]}), table $(median ${net[hash]}), header $(median ${net[header]})" \
		"<= 2.5 x" "$ratio" "<=" 2.5
	ratio=$(median "${owners[@]}")
	result "  owner = process against owner = socket" \
		"ratio $ratio ($(spread "${owners[@]}")); socket $(median ${net[socket]}) ns" "<= 1.25" "$ratio" "<=" 1.25
}

# A million flows in one interval: each of half a million packets is two, one out and one in.
flows_million() {
	local log=$directory/log files=$directory/files rows off_in off_out
	start_flow "$log" "$files" --interval 3600 --flow-entries $flows_table --log-level info
	send --flows 500000 --packets 500000 --milliseconds 120000 --to 0.0.0.0 --from 127.0.0.1
	stop "$log"
	rows=$(count_rows "$files")
	off_in=$(($(sum_bytes "$files" in) - ip_bytes))
	off_out=$(($(sum_bytes "$files" out) - ip_bytes))
	[ "$packets" -eq 500000 ] || die "the sender sent $packets of 500000 packets"
	result "a million flows, table of $flows_table: bytes off" \
		"in $off_in, out $off_out; $rows rows$(grep -o '; overload.*' "$log")" "0" \
		"$((${off_in#-} + ${off_out#-}))" "==" 0
	rm -rf "$files"
}

# What a thread has run so far.
thread_ns() { awk '{ print $1 }' "/proc/$1/task/$2/schedstat"; } # PID TID

# A full table is drained while others send: of the meter's threads the loop's, which drains and
# keeps the totals. It is measured from before the interval's end until its line.
flows_drain() {
	local log=$directory/log files=$directory/files before_ns drain_ns=() round deadline flows sender off
	for ((round = 0; round < rounds; round++)); do
		wait_quiet
		start_flow "$log" "$files" --interval 6 --flow-entries $flows_table --log-level info
		send --flows $((flows_table / 2 - 64)) --packets $((flows_table / 2 - 64)) --milliseconds 5000 \
			--to 0.0.0.0 --from 127.0.0.1
		flows=$((2 * packets))
		[ "$flows" -eq $((flows_table - 128)) ] || die "the sender was too slow: $packets packets"
		(send --rate 20000 --milliseconds 8000 --take && echo "$ip_bytes" >"$directory/sent") &
		sender=$!
		before_ns=$(thread_ns "$pid" "$pid")
		deadline=$((SECONDS + 30))
		until grep -q ' users' "$log"; do
			[ $SECONDS -lt $deadline ] || die "no interval ended"
			sleep 0.05
		done
		drain_ns+=("$(calculate %.3f "($(thread_ns "$pid" "$pid") - $before_ns) / 1e9")")
		wait $sender || die "the sender failed"
		ip_bytes=$((ip_bytes + $(cat "$directory/sent")))
		stop "$log"
		off=$(($(sum_bytes "$files" in) + $(sum_bytes "$files" out) - 2 * ip_bytes))
		[ "$off" -eq 0 ] || die "$off bytes off while a table was drained"
		[ "$(count_rows "$files")" -ge "$flows" ] || die "$(count_rows "$files") rows of $flows flows"
		say "flows: drained $flows in ${drain_ns[round]} s"
		rm -rf "$files"
	done
	local seconds
	seconds=$(median "${drain_ns[@]}")
	result "draining $flows flows, under traffic" \
		"$seconds s of one core ($(spread "${drain_ns[@]}")); 0 bytes off" "<= 0.5 s" "$seconds" "<=" 0.5
}

bench_flows() {
	flows_cost
	stats 0
	flows_million
	flows_drain
}
