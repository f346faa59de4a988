# SPDX-License-Identifier: GPL-2.0-or-later
# Prints a list of n untracked networks, the same each time: four fifths IPv4, /16 to /32, spread
# over all addresses, one fifth IPv6, /32 to /128. Among them are neighbours of the addresses that
# the bench's packets have (127.0.0.1 and ::1), so that a look-up has to go deep; none holds them.
# One entry holds 127.7.7.7, the source of some of the packets.
#
#	awk -v n=100000 -f bench/networks.awk

function any(limit) { return int(rand() * limit) }

function hex4() { return sprintf("%x", any(65536)) }

# Not 127: nothing of the traffic's may be held.
function first_octet(  octet) {
	octet = 1 + any(222)
	return octet < 127 ? octet : octet + 1
}

function ipv4() {
	return sprintf("%d.%d.%d.%d/%d", first_octet(), any(256), any(256), any(256), 16 + any(17))
}

# Half of the neighbours in the traffic's own /16, the others in its /8.
function ipv4_neighbour() {
	return sprintf("127.%d.%d.%d/32", any(2) ? 0 : any(256), 1 + any(254), any(256))
}

function ipv6() {
	return sprintf("2%03x:%s:%s:%s:%s:%s::/%d", any(4096), hex4(), hex4(), hex4(), hex4(),
		hex4(), 32 + any(65))
}

function ipv6_neighbour() {
	return sprintf("::%s:%x/128", hex4(), 2 + any(65000))
}

BEGIN {
	srand(1)
	print "127.7.7.7/32"
	made = 1
	# The nearest of all: they differ from the traffic's in the last bits.
	for (i = 2; i < 32 && made + 2 <= n; i++) {
		printf "127.0.0.%d/32\n::%x/128\n", i, i
		made += 2
	}
	for (; made < n; made++) {
		which = any(1000)
		print which < 25 ? ipv4_neighbour() : which < 800 ? ipv4() : which < 805 ? ipv6_neighbour() : ipv6()
	}
}
