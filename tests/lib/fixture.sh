# SPDX-License-Identifier: GPL-2.0-or-later
# What a test of the program stands on, and its end: sourced after meter.sh (and netns.sh).

# fixture NAME [NETNS...]: a directory of the test's own in $work and, as root, a cgroup in $cgroup. When
# the test ends both go, with the processes that it noted, these network namespaces, which it may have
# made, and before them what its function fixture_undo undoes, where there is one.
fixture() {
	fixture_netns=("${@:2}")
	work=$(mktemp -d)
	cgroup=
	trap fixture_end EXIT
	[ "$(id -u)" -ne 0 ] || cgroup=$(cgroup_make "$1")
}

fixture_end() {
	processes_end
	! declare -F fixture_undo >/dev/null || fixture_undo
	[ ${#fixture_netns[@]} -eq 0 ] || netns_remove "${fixture_netns[@]}"
	[ -z "$cgroup" ] || cgroup_remove "$cgroup"
	rm -rf "$work"
}
