#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two million packets over 1,000 sockets that change hands between ten users: nothing is charged
# twice or to nobody, and each datagram to whoever sent it. In a network namespace of the test's own,
# whose lo counts every packet that it delivers and nothing but.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

netns=tm-hands-$$
first_uid=4801
users=10
fixture hands "$netns"

# What lo has delivered, or found no room for on its way back in; it counts as the meter does, from the IP header on.
lo_counter() { # packets|bytes|dropped
	ip netns exec "$netns" cat "/sys/class/net/lo/statistics/rx_$1"
}

# By direction and protocol, over all users: "DIRECTION PROTOCOL PACKETS BYTES".
sums() { # FILE...
	awk -F, '{ p[$1 " " $10] += $8; b[$1 " " $10] += $2 }
		END { for (k in p) printf "%s %d %d\n", k, p[k], b[k] }' "$@" | sort
}

sum_of() { # PACKETS|BYTES DIRECTION PROTOCOL|all FILE...
	local column=3 direction=$2 protocol=$3
	[ "$1" = packets ] || column=4
	sums "${@:4}" | awk -v d="$direction" -v p="$protocol" -v c="$column" \
		'$1 == d && (p == "all" || $2 == p) { s += $c } END { printf "%d\n", s }'
}

# Each user's datagrams, by what the user's own process says it sent.
assert_users() {
	local line uid packets bytes file wrong=0
	assert_equal "users that sent" $users "$(grep -c ^uid= "$work/sent")"
	while read -r line; do
		read -r uid packets bytes _ <<<"$(sed -E 's/[a-z_]+=//g' <<<"$line")"
		file=$work/out/traffic_user_unknown_$uid.log
		[ "$packets $bytes" = "$(sum_of packets out udp "$file") $(sum_of bytes out udp "$file")" ] && continue
		echo "# uid $uid sent by UDP $packets packets, $bytes bytes; charged:" \
			"$(sum_of packets out udp "$file") packets, $(sum_of bytes out udp "$file") bytes"
		wrong=1
	done <"$work/sent"
	[ $wrong -eq 0 ] || fail "a user was charged with another's datagrams"
}

# Ten users and root, who made the sockets and shook hands; root sent no datagram.
assert_nobody_else() {
	local name expected
	expected=$(seq -f 'traffic_user_unknown_%.0f.log' $first_uid $((first_uid + users - 1)))
	name=$(cd "$work/out" && ls | grep -vxF -e traffic_user_unknown_0.log -e "$expected" || :)
	assert_equal "users who have no part in it" "" "$name"
	assert_equal "datagrams sent by root" 0 \
		"$(sum_of packets out udp "$work/out/traffic_user_unknown_0.log" /dev/null)"
}

hands() { # ADDRESS PACKETS_OF_A_USER UDP_SOCKETS TCP_SOCKETS
	need_bpf
	local packets=$(($2 * users)) lo_packets lo_bytes lo_dropped sent
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	: >"$work/out/traffic_user_unknown_0.log"
	lo_packets=$(lo_counter packets)
	lo_bytes=$(lo_counter bytes)
	lo_dropped=$(lo_counter dropped)
	meter_start "$work/log" "$METER" run --cgroup "$cgroup" --interval 1 --output "csv:$work/out"
	in_cgroup "$cgroup" ip netns exec "$netns" "$TRAFFIC" hands --to "$1" --first-uid $first_uid \
		--users $users --count "$2" --sockets "$3" --tcp-sockets "$4" --size 400 --timeout 60 \
		</dev/null >"$work/sent" || fail "traffic: $(cat "$work/sent")"
	meter_stop || fail "$(cat "$work/log")"
	lo_packets=$(($(lo_counter packets) - lo_packets))
	lo_bytes=$(($(lo_counter bytes) - lo_bytes))
	lo_dropped=$(($(lo_counter dropped) - lo_dropped))
	echo "# $packets datagrams; lo delivered $lo_packets packets, $lo_bytes bytes; all users:"
	sums "$work"/out/*.log | sed 's/^/# /'

	sent=$(awk -F '[= ]' '{ s += $6 } END { printf "%d\n", s }' "$work/sent")
	assert_equal "datagrams out" $packets "$(sum_of packets out udp "$work"/out/*.log)"
	assert_equal "bytes of datagrams out" "$sent" "$(sum_of bytes out udp "$work"/out/*.log)"
	assert_equal "packets in" $lo_packets "$(sum_of packets in all "$work"/out/*.log)"
	assert_equal "bytes in" $lo_bytes "$(sum_of bytes in all "$work"/out/*.log)"
	assert_equal "packets out" $((lo_packets + lo_dropped)) "$(sum_of packets out all "$work"/out/*.log)"
	[ $lo_dropped -gt 0 ] || assert_equal "bytes out" $lo_bytes "$(sum_of bytes out all "$work"/out/*.log)"
	assert_contains "audit" 'audit: 0 bytes unaccounted' "$(cat "$work/log")"
	assert_users
	assert_nobody_else
}

[ "$(id -u)" -ne 0 ] || netns_any "$netns"
run_test "2,000,000 datagrams over 1,000 sockets of ten users" hands 127.0.0.1 200000 900 100
run_test "200,000 datagrams over IPv6" hands ::1 20000 900 100
run_test "ten users send on two sockets at once" hands 127.0.0.1 200000 2 0
end_tests
