#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No way around the meter: a known number of bytes by each of the kernel's roads to the network, IPv4
# and IPv6, from one namespace to another. Sender and receiver are a user each of the road's own, and
# all that is metered is theirs: the payload and the headers' share, or to the byte where the sender
# knows the packets.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh

# Frames of packet sockets are seen by a hook of their own at the interfaces of the meter's network
# namespace, which this meter has when it is 1.
PACKET_ROADS=${PACKET_ROADS:-0}

stream_bytes=3000000
datagram_bytes=60000 # which every default of a socket's buffer holds, should the receiver be slow
datagram_size=1000
first_uid=61000

work=$(mktemp -d)
near=tm-near-$$
far=tm-far-$$
cgroup=

cleanup() {
	processes_end
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	netns_remove "$near" "$far"
	rm -rf "$work"
}
trap cleanup EXIT

# Neighbours are made known, so that no packet waits for an answer: the one that comes out of such a
# queue is sent by a softirq. Echo sockets and data in the first SYN are for all.
stage_make() {
	local name peer mac address
	netns_pair "$near" "$far"
	for name in "$near" "$far"; do
		ip netns exec "$name" sh -c '
			echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
			echo 519 >/proc/sys/net/ipv4/tcp_fastopen'
		peer=$near
		[ "$name" != "$near" ] || peer=$far
		mac=$(mac_of "$peer")
		for address in 10.77.0.1 10.77.0.2 fd77::1 fd77::2; do
			ip -n "$name" -o addr show dev veth0 | grep -qF " $address/" ||
				ip -n "$name" neigh replace "$address" lladdr "$mac" dev veth0 nud permanent
		done
	done
}

mac_of() { ip -n "$1" -o link show dev veth0 | sed -E 's/.*link\/ether ([0-9a-f:]+).*/\1/'; }

# The meter is in the sender's network namespace. Not by `ip netns exec`, which hides the cgroups.
near_meter_start() {
	rm -rf "$work/out"
	mkdir "$work/out"
	meter_start "$work/log" nsenter --net="/run/netns/$near" "$METER" run \
		--instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work/out"
}

near_meter_stop() {
	meter_stop || fail "the meter's exit code: $(cat "$work/log")"
	assert_contains "closing line" 'audit: 0 bytes unaccounted' "$(cat "$work/log")"
}

# One family's traffic; what the sender says of it goes to $work/sent.
send_road() { # ROAD BYTES FAMILY SENDER RECEIVER|-
	local road=$1 bytes=$2 to=10.77.0.2 receiver=
	[ "$3" = 4 ] || to=fd77::2
	case $road$3 in
	multicast*4) to=239.7.7.7 ;;
	multicast*6) to=ff15::7:7 ;;
	esac
	set -- "$3" "$4" "$5"
	if [ "$3" != - ]; then
		: >"$work/receiver"
		in_cgroup_start "$cgroup" ip netns exec "$far" "$TRAFFIC" road "$road" --bind "$to" 5000 \
			--device veth0 --bytes "$bytes" --uid "$3" >"$work/receiver"
		receiver=$started_pid
		wait_until 10 grep -q ready "$work/receiver"
	fi
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" road "$road" --to "$to" 5000 --device veth0 \
		--mac "$(mac_of "$far")" --bytes "$bytes" --size "$datagram_size" --uid "$2" >>"$work/sent" ||
		fail "$road over IPv$1: the sender"
	[ -z "$receiver" ] || wait "$receiver" || fail "$road over IPv$1: the receiver"
}

# Both families, metered. The users are told by the caller's uid_out and uid_in.
travel() { # ROAD BYTES RECEIVER|-
	local family
	need_bpf
	: >"$work/sent"
	near_meter_start
	for family in 4 6; do send_road "$1" "$2" "$family" "$uid_out" "$3"; done
	near_meter_stop
}

metered() { # UID DIRECTION [COLUMN]
	local file=$work/out/traffic_user_unknown_$1.log
	[ -f "$file" ] || file=/dev/null
	csv_sum "$2" "${3:-2}" "$file"
}

sent() { sed -E "s/.*\b$1=([0-9]+).*/\1/" "$work/sent" | awk '{ s += $1 } END { printf "%d\n", s }'; }

assert_between() { # WHAT MINIMUM MAXIMUM ACTUAL
	[ "$4" -ge "$2" ] && [ "$4" -le "$3" ] || fail "$1: $4 is not from $2 to $3"
}

# Nobody has a file but these.
assert_users() { # UID...
	local uid
	assert_equal "whose files" "$(for uid in "$@"; do echo "traffic_user_unknown_$uid.log"; done)" \
		"$(ls "$work/out")"
}

# The share: 52 to 72 bytes of headers in 1,448 for TCP, and the acknowledgements.
stream() { # ROAD
	local bytes=$((2 * stream_bytes)) most
	travel "$1" "$stream_bytes" "$uid_in"
	most=$((bytes * 108 / 100))
	echo "# $1: $bytes sent; sender out $(metered "$uid_out" out), in $(metered "$uid_out" in);" \
		"receiver in $(metered "$uid_in" in), out $(metered "$uid_in" out)"
	assert_users "$uid_out" "$uid_in"
	assert_between "out of the sender" "$bytes" "$most" "$(metered "$uid_out" out)"
	assert_between "in to the receiver" "$bytes" "$most" "$(metered "$uid_in" in)"
	assert_between "sender, both ways" "$bytes" "$most" \
		$(($(metered "$uid_out" out) + $(metered "$uid_out" in)))
	assert_between "receiver, both ways" "$bytes" "$most" \
		$(($(metered "$uid_in" out) + $(metered "$uid_in" in)))
}

# To the byte, at both ends, and nothing the other way.
datagrams() { # ROAD
	travel "$1" "$datagram_bytes" "$uid_in"
	assert_users "$uid_out" "$uid_in"
	assert_equal "payload sent" $((2 * datagram_bytes)) "$(sent bytes)"
	assert_equal "out of the sender" "$(sent ip_bytes)" "$(metered "$uid_out" out)"
	assert_equal "packets out of the sender" "$(sent packets)" "$(metered "$uid_out" out 8)"
	assert_equal "in to the receiver" "$(sent ip_bytes)" "$(metered "$uid_in" in)"
	assert_equal "the other way" "0 0" "$(metered "$uid_out" in) $(metered "$uid_in" out)"
}

# Many datagrams share the headers of one packet, which is cut behind the hook: `bytes` is between
# the payload and what the datagrams are on the wire, `wire_bytes` is that.
segments() { # ROAD
	travel "$1" "$datagram_bytes" "$uid_in"
	echo "# $1: $(sent bytes) sent as $(metered "$uid_out" out 8) packets of $(metered "$uid_out" out)" \
		"bytes, received as $(metered "$uid_in" in 8) of $(metered "$uid_in" in)"
	assert_users "$uid_out" "$uid_in"
	assert_between "out of the sender" "$(sent bytes)" "$(sent ip_bytes)" "$(metered "$uid_out" out)"
	assert_equal "on the wire, from the sender" "$(sent ip_bytes)" "$(metered "$uid_out" out 9)"
	assert_between "in to the receiver" "$(sent bytes)" "$(sent ip_bytes)" "$(metered "$uid_in" in)"
	assert_equal "on the wire, to the receiver" "$(sent ip_bytes)" "$(metered "$uid_in" in 9)"
}

# The peer's kernel answers with as many.
echoes() { # ROAD
	travel "$1" "$datagram_bytes" -
	assert_users "$uid_out"
	assert_equal "out" "$(sent ip_bytes)" "$(metered "$uid_out" out)"
	assert_equal "in" "$(sent ip_bytes)" "$(metered "$uid_out" in)"
}

# A frame's bytes from the IP header on are the user's whose packet socket it was.
frames() { # ROAD
	if [ "$PACKET_ROADS" = 1 ]; then
		datagrams "$1"
		return
	fi
	travel "$1" "$datagram_bytes" "$uid_in"
	echo "# $1: frames are not metered here (PACKET_ROADS=1)"
	assert_users "$uid_in"
	assert_equal "in to the receiver" "$(sent ip_bytes)" "$(metered "$uid_in" in)"
}

# The documented limit: straight to the driver is past every hook. When this fails, say so in the
# README, for then it no longer is.
bypass() { # ROAD
	travel "$1" "$datagram_bytes" "$uid_in"
	echo "# $1: $(sent ip_bytes) bytes passed by every hook at the sender, as documented"
	assert_users "$uid_in"
	assert_equal "in to the receiver" "$(sent ip_bytes)" "$(metered "$uid_in" in)"
}

# Asked as root first, which loads the module that the road may be in.
road_is_here() { "$TRAFFIC" road "$1" && "$TRAFFIC" road "$1" --uid "$uid_out"; }

way_of() {
	case $1 in
	packet-bypass) echo bypass ;;
	packet*) echo frames ;;
	icmp | raw-icmp) echo echoes ;;
	udp-gso) echo segments ;;
	udp* | mmsg | multicast* | raw) echo datagrams ;;
	*) echo stream ;;
	esac
}

roads=("$@")
[ ${#roads[@]} -gt 0 ] || mapfile -t roads < <("$TRAFFIC" road)
if [ "$(id -u)" -eq 0 ]; then
	stage_make
	cgroup=$(cgroup_make roads)
fi
uid_in=$first_uid
for road in "${roads[@]}"; do
	uid_out=$((uid_in + 1))
	uid_in=$((uid_out + 1))
	if [ "$(id -u)" -eq 0 ] && ! road_is_here "$road"; then
		echo "# road $road: not in this kernel"
		continue
	fi
	[ ! -f "$work/.processes" ] || processes_end # of a road that failed
	run_test "by the road $road" "$(way_of "$road")" "$road"
done
end_tests
