/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of the long run: starts the participants, kills and stops them at random many
 * times a second, replaces the dead, sees that nobody is held up, ends them in order and checks
 * the books and the bus. SOAK_SECONDS says how long (600), SEED which choices.
 */
#include "soak.h"
#include "check.h"
#include "roles.h"
#include "../sweep.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_NS		(120 * SECOND)	/* for a stage to end, on a loaded machine */

/* The auditor first, alone: it shall see the first record. */
const struct role roles[] = {
	{ "auditor",		run_auditor,	STAGE_AUDIT,	1, 20,	false },
	{ "lossy veteran",	run_lossy,	STAGE_READ,	1, 300,	false },
	{ "reliable veteran",	run_reliable,	STAGE_READ,	1, 20,	false },
	{ "lossy reader",	run_lossy,	STAGE_READ,	3, 300,	true },
	{ "reliable reader",	run_reliable,	STAGE_READ,	2, 60,	true },
	{ "pattern listener",	run_pattern,	STAGE_READ,	3, 300,	true },
	{ "emitter",		run_emitter,	STAGE_EMIT,	6, 300,	true },
	{ "visitor",		run_visitor,	STAGE_EMIT,	3, 300,	true },
	{ "churner",		run_churner,	STAGE_EMIT,	4, 300,	true },
	{ "grower",		run_grower,	STAGE_EMIT,	1, 300,	true },
	{ "lister",		run_lister,	STAGE_EMIT,	1, 300,	true },
	{ "side user",		run_side,	STAGE_EMIT,	2, 300,	true },
};
const unsigned n_roles = sizeof(roles) / sizeof(roles[0]);

static struct {
	uint64_t killed, killed_stopped, stopped, started;
} figures;

static char dir[] = "/dev/shm/aioevt-soak.XXXXXX";
static unsigned n_seats;
static uint32_t n_writers;
static bool replacing = true;

/* ---- starting and ending ----------------------------------------------------------------- */

static void start(struct seat *seat)
{
	pid_t pid;

	seat->writer = n_writers++;
	seat->seed = rnd() | 1;
	seat->stopped = seat->leaving = seat->killed = false;
	seat->continued = seat->started = now_ns();
	atomic_store(&seat->since, 0);
	pid = fork();
	if (pid < 0)
		breach("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me = seat;
		_exit(seat->role->run());
	}
	seat->pid = pid;
	figures.started++;
}

static struct seat *seat_of(pid_t pid)
{
	for (unsigned i = 0; i < n_seats; i++)
		if (shared->seats[i].pid == pid)
			return &shared->seats[i];
	breach("pid %d is nobody's", (int)pid);
}

static void gone(struct seat *seat, int status)
{
	if (!(seat->killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) &&
	    !(atomic_load(&shared->ending[seat->role->stage]) && !status))
		breach("%s %d ended: %s %d, in %s", seat->role->name, (int)seat->pid,
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		       atomic_load(&seat->since) ? atomic_load(&seat->what) : "none of the engine");
	seat->pid = 0;
	if (replacing && n_writers < MAX_WRITERS - 1)
		start(seat);
}

static void collect(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		gone(seat_of(pid), status);
}

static void send(struct seat *seat, int sig)
{
	if (kill(seat->pid, sig) < 0)
		breach("kill: %s", strerror(errno));
}

static void kill_seat(struct seat *seat)
{
	figures.killed++;
	figures.killed_stopped += seat->stopped;
	seat->killed = true;
	seat->stopped = false;
	send(seat, SIGKILL);
}

static void stop_seat(struct seat *seat, uint64_t ns)
{
	figures.stopped++;
	send(seat, SIGSTOP);
	seat->stopped = true;
	seat->act_at = now_ns() + ns;
}

static void continue_seat(struct seat *seat)
{
	send(seat, SIGCONT);
	seat->continued = now_ns();
	seat->stopped = false;
}

/* ---- at random ----------------------------------------------------------------------------- */

/* How long: mostly a moment, sometimes as long as may be. */
static uint64_t stop_length(const struct seat *seat)
{
	uint64_t most = seat->role->max_stop_ms * MS;

	return rnd() % (one_in(3) ? most : most / 20);
}

static void act_on(struct seat *seat)
{
	unsigned dice = (unsigned)(rnd() % 100);

	if (!seat->pid || seat->stopped || seat->killed)
		return;
	if (dice < 55)
		stop_seat(seat, stop_length(seat));
	else if (dice < 70) {
		stop_seat(seat, 0);
		continue_seat(seat);
	} else if (seat->role->may_die)
		kill_seat(seat);
}

static void act_on_stopped(struct seat *seat)
{
	if (!seat->pid || !seat->stopped || now_ns() < seat->act_at)
		return;
	if (seat->role->may_die && one_in(4))
		kill_seat(seat);
	else
		continue_seat(seat);
}

static void torment(uint64_t until)
{
	while (now_ns() < until && n_writers < MAX_WRITERS - 1) {
		act_on(&shared->seats[rnd() % n_seats]);
		nap_us(15000);
		for (unsigned i = 0; i < n_seats; i++) {
			act_on_stopped(&shared->seats[i]);
			watchdog_look(&shared->seats[i]);
		}
		collect();
	}
}

/* ---- in order ------------------------------------------------------------------------------ */

static bool any_left(enum stage stage)
{
	for (unsigned i = 0; i < n_seats; i++)
		if (shared->seats[i].pid && shared->seats[i].role->stage == stage)
			return true;
	return false;
}

static void end_stage(enum stage stage)
{
	uint64_t until = now_ns() + END_NS;

	atomic_store(&shared->ending[stage], 1);
	while (any_left(stage)) {
		nap_us(5000);
		for (unsigned i = 0; i < n_seats; i++)
			watchdog_look(&shared->seats[i]);
		collect();
		if (now_ns() > until)
			breach("stage %d does not end", stage);
	}
}

/* Half of those who may die do so at once, in the midst of whatever it is. */
static void end_all(void)
{
	replacing = false;
	for (unsigned i = 0; i < n_seats; i++) {
		struct seat *seat = &shared->seats[i];

		if (!seat->pid || seat->killed)
			continue;
		if (seat->role->may_die && one_in(2))
			kill_seat(seat);
		else if (seat->stopped)
			continue_seat(seat);
	}
	for (enum stage stage = STAGE_EMIT; stage < N_STAGES; stage++)
		end_stage(stage);
}

static void start_all(void)
{
	for (unsigned r = 0; r < n_roles; r++)
		for (unsigned n = 0; n < roles[r].n; n++) {
			struct seat *seat = &shared->seats[n_seats++];

			require(n_seats <= MAX_SEATS);
			seat->role = &roles[r];
			start(seat);
			while (!atomic_load(&shared->auditor_ready)) {
				nap_us(1000);
				collect();
			}
		}
}

/* ---- the whole ----------------------------------------------------------------------------- */

static struct aioevt_shm *make_bus(struct aioevt_shm_event **events)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus;
	int err;

	config.n_events = N_BUS_EVENTS;
	config.n_listeners = N_BUS_LISTENERS;
	config.depth = BUS_DEPTH;
	config.max_payload = MAX_SIZE;
	config.ring_budget = BUS_BUDGET;
	err = aioevt_shm_open(NULL, &config, 0, &bus);
	if (err)
		breach("open: %s", strerror(-err));
	for (unsigned e = 0; e < N_STABLE; e++)
		events[e] = open_event(bus, stable_name(e), 0);
	return bus;
}

/* How often a seat was left without a detach: what reapers had to do. */
static uint64_t count_attached(bool detached)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < n_seats; i++)
		n += atomic_load(detached ? &shared->seats[i].detached : &shared->seats[i].attached);
	return n;
}

#define U(x)	((unsigned long long)(x))

static void print_figures(const struct tally *t, const struct audit *a, double seconds)
{
	const struct counters *c = &shared->count;

	printf("%.0f s; %llu participants started, %llu killed (%llu of them while stopped), "
	       "%llu stopped\n", seconds, U(figures.started), U(figures.killed),
	       U(figures.killed_stopped), U(figures.stopped));
	printf("%llu attaches, %llu detaches, %llu reaped\n", U(count_attached(false)),
	       U(count_attached(true)), U(count_attached(false) - count_attached(true)));
	printf("%llu records emitted, %llu read by the auditor or others, %llu unsure; "
	       "%llu times full for a reliable reader\n", U(t->emitted), U(t->seen),
	       U(t->unsure), U(c->again));
	printf("%llu readings balance: %llu delivered, %llu missed and reported\n",
	       U(t->accounts), U(t->delivered), U(t->missed));
	printf("%llu records to %llu events that came, of which %llu were removed; %llu grown, "
	       "%llu refused for room\n", U(c->churned), U(c->created), U(c->removed), U(c->grown),
	       U(c->full));
	printf("%llu records under patterns, %llu events lost to them; %llu listings, %llu uses of "
	       "a bus beside\n", U(c->patterns), U(c->lost_events), U(c->listed), U(c->side));
	printf("in the end %u events, %u rings, %u records held, %llu KiB, all accounted for\n",
	       a->events, a->rings, a->records, U(a->memory >> 10));
}

static double run_length(void)
{
	const char *text = getenv("SOAK_SECONDS");
	double seconds = text && *text ? strtod(text, NULL) : 600;

	if (!(seconds > 0))
		breach("SOAK_SECONDS=%s is no time", text);
	return seconds;
}

static void choose_seed(void)
{
	const char *text = getenv("SEED");
	char buf[32];

	if (!text || !*text) {
		snprintf(buf, sizeof(buf), "%llu", U(realtime_ns() / 1000 % 1000000000));
		setenv("SEED", buf, 1);
	}
	printf("seed %s\n", getenv("SEED"));
	fflush(stdout);
}

int main(void)
{
	struct aioevt_shm_event *events[N_STABLE];
	double seconds = run_length();
	struct aioevt_shm *bus;
	struct tally tally;
	struct audit audit;

	choose_seed();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(shared != MAP_FAILED);
	require(mkdtemp(dir) != NULL);
	sweep_after_me(dir);
	setenv("AIOEVT_DIR", dir, 1);
	setenv("AIOEVT_BUS", "soak", 1);
	bus = make_bus(events);
	start_all();
	torment(now_ns() + (uint64_t)(seconds * 1e9));
	end_all();
	for (unsigned e = 0; e < N_STABLE; e++)
		aioevt_shm_event_close(events[e]);
	tally_books(n_writers, &tally);
	audit_bus(bus, &audit);
	aioevt_shm_close(bus);
	print_figures(&tally, &audit, seconds);
	require(!aioevt_shm_unlink(NULL));
	aioevt_shm_unlink("side");
	if (rmdir(dir) < 0)
		breach("%s: %s", dir, strerror(errno));
	return shared->n_noted != 0;
}
