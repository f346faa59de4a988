# SPDX-License-Identifier: GPL-2.0-or-later
# The virtual machines of the tests: which qemu, on what, with which processor. Sourced with $work set to
# a directory; where this machine has none, $qemu is empty.

case $(uname -m) in
x86_64)
	qemu="qemu-system-x86_64"
	machine=(-machine q35)
	console=ttyS0
	;;
aarch64)
	qemu="qemu-system-aarch64"
	machine=(-machine virt)
	console=ttyAMA0
	;;
esac

# A thread for each of an emulated guest's CPUs is not safe: one CPU goes on running code that the
# other one has just patched (the int3 of a static branch; a dead kernel in 50 boots).
emulated=tcg,thread=single

# Before qemu 8, an emulated cmpxchg16b leaves garbage in the flags, and an interrupt right behind it
# kills the guest: every third boot of a kernel whose slab allocator uses it all the time. From 6.18
# on it hardly does, but bpf_sk_storage_get() can't make anything on a CPU that has no such
# instruction (kmalloc_nolock). Of the accelerator in $accel.
qemu_processor() { # RELEASE
	if [ "$accel" = "$emulated" ] && [ "$(uname -m)" = x86_64 ] &&
		! printf '%s\n' 6.18 "$1" | sort -V -C; then
		echo max,-cx16
	else
		echo max
	fi
}

# /dev/kvm may be there and run nothing, as inside of some virtual machines. So a boot sector that
# does no more than end its machine (mov al, 1; out 0xf4, al) is tried: its exit code is 1 * 2 + 1.
qemu_accelerator() {
	local sector=$work/sector
	if [ "$(uname -m)" != x86_64 ] || [ ! -w /dev/kvm ]; then
		echo "$emulated"
		return
	fi
	{
		printf '\xb0\x01\xe6\xf4'
		head -c 506 /dev/zero
		printf '\x55\xaa'
	} >"$sector"
	timeout --foreground 5 "$qemu" -accel kvm -cpu max -m 32 -display none -nic none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=1 \
		-drive "file=$sector,format=raw,if=floppy" </dev/null >/dev/null 2>&1
	[ $? -eq 3 ] && echo kvm || echo "$emulated"
}
