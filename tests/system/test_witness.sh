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

work=$(mktemp -d)
near=tm-near-$$
far=tm-far-$$
cgroup=
server_pids=()

cleanup() {
	local pid
	for pid in ${meter_pid:-} "${server_pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	netns_remove "$near" "$far"
	rm -rf "$work"
}
trap cleanup EXIT

users="1 2"
uid_of() { echo $((4200 + $1)); }

witness_start() {
	local user
	{
		echo 'table inet witness {'
		for user in $users; do
			echo "counter out$user {} counter in$user {}"
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
		echo '} }'
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

value() { sed -nE "s/.*\b$1=([0-9]+).*/\1/p" <<<"$2"; }

traffic_of_user() { # USER
	local user=$1 address result
	for address in "10.77.0.1$user" "fd77::1$user"; do
		serve "$work/udp-$user-$address" udp-echo --bind "$address" 5000 --count 700
		serve "$work/tcp-$user-$address" tcp-serve --bind "$address" 5001 --connections 3 --reply 70000
		result=$(near_as "$user" udp-send --to "$address" 5000 --count 700 --size $((100 * user)))
		echo "$(($(value ip_bytes "$result")))" >>"$work/sent-udp-$user"
		for _ in 1 2 3; do
			near_as "$user" tcp-send --to "$address" 5001 --bytes 300000 --expect-reply 70000 >/dev/null
		done
		result=$(near_as "$user" ping --to "$address" --count 5 --size 1000 --ident "$((700 + user))")
		assert_equal "pings answered" 5 "$(value received "$result")"
	done
}

bytes_agree() {
	need_bpf
	command -v nft >/dev/null || skip "no nft"
	local user uid file direction sum pids=()
	witness_start
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --output "csv:$work" \
		--output "json:$work/all.json"
	for user in $users; do
		traffic_of_user "$user" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || fail "traffic"; done
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
		sum=$(awk -F, '$1 == "out" && $10 == "udp" { s += $2 } END { print s }' "$file")
		assert_equal "udp bytes of uid $uid by the sender" \
			"$(awk '{ s += $1 } END { print s }' "$work/sent-udp-$user")" "$sum"
	done
	assert_equal "files" "$(for user in $users; do echo "traffic_user_unknown_$(uid_of "$user").log"; done)" \
		"$(ls "$work" | grep '^traffic_user')"
	sum=$(python3 -c '
import json, sys
print(sum(json.loads(line)["bytes"] for line in open(sys.argv[1])))' "$work/all.json")
	assert_equal "bytes of both outputs" "$(awk -F, '{ s += $2 } END { print s }' "$work"/traffic_user_*)" "$sum"
}

if [ "$(id -u)" -eq 0 ]; then
	netns_pair "$near" "$far"
	cgroup=$(cgroup_make witness)
fi
run_test "files of two users agree with nftables and the sender, to the byte" bytes_agree
end_tests
