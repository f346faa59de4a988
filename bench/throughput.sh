# SPDX-License-Identifier: GPL-2.0-or-later
# throughput: what is left of a UDP flood's and of a TCP transfer's when flow records are made of
# each, against none and, for UDP, against nftables' own per-user counters. In network namespaces.

throughput_rounds=10
throughput_ms=2000

in_namespace() { # NAME COMMAND...
	local name=$1
	shift
	nsenter --net="/run/netns/$name" "$@"
}

nft_counters() {
	in_namespace "$left" nft -f - <<-'END'
		table inet per_user {
			set received { typeof meta skuid; size 65535; flags dynamic; counter; }
			set sent { typeof meta skuid; size 65535; flags dynamic; counter; }
			chain in { type filter hook input priority 0; add @received { meta skuid }; }
			chain out { type filter hook output priority 0; add @sent { meta skuid }; }
		}
	END
}

# throughput_with none|flow|nft COMMAND...: runs it with that in force.
throughput_with() {
	local which=$1
	shift
	wait_quiet
	case $which in
	flow) start_flow "$directory/log" "$directory/files" ;;
	nft) nft_counters || die "nftables can't do that here" ;;
	esac
	"$@"
	case $which in
	flow) stop "$directory/log" && rm -rf "$directory/files" ;;
	nft) in_namespace "$left" nft delete table inet per_user ;;
	esac
}

udp_flood() {
	send_in="$left" send --milliseconds $throughput_ms --take
	figure=$rate
}

tcp_transfer() {
	local report
	report=$(echo $BASHPID >"$cgroup/cgroup.procs" &&
		exec nsenter --net="/run/netns/$left" iperf3 --client 198.18.77.2 --format k \
			--time $((throughput_ms / 1000))) || die "iperf3 failed: $report"
	figure=$(awk '/receiver/ { print $7 }' <<<"$report") # kbit/s
}

# throughput_ratios COMMAND WHICH...: sets ratio_WHICH, the medians' words in words.
throughput_ratios() {
	local command=$1 round which
	shift
	local -A figures=() ratios=()
	for ((round = 0; round < throughput_rounds; round++)); do
		local -A this=()
		for which in none "$@"; do
			throughput_with "$which" "$command"
			this[$which]=$figure
			figures[$which]+=" $figure"
		done
		for which in "$@"; do
			ratios[$which]+=" $(calculate %.3f "${this[$which]} / ${this[none]}")"
		done
		say "throughput, $command, round $((round + 1)): $(for which in none "$@"; do echo -n "$which ${this[$which]} "; done)"
	done
	words=
	for which in "$@"; do
		printf -v "ratio_$which" %s "$(calculate %.3f "$(median ${figures[$which]}) / $(median ${figures[none]})")"
		local name=ratio_$which
		words+="$which ${!name} (by rounds $(median ${ratios[$which]}), $(spread ${ratios[$which]})), "
	done
	words+="none $(median ${figures[none]})"
}

open_throughput() {
	namespace_new left
	namespace_new right
	ip -n "$left" link set lo up
	ip -n "$left" link add veth0 type veth peer name veth0 netns "$right" &&
		ip -n "$left" address add 198.18.77.1/24 dev veth0 &&
		ip -n "$right" address add 198.18.77.2/24 dev veth0 &&
		ip -n "$left" link set veth0 up && ip -n "$right" link set veth0 up ||
		die "can't make two network namespaces with a link"
	# The server's packets are metered, too.
	(echo $BASHPID >"$cgroup/cgroup.procs" &&
		exec nsenter --net="/run/netns/$right" iperf3 --server --forceflush --bind 198.18.77.2 >"$directory/iperf3" 2>&1) &
	pids+=($!)
	local deadline=$((SECONDS + 20))
	until grep -q 'Server listening' "$directory/iperf3" 2>/dev/null; do
		kill -0 $! 2>/dev/null && [ $SECONDS -lt $deadline ] || die "iperf3 --server: $(cat "$directory/iperf3")"
		sleep 0.05
	done
}

bench_throughput() {
	local left right words ratio_flow ratio_nft figure
	command -v iperf3 >/dev/null && command -v nft >/dev/null || die "needs iperf3 and nftables"
	stats 0
	open_throughput
	throughput_ratios udp_flood flow nft
	result "UDP flood, packets/s, of that without" "$words" ">= 0.90" "$ratio_flow" ">=" 0.90
	result "  above nftables' per-user counters" "$ratio_flow to $ratio_nft" "above" "$ratio_flow" ">" "$ratio_nft"
	throughput_ratios tcp_transfer flow
	result "iperf3 over veth, kbit/s, of that without" "$words" ">= 0.98" "$ratio_flow" ">=" 0.98
}
