# SPDX-License-Identifier: GPL-2.0-or-later
# The whole Debian as a virtual machine: boot, power loss, ssh over a virtual link. Sourced after tap.sh
# and qemu.sh; $work is the test's directory and has what tests/debian/image left.

namespace=tm-debian-$$
guest=10.88.0.2
machine_pid=
memory_mib=1024

ssh_options=(-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
	-o BatchMode=yes -o ConnectTimeout=60 -o ServerAliveInterval=20)

# The host's end of the link is in a network namespace of its own.
link_make() {
	ip netns add "$namespace" && ip -n "$namespace" link set lo up &&
		ip -n "$namespace" tuntap add dev tap0 mode tap &&
		ip -n "$namespace" addr add 10.88.0.1/24 dev tap0 &&
		ip -n "$namespace" addr add fd88::1/64 dev tap0 nodad &&
		ip -n "$namespace" link set tap0 up
}

link_remove() { ip netns del "$namespace" 2>/dev/null; }

machine_start() {
	: >"$work/console"
	ip netns exec "$namespace" "$qemu" "${machine[@]}" -accel "$accel" \
		-cpu "$(qemu_processor "$(cat "$work/release")")" -smp 2 -m "$memory_mib" \
		-display none -monitor none -no-reboot -serial "file:$work/console" \
		-kernel "$work/vmlinuz" -initrd "$work/initrd" \
		-append "console=$console root=/dev/vda rw quiet panic=-1 net.ifnames=0" \
		-drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
		-netdev tap,id=link,ifname=tap0,script=no,downscript=no \
		-device virtio-net-pci,netdev=link -device virtio-rng-pci </dev/null &
	machine_pid=$!
	echo $machine_pid >"$work/machine"
}

machine_runs() { kill -0 "$(cat "$work/machine")" 2>/dev/null; }

# Until people can log in.
machine_wait_ready() {
	local deadline=$((SECONDS + 180))
	until grep -q '^guest: ready' "$work/console"; do
		if ! machine_runs || [ $SECONDS -ge $deadline ]; then
			tail -n 40 "$work/console" | tr -d '\r' | sed 's/^/# /'
			return 1
		fi
		sleep 0.1
	done
}

# What its disk has not been given yet is gone.
machine_lose_power() {
	rm -f "$work/control"
	kill -KILL "$machine_pid" || :
	wait "$machine_pid" 2>/dev/null
	machine_pid=
}

machine_end() {
	[ -z "$machine_pid" ] || machine_lose_power
	link_remove
}

# As root, over one connection that stays, at a port that no test counts.
on_guest() { # COMMAND...
	ip netns exec "$namespace" ssh "${ssh_options[@]}" -i "$work/key" -p 22 \
		-o ControlMaster=auto -o ControlPath="$work/control" -o ControlPersist=600 \
		"root@$guest" "$@" </dev/null
}

# Each user has a port of their own, by which the witness counts.
port_of() { # USER
	case $1 in
	anna) echo 2201 ;;
	bert) echo 2202 ;;
	esac
}

as_user() { # USER COMMAND...
	local user=$1
	shift
	ip netns exec "$namespace" ssh "${ssh_options[@]}" -i "$work/key" -p "$(port_of "$user")" \
		"$user@$guest" "$@" </dev/null
}

scp_up() { # USER FILE NAME
	ip netns exec "$namespace" scp -q "${ssh_options[@]}" -i "$work/key" -P "$(port_of "$1")" "$2" \
		"$1@$guest:$3" </dev/null
}

scp_down() { # USER NAME FILE
	ip netns exec "$namespace" scp -q "${ssh_options[@]}" -i "$work/key" -P "$(port_of "$1")" \
		"$1@$guest:$2" "$3" </dev/null
}
