#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --interface and --exclude-interface: which packets count, while interfaces come, go and change their
# names. All in namespaces of the test's own; the meters run inside of one of them, because an index
# means an interface only there.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
. tests/lib/meter.sh
. tests/lib/netns.sh
. tests/lib/fixture.sh

PATH=$PATH:/usr/sbin:/sbin
near=tm-if-near-$$
far=tm-if-far-$$
other=tm-if-other-$$
fixture interfaces "$near" "$far" "$other"

# In the near namespace with the mounts of this one: ip netns exec would hide the cgroups.
enter_near="nsenter --net=/run/netns/$near"

# A neighbour that is known needs no asking, which would take its time.
addresses() { # DEVICE NETWORK: the near end gets .1, the far end .2
	ip -n "$near" addr add "$2.1/24" dev "$1"
	ip -n "$far" addr add "$2.2/24" dev "$1"
	ip -n "$near" link set "$1" up
	ip -n "$far" link set "$1" up
}

pair() { # DEVICE NETWORK
	ip -n "$near" link add "$1" type veth peer name "$1" netns "$far"
	addresses "$1" "$2"
}

make_netns() {
	ip netns add "$near"
	ip netns add "$far"
	ip netns add "$other"
	ip -n "$near" link set lo up
	pair veth0 10.79.0
}

# An interface on top of another one. A kernel without vlans may have the next best.
make_stacked() {
	local end
	for end in "$near" "$far"; do
		ip -n "$end" link add link veth0 name veth0.7 type vlan id 7 2>/dev/null ||
			ip -n "$end" link add link veth0 name veth0.7 type macvlan mode bridge || return
	done
	echo "# stacked: $(ip -n "$near" -d link show dev veth0.7 | grep -ow -m 1 'macvlan\|vlan')"
	addresses veth0.7 10.79.7
}

# Receives for the near end, and never reads: packets pass the hook before they find the buffer full.
listen() {
	: >"$work/.receiver"
	in_cgroup_start "$cgroup" $enter_near "$TRAFFIC" udp-receive --bind 0.0.0.0 5001 --count 1000000 \
		--timeout 600 >"$work/.receiver"
	wait_until 10 grep -q ready "$work/.receiver"
	kill -STOP "$started_pid"
}

prepare() {
	need_bpf
	processes_end
	trap processes_end EXIT # of the test's own shell, which can wait for them
	rm -rf "${work:?}"/*
	listen
}

send() { # ADDRESS COUNT: from the near end
	in_cgroup "$cgroup" $enter_near "$TRAFFIC" udp-send --to "$1" 5001 --count "$2" \
		--size 100 >/dev/null
}

send_from_far() { # ADDRESS COUNT
	ip netns exec "$far" "$TRAFFIC" udp-send --to "$1" 5001 --count "$2" --size 100 >/dev/null
}

# A meter with a directory and a status of its own; small, because there are many of them.
start() { # NAME OPTION...
	mkdir "$work/$1"
	meter_start "$work/$1/log" $enter_near "$METER" run --instance "test-$$-$1" --cgroup "$cgroup" \
		--output "csv:$work/$1" --interval 1 --flow-entries 1024 --user-entries 64 "${@:2}"
	echo "$meter_pid" >"$work/$1/pid"
}

stop() { # NAME
	meter_pid=$(cat "$work/$1/pid")
	meter_stop || fail "$1: exit code $?: $(cat "$work/$1/log")"
	assert_contains "closing line" 'audit: 0 bytes unaccounted' "$(cat "$work/$1/log")"
}

counted() { # NAME in|out: packets so far
	meter_instance=test-$$-$1 meter_counted "$2" packets || fail "$1: exit code $? of status"
}

counted_is() { [ "$(counted "$1" "$2")" = "$3" ]; } # NAME in|out PACKETS

# "DEVICE DIRECTION PACKETS" for all that has rows.
rows() { # NAME
	cat "$work/$1"/*_*.log 2>/dev/null |
		awk -F, '{ n[$13 " " $1] += $8 } END { for (k in n) print k, n[k] }' | sort
}

# How many packets the traffic of `chosen` is, for each device.
expected() { # DEVICE...
	local device
	for device in "$@"; do
		case $device in
		lo) printf '%s\n' "lo in 11" "lo out 11" ;;
		veth0) printf '%s\n' "veth0 in 3" "veth0 out 2" ;;
		veth0.7) printf '%s\n' "veth0.7 in 7" "veth0.7 out 5" ;;
		esac
	done | sort
}

# Meters with different options see the same traffic.
chosen() { # DEVICE...: all that there are
	local name device in=0 file
	local -A options=(
		[all]=""
		[lo]="--interface lo"
		[veth]="--interface veth0"
		[two]="--interface lo --interface veth0"
		[notlo]="--exclude-interface lo"
		[nottwo]="--exclude-interface lo --exclude-interface veth0"
		[vlan]="--interface veth0.7"
		[notvlan]="--exclude-interface veth0.7"
	)
	local -A devices=(
		[all]="$*"
		[lo]="lo"
		[veth]="veth0"
		[two]="lo veth0"
		[notlo]="${*/#lo/}"
		[nottwo]="${3:-}"
		[vlan]="${3:-}"
		[notvlan]="lo veth0"
	)
	prepare
	for name in "${!options[@]}"; do
		# shellcheck disable=SC2086 # words
		start "$name" ${options[$name]}
	done
	for device in "$@"; do
		case $device in
		lo) send 127.0.0.1 11 && in=$((in + 11)) ;;
		veth0) send 10.79.0.2 2 && send_from_far 10.79.0.1 3 && in=$((in + 3)) ;;
		veth0.7) send 10.79.7.2 5 && send_from_far 10.79.7.1 7 && in=$((in + 7)) ;;
		esac
	done
	wait_until 10 counted_is all in $in
	for name in "${!options[@]}"; do
		stop "$name"
		# shellcheck disable=SC2086
		assert_equal "packets by device with '${options[$name]}'" "$(expected ${devices[$name]})" \
			"$(rows "$name")"
	done

	# The label in the files' names is the one interface's.
	for name in lo veth two all notlo; do
		case $name in
		lo) device=lo ;;
		veth) device=veth0 ;;
		*) device=unknown ;;
		esac
		for file in "$work/$name"/*_*.log; do
			assert_contains "name of a file with '${options[$name]}'" "/traffic_user_${device}_0\.log$" \
				"$file"
		done
	done
}

on_vlan() {
	need_bpf
	make_stacked || skip "this kernel has neither vlans nor macvlans"
	chosen lo veth0 veth0.7
}

label_wins() {
	prepare
	start labelled --interface lo --nic-id mine
	send 127.0.0.1 1
	stop labelled
	[ -s "$work/labelled/traffic_user_mine_0.log" ] || fail "files: $(ls "$work/labelled")"
}

# Send to an address one packet at a time until the meter counts it, or no longer does: it hears of
# changes by netlink, a moment after they were made.
counts_one_more() { # NAME ADDRESS 0|1
	local before
	before=$(counted "$1" out)
	send "$2" 1
	counted_is "$1" out $((before + $3))
}

# Both meters know where they are: from now on all is counted by one of them, and only there.
settled() { # ADDRESS COUNTED_BY NOT_BY
	wait_until 10 counts_one_more "$2" "$1" 1
	wait_until 10 counts_one_more "$3" "$1" 0
}

counts_only() { # ADDRESS COUNTED_BY NOT_BY
	local by not_by
	settled "$@"
	by=$(counted "$2" out) not_by=$(counted "$3" out)
	send "$1" 50
	assert_equal "packets to $1 counted by '$2'" 50 $(($(counted "$2" out) - by))
	assert_equal "packets to $1 counted by '$3'" 0 $(($(counted "$3" out) - not_by))
}

# What a test before this one left.
forget_devices() {
	local device
	for device in tm0 tm1 tm2; do ip -n "$near" link del $device 2>/dev/null || :; done
}

rename() { # OLD NEW: kernels before 6.2 want it down
	ip -n "$near" link set "$1" down
	ip -n "$near" link set "$1" name "$2"
	ip -n "$near" link set "$2" up
}

# One meter counts the name alone, the other one all but it.
changing() {
	local index
	prepare
	forget_devices
	start only --interface tm0
	start except --exclude-interface tm0
	assert_contains "a name that is not there" 'tm0: there is none' "$(cat "$work/only/log")"
	assert_contains "a name that is not there" 'tm0: there is none' "$(cat "$work/except/log")"
	counts_only 10.79.0.2 except only

	echo "# it comes"
	pair tm0 10.79.1
	counts_only 10.79.1.2 only except
	counts_only 10.79.0.2 except only

	echo "# it gets another name, and that name's owner gets it"
	rename tm0 tm1
	counts_only 10.79.1.2 except only
	rename veth0 tm0
	counts_only 10.79.0.2 only except
	counts_only 10.79.1.2 except only
	rename tm0 veth0
	rename tm1 tm0
	counts_only 10.79.1.2 only except
	counts_only 10.79.0.2 except only

	echo "# it goes, and its index comes back under another name"
	index=$(ip -n "$near" -o link show dev tm0 | sed 's/:.*//')
	ip -n "$near" link del tm0
	ip -n "$near" link add tm2 index "$index" type veth peer name tm2 netns "$far"
	addresses tm2 10.79.2
	counts_only 10.79.2.2 except only

	echo "# it comes again, with another index"
	pair tm0 10.79.1
	[ "$(ip -n "$near" -o link show dev tm0 | sed 's/:.*//')" != "$index" ] || fail "the same index"
	counts_only 10.79.1.2 only except
	counts_only 10.79.2.2 except only

	stop only
	stop except
}

# Many changes in a row: whatever was missed in between, the last state counts.
many_changes() {
	local i
	prepare
	forget_devices
	start only --interface tm0
	start except --exclude-interface tm0
	kill -STOP "$(cat "$work/only/pid")" "$(cat "$work/except/pid")"
	for ((i = 0; i < 30; i++)); do
		ip -n "$near" link add tm0 type veth peer name tm0 netns "$far"
		ip -n "$near" link del tm0
	done
	pair tm0 10.79.1
	kill -CONT "$(cat "$work/only/pid")" "$(cat "$work/except/pid")"
	counts_only 10.79.1.2 only except
	counts_only 10.79.0.2 except only
	stop only
	stop except
}

# A container's interface has the index of one of ours, and is none of ours.
of_another_namespace() {
	local rule expected
	prepare
	forget_devices
	ip -n "$near" link add tm0 index 777 type veth peer name tm0 netns "$far"
	ip -n "$other" link add tm9 index 777 type veth peer name tm1 netns "$far"
	addresses tm0 10.79.1
	ip -n "$other" addr add 10.79.3.1/24 dev tm9
	ip -n "$far" addr add 10.79.3.2/24 dev tm1
	ip -n "$other" link set tm9 up
	ip -n "$far" link set tm1 up
	start all
	start only --interface tm0
	start except --exclude-interface tm0
	send 10.79.1.2 5
	in_cgroup "$cgroup" nsenter --net="/run/netns/$other" "$TRAFFIC" udp-send --to 10.79.3.2 5001 --count 7 \
		--size 100 >/dev/null
	wait_until 10 counted_is all out 12
	for rule in all only except; do
		stop $rule
		case $rule in
		all) expected=$'"" out 7\ntm0 out 5' ;;
		only) expected="tm0 out 5" ;;
		except) expected='"" out 7' ;;
		esac
		assert_equal "packets by interface, $rule" "$expected" "$(rows $rule | sed 's/^ /"" /' | sort)"
	done
	ip -n "$near" link del tm0
	ip -n "$other" link del tm9
}

refuse() { # PATTERN OPTION...: a usage error, told in one line
	local got=0
	timeout 30 "$METER" run --output "csv:$work" "${@:2}" 2>"$work/stderr" </dev/null || got=$?
	assert_equal "exit code of ${*:2}" 2 "$got"
	assert_equal "lines of ${*:2}" 1 "$(wc -l <"$work/stderr")"
	assert_contains "message of ${*:2}" "$1" "$(cat "$work/stderr")"
}

usage() {
	refuse "--interface and --exclude-interface" --interface lo --exclude-interface veth0
	refuse "1 to 127 characters" --interface "$(printf %0128d 0)"
	refuse "1 to 127 characters" --interface ""
	refuse "1 to 127 characters" --exclude-interface ""
	# shellcheck disable=SC2046 # words
	refuse "257 interfaces; 256" $(seq -f '--interface eth%g' 257)
}

[ "$(id -u)" -ne 0 ] || make_netns
run_test "usage" usage
run_test "chosen interfaces" chosen lo veth0
run_test "a label of one's own" label_wins
run_test "interfaces that come, go and change names" changing
run_test "an interface of another namespace with the same index" of_another_namespace
run_test "many changes in a row" many_changes
run_test "chosen interfaces, one of them a vlan on another" on_vlan
end_tests
