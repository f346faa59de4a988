// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A model of how a program knows that it is alone on its CPU (src/bpf/audit.bpf.h): programs that come in
 * between each other, in each order of their steps. While one takes itself for alone, no other does; and
 * the order in which the kernel half once read the counters is seen to break that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAMS 4

/* Where a program is. Each step is one access to memory, which nothing comes in between of. */
enum step {
	BEGIN, /* order: packets are read before, or after, who has ended */
	READ_1,
	READ_2,
	READ_3,
	WORK, /* alone: from here on it writes without atomic additions */
	END_LOAD,
	END_STORE,
	ENDED,
};

struct program {
	uint8_t step, packets, ended, alone, loaded;
};

struct state {
	uint8_t packets, ended, nested_ended;
	struct program programs[PROGRAMS];
};

struct model {
	bool ends_first;
	bool stacked; /* who has come in between ends before the other one goes on: interrupts */
	unsigned long found;
	struct state *seen;
	size_t n_slots, n;
};

static void decide(struct program *program)
{
	program->alone = program->packets == program->ended + 1;
	program->step = WORK;
}

/* Ends first: ended, nested_ended, the addition, packets. Else: the addition, packets, ended, nested_ended. */
static void step_of_beginning(const struct model *model, struct state *state,
			      struct program *program)
{
	int access = program->step - BEGIN + (model->ends_first ? 2 : 0);

	switch (access % 4) {
	case 0:
		state->packets++;
		break;
	case 1:
		program->packets = state->packets;
		break;
	case 2:
		program->ended = state->ended;
		break;
	case 3:
		program->ended = (uint8_t)(program->ended + state->nested_ended);
		break;
	}
	if (program->step == READ_3)
		decide(program);
	else
		program->step++;
}

static void step(const struct model *model, struct state *state, struct program *program)
{
	switch (program->step) {
	case WORK:
		program->step = program->alone ? END_LOAD : ENDED;
		if (!program->alone)
			state->nested_ended++;
		break;
	case END_LOAD:
		program->loaded = state->ended;
		program->step = END_STORE;
		break;
	case END_STORE:
		state->ended = (uint8_t)(program->loaded + 1);
		program->step = ENDED;
		break;
	default:
		step_of_beginning(model, state, program);
	}
}

/* Between WORK and the end it writes what is for one alone. */
static bool is_broken(const struct state *state)
{
	int n = 0;

	for (int i = 0; i < PROGRAMS; i++)
		n += state->programs[i].alone && state->programs[i].step >= WORK &&
		     state->programs[i].step < ENDED;
	return n > 1;
}

static bool remember(struct model *model, const struct state *state)
{
	const unsigned char *byte = (const unsigned char *)state;
	uint64_t hash = 14695981039346656037ull;
	size_t slot;

	for (size_t i = 0; i < sizeof(*state); i++)
		hash = (hash ^ byte[i]) * 1099511628211ull;
	for (slot = hash & (model->n_slots - 1); model->seen[slot].packets != UINT8_MAX;
	     slot = (slot + 1) & (model->n_slots - 1))
		if (memcmp(&model->seen[slot], state, sizeof(*state)) == 0)
			return false;
	model->seen[slot] = *state;
	assert_true(++model->n < model->n_slots / 2);
	return true;
}

/* Programs begin in the order of their numbers. Where they are stacked only the last one goes on, or
 * another one comes. */
static bool may_step(const struct model *model, const struct state *state, int i)
{
	if (state->programs[i].step == ENDED || (i && state->programs[i - 1].step == BEGIN))
		return false;
	for (int j = i + 1; model->stacked && j < PROGRAMS; j++)
		if (state->programs[j].step != BEGIN && state->programs[j].step != ENDED)
			return false;
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are steps. */
static void walk(struct model *model, const struct state *state)
{
	if (!remember(model, state))
		return;
	if (is_broken(state)) {
		model->found++;
		return;
	}
	for (int i = 0; i < PROGRAMS; i++) {
		struct state next = *state;

		if (!may_step(model, state, i))
			continue;
		step(model, &next, &next.programs[i]);
		walk(model, &next);
	}
}

static unsigned long count_broken(bool ends_first, bool stacked)
{
	const struct state first = { 0 };
	struct model model = {
		.ends_first = ends_first,
		.stacked = stacked,
		.n_slots = 1 << 23,
	};

	model.seen = malloc(model.n_slots * sizeof(*model.seen));
	assert_non_null(model.seen);
	for (size_t i = 0; i < model.n_slots; i++)
		model.seen[i].packets = UINT8_MAX;
	walk(&model, &first);
	free(model.seen);
	assert_true(model.n > 1000);
	return model.found;
}

static void test_ends_are_read_first(void **state)
{
	(void)state;
	assert_int_equal(count_broken(true, true), 0);
	assert_int_equal(count_broken(true, false), 0);
}

static void test_the_former_order_is_seen_to_fail(void **state)
{
	(void)state;
	assert_int_not_equal(count_broken(false, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_are_read_first),
		cmocka_unit_test(test_the_former_order_is_seen_to_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
