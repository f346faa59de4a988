/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface of an output: where records go. An output is one file that defines a
 * `struct traffic_output_type`, and one line in src/output/registry.c. docs/outputs.md walks
 * through a small one.
 *
 * The host (src/pipeline/output_thread.c) calls an output from one thread of the output's own, so calls for
 * one output never overlap, and an output that is slow or stuck fills its own queue only. The
 * order of the calls is
 *
 *	init [totals] (write | flush)* close
 *
 * and after close the host may begin again with init on a context made new.
 *
 * Errors are negative errno values, told with traffic_output_fail(), which keeps the words for
 * the host's log line. The host says a new error once, counts the rest, and says when it is over:
 * after the first flush() that ends well, as only that shows that records get out again.
 */
#ifndef TRAFFIC_METER_OUTPUT_H
#define TRAFFIC_METER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <traffic_meter/option.h>
#include <traffic_meter/record.h>

struct traffic_output;

/* What a record that was written says of its user: bytes in all, in and out. */
struct traffic_total {
	uint32_t uid; /* or TRAFFIC_NO_UID */
	uint64_t in, out;
	uint64_t batch; /* that it came with; 0: not known */
};

/* Returns 0 or an error, which ends the telling. */
typedef int traffic_total_tell(void *userdata, const struct traffic_total *total);

struct traffic_output_type {
	const char *kind;   /* the word before the colon of a SPEC */
	const char *target; /* what help calls the word behind it, as in "DIRECTORY" */
	const char *help;   /* one line */

	/* Records that the output could not take within its hold= are summed up by user and direction, and
	 * come when it works again, as step `user`. Without it they are dropped and counted. */
	bool sums_up;

	/* The host allocates the context and zeroes it, calls preset() where there is one, then
	 * stores the SPEC's options in it, before init(); it frees them and the context after close(). */
	size_t context_size;
	const struct traffic_option *options; /* offsets into the context; ends with a NULL name */
	void (*preset)(void *context);	      /* defaults that are not 0; may be NULL */

	/* Open what the target names. 0 or an error. close() follows even after an error. */
	int (*init)(struct traffic_output *output);

	/* Tell the running totals of the last records that a meter before has left here, and their
	 * batches, so that neither goes back; the largest of all that is told counts. Called when the
	 * machine went down without a stop. What came with batches up to `known` need not be told. 0 or
	 * an error; may be NULL. */
	int (*totals)(struct traffic_output *output, uint64_t known, traffic_total_tell *tell,
		      void *userdata);

	/* Take records, in order. Returns how many were taken, from the first on: those are the
	 * output's from now, to be kept through any later -EAGAIN. Returns -EAGAIN when it takes
	 * none yet: the host calls again with the same records, a little later, for as long as it
	 * takes. With words from traffic_output_fail() -EAGAIN is an error that the output sits
	 * out by itself (a full disk); without words it is only busy (a slow reader). On any
	 * other error the host counts, calls close(), and init() again with backoff; the records
	 * not taken come again. n is at least 1. */
	ssize_t (*write)(struct traffic_output *output, const struct traffic_record *records,
			 size_t n);

	/* Hand what was taken to the kernel or the peer, and let go of files that their names no
	 * longer mean (logrotate). Called about a second after records came, every few seconds when
	 * none come, on SIGHUP and at stop.
	 * 0; -EAGAIN: not all yet, call again; another error, and words: as for write(). */
	int (*flush)(struct traffic_output *output);

	/* Release what init() took, even half of it. What was taken and could not be handed on is
	 * reported with traffic_output_lost(). */
	void (*close)(struct traffic_output *output);
};

/* What an output does later and an ordinary process may not. */
enum traffic_output_need {
	TRAFFIC_NEED_GIVE = 1,	 /* gives files to users, or to groups it is not in */
	TRAFFIC_NEED_OTHERS = 2, /* opens and changes files of other users */
};

/* One output at work. The host owns it; an output reads what stands above `error`. */
struct traffic_output {
	const struct traffic_output_type *type;
	const char *target; /* of the SPEC, never NULL */
	const char *nic_id; /* label of the metered interface, for file names */
	void *context;	    /* context_size bytes */

	/* Of the records that write() is given. A batch's number is larger than those before it, over
	 * restarts too. repeated: a meter that died had made this batch, and an output may have taken some
	 * of it, from the first record on; it comes again, the same records in the same order (times may
	 * differ by a little), and what was taken then is to be passed over. */
	uint64_t batch;
	bool repeated;

	/* Set by init(), traffic_output_need values or'ed: when the meter has started it gives up what none
	 * of its outputs has asked for. Files can be opened beneath the directory that the target is in. */
	unsigned int needs;

	/* The host's, changed by the calls below. */
	char error[256];
	uint64_t lost_records, lost_packets, lost_bytes;
};

/* Keep "<what was being done>: <words for errno>" as the output's last error.
 * error: a negative errno. Returns it, so that `return traffic_output_fail(...)` reads well. */
int traffic_output_fail(struct traffic_output *output, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the output's own words alone, where those for errno would say less. */
int traffic_output_refuse(struct traffic_output *output, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Count what an output had taken and has to give up. It shows in the closing line and in status. */
void traffic_output_lost(struct traffic_output *output, uint64_t records, uint64_t packets,
			 uint64_t bytes);

#endif
