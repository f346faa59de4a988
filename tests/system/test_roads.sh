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
. tests/lib/fixture.sh

stream_bytes=3000000
datagram_bytes=60000 # which every default of a socket's buffer holds, should the receiver be slow
datagram_size=1000
first_uid=61000

near=tm-near-$$
far=tm-far-$$

fixture roads "$near" "$far"

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

# One family's traffic; what the halves say of it goes to $work/sent and $work/received-*.
send_road() { # ROAD BYTES FAMILY SENDER RECEIVER|- [OPTIONS OF THE SENDER]
	local road=$1 bytes=$2 to=10.77.0.2 receiver= log=$work/received-$3
	[ "$3" = 4 ] || to=fd77::2
	case $road$3 in
	multicast*4) to=239.7.7.7 ;;
	multicast*6) to=ff15::7:7 ;;
	esac
	set -- "${@:3}"
	if [ "$3" != - ]; then
		in_cgroup_start "${receivers:-$cgroup}" ip netns exec "$far" "$TRAFFIC" road "$road" --bind "$to" 5000 \
			--device veth0 --bytes "$bytes" --uid "$3" >"$log"
		receiver=$started_pid
		wait_until 10 grep -q ready "$log"
	fi
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" road "$road" --to "$to" 5000 --device veth0 \
		--mac "$(mac_of "$far")" --bytes "$bytes" --size "$datagram_size" --uid "$2" "${@:4}" >>"$work/sent" ||
		fail "$road over IPv$1: the sender"
	[ -z "$receiver" ] || wait "$receiver" || fail "$road over IPv$1: the receiver"
}

# Both families, metered. For IPv4 the sender's socket is made by root and then used by the user, who
# is charged for it all the same. The users are told by the caller's uid_out and uid_in.
travel() { # ROAD BYTES RECEIVER|- [OPTIONS OF THE SENDER OVER IPV4]
	need_bpf
	rm -f "$work/sent" "$work"/received-*
	near_meter_start
	send_road "$1" "$2" 4 "$uid_out" "$3" ${4---late}
	send_road "$1" "$2" 6 "$uid_out" "$3"
	near_meter_stop
}

metered() { # UID DIRECTION [COLUMN]
	local file=$work/out/traffic_user_unknown_$1.log
	[ -f "$file" ] || file=/dev/null
	csv_sum "$2" "${3:-2}" "$file"
}

said() { # NAME FILE...
	local name=$1
	shift
	grep -ohE "\b$name=[0-9]+" "$@" | awk -F= '{ s += $2 } END { printf "%d\n", s }'
}

sent() { said "$1" "$work/sent"; }

assert_between() { # WHAT MINIMUM MAXIMUM ACTUAL
	[ "$4" -ge "$2" ] && [ "$4" -le "$3" ] || fail "$1: $4 is not from $2 to $3"
}

# Nobody has a file but these.
assert_users() { # UID...
	local uid
	assert_equal "whose files" "$(for uid in "$@"; do echo "traffic_user_unknown_$uid.log"; done)" \
		"$(ls "$work/out")"
}

# The share: 52 to 72 bytes of headers in 1,448 for TCP, and the acknowledgements. What TCP had to send
# again was metered again.
assert_stream() { # WRITER READER
	local bytes=$((2 * stream_bytes)) most resent
	resent=$(said resent "$work/sent" "$work"/received-*)
	most=$(((bytes + resent) * 108 / 100))
	echo "# $bytes written, $resent again; writer out $(metered "$1" out), in $(metered "$1" in);" \
		"reader in $(metered "$2" in), out $(metered "$2" out)"
	assert_between "out of the writer" "$bytes" "$most" "$(metered "$1" out)"
	assert_between "in to the reader" "$bytes" "$most" "$(metered "$2" in)"
	assert_between "writer, both ways" "$bytes" "$most" $(($(metered "$1" out) + $(metered "$1" in)))
	assert_between "reader, both ways" "$bytes" "$most" $(($(metered "$2" out) + $(metered "$2" in)))
}

stream() { # ROAD
	local maker=--late
	# Which task uses an SCTP socket is not known: its creator's, so the sender makes it itself.
	[ "$1" != sctp ] || maker=
	travel "$1" "$stream_bytes" "$uid_in" "$maker"
	assert_users "$uid_out" "$uid_in"
	assert_stream "$uid_out" "$uid_in"
}

# Who connects is who reads.
download() { # ROAD
	travel "$1" "$stream_bytes" "$uid_in"
	assert_users "$uid_out" "$uid_in"
	assert_stream "$uid_in" "$uid_out"
}

# MPTCP by a second path too. A thread of the kernel makes it for whoever connected, and it is root's
# until it is joined to the user's socket: the 4 packets of the handshake, of 100 bytes at most. The
# addresses are not preferred, so that nothing else has them. The user makes the socket: what only
# receives on such a path is charged to the socket's creator.
two_paths() { # ROAD WRITER READER
	local end nodad stream_bytes=20000000
	for end in 10.77.0.3/24 fd77::3/64; do
		nodad=
		[ "$end" = 10.77.0.3/24 ] || nodad=nodad
		ip -n "$near" addr replace "$end" dev veth0 preferred_lft 0 $nodad
		ip -n "$near" mptcp endpoint add "${end%/*}" dev veth0 subflow
	done
	ip -n "$near" mptcp limits set subflow 2
	ip -n "$far" mptcp limits set subflow 2
	travel "$1" "$stream_bytes" "$uid_in" ''
	ip -n "$near" mptcp endpoint flush
	assert_contains "rows of the second paths" '10\.77\.0\.3.*fd77::3' "$(cat "$work"/out/* | tr '\n' ' ')"
	assert_between "root's bytes" 0 $((2 * 4 * 100)) $(($(metered 0 in) + $(metered 0 out)))
	assert_stream "$2" "$3"
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

# The documented limit: straight to the driver is past every hook. When this fails, say so in the
# README, for then it no longer is.
bypass() { # ROAD
	travel "$1" "$datagram_bytes" "$uid_in"
	echo "# $1: $(sent ip_bytes) bytes passed by every hook at the sender, as documented"
	assert_users "$uid_in"
	assert_equal "in to the receiver" "$(sent ip_bytes)" "$(metered "$uid_in" in)"
}

# rx or tx, of the near end: bytes less the link headers.
counter() {
	ip -n "$near" -s -j link show dev veth0 | python3 -c '
import json, sys
count = json.load(sys.stdin)[0]["stats64"][sys.argv[1]]
print(count["bytes"] - 14 * count["packets"])' "$1"
}

short_connections() { # ADDRESS UID
	in_cgroup_start "$receivers" ip netns exec "$far" "$TRAFFIC" tcp-serve --bind "$1" 5001 \
		--connections 300 --expect 100 --reply 1000 --uid "$2" >"$work/short"
	wait_until 10 grep -q ready "$work/short"
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" tcp-many --to "$1" 5001 --connections 300 \
		--bytes 100 --expect-reply 1000 --uid "$2" >>"$work/sent" || fail "300 connections to $1"
	wait "$started_pid" || fail "the server of 300 connections"
}

# One user, all that users have, and nobody else on the link: what the user is charged is what the interface
# counts, within 1 per mille. What the kernel asks its neighbours is not the user's. Who receives is another
# machine's, and not metered.
all_by_one() { # UID
	local receivers family road bytes direction uid=$1
	declare -A before after=([in]=rx [out]=tx)
	need_bpf
	command -v ethtool >/dev/null || skip "needs ethtool"
	for road in "$near" "$far"; do
		ip netns exec "$road" ethtool -K veth0 tso off gso off gro off tx off >"$work/ethtool" 2>&1 ||
			fail "ethtool: $(cat "$work/ethtool")"
	done
	receivers=$(cgroup_root)
	near_meter_start
	for direction in in out; do before[$direction]=$(counter "${after[$direction]}"); done
	for road in udp mmsg udp-gso raw icmp raw-icmp packet packet-dgram sendfile splice uring; do
		road_is_here "$road" || continue
		bytes=$datagram_bytes
		[ "$(way_of "$road")" != stream ] || bytes=$stream_bytes
		for family in 4 6; do
			case $road in
			icmp | raw-icmp) send_road "$road" "$bytes" $family "$uid" - ;;
			*) send_road "$road" "$bytes" $family "$uid" "$uid" ;;
			esac
		done
	done
	short_connections 10.77.0.2 "$uid"
	short_connections fd77::2 "$uid"
	for direction in in out; do after[$direction]=$(counter "${after[$direction]}"); done
	near_meter_stop
	rm -f "$work"/out/*_none.log
	assert_users "$uid"
	for direction in in out; do
		bytes=$((after[$direction] - before[$direction]))
		echo "# $direction: $bytes by the interface, $(metered "$uid" $direction 9) charged to the user"
		assert_between "bytes $direction of the user" $((bytes * 999 / 1000)) $((bytes * 1001 / 1000)) \
			"$(metered "$uid" $direction 9)"
	done
}

# Asked as root first, which loads the module that the road may be in.
road_is_here() { "$TRAFFIC" road "$1" && "$TRAFFIC" road "$1" --uid "$uid_out"; }

way_of() {
	case $1 in
	packet-bypass) echo bypass ;;
	icmp | raw-icmp) echo echoes ;;
	udp-gso) echo segments ;;
	udp* | mmsg | multicast* | raw | packet*) echo datagrams ;;
	*-download) echo download ;;
	*) echo stream ;;
	esac
}

roads=("$@")
[ ${#roads[@]} -gt 0 ] || mapfile -t roads < <("$TRAFFIC" road)
[ "$(id -u)" -ne 0 ] || stage_make
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
	case $road in
	mptcp) run_test "by the road $road, two paths" two_paths "$road" "$uid_out" "$uid_in" ;;
	mptcp-download) run_test "by the road $road, two paths" two_paths "$road" "$uid_in" "$uid_out" ;;
	esac
done
uid_out=$((uid_in + 1))
[ $# -gt 0 ] || run_test "all of a user's by the interface's own counters" all_by_one "$uid_out"
end_tests
