#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rootless containers: who is charged for what moves in a user's own network namespace, and through
# the helper that carries it outside.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

inside=tm-rootless-$$ outside=tm-outside-$$
uid=61001 range=165536
megabytes=20
fixture rootless "$inside" "$outside"
chmod 0755 "$work"

# The meter with a subuid file of the test's own, which gives the user a range.
start() { # OPTION...
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	echo "$uid:$range:65536" >"$work/subuid"
	meter_start "$work/log" unshare -m bash -c 'mount --bind "$0" /etc/subuid; exec "$@"' "$work/subuid" \
		"$METER" run --config /dev/null --instance "$meter_instance" --cgroup "$cgroup" \
		--interval 1 --output "csv:$work/out" "$@"
}

# With a tun device that anybody may open, as udev makes it.
as_user() { # COMMAND...
	[ -e "$work/tun" ] || mknod -m 0666 "$work/tun" c 10 200
	in_cgroup "$cgroup" nsenter --net="/run/netns/$inside" \
		unshare -m bash -c 'mount --bind "$0" /dev/net/tun; exec "$@"' "$work/tun" \
		setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}

# Bytes of a direction that are the uid's; and that are anybody else's.
bytes_of() { # DIRECTION UID
	find "$work/out" -name "*_$2.log" -exec cat {} + |
		awk -F, -v d="$1" '$1 == d { s += $2 } END { printf "%d\n", s }'
}

bytes_of_others() { # DIRECTION UID
	find "$work/out" -name '*.log' ! -name "*_$2.log" -exec cat {} + |
		awk -F, -v d="$1" '$1 == d { s += $2 } END { printf "%d\n", s }'
}

# serve BYTES: a server in the other namespace, outside the metered cgroup. Prints what it received.
serve() {
	nsenter --net="/run/netns/$outside" "$TRAFFIC" tcp-serve --bind 10.77.0.11 9000 --connections 1 \
		--timeout 60 >"$work/served" &
	server=$!
	process_note $server
	wait_until 20 grep -q ready "$work/served"
}

# What came to its machine, IP headers and all that was sent again included; 14: the link's header.
arrived() {
	nsenter --net="/run/netns/$outside" awk '$1 == "veth0:" { print $2 - 14 * $3 }' /proc/net/dev
}

served_bytes() { sed -nE 's/.*received_bytes=([0-9]+).*/\1/p' "$work/served"; }

# Through pasta to a server in another namespace: the user's, once. (The gateway's address would not do:
# pasta takes it for its own machine.)
test_pasta() {
	local bytes=$((megabytes << 20)) charged arrived
	start
	serve
	arrived=$(arrived)
	as_user pasta --config-net --quiet -- "$TRAFFIC" tcp-send --to 10.77.0.11 9000 --bytes "$bytes" \
		>"$work/sent" 2>&1 </dev/null || {
		cat "$work/sent"
		fail "pasta's guest ended with an error"
	}
	wait $server
	meter_stop || fail "the meter: $(cat "$work/log")"
	assert_equal "bytes that the server received" "$bytes" "$(served_bytes)"
	charged=$(bytes_of out "$uid")
	assert_at_least "bytes charged to the user" "$bytes" "$charged"
	# A busy machine's pasta sends small packets, and some of them twice.
	arrived=$(($(arrived) - arrived))
	echo "# $charged bytes charged, $arrived arrived, of $bytes"
	assert_at_least "no more than 1 % above what arrived" "$charged" $((arrived / 100 * 101))
	assert_equal "bytes sent that are others'" 0 "$(bytes_of_others out "$uid")"
	assert_equal "bytes received that are others'" 0 "$(bytes_of_others in "$uid")"
}

# Alone on the loopback of its own network: nobody carries it outside.
run_unshared() {
	as_user unshare -Urn sh -c 'ip link set lo up &&
		"$0" udp-send --to 127.0.0.1 9001 --count 1000 --size 1000' "$TRAFFIC" >"$work/sent" 2>&1 ||
		fail "unshare: $(cat "$work/sent")"
}

test_skipped() {
	start
	run_unshared
	run_inner_veth
	meter_stop
	assert_equal "bytes out" 0 "$(($(bytes_of out "$uid") + $(bytes_of_others out "$uid")))"
}

# A container's network to which root leads a veth pair, as nspawn, Incus and lxc-user-nic do: what moves there is
# routed, and nobody carries it. The unprivileged half waits for its interface.
run_routed() { # COMMAND...: which runs unshare
	: >"$work/inside"
	chmod 0666 "$work/inside"
	in_cgroup_start "$cgroup" "$@" unshare -Urn sh -c 'echo ready >"$1" || exit
		until ip link show dev c0 >/dev/null 2>&1; do sleep 0.05; done
		ip addr add 10.79.0.2/24 dev c0 && ip link set lo up && ip link set c0 up &&
			ip neigh add 10.79.0.1 lladdr 02:00:00:00:00:01 dev c0 nud permanent &&
			exec "$0" udp-send --to 10.79.0.1 9001 --count 100 --size 1000' \
		"$TRAFFIC" "$work/inside" >"$work/routed" 2>&1
	wait_until 20 grep -q ready "$work/inside"
	ip -n "$outside" link add c1 type veth peer name c0 netns $started_pid
	ip -n "$outside" link set c1 up
	wait "$started_pid" || fail "the container: $(cat "$work/routed")"
}

test_routed() { # UID [COMMAND...]
	start
	run_routed "${@:2}"
	meter_stop
	rm -f "$work"/out/*_none.log # what the kernel asks its neighbours
	assert_equal "bytes out of uid $1" $((100 * 1028)) "$(bytes_of out "$1")"
	assert_equal "bytes out of others" 0 "$(bytes_of_others out "$1")"
}

# Between networks of a user's own: only a helper leads out of them.
run_inner_veth() {
	as_user unshare -Urn sh -c 'ip link add c0 type veth peer name c1 && ip addr add 10.79.0.2/24 dev c0 &&
		ip link set c0 up && ip link set c1 up &&
		ip neigh add 10.79.0.1 lladdr 02:00:00:00:00:01 dev c0 nud permanent &&
		"$0" udp-send --to 10.79.0.1 9001 --count 100 --size 1000' "$TRAFFIC" >"$work/sent" 2>&1 ||
		fail "unshare: $(cat "$work/sent")"
}

# Charged to the user and not to root, which is who it is in there.
test_counted() {
	start --nested-netns count
	run_unshared
	meter_stop
	assert_equal "bytes out of the user" $((1000 * (1000 + 28))) "$(bytes_of out "$uid")"
	assert_equal "bytes out of others" 0 "$(bytes_of_others out "$uid")"
}

# A process of the container's user 5 on the machine's network (as with podman --net=host).
run_subordinate() {
	in_cgroup "$cgroup" nsenter --net="/run/netns/$inside" "$TRAFFIC" udp-send --uid $((range + 5)) \
		--to 127.0.0.1 9001 --count 100 --size 1000 >"$work/sent" || fail "the sender"
}

test_subordinate() {
	start
	run_subordinate
	meter_stop
	assert_equal "bytes out of the owner" $((100 * 1028)) "$(bytes_of out "$uid")"
	assert_equal "bytes out of others" 0 "$(bytes_of_others out "$uid")"
	start --subuid raw
	run_subordinate
	meter_stop
	assert_equal "raw: bytes out of the subordinate uid" $((100 * 1028)) "$(bytes_of out $((range + 5)))"
	assert_equal "raw: bytes out of others" 0 "$(bytes_of_others out $((range + 5)))"
}

# nobody is a user, and not "no owner".
test_nobody() {
	start
	in_cgroup "$cgroup" nsenter --net="/run/netns/$inside" "$TRAFFIC" udp-send --uid 65534 \
		--to 127.0.0.1 9001 --count 100 --size 1000 >"$work/sent" || fail "the sender"
	meter_stop
	assert_equal "bytes out of uid 65534" $((100 * 1028)) "$(bytes_of out 65534)"
	assert_equal "files" "traffic_user_unknown_65534.log" "$(ls "$work/out")"
}

need_bpf
cp "$TRAFFIC" "$work/traffic" # the checkout may be where only root can go
TRAFFIC=$work/traffic
netns_pair "$inside" "$outside"
ip -n "$inside" route add default via 10.77.0.2
run_test "a rootless network through pasta is the user's, once" test_pasta
run_test "a rootless network's own traffic is left out" test_skipped
run_test "a rootless network's own traffic, counted, is the user's" test_counted
run_test "a network of a user namespace that root has made" test_routed 0
run_test "a user's network, to which root leads a veth pair" test_routed "$uid" \
	setpriv --reuid "$uid" --regid "$uid" --clear-groups
run_test "a subordinate uid is charged to its owner" test_subordinate
run_test "nobody is a user of his own" test_nobody
end_tests
