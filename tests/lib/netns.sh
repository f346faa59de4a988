# SPDX-License-Identifier: GPL-2.0-or-later
# Network namespaces for a test: sourced after tap.sh.

# netns_pair A B: two namespaces joined by a veth pair. A has 10.77.0.1 and fd77::1, B 10.77.0.2 and
# fd77::2, and for each user i from 1 to 9 the address 10.77.0.1i and fd77::1i.
netns_pair() {
	local a=$1 b=$2 i
	ip netns add "$a"
	ip netns add "$b"
	ip -n "$a" link add veth0 type veth peer name veth0 netns "$b"
	for i in "$a" "$b"; do
		ip -n "$i" link set lo up
		ip -n "$i" link set veth0 up
	done
	ip -n "$a" addr add 10.77.0.1/24 dev veth0
	ip -n "$b" addr add 10.77.0.2/24 dev veth0
	ip -n "$a" addr add fd77::1/64 dev veth0 nodad
	ip -n "$b" addr add fd77::2/64 dev veth0 nodad
	for i in 1 2 3 4 5 6 7 8 9; do
		ip -n "$b" addr add "10.77.0.1$i/24" dev veth0
		ip -n "$b" addr add "fd77::1$i/64" dev veth0 nodad
	done
}

# A namespace in which every address of the test networks is its own (AnyIP).
netns_any() { # NAME
	ip netns add "$1"
	ip -n "$1" link set lo up
	ip -n "$1" route add local 10.0.0.0/8 dev lo
	ip -n "$1" route add local 192.168.0.0/16 dev lo
	ip -n "$1" -6 route add local 2001:db8::/29 dev lo
}

netns_remove() {
	local name pid
	for name in "$@"; do
		for pid in $(ip netns pids "$name" 2>/dev/null); do kill -KILL "$pid"; done
		ip netns del "$name" 2>/dev/null
	done
}
