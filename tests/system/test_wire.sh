#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# wire_bytes against the interface's own counters. A veth pair between two namespaces carries TCP and
# nothing else, all of it a metered client's. With its offloads off the device is handed segments:
# then its counters, less 14 bytes of link header a packet, are what wire_bytes has to be. With them
# on the device sees super-packets as the hooks do, and the same transfer has to come out the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
near=tm-wire-near-$$
far=tm-wire-far-$$
fixture wire "$near" "$far"

bytes=20000000
modes="flow packet"
declare -A pid_of

# All on one CPU: on two, packets may overtake each other, and TCP sends what it takes for lost again.
cpu=$(python3 -c 'import os; print(min(os.sched_getaffinity(0)))')
in_near() { ip netns exec "$near" taskset -c "$cpu" "$@"; }
in_far() { ip netns exec "$far" taskset -c "$cpu" "$@"; }
as_client() { in_cgroup "$cgroup" ip netns exec "$near" taskset -c "$cpu" "$TRAFFIC" "$@"; }

# Whatever the kernel would send by itself (neighbour discovery, router solicitations, multicast
# reports) is in the counters but nobody's in the cgroup: neighbours are permanent, and packets of
# any other protocol end in front of the device. Nothing is lost on the way, so nothing has to be sent
# twice; what an impatient timer repeats may be answered from TIME_WAIT, which is nobody's either.
#
# The sender is held back by its congestion window, not by the receiver's: one that is nearly closed
# takes less than a segment at a time, and all those headers would make each transfer another one.
# 200 segments are also few enough for the receiving side's backlog of 1,000: veth doesn't count what
# it drops there.
quiet_end() { # NAMESPACE OWN PEER
	ip netns exec "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.router_solicitations=0 net.ipv4.tcp_early_retrans=0 \
		net.ipv4.tcp_rmem="4096 4194304 8388608"
	ip netns exec "$1" nft -f - <<-END
		table inet quiet {
			chain output {
				type filter hook output priority 0;
				meta l4proto != tcp drop
			}
		}
	END
	ip -n "$1" link set lo up
	ip -n "$1" link set veth0 address "02:00:00:00:00:0$2" mtu 1500 up
	ip -n "$1" addr add "10.78.0.$2" dev veth0
	ip -n "$1" addr add "fd78::$2" dev veth0 nodad
	ip -n "$1" route add "10.78.0.$3" dev veth0 src "10.78.0.$2" rto_min 30s cwnd lock 200
	ip -n "$1" route add "fd78::$3" dev veth0 src "fd78::$2" rto_min 30s cwnd lock 200
	ip -n "$1" neigh add "10.78.0.$3" lladdr "02:00:00:00:00:0$3" dev veth0 nud permanent
	ip -n "$1" neigh add "fd78::$3" lladdr "02:00:00:00:00:0$3" dev veth0 nud permanent
}

make_pair() {
	ip netns add "$near"
	ip netns add "$far"
	ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
	quiet_end "$near" 1 2
	quiet_end "$far" 2 1
}

offloads() { # on|off
	local end
	for end in "$near" "$far"; do
		ip netns exec "$end" ethtool -K veth0 tso "$1" gso "$1" gro "$1" tx "$1" >"$work/ethtool" 2>&1 ||
			fail "ethtool: $(cat "$work/ethtool")"
	done
}

# rx or tx, of the near end: bytes less the link headers.
counter() {
	ip -n "$near" -s -j link show dev veth0 | python3 -c '
import json, sys
count = json.load(sys.stdin)[0]["stats64"][sys.argv[1]]
assert not count["dropped"] and not count["errors"], count
print(count["bytes"] - 14 * count["packets"])' "$1"
}

start_meters() {
	local mode
	rm -rf "${work:?}"/*
	for mode in $modes; do
		mkdir "$work/$mode"
		meter_instance=test-$$-$mode
		meter_start "$work/$mode/log" "$METER" run --cgroup "$cgroup" --output "csv:$work/$mode" \
			--records "$mode" --ring-size 64M
		pid_of[$mode]=$meter_pid
	done
}

stop_meters() {
	local mode
	for mode in $modes; do
		meter_pid=${pid_of[$mode]}
		meter_stop || fail "$mode: exit code $?: $(cat "$work/$mode/log")"
	done
}

serve() { # ADDRESS PORT OPTION...
	: >"$work/server-$2"
	in_far "$TRAFFIC" tcp-serve --bind "$1" "$2" --connections 1 --timeout 60 "${@:3}" >"$work/server-$2" &
	process_note $!
	servers+=($!)
	wait_until 10 grep -q ready "$work/server-$2"
}

# One connection that sends (port 5001), then one that receives (port 5002).
transfer() { # NEAR_ADDRESS FAR_ADDRESS
	local server servers=()
	serve "$2" 5001
	as_client tcp-send --to "$2" 5001 --bytes "$bytes" --timeout 60 >"$work/up"
	serve "$2" 5002 --reply "$bytes"
	as_client tcp-send --to "$2" 5002 --bytes 0 --expect-reply "$bytes" --timeout 60 >"$work/down"
	# They end when they have read the client's end and seen their own off: no packet follows.
	for server in "${servers[@]}"; do wait "$server" || fail "server"; done
	wait_until 10 no_connections
}

# The last acknowledgement has come, so all packets were counted. What is in TIME_WAIT is silent.
no_connections() {
	[ -z "$(in_far ss -Htan state connected exclude time-wait)$(
		in_near ss -Htan state connected exclude time-wait)" ]
}

# Sum of a column, of one direction of the records with that far port.
port_sum() { # MODE in|out PORT COLUMN
	awk -F, -v d="$2" -v port="$3" -v c="$4" \
		'$1 == d && (d == "out" ? $12 : $11) == port { s += $c } END { printf "%d\n", s }' "$work/$1"/*_*.log
}

assert_within() { # WHAT PER_MILLION EXPECTED ACTUAL
	awk -v most="$2" -v a="$3" -v b="$4" 'BEGIN { d = (b - a) / a * 1e6; exit !(d <= most && d >= -most) }' ||
		fail "$1: $4 is more than $2 millionths off $3; sent twice so far: $(sent_twice)"
}

# Segments, by the near and by the far end.
sent_twice() {
	local end
	for end in near far; do
		"in_$end" awk '$1 == "Tcp:" { if (n) print $n; for (i = 1; i <= NF; i++) if ($i == "RetransSegs") n = i }' \
			/proc/net/snmp
	done | paste -sd ' '
}

# How much longer the wire is than the sum of skb->len, in tenths of a percent.
assert_longer() { # WHAT BYTES WIRE_BYTES LEAST MOST
	awk -v b="$2" -v w="$3" -v l="$4" -v m="$5" 'BEGIN { x = (w / b - 1) * 1000; exit !(x >= l && x <= m) }' ||
		fail "$1: wire $3 is not $4 to $5 per mille more than $2"
}

wire_agrees() { # NEAR_ADDRESS FAR_ADDRESS LEAST MOST: per mille by which super-packets are shorter
	local mode direction before_in before_out after_in after_out expected
	declare -A exact
	need_bpf
	command -v nft ethtool ss >/dev/null || skip "needs nft, ethtool and ss"

	offloads off
	start_meters
	before_in=$(counter rx)
	before_out=$(counter tx)
	transfer "$1" "$2"
	after_in=$(counter rx)
	after_out=$(counter tx)
	stop_meters
	for mode in $modes; do
		for direction in in out; do
			expected=$((after_$direction - before_$direction))
			assert_at_least "bytes $direction on the wire" $bytes $expected
			assert_equal "$mode: wire_bytes $direction" $expected \
				"$(csv_sum $direction 9 "$work/$mode"/*_*.log)"
		done
		# What is sent passes the hook before it is segmented; what comes was segmented before.
		assert_longer "$mode: out, offloads off" "$(port_sum $mode out 5001 2)" \
			"$(port_sum $mode out 5001 9)" "$3" "$4"
		assert_equal "$mode: bytes in, offloads off" "$(port_sum $mode in 5002 9)" \
			"$(port_sum $mode in 5002 2)"
		exact[$mode-out]=$(port_sum $mode out 5001 9)
		exact[$mode-in]=$(port_sum $mode in 5002 9)
	done

	offloads on
	start_meters
	transfer "$1" "$2"
	stop_meters
	for mode in $modes; do
		assert_within "$mode: wire_bytes out, offloads on" 1000 "${exact[$mode-out]}" \
			"$(port_sum $mode out 5001 9)"
		assert_within "$mode: wire_bytes in, offloads on" 1000 "${exact[$mode-in]}" \
			"$(port_sum $mode in 5002 9)"
		for direction in "out 5001" "in 5002"; do
			assert_longer "$mode: $direction, offloads on" "$(port_sum $mode $direction 2)" \
				"$(port_sum $mode $direction 9)" "$3" "$4"
		done
	done
	echo "# out ${exact[flow-out]}, in ${exact[flow-in]} bytes on the wire for $bytes each way; sent twice: $(sent_twice)"
}

[ "$(id -u)" -ne 0 ] || make_pair
# Per segment 1,448 bytes of payload behind 52 of headers; 1,428 behind 72.
run_test "wire_bytes are the interface's own, IPv4" wire_agrees 10.78.0.1 10.78.0.2 25 36
run_test "wire_bytes are the interface's own, IPv6" wire_agrees fd78::1 fd78::2 35 51
end_tests
