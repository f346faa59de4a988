// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile local user at the names that an output opens.
 *
 *	race attack DIRECTORY VICTIMS UID NAME...
 *	race open DIRECTORY VICTIMS UID ATTEMPTS
 *
 * attack: as that user, puts into the place of each name by turns a symbolic link, a hard link, a
 * FIFO, a socket, a directory, a file of its own, and exchanges them, as fast as it can, until
 * SIGTERM; then prints how often it came through. open: the same by two processes of its own, while
 * append_file_open(), and what reads and mends the ends of files, are called so many times. It fails
 * when a file was opened that is not the opener's own, or a line was read that is a victim's.
 *
 * VICTIMS is a directory with `public`, which all may write to, and `secret`. Whether they are
 * untouched is for the test to see.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output/append_file.h"
#include "output/append_tail.h"
#include "output/csv_row.h"

#define ROW	"out,128,127.0.0.1,127.0.0.1,1.000000000,0,128\n"
#define ROW_MAX 8704

/* In the victims' lines, and in no row. */
#define MARK ",777777777,777777777"

static volatile sig_atomic_t stopping;

struct attack {
	const char *directory, *victims;
	char **names;
	int n_names;
	unsigned long made, exchanged;
};

static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "race: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_term(int signal)
{
	(void)signal;
	stopping = 1;
}

static int make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return r;
}

static int make_own_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0)
		return -1;
	if (write(fd, "out,1", 5) != 5)
		die("write");
	return close(fd);
}

/* At `path`, that of kind `which`. */
static int make_trap(const struct attack *attack, const char *path, unsigned int which)
{
	char target[512];

	switch (which % 9) {
	case 0:
	case 1:
		snprintf(target, sizeof(target), "%s/%s", attack->victims,
			 which % 9 ? "public" : "secret");
		return symlink(target, path);
	case 2:
		snprintf(target, sizeof(target), "%s/made", attack->victims);
		return symlink(target, path);
	case 3:
	case 4:
		snprintf(target, sizeof(target), "%s/public", attack->victims);
		return link(target, path);
	case 5:
		return mkfifo(path, 0666);
	case 6:
		return make_socket(path);
	case 7:
		return mkdir(path, 0777);
	default:
		return make_own_file(path);
	}
}

static void remove_at(const char *path)
{
	if (unlink(path) < 0)
		rmdir(path);
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* A new trap, at the name or beside it and then into its place. */
static void put_trap(struct attack *attack, const char *name, const char *spare)
{
	unsigned int choice = (unsigned int)random();

	if (choice % 8 == 0)
		remove_at(name);
	if (choice % 2 && make_trap(attack, name, choice >> 4) == 0) {
		attack->made++;
		return;
	}
	remove_at(spare);
	if (make_trap(attack, spare, choice >> 4) == 0 && rename(spare, name) == 0)
		attack->made++;
}

/* Where the directory lets us: the opener's own file and a trap in each other's place by turns, so
 * that what was looked at is not what is opened. For a rotated name its file is moved there first. */
static void exchange(struct attack *attack, const char *name, const char *spare)
{
	char first[512];

	snprintf(first, sizeof(first), "%s/%s", attack->directory, attack->names[0]);
	remove_at(name);
	remove_at(spare);
	make_trap(attack, spare, (unsigned int)random());
	for (int looks = 0; looks < 1000 && !exists(first); looks++)
		;
	if (strcmp(first, name) != 0)
		rename(first, name);
	for (int i = 0; i < 400 && !stopping; i++) {
		if (renameat2(AT_FDCWD, spare, AT_FDCWD, name, RENAME_EXCHANGE) < 0)
			return;
		attack->exchanged++;
	}
}

static void attack_until_stopped(struct attack *attack)
{
	struct sigaction action = { .sa_handler = on_term };
	char spare[512], name[512];

	sigaction(SIGTERM, &action, NULL);
	alarm(120);
	srandom((unsigned int)getpid());
	snprintf(spare, sizeof(spare), "%s/spare-%d", attack->directory, (int)getpid());
	for (unsigned int turn = (unsigned int)getpid(); !stopping; turn++) {
		snprintf(name, sizeof(name), "%s/%s", attack->directory,
			 attack->names[turn / 4 % (unsigned int)attack->n_names]);
		for (int i = 0; i < 20; i++)
			put_trap(attack, name, spare);
		exchange(attack, name, spare);
	}
	remove_at(spare);
}

static void become(uid_t uid)
{
	if (setgid(uid) < 0 || setuid(uid) < 0)
		die("become the user");
}

static pid_t start_attack(struct attack *attack, uid_t uid)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	become(uid);
	/* After that, which takes it back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	attack_until_stopped(attack);
	/* So few would be no attack. */
	if (attack->made < 100)
		fprintf(stderr, "race: only %lu traps\n", attack->made);
	_exit(attack->made < 100);
}

static void verify_line(const char *line)
{
	if (line && strstr(line, MARK)) {
		fprintf(stderr, "race: read a victim's line: %s\n", line);
		exit(1);
	}
}

/* What a file must be that was opened: ours, and with one name or, by now, none. */
static void verify_file(const struct append_file *file, const char *victims)
{
	static const char *const names[] = { "public", "secret" };
	struct stat status, victim;
	char path[512];

	if (fstat(file->fd, &status) < 0)
		die("fstat");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", victims, names[i]);
		if (stat(path, &victim) < 0)
			die(path);
		if (victim.st_ino == status.st_ino && victim.st_dev == status.st_dev) {
			fprintf(stderr, "race: opened the victim %s\n", names[i]);
			exit(1);
		}
	}
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
		fprintf(stderr, "race: opened a file of mode %o of uid %u\n", status.st_mode,
			status.st_uid);
		exit(1);
	}
}

/* Returns whether it was opened. */
static bool try_open(int directory_fd, const char *name, const char *victims)
{
	const struct append_policy policy = {
		.mode = 0640,
		.group = (gid_t)-1,
		.owner = (uid_t)-1,
	};
	struct append_file file = APPEND_FILE_CLOSED;
	char *line = NULL, words[160];
	uint64_t cut = 0;
	size_t written;

	if (append_tail_of_rotated(directory_fd, name, &policy, ROW_MAX, &line) == 0)
		verify_line(line);
	free(line);
	line = NULL;
	if (append_file_open(&file, directory_fd, name, &policy, words, sizeof(words)) < 0)
		return false;
	if (append_tail_repair(&file, ROW_MAX, csv_row_begins, &line, &cut, words, sizeof(words)) ==
	    0)
		verify_line(line);
	free(line);
	verify_file(&file, victims);
	if (append_file_write(&file, ROW, sizeof(ROW) - 1, &written) < 0)
		die("write a row");
	append_file_close(&file);
	return true;
}

static void wait_for_trap(int directory_fd, const char *name)
{
	struct stat status;

	for (int looks = 0; looks < 200; looks++) {
		if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			return;
	}
}

static int race_open(struct attack *attack, uid_t uid, unsigned long attempts)
{
	static char *all[] = { "log", "log.1", "log-2" };
	int fd = open(attack->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned long opened = 0, refused = 0;
	pid_t attackers[2];
	struct stat status;
	bool failed = false;
	int code;

	if (fd < 0 || fstat(fd, &status) < 0)
		die(attack->directory);
	attack->names = all;
	attack->n_names = 3;
	for (int i = 0; i < 2; i++)
		attackers[i] = start_attack(attack, uid);
	alarm(60);
	for (unsigned long i = 0; i < attempts; i++) {
		/* By turns to a name that is free, or was a moment ago, and to one that is taken. */
		if (i % 2)
			wait_for_trap(fd, "log");
		if (!try_open(fd, "log", attack->victims)) {
			refused++;
			/* Now and then the way is free. */
			if (i % 4 == 0)
				unlinkat(fd, "log", 0);
			continue;
		}
		opened++;
		/* Else it stays, to be exchanged for something else the next time, where that can be. */
		if (status.st_mode & S_ISVTX || random() % 4 == 0)
			unlinkat(fd, "log", 0);
	}
	for (int i = 0; i < 2; i++) {
		kill(attackers[i], SIGTERM);
		if (waitpid(attackers[i], &code, 0) < 0 || code != 0)
			failed = true;
	}
	close(fd);
	printf("opened=%lu refused=%lu\n", opened, refused);
	return failed;
}

int main(int argc, char **argv)
{
	struct attack attack = { 0 };

	if (argc < 6 || (strcmp(argv[1], "attack") != 0 && strcmp(argv[1], "open") != 0)) {
		fputs("usage: race attack DIRECTORY VICTIMS UID NAME...\n"
		      "       race open DIRECTORY VICTIMS UID ATTEMPTS\n",
		      stderr);
		return 2;
	}
	attack.directory = argv[2];
	attack.victims = argv[3];
	if (strcmp(argv[1], "open") == 0)
		return race_open(&attack, (uid_t)strtoul(argv[4], NULL, 10),
				 strtoul(argv[5], NULL, 10));
	attack.names = argv + 5;
	attack.n_names = argc - 5;
	become((uid_t)strtoul(argv[4], NULL, 10));
	attack_until_stopped(&attack);
	printf("made=%lu exchanged=%lu\n", attack.made, attack.exchanged);
	return 0;
}
