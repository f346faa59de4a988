#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bytes against two witnesses that are not us: nftables' counters and the sender's own count. Two
# namespaces, two users, TCP, UDP and ICMP over IPv4 and IPv6. The metered users' sockets are all on
# one side, and each user talks to addresses of their own, by which nftables counts.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

near=tm-near-$$
far=tm-far-$$
server_pids=()

fixture_undo() {
	for pid in "${server_pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
}
fixture witness "$near" "$far"

users="1 2"
uid_of() { echo $((4200 + $1)); }

witness_start() {
	local user
	{
		echo 'table inet witness {'
		for user in $users; do
			printf "counter out%s {}\ncounter in%s {}\n" "$user" "$user"
		done
		echo 'chain output { type filter hook output priority 300;'
		echo 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'
		for user in $users; do
			echo "ip daddr 10.77.0.1$user counter name out$user"
			echo "ip6 daddr fd77::1$user counter name out$user"
		done
		echo '}'
		echo 'chain input { type filter hook input priority 300;'
		echo 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'
		for user in $users; do
			echo "ip saddr 10.77.0.1$user counter name in$user"
			echo "ip6 saddr fd77::1$user counter name in$user"
		done
		echo "}"
		echo "}"
	} | ip netns exec "$near" nft -f -
}

witness() { # packets|bytes in|out USER
	ip netns exec "$near" nft list counter inet witness "$2$3" |
		awk -v what="$1" '{ for (i = 1; i < NF; i++) if ($i == what) print $(i + 1) }'
}

serve() { # LOG COMMAND...: in the far namespace, until it says it is ready
	local log=$1
	shift
	ip netns exec "$far" "$TRAFFIC" "$@" --timeout 60 >"$log" &
	server_pids+=($!)
	wait_until 10 grep -q ready "$log"
}

near_as() { # USER COMMAND...: in the metered cgroup
	local user=$1
	shift
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" "$@" --uid "$(uid_of "$user")"
}

# Sent and received with sockets that outlive the traffic: what comes for a closed one is seen by
# nftables and belongs to nobody.
udp_both_ways() { # USER NEAR_ADDRESS FAR_ADDRESS
	local user=$1 near_address=$2 far_address=$3 port=$((6000 + $1)) receiver
	serve "$work/udp-$user-$far_address" udp-receive --bind "$far_address" 5000 --count 700
	near_as "$user" udp-send --to "$far_address" 5000 --count 700 --size $((100 * user)) |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/' >>"$work/sent-udp-$user"
	near_as "$user" udp-receive --bind "$near_address" "$port" --count 300 --timeout 30 \
		>"$work/receive-$user-$far_address" &
	receiver=$!
	wait_until 10 grep -q ready "$work/receive-$user-$far_address"
	ip netns exec "$far" "$TRAFFIC" udp-send --to "$near_address" "$port" --from "$far_address" \
		--count 300 --size 500 --rate 20000 |
		sed -E 's/.*ip_bytes=([0-9]+).*/\1/' >>"$work/received-udp-$user"
	wait "$receiver" || fail "datagrams were lost: $(cat "$work/receive-$user-$far_address")"
}

tcp_both_ways() { # USER FAR_ADDRESS
	serve "$work/tcp-$1-$2" tcp-serve --bind "$2" 5001 --connections 3 --reply 70000
	for _ in 1 2 3; do
		near_as "$1" tcp-send --to "$2" 5001 --bytes 300000 --expect-reply 70000 >/dev/null
	done
}

traffic_of_user() { # USER
	local user=$1 near_address far_address
	for far_address in "10.77.0.1$user" "fd77::1$user"; do
		case $far_address in
		fd*) near_address=fd77::1 ;;
		*) near_address=10.77.0.1 ;;
		esac
		udp_both_ways "$user" "$near_address" "$far_address"
		tcp_both_ways "$user" "$far_address"
	done
}

# Not beside the other's: a raw socket is given each echo reply until it is connected, and what it is
# given is received, by its owner too.
pings_of_user() { # USER
	local user=$1 far_address result
	for far_address in "10.77.0.1$user" "fd77::1$user"; do
		result=$(near_as "$user" ping --to "$far_address" --count 5 --size 1000 --ident "$((700 + user))")
		assert_equal "pings answered" 5 "$(sed -E 's/.*received=([0-9]+).*/\1/' <<<"$result")"
	done
}

udp_sum() { # DIRECTION FILE
	awk -F, -v d="$1" '$1 == d && $10 == "udp" { s += $2 } END { print s }' "$2"
}

lines_sum() { awk '{ s += $1 } END { print s }' "$1"; }

bytes_agree() {
	need_bpf
	command -v nft >/dev/null || skip "no nft"
	local user uid file direction sum pids=()
	witness_start
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work" --records packet \
		--output "json:$work/all.json"
	for user in $users; do
		traffic_of_user "$user" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || fail "traffic"; done
	for user in $users; do pings_of_user "$user"; done
	meter_stop || { cat "$work/log"; fail "the meter's exit code"; }
	cat "$work/log"
	assert_contains "closing line" 'audit: 0 bytes unaccounted' "$(cat "$work/log")"
	for user in $users; do
		uid=$(uid_of "$user")
		file=$work/traffic_user_unknown_$uid.log
		for direction in in out; do
			sum=$(csv_sum "$direction" 2 "$file")
			assert_equal "bytes $direction of uid $uid" "$(witness bytes "$direction" "$user")" "$sum"
			sum=$(csv_sum "$direction" 8 "$file")
			assert_equal "packets $direction of uid $uid" \
				"$(witness packets "$direction" "$user")" "$sum"
		done
		assert_equal "udp bytes of uid $uid by the sender" "$(lines_sum "$work/sent-udp-$user")" \
			"$(udp_sum out "$file")"
		assert_equal "udp bytes to uid $uid by the sender" "$(lines_sum "$work/received-udp-$user")" \
			"$(udp_sum in "$file")"
	done
	assert_equal "files" "$(for user in $users; do echo "traffic_user_unknown_$(uid_of "$user").log"; done)" \
		"$(ls "$work" | grep '^traffic_user')"
	sum=$(python3 -c '
import json, sys
print(sum(json.loads(line)["bytes"] for line in open(sys.argv[1])))' "$work/all.json")
	assert_equal "bytes of both outputs" "$(awk -F, '{ s += $2 } END { print s }' "$work"/traffic_user_*)" "$sum"
}

[ "$(id -u)" -ne 0 ] || netns_pair "$near" "$far"
run_test "files of two users agree with nftables and the sender, to the byte" bytes_agree
end_tests
