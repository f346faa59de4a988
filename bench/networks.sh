# SPDX-License-Identifier: GPL-2.0-or-later
# networks: what 100,000 untracked networks cost each packet, against none, and their loading. One
# meter for each match rule; SIGHUP puts the long and the empty list in turn, so that nothing else
# changes between two measurements.

networks_n=100000
networks_rate=20000
networks_milliseconds=1500

networks_list() { awk -v n="$1" -f "$bench/networks.awk"; } # N

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# How often the meter has loaded a list.
loads() { grep -c 'untracked networks from' "$1"; } # LOG

# reload LOG: SIGHUP, until the list is in force. Sets reload_ms.
reload() {
	local before begin deadline=$((SECONDS + 60))
	before=$(loads "$1")
	begin=$(now_ms)
	kill -HUP "$pid"
	until [ "$(loads "$1")" -gt "$before" ]; do
		[ $SECONDS -lt $deadline ] || die "SIGHUP did not load the list"
		sleep 0.005
	done
	reload_ms=$(($(now_ms) - begin))
}

# networks_case MATCH WORDS OPTION_OF_SEND...: measures with the meter that runs.
networks_case() {
	local match=$1 words=$2 round which order none_ns=() full_ns=() more=()
	shift 2
	for ((round = 0; round < rounds; round++)); do
		order="none full"
		[ $((round % 2)) -eq 1 ] && order="full none"
		for which in $order; do
			cp "$directory/$which" "$directory/list"
			reload "$directory/log"
			[ "$which" = full ] && reload_times+=("$reload_ms")
			wait_quiet
			send --rate $networks_rate --milliseconds 200 --take "$@"
			kernel_ns --rate $networks_rate --milliseconds $networks_milliseconds --take "$@"
			say "networks, match $match, $words, round $((round + 1)): $which $ns ns"
			if [ "$which" = full ]; then full_ns+=("$ns"); else none_ns+=("$ns"); fi
		done
		more+=("$(calculate %.1f "${full_ns[round]} - ${none_ns[round]}")")
	done
	local difference
	difference=$(median "${more[@]}")
	result "networks: $networks_n, match $match, $words" \
		"$difference ns more ($(spread "${more[@]}")) than $(median "${none_ns[@]}")" \
		"<= 60 ns" "$difference" "<=" 60
}

bench_networks() {
	local match round list begin reload_times=() start_times=() bare_times=()
	networks_list $networks_n >"$directory/full"
	: >"$directory/none"
	for match in both either remote; do
		cp "$directory/none" "$directory/list"
		start_meter "$directory/log" "$directory/files" --untracked "$directory/list" \
			--untracked-match "$match"
		networks_case "$match" "IPv4, neither end in it"
		networks_case "$match" "IPv4, source in it" --from 127.7.7.7
		networks_case "$match" "IPv6, neither end in it" --to ::1
		stop "$directory/log"
		rm -rf "$directory/files"
	done
	stats 0
	for ((round = 0; round < rounds; round++)); do
		for list in none full; do
			wait_quiet
			begin=$(now_ms)
			start_meter "$directory/log" "$directory/files" --untracked "$directory/$list"
			if [ $list = full ]; then
				start_times+=("$(($(now_ms) - begin))")
			else
				bare_times+=("$(($(now_ms) - begin))")
			fi
			stop "$directory/log"
		done
	done
	local start_ms reload_ms
	start_ms=$(median "${start_times[@]}")
	reload_ms=$(median "${reload_times[@]}")
	result "networks: start with $networks_n" \
		"$start_ms ms until it meters; with none $(median "${bare_times[@]}") ms" "< 2 s" "$start_ms" "<" 2000
	result "networks: SIGHUP with $networks_n" "$reload_ms ms until in force" "< 2 s" "$reload_ms" "<" 2000
}
