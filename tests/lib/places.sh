# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by a script that runs meters, behind its cd to the root: as root the script is run again where the
# places of the program's own are the script's alone, and gone with it: what is pinned in bpffs, its sockets
# and locks, the state directory.

# What these are mounted over is made where it is missing, and removed by the last script that runs: removed
# earlier, it would take the others' mounts with it. The lock's file names what was made.
own_places() { # SCRIPT ARGUMENT...
	local code lock made=/run/lock/traffic-meter-tests place
	exec {lock}>>$made
	flock -s "$lock"
	for place in /var/lib/traffic-meter /run/traffic-meter; do
		mkdir "$place" 2>/dev/null && echo "$place" >&"$lock"
	done
	OWN_PLACES=yes unshare -m --propagation private sh -c '
		for place in /var/lib/traffic-meter /run/traffic-meter; do mount -t tmpfs -o mode=0755 none "$place" || exit; done
		mount -t bpf none /sys/fs/bpf || exit
		exec "$@"' sh "$@" {lock}>&-
	code=$?
	if flock -n -x "$lock"; then
		while read -r place; do rmdir "$place" 2>/dev/null; done <$made
		: >$made
	fi
	exit $code
}

if [ "$(id -u)" -eq 0 ] && [ "${OWN_PLACES:-}" != yes ]; then
	case $0 in
	/*) own_places "$0" "$@" ;;
	*) own_places "$OLDPWD/$0" "$@" ;; # before its cd to the root
	esac
fi
