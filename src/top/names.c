// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/names.h"

#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/clean.h"

/* More are not asked for: the screen shows far fewer. */
#define ENTRIES_MAX 8192

struct entry {
	char question[64]; /* "u1001" or "h10.0.0.1" */
	char *answer;
	bool answered;
};

struct top_names {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	struct entry *entries;
	size_t n, n_answered;
};

static char *find_user(const char *question)
{
	struct passwd entry, *found = NULL;
	char buffer[4096], name[256];

	if (getpwuid_r((uid_t)strtoul(question, NULL, 10), &entry, buffer, sizeof(buffer),
		       &found) ||
	    !found)
		return NULL;
	clean_copy(name, sizeof(name), found->pw_name);
	return strdup(name);
}

static char *find_host(const char *question)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *address;
	char host[NI_MAXHOST], name[NI_MAXHOST];
	int r;

	if (getaddrinfo(question, NULL, &hints, &address))
		return NULL;
	r = getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), NULL, 0,
			NI_NAMEREQD);
	freeaddrinfo(address);
	if (r)
		return NULL;
	clean_copy(name, sizeof(name), host);
	return strdup(name);
}

static void *answer(void *data)
{
	struct top_names *names = data;
	char question[64], *found;

	pthread_mutex_lock(&names->lock);
	for (;;) {
		while (names->n_answered == names->n)
			pthread_cond_wait(&names->asked, &names->lock);
		memcpy(question, names->entries[names->n_answered].question, sizeof(question));
		pthread_mutex_unlock(&names->lock);
		found = *question == 'u' ? find_user(question + 1) : find_host(question + 1);
		pthread_mutex_lock(&names->lock);
		names->entries[names->n_answered].answer = found;
		names->entries[names->n_answered].answered = true;
		names->n_answered++;
	}
	return NULL;
}

struct top_names *top_names_new(void)
{
	struct top_names *names = calloc(1, sizeof(*names));
	sigset_t all, before;
	int r;

	if (!names)
		return NULL;
	names->entries = calloc(ENTRIES_MAX, sizeof(*names->entries));
	pthread_mutex_init(&names->lock, NULL);
	pthread_cond_init(&names->asked, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = names->entries ? pthread_create(&names->thread, NULL, answer, names) : -1;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		free(names->entries);
		free(names);
		return NULL;
	}
	return names;
}

/* A look-up that hangs can't be ended: the thread goes with the process. */
void top_names_free(struct top_names *names)
{
	if (names)
		pthread_detach(names->thread);
}

static const char *ask(struct top_names *names, const char *question)
{
	const char *found = NULL;
	size_t i;

	if (!names)
		return NULL;
	pthread_mutex_lock(&names->lock);
	for (i = 0; i < names->n && strcmp(names->entries[i].question, question) != 0;)
		i++;
	if (i < names->n) {
		found = names->entries[i].answer;
	} else if (names->n < ENTRIES_MAX) {
		snprintf(names->entries[names->n++].question, sizeof(names->entries[0].question),
			 "%s", question);
		pthread_cond_signal(&names->asked);
	}
	pthread_mutex_unlock(&names->lock);
	return found;
}

const char *top_names_user(struct top_names *names, uint32_t uid)
{
	char question[64];

	snprintf(question, sizeof(question), "u%u", uid);
	return ask(names, question);
}

const char *top_names_host(struct top_names *names, const char *address)
{
	char question[64];

	snprintf(question, sizeof(question), "h%s", address);
	return ask(names, question);
}
