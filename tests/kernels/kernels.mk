# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel matrix is built of; tests/kernels/run makes it beside the Makefile's own targets.

$(O)/tests/kernels/verifier: tests/kernels/verifier.c $(O)/traffic_meter.a
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(all_ldflags) -o $@ $^ $(library_libs)
