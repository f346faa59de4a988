// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/cleanup.h"

int loop_open(struct loop *loop)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
	for (unsigned int i = 0; i < loop->n_sources; i++)
		if (loop->sources[i].owned)
			close_fd(&loop->sources[i].fd);
	loop->n_sources = 0;
	close_fd(&loop->epoll_fd);
	loop->epoll_fd = -1;
}

static int add_source(struct loop *loop, const struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u32 = loop->n_sources };

	if (loop->n_sources == LOOP_SOURCES_MAX)
		return -ENOSPC;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event))
		return -errno;
	loop->sources[loop->n_sources++] = *source;
	return 0;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler, void *userdata)
{
	return add_source(
		loop, &(struct loop_source){ .fd = fd, .handler = handler, .userdata = userdata },
		events);
}

/* Takes the descriptor over, also when it fails. */
static int add_owned(struct loop *loop, int fd, bool counts, loop_handler handler, void *userdata)
{
	_cleanup_close_ int owned = fd;
	int r;

	if (fd < 0)
		return -errno;
	r = add_source(loop,
		       &(struct loop_source){ .fd = fd,
					      .counts = counts,
					      .owned = true,
					      .handler = handler,
					      .userdata = userdata },
		       EPOLLIN);
	if (r == 0)
		steal_fd(&owned);
	return r;
}

int loop_add_event(struct loop *loop, int *ret_fd, loop_handler handler, void *userdata)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = add_owned(loop, fd, true, handler, userdata);

	if (r == 0)
		*ret_fd = fd;
	return r;
}

int loop_add_timer(struct loop *loop, uint64_t first_ms, uint64_t period_ms, loop_handler handler,
		   void *userdata)
{
	struct itimerspec timer = {
		.it_value = { (time_t)(first_ms / 1000), (long)(first_ms % 1000) * 1000000 },
		.it_interval = { (time_t)(period_ms / 1000), (long)(period_ms % 1000) * 1000000 },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int r = add_owned(loop, fd, true, handler, userdata);

	if (r < 0)
		return r;
	return timerfd_settime(fd, 0, &timer, NULL) ? -errno : 0;
}

int loop_add_signals(struct loop *loop, const sigset_t *signals, int *ret_fd, loop_handler handler,
		     void *userdata)
{
	int fd, r;

	if ((r = pthread_sigmask(SIG_BLOCK, signals, NULL)))
		return -r;
	fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	r = add_owned(loop, fd, false, handler, userdata);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		struct loop_source *source;
		struct epoll_event event;
		uint64_t count;
		int r = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r != 1)
			continue;
		source = &loop->sources[event.data.u32];
		/* Read so that it is not ready any more; somebody else may have done it already. */
		if (source->counts && read(source->fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			return -errno;
		r = source->handler(source->userdata);
		if (r < 0)
			return r;
	}
	return 0;
}
