#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Frames at interfaces: those of packet sockets are counted once, wherever they leave, and forwarded
# ones are nobody's.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

near=tm-frames-near-$$
far=tm-frames-far-$$
behind=tm-frames-behind-$$
uid=61501

fixture frames "$near" "$far" "$behind"

# The meter is in the network namespace whose interfaces have the hooks. (`ip netns exec` hides cgroups.)
start() { # OPTION...
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	${before_start:-:}
	meter_start "$work/log" nsenter --net="/run/netns/$near" "$METER" run --config /dev/null \
		--instance "$meter_instance" --cgroup "$cgroup" --output "csv:$work/out" "$@"
}

stop() {
	meter_stop || fail "the meter's exit code: $(cat "$work/log")"
	assert_contains "closing line" 'audit: 0 bytes unaccounted' "$(cat "$work/log")"
}

mac_of() { ip -n "$1" -o link show dev "$2" | sed -E 's/.*link\/ether ([0-9a-f:]+).*/\1/'; }

# Frames with a known number of IP bytes from a packet socket. Adds them to sent_bytes.
send_frames() { # INTERFACE MAC
	in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" road packet --to 10.77.0.2 5000 --device "$1" \
		--mac "$2" --bytes 40000 --size 1000 --uid "$uid" >"$work/sent" || fail "the sender"
	sent_bytes=$((sent_bytes + $(sed -E 's/.*ip_bytes=([0-9]+).*/\1/' "$work/sent")))
}

charged() {
	find "$work/out" -name "*_$uid.log" -exec cat {} + | csv_sum out 2 -
}

# The hooks of an interface are not for the test to wait for; that frames are counted is.
counted_out() { meter_counted out bytes; }

comes_to_be_counted() { # INTERFACE MAC
	local before
	before=$(counted_out)
	send_frames "$1" "$2"
	[ "$(counted_out)" -gt "$before" ] && return
	sent_bytes=0 # the hook was not there yet
	return 1
}

test_later() {
	local sent_bytes=0
	start
	ip -n "$near" link add late0 type veth peer name late0 netns "$far"
	ip -n "$near" link set late0 up
	ip -n "$far" link set late0 up
	wait_until 20 comes_to_be_counted late0 "$(mac_of "$far" late0)"
	send_frames late0 "$(mac_of "$far" late0)"
	ip -n "$near" link del late0
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	assert_equal "bytes out" "$sent_bytes" "$(charged)"
}

# A macvlan sends by the interface that it is on.
test_once() { # OPTION...
	local sent_bytes=0
	ip -n "$near" link add upper0 link veth0 type macvlan mode bridge
	ip -n "$near" link set upper0 up
	start "$@"
	send_frames upper0 "$(mac_of "$far" veth0)"
	stop
	ip -n "$near" link del upper0
	assert_equal "bytes out" "$sent_bytes" "$(charged)"
}

# A tunnel of Ethernet's kind: the frames that are sent into it count, and not what carries them.
test_tunnel() {
	local sent_bytes=0
	ip -n "$near" link add tunnel0 type vxlan id 7 dstport 4789 remote 10.77.0.2 local 10.77.0.1 dev veth0 ||
		skip "no vxlan"
	ip -n "$near" link set tunnel0 up
	start
	send_frames tunnel0 02:00:00:00:00:02
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	ip -n "$near" link del tunnel0
	assert_equal "bytes out" "$sent_bytes" "$(charged)"
}

test_not_named() {
	local sent_bytes=0
	start --interface lo
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	assert_equal "bytes out" 0 "$(charged)"
}

# Another cgroup's packet socket.
test_other_cgroup() {
	local sent_bytes=0
	start
	cgroup=$(cgroup_root) # of this test, which is a subshell
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	assert_equal "bytes out" 0 "$(charged)"
}

forwarded() { meter_status | json_value 'status["no_user"]["forwarded"]["bytes"]'; }

# From a host behind this one to one before it.
test_forwarded() {
	local before
	ip netns add "$behind"
	ip -n "$near" link add behind0 type veth peer name veth0 netns "$behind"
	ip -n "$near" addr add 10.78.0.1/24 dev behind0
	ip -n "$behind" addr add 10.78.0.2/24 dev veth0
	ip -n "$near" link set behind0 up
	ip -n "$behind" link set veth0 up
	ip -n "$behind" route add default via 10.78.0.1
	ip netns exec "$near" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	start
	before=$(forwarded)
	nsenter --net="/run/netns/$far" "$TRAFFIC" udp-receive --bind 10.77.0.2 5001 --count 50 >"$work/received" &
	process_note $!
	wait_until 20 grep -q ready "$work/received"
	in_cgroup "$cgroup" ip netns exec "$behind" "$TRAFFIC" udp-send --uid "$uid" --to 10.77.0.2 5001 \
		--count 50 --size 1000 >"$work/sent"
	wait $! || fail "not all arrived: $(cat "$work/received")"
	assert_equal "forwarded" $((50 * 1028)) $(($(forwarded) - before))
	stop
	assert_equal "bytes out of the sender, once" $((50 * 1028)) "$(charged)"
}

kernels_bytes() { meter_status | json_value 'status["no_user"]["kernel"]["out"]["bytes"]'; }

answered() { [ "$(kernels_bytes)" -ge "$1" ]; }

# What the kernel answers to an echo request is nobody's, whoever runs meanwhile. The whole machine is
# metered, by an index that no other interface has.
test_kernels_own() {
	local expected=$((20 * (20 + 8 + 500)))
	ip -n "$near" link add kernel0 index 77771 type veth peer name kernel0 index 77772 netns "$far"
	ip -n "$near" addr add 10.79.0.1/24 dev kernel0
	ip -n "$far" addr add 10.79.0.2/24 dev kernel0
	ip -n "$near" link set kernel0 up
	ip -n "$far" link set kernel0 up
	processes_end
	rm -rf "$work/out"
	mkdir "$work/out"
	meter_start "$work/log" nsenter --net="/run/netns/$near" "$METER" run --config /dev/null --interval 1 \
		--instance "$meter_instance" --interface kernel0 --output "csv:$work/out"
	nsenter --net="/run/netns/$far" "$TRAFFIC" ping --to 10.79.0.1 --count 20 --size 500 --ident 7 >"$work/sent"
	wait_until 20 answered "$expected"
	stop
	assert_equal "whose files" traffic_user_kernel0_none.log "$(ls "$work/out")"
	assert_equal "bytes of the answers" "$expected" \
		"$(awk -F, '$1 == "out" && $10 == "icmp" { s += $2 } END { print s }' "$work"/out/*.log)"
}

# Somebody else's BPF in the near namespace, until other_end.
other_start() { # OPTION...
	nsenter --net="/run/netns/$near" "$root/build/tests/tools/bpf_other" "$@" >"$work/other" 2>&1 &
	process_note $!
	other_pid=$!
	wait_until 10 grep -q ready "$work/other"
}

other_end() {
	kill "$other_pid"
	wait "$other_pid" 2>/dev/null || :
}

# A program that was there first and lets frames pass must not hide them.
test_other_first() {
	local sent_bytes=0 METER=$METER
	case $1 in
	tcx) need_tcx ;;
	clsact) METER=$root/build/lesser/tcx/traffic-meter ;;
	esac
	before_start="other_start $*"
	start
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	other_end
	[ "$1" = tcx ] || ip netns exec "$near" tc qdisc del dev veth0 clsact
	assert_equal "bytes out" "$sent_bytes" "$(charged)"
}

need_tcx() { "$METER" check 2>/dev/null | grep -cE '^ok +TCX' >/dev/null || skip "no TCX"; }

cgroup_programs() { bpftool cgroup show "$cgroup" | awk '$2 ~ /^cgroup_/ { n++ } END { print n + 0 }'; }

tcx_programs() { nsenter --net="/run/netns/$near" "$root/build/tests/tools/bpf_other" programs veth0; }

# Somebody else has the links open: when the meter has stopped its programs are off all the same.
test_links_held() {
	local pins=/sys/fs/bpf/traffic-meter/$meter_instance sent_bytes=0
	command -v bpftool >/dev/null || skip "no bpftool"
	need_tcx
	start
	assert_equal "programs of the cgroup" 2 "$(cgroup_programs)"
	assert_equal "programs of the interface" 1 "$(tcx_programs)"
	other_start hold "$pins/ingress" "$pins/egress" "$pins/frames-$(cat_index veth0)"
	stop
	assert_equal "programs of the cgroup" 0 "$(cgroup_programs)"
	assert_equal "programs of the interface" 0 "$(tcx_programs)"
	other_end
}

cat_index() { ip -n "$near" -o link show dev "$1" | sed 's/:.*//'; }

# Another's rule at the first priorities: of another protocol, at whose priority no filter of ours can be.
test_other_protocols() {
	local sent_bytes=0 priority METER=$root/build/lesser/tcx/traffic-meter
	ip netns exec "$near" tc qdisc del dev veth0 clsact 2>/dev/null || : # another meter's
	ip netns exec "$near" tc qdisc add dev veth0 clsact
	for priority in 1 2; do
		ip netns exec "$near" tc filter add dev veth0 egress prio $priority protocol arp bpf \
			bytecode '1,6 0 0 0,' flowid 1:1 || skip "no classifier"
	done
	start
	send_frames veth0 "$(mac_of "$far" veth0)"
	stop
	assert_equal "filters that are left" 2 \
		"$(ip netns exec "$near" tc filter show dev veth0 egress | grep -c '^filter protocol arp .* handle ')"
	ip netns exec "$near" tc qdisc del dev veth0 clsact
	assert_equal "bytes out" "$sent_bytes" "$(charged)"
}

# An alternative name names an interface for sockets and for frames, though it is longer than a name may be.
test_alternative_name() {
	local sent_bytes=0 name
	ip -n "$near" link property add dev veth0 altname enp0s31f6 altname enxaabbccddeeff0011 ||
		skip "no alternative names"
	for name in enp0s31f6 enxaabbccddeeff0011; do
		sent_bytes=0
		start --interface "$name"
		send_frames veth0 "$(mac_of "$far" veth0)"
		in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" udp-send --uid "$uid" --to 10.77.0.2 5001 \
			--count 50 --size 72 >"$work/sent"
		stop
		assert_equal "bytes out with --interface $name" $((sent_bytes + 50 * 100)) "$(charged)"
		start --exclude-interface "$name"
		send_frames veth0 "$(mac_of "$far" veth0)"
		in_cgroup "$cgroup" ip netns exec "$near" "$TRAFFIC" udp-send --uid "$uid" --to 10.77.0.2 5001 \
			--count 50 --size 72 >"$work/sent"
		stop
		assert_equal "bytes out with --exclude-interface $name" 0 "$(charged)"
	done
	ip -n "$near" link property del dev veth0 altname enp0s31f6 altname enxaabbccddeeff0011
}

need_bpf
make -s test-tools build/lesser/tcx/traffic-meter || exit 1
netns_pair "$near" "$far"
run_test "an interface that comes later, and goes" test_later
run_test "an interface that sends by another one: once" test_once
run_test "the same, asked for by name" test_once --interface upper0
run_test "frames that a tunnel wraps: once" test_tunnel
run_test "an interface that is not metered" test_not_named
run_test "a packet socket of another cgroup" test_other_cgroup
run_test "forwarded packets are nobody's" test_forwarded
run_test "a TCX program of somebody else that is there first" test_other_first tcx veth0
run_test "a filter of somebody else that is there first" test_other_first clsact veth0 1
run_test "filters of other protocols" test_other_protocols
run_test "links that somebody else holds" test_links_held
run_test "alternative names of an interface" test_alternative_name
run_test "what the kernel answers is nobody's" test_kernels_own
end_tests
