/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the meter needs of the machine, and whether it is there: probed, never guessed. */
#ifndef CAPTURE_FEATURES_H
#define CAPTURE_FEATURES_H

#include <stdbool.h>

#include "util/test_features.h"

/* An attach type of bpf(2), for which libbpf before 1.3 has no name. */
#define FEATURES_TCX_EGRESS ((enum bpf_attach_type)(feature_is_off("tcx") ? 4711 : 47))

struct feature {
	const char *name;
	bool required;	  /* the meter can't run without it */
	const char *lack; /* what its absence costs, and the command that mends it */

	/* 1: there, 0: not there, or a negative errno: could not be told. detail: words for the
	 * list, may stay empty. */
	int (*probe)(char *detail, unsigned int detail_size);

	/* In the place of `lack`, where the words depend on the machine. */
	const char *(*explain)(void);
};

/* A flag of bpf(2) that comes with TCX: linux/bpf.h may be older. */
#define FEATURES_BPF_F_BEFORE (1u << 3)

/* In the order in which they build on each other; ends with a NULL name. */
extern const struct feature features[];

/* What the absence of the feature costs, and what mends it. */
const char *features_lack(const struct feature *feature);

/* 0 when all required features are there; else the first that is not is logged, -EPERM for missing
 * privileges, -EOPNOTSUPP for the rest. */
int features_require(void);

/* The kernel tells what its types look like. Where it does not, its own fields can't be read. */
bool features_have_btf(void);

/* The kernel can tell which task uses a TCP socket (5.9, with BTF). */
bool features_have_process_owner(void);

/* bpf_get_current_task_btf() is there (5.11). */
bool features_have_task_btf(void);

/* Programs at interfaces are attached by links, not by filters (6.6); asking takes CAP_NET_ADMIN. */
bool features_have_tcx(void);

#endif
