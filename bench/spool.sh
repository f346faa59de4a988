# SPDX-License-Identifier: GPL-2.0-or-later
# spool: records in memory to a spool on one core, and what they take there; then from the spool to peers on
# loopback by export: JSON lines by TCP, IPFIX by UDP, and the memory that export takes.

spool_batches=1000
spool_records=$((spool_batches * 1000))

# export_rate SPEC: sets rate, records a second of one run over the whole spool, and memory, its peak in MiB.
export_rate() {
	local begin end exporter peak kib=0
	rm -rf "$directory/state"
	begin=$EPOCHREALTIME
	"$build/traffic-meter-export" --spool "$directory/spool" --state-dir "$directory/state" --once "$1" \
		2>"$directory/log" &
	exporter=$!
	while kill -0 $exporter 2>/dev/null; do
		peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$exporter/status" 2>/dev/null)
		kib=${peak:-$kib}
		sleep 0.02
	done
	wait $exporter || die "export $1: $(tail -n 1 "$directory/log")"
	end=$EPOCHREALTIME
	rate=$(calculate %.0f "$spool_records / ($end - $begin)")
	memory=$(calculate %.1f "$kib / 1024")
}

bench_spool() {
	local round cpu line seconds bytes rate memory tcp_port udp_port rates=() tcp=() udp=() memories=() lost=0
	cpu=$(taskset -cp $$ | sed 's/.*[:,-] *//') # the last one that we may use
	python3 bench/sink.py "$directory/ports" >"$directory/sink" &
	pids+=($!)
	until [ -s "$directory/ports" ]; do sleep 0.05; done
	read -r tcp_port udp_port <"$directory/ports"
	for ((round = 0; round < rounds; round++)); do
		wait_quiet
		rm -rf "$directory/spool"
		line=$(taskset -c "$cpu" "$build/tests/tools/spool" "$directory/spool" $spool_batches 1000 1 size=4G) ||
			die "the spool could not be driven"
		seconds=${line##*seconds=}
		rates+=("$(calculate %.0f "$spool_records / $seconds")")
		bytes=$(calculate %.1f "$(cat "$directory"/spool/* | wc -c) / $spool_records")
		export_rate "socket:tcp:127.0.0.1:$tcp_port"
		tcp+=("$rate")
		memories+=("$memory")
		export_rate "ipfix:udp:127.0.0.1:$udp_port,rate=0"
		udp+=("$rate")
		memories+=("$memory")
		say "spool, round $((round + 1)): ${rates[-1]} records/s, tcp ${tcp[-1]}, udp ${udp[-1]}"
	done
	lost=$(awk -v port="$(printf ':%04X' "$udp_port")" '$2 ~ port "$" { print $NF }' /proc/net/udp)
	result "spool: records to a spool, one core" "$(median "${rates[@]}") records/s ($(spread "${rates[@]}"))" \
		">= 800000" "$(median "${rates[@]}")" ">=" 800000
	result "spool: bytes a record, batches of 1,000" "$bytes" "<= 25" "$bytes" "<=" 25
	result "export: JSON lines by TCP" "$(median "${tcp[@]}") records/s ($(spread "${tcp[@]}"))" \
		">= 500000" "$(median "${tcp[@]}")" ">=" 500000
	result "export: IPFIX by UDP" "$(median "${udp[@]}") records/s ($(spread "${udp[@]}")), $lost datagrams lost" \
		">= 300000" "$(median "${udp[@]}")" ">=" 300000
	result "export: memory, largest" "$(median "${memories[@]}") MiB" "<= 16" "$(median "${memories[@]}")" "<=" 16
}
