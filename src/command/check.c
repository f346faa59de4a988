// SPDX-License-Identifier: GPL-2.0-or-later
/* `traffic-meter check`: can this machine run the meter, and what is missing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture/capture.h"
#include "capture/features.h"
#include "command/command.h"
#include "util/log.h"

/* The last word is the kernel's: all is loaded once, for either kind of records, attached nowhere. */
static int probe_load(void)
{
	static const enum capture_records kinds[] = { CAPTURE_RECORDS_FLOW,
						      CAPTURE_RECORDS_PACKET };
	int r = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && r == 0; i++) {
		const struct capture_settings settings = { .records = kinds[i],
							   .networks = true,
							   .ring_bytes = CAPTURE_RING_BYTES_MIN,
							   .flow_entries = 1,
							   .user_entries = 1 };
		struct capture *capture = NULL;

		r = capture_open(&capture, &settings);
		capture_close(capture);
	}
	return r;
}

static bool print_feature(const struct feature *feature)
{
	char detail[128] = "";
	int r = feature->probe(detail, sizeof(detail));

	if (r > 0) {
		printf("ok       %s%s%s\n", feature->name, *detail ? ": " : "", detail);
		return true;
	}
	if (r < 0) /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs here */
		snprintf(detail, sizeof(detail), "probe failed: %s", strerror(-r));
	printf("%s  %s%s%s\n         %s\n", feature->required ? "MISSING" : "absent ",
	       feature->name, *detail ? ": " : "", detail, features_lack(feature));
	return !feature->required;
}

static int command_check(int argc, char **argv)
{
	bool good = true;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		printf("usage: traffic-meter check\n"
		       "       traffic-meter check --config [FILE]\n\n"
		       "Tells whether this machine can run the meter, and what is missing, with "
		       "the "
		       "command that mends it.\nExit code 0: it can; 1: it can't.\n\n"
		       "With --config: tells all that is wrong in a configuration (" CONFIG_DEFAULT
		       "), and starts nothing.\nExit code 0: it is good; 1: it is not.\n");
		return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
	}
	if (argc > 1 && argc <= 3 && strcmp(argv[1], "--config") == 0)
		return run_check_configuration(argc > 2 ? argv[2] : CONFIG_DEFAULT);
	if (argc == 2 && strncmp(argv[1], "--config=", strlen("--config=")) == 0)
		return run_check_configuration(argv[1] + strlen("--config="));
	if (argc > 1) {
		log_error("check: '%s' is not understood: it takes --config [FILE] or nothing",
			  argv[1]);
		return EXIT_USAGE;
	}
	for (const struct feature *feature = features; feature->name; feature++)
		good &= print_feature(feature);
	if (good) {
		if (fflush(stdout)) /* before what the probe logs */
			return EXIT_FAILED;
		good = probe_load() == 0;
		printf("%s  programs %s by the kernel's verifier\n", good ? "ok     " : "MISSING",
		       good ? "accepted" : "not accepted");
	}
	printf("%s\n", good ? "this machine can run traffic-meter"
			    : "this machine can't run traffic-meter as it is");
	if (fflush(stdout))
		return EXIT_FAILED;
	return good ? EXIT_DONE : EXIT_FAILED;
}

const struct command check_command = {
	.name = "check",
	.help = "can this machine run it, and what is missing",
	.run = command_check,
};
