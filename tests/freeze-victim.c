/* SPDX-License-Identifier: MIT */
/*
 * A victim: a child that is single-stepped (ptrace(2)) through an operation, or brought to
 * an instruction of it faster: it runs into a breakpoint at the last instruction before that
 * the trace shows for the first time, and is stepped from there. (It cannot be copied in the
 * middle of an operation: a fork would share the lock that says it is alive.)
 */
#include "freeze.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define MAX_STEPS	4000000u

#if defined(__x86_64__)
#define HAVE_PC		1
#define BREAKPOINT	0xccu
#define IS_SYSCALL(p)	((p)[0] == 0x0f && (p)[1] == 0x05)
#define IS_LOCKED(p)	((p)[0] == 0xf0 || (p)[0] == 0x87 || ((p)[0] == 0x48 && (p)[1] == 0x87))
#else
#define HAVE_PC		0		/* each victim is stepped all the way */
#endif

struct freeze_point freeze_point;
struct freeze_told *freeze_told;
struct victim victim;

/* ---- inside ------------------------------------------------------------------------- */

void victim_attach(void)
{
	if (aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &victim.bus) < 0)
		_exit(2);
}

void victim_open(void)
{
	victim_attach();
	if (aioevt_shm_event_open(victim.bus, "frozen", 0, &victim.event) < 0)
		_exit(3);
}

void victim_leave(void)
{
	victim.listener = aioevt_shm_listener_free(victim.listener);
	victim.event = aioevt_shm_event_close(victim.event);
	victim.bus = aioevt_shm_close(victim.bus);
}

static void be_victim(const struct freeze *op)
{
	pid_t me = getpid();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(&victim, 0, sizeof(victim));
	if (op->ready)
		op->ready();
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(SKIP);
	kill(me, SIGSTOP);
	op->act();
	kill(me, SIGSTOP);
	if (op->verify)
		op->verify();
	victim_leave();
	_exit(0);
}

/* ---- outside ------------------------------------------------------------------------- */

static pid_t pid;
static bool is_over;			/* it came to its second SIGSTOP */
static bool in_sleep;			/* it was stopped in its sleep */

void victim_start(const struct freeze *op)
{
	int status;

	fflush(stdout);
	memset(freeze_told, 0, sizeof(*freeze_told));
	freeze_told->err = 1;
	is_over = in_sleep = false;
	pid = fork();
	check(pid >= 0);
	if (!pid)
		be_victim(op);
	check_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP) {
		printf("ptrace(2) is not allowed here\n");
		exit(SKIP);
	}
	check(WIFSTOPPED(status));
	check(!ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL));
	freeze_point.pid = pid;
	freeze_point.running = true;
}

/* Is it in futex(2)? A traced process that is stopped or runs is not. */
static bool is_asleep(void)
{
	char path[64], text[32] = "";
	long number;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	f = fopen(path, "re");
	check(f != NULL);
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return sscanf(text, "%ld", &number) == 1 && number == SYS_futex;
}

/* Until it stops again. One that sleeps is woken. Returns the signal; 0: it exited well. */
static int await_stop(const struct freeze *op, bool *ret_slept)
{
	bool slept = false;
	int status;

	if (!op->asleep) {
		check_eq(waitpid(pid, &status, 0), pid);
	} else {
		uint64_t start = now_ns();
		pid_t r;

		while (!(r = waitpid(pid, &status, WNOHANG))) {
			check(now_ns() - start < FREEZE_BOUND);
			if (!slept && is_asleep()) {
				slept = true;
				op->asleep();
			}
			sched_yield();
		}
		check_eq(r, pid);
	}
	if (ret_slept)
		*ret_slept = slept;
	if (WIFEXITED(status)) {
		check_eq(WEXITSTATUS(status), 0);
		return 0;
	}
	check(WIFSTOPPED(status));
	return WSTOPSIG(status);
}

/* One instruction. False: the operation is over. */
static bool step(const struct freeze *op, bool *ret_slept)
{
	int sig;

	check(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
	sig = await_stop(op, ret_slept);
	if (sig == SIGSTOP) {
		is_over = true;
		return false;
	}
	check_eq(sig, SIGTRAP);
	return true;
}

#if HAVE_PC
static uintptr_t get_pc(void)
{
	return (uintptr_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL);
}

/* Run to the first time it comes to @pc. False: it does not. */
static bool run_to(const struct freeze *op, uintptr_t pc)
{
	long word, with;
	int sig;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, pc, NULL);
	check_eq(errno, 0);
	with = (word & ~0xffL) | (long)BREAKPOINT;
	check(!ptrace(PTRACE_POKETEXT, pid, pc, with));
	check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
	sig = await_stop(op, NULL);
	check(!ptrace(PTRACE_POKETEXT, pid, pc, word));
	if (sig == SIGSTOP) {
		is_over = true;
		return false;
	}
	check_eq(sig, SIGTRAP);
	check(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rip), pc));
	return true;
}

static uintptr_t vdso_start, vdso_end;

static void find_vdso(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[256];

	check(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &vdso_start, &vdso_end);
	fclose(f);
}

static bool in_vdso(uintptr_t pc)
{
	return pc >= vdso_start && pc < vdso_end;
}

/*
 * It has just entered the kernel's vdso(7), to ask for the time: let it return. That counts as
 * one instruction. Stepped, it may stay for long: it starts again at each tick of the clock.
 */
static bool run_out(const struct freeze *op)
{
	uintptr_t sp = (uintptr_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rsp),
					 NULL);

	return run_to(op, (uintptr_t)ptrace(PTRACE_PEEKDATA, pid, sp, NULL));
}

/* The text is the same here: the victim is our child. */
static bool is_effect(uintptr_t pc)
{
	const unsigned char *p = (const void *)pc;

	return IS_SYSCALL(p) || (FREEZE_SANITIZED && IS_LOCKED(p));
}
#else
static uintptr_t get_pc(void)
{
	return 0;
}

static bool run_to(const struct freeze *op, uintptr_t pc)
{
	(void)op, (void)pc;
	return true;
}

static void find_vdso(void)
{
}

static bool in_vdso(uintptr_t pc)
{
	(void)pc;
	return false;
}

static bool run_out(const struct freeze *op)
{
	(void)op;
	return true;
}

static bool is_effect(uintptr_t pc)
{
	(void)pc;
	return false;
}
#endif

/*
 * The next instruction, or the call that it begins; in the trace it was at @pc. A victim that took
 * another way is elsewhere, and what is on its stack is no return address.
 */
static bool step_over(const struct freeze *op, uintptr_t pc, bool *ret_slept)
{
	*ret_slept = false;
	return in_vdso(pc) && get_pc() == pc ? run_out(op) : step(op, ret_slept);
}

/* ---- the trace ------------------------------------------------------------------------- */

/* A digest of all that the file holds. */
static uint64_t digest(int fd)
{
	static uint64_t buf[1u << 15];
	uint64_t h = 1;
	off_t at = 0;

	if (fd < 0 || FREEZE_SANITIZED)
		return 0;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		for (; at < end; ) {
			size_t want = (size_t)(end - at);
			ssize_t n = pread(fd, buf, want < sizeof(buf) ? want : sizeof(buf), at);

			if (n <= 0)
				break;
			h = (h ^ (uint64_t)at) * UINT64_C(0x9e3779b97f4a7c15);
			for (size_t i = 0; i < (size_t)n / 8; i++)
				h = (h ^ buf[i]) * UINT64_C(0x100000001b3);
			at += n;
		}
		at = end;
	}
	return h;
}

static void note(struct freeze_trace *t, unsigned *room, uintptr_t pc, bool effect)
{
	if (t->n == *room) {
		*room = *room ? *room * 2 : 4096;
		t->pc = realloc(t->pc, *room * sizeof(*t->pc));
		t->effect = realloc(t->effect, *room);
		check(t->pc && t->effect);
	}
	t->pc[t->n] = pc;
	t->effect[t->n++] = effect;
	t->n_effects += effect;
}

/* Put @pc into the set: false if it is there. */
static bool put(uintptr_t *set, size_t size, uintptr_t pc)
{
	size_t at = pc * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (size - 1);

	while (set[at] && set[at] != pc)
		at = (at + 1) & (size - 1);
	if (set[at] == pc)
		return false;
	set[at] = pc;
	return true;
}

/*
 * For each instruction the last one up to it that is new to the trace there, 0 if none; and
 * whether it is the first or the last of that address.
 */
static void find_firsts(struct freeze_trace *t)
{
	size_t size = 1024;
	uintptr_t *set;

	while (size < 4 * (size_t)t->n)
		size *= 2;
	set = calloc(size, sizeof(*set));
	t->from = calloc(t->n, sizeof(*t->from));
	t->is_edge = calloc(t->n, 1);
	check(set && t->from && t->is_edge);
	for (unsigned k = 0; k < t->n; k++) {
		t->is_edge[k] = put(set, size, t->pc[k]);
		t->from[k] = t->is_edge[k] && k > 8 && HAVE_PC ? k : k ? t->from[k - 1] : 0;
	}
	memset(set, 0, size * sizeof(*set));
	for (unsigned k = t->n; k--; )
		t->is_edge[k] |= put(set, size, t->pc[k]);
	free(set);
}

void victim_trace(const struct freeze *op, int fd, struct freeze_trace *trace)
{
	struct freeze_trace t = { 0 };
	unsigned room = 0;
	uint64_t before = digest(fd), now;
	bool effect = true, slept;
	uintptr_t pc;

	find_vdso();
	do {
		check(t.n < MAX_STEPS);
		pc = get_pc();
		note(&t, &room, pc, effect);
		effect = HAVE_PC && is_effect(pc);
		if (!step_over(op, pc, &slept))
			break;
		now = digest(fd);
		effect |= now != before;
		before = now;
		if (slept) {
			t.sleep_at = realloc(t.sleep_at, (t.n_sleeps + 1) * sizeof(unsigned));
			check(t.sleep_at != NULL);
			t.sleep_at[t.n_sleeps++] = t.n - 1;
		}
	} while (!is_over);
	find_firsts(&t);
	*trace = t;
}

/* ---- to a place ------------------------------------------------------------------------ */

static bool run_into_sleep(void)
{
	uint64_t start = now_ns();
	int status;

	check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
	while (!is_asleep()) {
		check(now_ns() - start < FREEZE_BOUND);
		if (waitpid(pid, &status, WNOHANG)) {
			check(WIFSTOPPED(status));
			is_over = true;
			return false;		/* it found something else to do */
		}
		sched_yield();
	}
	if (freeze_point.mode == FREEZE_KILL)
		return true;
	check(!kill(pid, SIGSTOP));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return true;
}

bool victim_bring(const struct freeze *op, const struct freeze_trace *trace,
		  struct freeze_place place)
{
	unsigned from = trace->from[place.k];
	bool slept;

	if (from && !run_to(op, trace->pc[from]))
		return false;
	for (unsigned i = from; i < place.k; i++)
		if (!step_over(op, trace->pc[i], &slept))
			return false;
	return place.asleep ? run_into_sleep() : true;
}

void victim_kill(void)
{
	int status;

	check(!kill(pid, SIGKILL));
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
}

void victim_continue(const struct freeze *op)
{
	int sig;

	if (!is_over) {
		check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		sig = await_stop(op, NULL);
		check_eq(sig, SIGSTOP);
		is_over = true;
	}
	if (op->finished)
		op->finished();
	check(!ptrace(PTRACE_CONT, pid, NULL, NULL));
	check_eq(await_stop(op, NULL), 0);
}
