#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs spin on small instances of the models, which must pass, and on their mutations, in
# each of which it must find an error. One line each; exit 0 if all is as expected, 1 if
# not, 77 without spin. Without arguments a twelfth of the mutations, by SEED, because to build
# each takes a second. run.sh all: all of them; run.sh deep: the larger instances too, marked
# deep below. Other arguments choose jobs by name: run.sh wake MUT_REUSE
#
# Two jobs at a time, at most 1 GB each: a minute, two, and a quarter of an hour, on two idle
# cores. Not within 1 GB: four processes in grow (20 million states and more), three ports.

command -v spin >/dev/null && command -v gcc >/dev/null || { echo "spin or gcc is missing"; exit 77; }
models=$(cd "$(dirname "$0")" && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# MODEL EXPECT SEARCH NAME DEFINITIONS...
#   EXPECT  pass, or caught: an assertion violated or a cycle
#   SEARCH  safety: all states; quick: the same, built in less time; deep: the same, not
#           each time; cycle: find cycles
# The longest first.
sed 's/	#.*//' >"$tmp/jobs" <<'END'
wake pass   deep   doorbell          E0=1 E1=1
wake pass   deep   doorbell-more     SHARED=1 E0=1 E1=2
wake pass   deep   woken-twice       WAKES=2
space pass  deep   two               E=2
space pass  deep   two-leave         E=2 LEAVES=1
registry pass deep again             OPS1=2 DO_RETIRE=0
registry pass deep kill-all          KILL=1 LIVE0=1
registry pass deep kill-remove       KILL=1 NN=2 LIVE0=2 DO_OPEN=0
ring pass   deep   reliable          REL=1 E1=3 REVOKES=0
ring pass   deep   threads           THREADS=1 E0=2 E1=2 REVOKES=1
ring pass   deep   close             CLOSE=1 N=4 E1=3 REVOKES=0
ring pass   deep   reborn            HALT=2 E1=2 REVOKES=0
ring pass   deep   halt-more         HALT=1 E1=2 REVOKES=1
ring pass   deep   still-more        HALT=1 E1=2 REVOKES=0
ring pass   deep   reliable-three    REL=1 E1=2 REVOKES=1
wake pass   deep   news-more         NEV=2 E0=1 E1=1
ring pass   deep   plain             E1=3 REVOKES=1
ring pass   deep   late              LATE=1 E1=2 REVOKES=1
grow pass   deep   three             NP=3
ring caught deep   limit-crowded     N=3 NE=3 E1=2 REVOKES=0	# N/2 + 2 emitters revoke each other for ever
ring pass   safety halt              HALT=1 E1=1 REVOKES=1
ring pass   cycle  still             HALT=1 E1=1 REVOKES=0
ring pass   safety reliable-two      REL=1 E1=2 REVOKES=0
ring pass   quick  reliable-revoke   REL=1 E1=1 REVOKES=1
ring pass   quick  late-still        LATE=1 E1=1 REVOKES=0
ring pass   safety plain-two         E1=2 REVOKES=1
ring pass   safety reborn-one        HALT=2 E1=1 REVOKES=0
ring pass   quick  readers           NR=2 NE=1 E0=3 E1=0 REVOKES=1
ring pass   quick  close-revoke      CLOSE=1 NE=1 E0=3 E1=1 REVOKES=2
ring pass   quick  close-reliable    CLOSE=1 REL=1 NE=1 E0=3 E1=1 REVOKES=1
wake pass   quick  news              NEV=2 E0=1 E1=0
wake pass   safety woken             WAKES=1
wake pass   quick  bell              SHARED=1 E1=1
wake pass   quick  bell-of-two       SHARED=1 NL=2
wake pass   safety called            SHARED=1 WAKES=1
wake pass   deep   called-of-two     SHARED=1 NL=2 WAKES=1 ATONCE=1
registry pass quick  all             LIVE0=1
registry pass quick  rest             DO_REST=1 LIVE0=1 K=1 OPS0=2 OPS1=2 DO_REMOVE=0
registry pass quick  remove-two      NN=2 LIVE0=2 DO_OPEN=0 DO_RETIRE=0
registry pass deep   kill-maker      KILL=1 OPS1=1 DO_REMOVE=0 DO_RETIRE=0
registry pass quick  kill-one        KILL=1 OPS1=0 LIVE0=1
registry pass quick  kill-retirer    KILL=1 LIVE0=1 DO_REMOVE=0
space pass  quick  one               E=1 LEAVES=1
grow pass   quick  two               NP=2
timer pass  deep   killed            NF=2 HALT=1
timer pass  deep   cancel-more       H=4 E=3 CANCEL=1
timer pass  quick  two               NF=2 H=2 E=1 TAKES=1
timer pass  quick  cancel            CANCEL=1
timer pass  quick  cancel-revoked    H=2 E=1 REVOKES=1 CANCEL=1
timer pass  quick  revoked           REVOKES=1
due pass    deep   mender            MENDER=1
due pass    deep   mender-removed    MENDER=1 REMOVE=1
due pass    quick  retired           REMOVE=0
due pass    quick  removed           REMOVE=1
port pass   quick  two               NP=2
ring caught deep   MUT_EPOCH_LAST    REL=1 E1=3 REVOKES=0	# limit: epoch loaded after the cursors
ring caught quick  MUT_EPOCH_FIRST   REL=1 E1=2 REVOKES=0	# claim: epoch loaded before head and slot
ring caught quick  MUT_CURSOR_FIRST  REL=1 E1=2 REVOKES=0	# register: final cursor before the epoch is bumped
ring caught quick  MUT_CURSOR_EARLY  REL=1 E1=2 REVOKES=0	# cursor moved before the copy
ring caught quick  MUT_COMMIT_STORE  E1=2 REVOKES=1	# commit is a store
ring caught quick  MUT_REUSE         E1=2 REVOKES=1	# a live claimer's slot is claimed by who laps it
ring caught quick  MUT_NO_RECHECK    E1=2 REVOKES=1	# state not loaded again after the copy
ring caught quick  MUT_LEAVE         E1=2 REVOKES=1	# revoked emitter leaves its slot pinned
ring caught quick  MUT_VOID_STORE    E1=2 REVOKES=1	# revoked emitter voids by a store, with its old lap
ring caught quick  MUT_VOID_LIVE     E1=2 REVOKES=1	# reader voids a live claimer's slot
ring caught quick  MUT_BLIND_CLAIM   E1=2 REVOKES=1	# claim is a store
ring caught quick  MUT_PIN_RECORD    E1=2 REVOKES=1	# pinned slot does not say that it comes after a void
ring caught quick  MUT_HEAD_LAG      E1=2 REVOKES=0	# overtaken reader does not push head
ring caught cycle  MUT_NO_HELP       E1=2 REVOKES=0	# nobody pushes head
ring caught quick  MUT_HASTY         LATE=1 E1=2 REVOKES=0	# reader revokes what holds up nothing
ring caught quick  MUT_SETTLE_LIVE   LATE=1 E1=2 REVOKES=0	# settle: what is being written is not revoked
ring caught quick  MUT_SETTLE_ONCE   LATE=1 E1=2 REVOKES=0	# settle: not again after two laps
ring caught quick  MUT_CLOSE_HELP    CLOSE=1 NE=1 E0=3 E1=1 REVOKES=1	# head pushed past CLOSED
ring caught quick  MUT_CLOSE_GONE    CLOSE=1 NE=1 E0=3 E1=1 REVOKES=1	# CLOSED hides the record that its slot holds
ring caught quick  MUT_CLOSE_WALK    CLOSE=1 REL=1 NE=1 E0=3 E1=1 REVOKES=0	# frontier walks past CLOSED
ring caught quick  MUT_NO_REAP       HALT=2 E1=2 REVOKES=0	# new owner of a port leaves the old one's slots
ring caught deep   limit-pinned      N=2 NE=3 E1=1 REVOKES=0	# N emitters rest, their slots are pinned, one more spins
ring caught quick  limit-impatient   E1=1 REVOKES=200	# reader revokes an emitter each time, for ever
wake caught quick  MUT_ARM_STORE     WAKES=1	# arming is a buffered store
wake caught quick  MUT_COMMIT_STORE  WAKES=1	# commit is a buffered store
wake caught quick  MUT_BELL_FIRST    WAKES=1	# bell loaded before the commit
wake caught quick  MUT_WAKE_FIRST    WAKES=1	# FUTEX_WAKE before the bell is moved on
wake caught quick  MUT_NO_RECHECK    WAKES=1	# no second look once the bell is armed
wake caught quick  MUT_BIT           SHARED=1 NL=2	# bell is a bit, without a generation
wake caught quick  MUT_DISARM_EVENT  SHARED=1 NL=2	# who leaves disarms the bell of the event
wake caught quick  MUT_NO_GRACE      SHARED=1 E1=1	# sleeps without a limit though a record stands behind
wake caught quick  MUT_NOT_READY     NEV=2	# subscribe: not looked at once the bit is set
wake caught quick  MUT_BIT_STORE     NEV=2	# subscribe: the bit is a buffered store
wake caught quick  MUT_WORDS_LAST    NEV=2	# subscribe: n_words raised by a buffered store
wake caught quick  MUT_NEWS_LATE     NEV=2	# news taken after the look at the rings
wake caught quick  MUT_NEWS_LAST     NEV=2	# doorbell rung before the news bit is set
wake caught quick  MUT_WOKEN_STORE   WAKES=1	# listener_wake: woken is a buffered store
wake caught quick  MUT_WOKEN_EARLY   WAKES=1	# woken looked at before the bell is armed
wake caught quick  MUT_BELL_LATE     WAKES=1	# bell named after woken was looked at
wake caught quick  MUT_WOKEN_DROP    WAKES=1	# a record was found: the wake is forgotten
wake caught quick  MUT_WOKEN_HASTY   WAKES=1	# -EINTR without one more look
wake caught quick  MUT_CALL_FIRST    SHARED=1 WAKES=1	# call: FUTEX_WAKE before the bell is moved on
wake caught quick  MUT_CALL_STILL    SHARED=1 WAKES=1	# call: the bell is not moved on
wake caught quick  MUT_CALL_DISARM   SHARED=1 NL=2 WAKES=1 ATONCE=1	# call: the bell is left disarmed, others sleep on it
wake caught quick  MUT_FAIL_SILENT   SHARED=1 WAKES=1	# ring: who fails wakes nobody, though it may have been called
wake caught quick  MUT_NAMED_FIRST   WAKES=1	# listener_wake: the bell's name loaded before woken is stored
wake caught quick  MUT_UNNAMED_EARLY WAKES=1	# the bell not named any more when the listener falls asleep
space caught quick MUT_ARM_STORE     E=2	# arming is a buffered store
space caught quick MUT_RING_STORE    E=2	# bell moved on by a store
space caught quick MUT_BIT           E=2	# bell is a bit, without a generation
space caught quick MUT_CURSOR_STORE  E=2	# cursor is a buffered store
space caught quick MUT_BELL_FIRST    E=2	# bell loaded before the cursor is stored
space caught quick MUT_NO_LOOK       E=2	# no second look at the cursors
space caught quick MUT_LEAVE_SILENT  LEAVES=1	# reader goes and rings nobody
grow caught quick  MUT_CLOSE_FIRST   NP=2	# closed before the successor is there
grow caught quick  MUT_PREPARE_STORE NP=2	# successor put there by a store
grow caught quick  MUT_BEGIN_OPEN    NP=2	# successor begins while the ring is open
grow caught quick  MUT_BASE_FIRST    NP=2	# base set before head
grow caught quick  MUT_BEGIN_STORE   NP=2	# head of a successor that has begun set again
grow caught quick  MUT_SEAL_STORE    NP=2	# sealed by a store
grow caught quick  MUT_SEAL_FIRST    NP=2	# end taken before the ring is closed
grow caught quick  MUT_NO_SEAL       NP=3	# closed and not sealed
registry caught quick MUT_USE_LATE        LIVE0=1	# use: bit set after the look at the state
registry caught quick MUT_GONE_LATE       LIVE0=1	# bury: bits looked at before GONE
registry caught quick MUT_USE_FORMER      DO_REST=1 LIVE0=1 K=1 OPS0=2 OPS1=2 DO_REMOVE=0	# use of a former event of an open one's place clears its bit
registry caught deep MUT_PORTS_EARLY     LIVE0=1	# and how many ports there are
registry caught quick MUT_RETIRE_LATE     LIVE0=1	# retire: bits looked at before RETIRING
registry caught quick MUT_NO_KEEP         LIVE0=1	# user leaves RETIRING
registry caught deep MUT_UNUSE_EARLY     LIVE0=1	# bit cleared before the last access
registry caught deep MUT_OPEN_LATE       DO_REMOVE=0	# maker sets its bit when all can find the event
registry caught quick MUT_NO_PIN          LIVE0=1	# taken out without a use
registry caught quick MUT_NO_MARK         NN=2 LIVE0=2 DO_OPEN=0	# unlinked without a mark
registry caught deep MUT_NO_WALK         LIVE0=1	# GONE while it is linked
registry caught quick MUT_BLIND_LINK      DO_RETIRE=0	# linked whatever came to be there
registry caught deep MUT_SAME_GENERATION DO_RETIRE=0	# slot taken with its old generation
registry caught quick MUT_NO_SEAL         OPS1=2 DO_RETIRE=0	# unlinked while it is emitted to
registry caught quick MUT_FLOOR_LATE      OPS1=2 DO_RETIRE=0	# floor raised after it is unlinked
registry caught quick MUT_FLOOR_ONCE      OPS1=2 DO_RETIRE=0	# floor not looked at again once linked
registry caught quick MUT_REAP_LINKED     KILL=1 OPS1=0 DO_REMOVE=0 DO_RETIRE=0	# reaper frees NEW though it is linked
registry caught deep MUT_NO_REAP_NEW     KILL=1 DO_REMOVE=0 DO_RETIRE=0	# reaper leaves NEW
registry caught quick MUT_NO_PENDING      KILL=1 DO_REMOVE=0 DO_RETIRE=0	# region not in the port's pending words
registry caught deep MUT_SETTLE_EARLY    KILL=1 DO_REMOVE=0 DO_RETIRE=0	# taken from them before the event has it
timer caught quick MUT_NO_HOLD       CANCEL=1	# emitters do not look at firing
timer caught quick MUT_NO_EPOCH      CANCEL=1	# hold: the epoch is not bumped
timer caught quick MUT_EPOCH_FIRST   CANCEL=1	# hold: the epoch bumped before firing is set
timer caught quick MUT_LIMIT_HIGH    CANCEL=1	# the number after a lap may be claimed
timer caught quick MUT_SAME_VERSION  CANCEL=1	# an attempt ended, the version kept
timer caught quick MUT_BEGIN_STORE   CANCEL=1	# FIRING by a store
timer caught quick MUT_BEGIN_LATE    CANCEL=1	# committed before it is FIRING
timer caught quick MUT_NO_REVOKE     CANCEL=1	# what is being written is taken for not fired
timer caught quick MUT_DROP_FIRST    NF=2 H=2 E=1 TAKES=1	# firing cleared before it is decided
timer caught quick MUT_END_LATE      CANCEL=1	# firing cleared before the timer is freed
timer caught quick MUT_CANCEL_FIRING CANCEL=1	# cancelled while it is FIRING
timer caught quick MUT_GONE          CANCEL=1	# a slot carried to a later lap is taken for fired
timer caught quick MUT_LEAVE         CANCEL=1	# a number that is not to be a record stays WRITING
timer caught quick MUT_KEEP          CANCEL=1	# firing not cleared when it is decided
due caught quick   MUT_MEND_STORE    REMOVE=0	# due mended by a store
due caught quick   MUT_NO_COUNT      REMOVE=0	# a due that need not be lower is not counted
due caught quick   MUT_MEND_LATE     REMOVE=0	# due loaded after the look at the table
due caught quick   MUT_LOWER_FIRST   REMOVE=0	# due lowered before the timer is armed
due caught quick   MUT_RETIRE_EARLY  REMOVE=0	# due looked at before the bits
due caught quick   MUT_NO_DUE        REMOVE=0	# due not looked at by who retires
due caught quick   MUT_UNUSE_EARLY   REMOVE=0	# bit cleared before the due is lowered
due caught quick   MUT_LIVE_FIRST    REMOVE=1	# looks whether the event is live before arming
due caught quick   MUT_REMOVE_EARLY  REMOVE=1	# timers looked for before DEAD
port caught quick  MUT_NO_RIGHT      NP=2	# taken and reaped without the right lock
port caught quick  MUT_RIGHT_EARLY   NP=2	# right given up before TAKEN
port caught quick  MUT_TAKEN_FIRST   NP=2	# TAKEN before the presence lock is held
port caught quick  MUT_CLOSE_FIRST   NP=2	# presence lock dropped before FREE
port caught quick  MUT_PROBE_FIRST   NP=2	# presence probed before the state is loaded
port caught quick  MUT_DEAD_STORE    NP=2	# DEAD by a store
port caught quick  MUT_SAME_GENERATION NP=2	# taken with its old generation
port caught quick  MUT_FREE_FIRST    NP=2	# FREE before it is clean
port caught quick  MUT_REAP_TAKEN    NP=2	# reaped without a look at the state, once the right is had
port caught quick  MUT_FREE_PART     NP=2	# FREE after a piece
port caught quick  MUT_SAY_FIRST     NP=2	# a piece told as done before it is
port caught quick  MUT_KEEP_REAPED   NP=2	# how far the reaper got stays for the next owner
END

# job MODEL EXPECT SEARCH NAME DEFINITIONS...: one line; leaves $tmp/bad on a surprise
job()
{
	model=$1 expect=$2 search=$3 name=$4
	shift 4
	case $name in MUT_*) set -- "$@" "MUT=$name" ;; esac
	defaults="MUT=0"
	case $model in
	ring) defaults="$defaults N=2 NE=2 E0=1 NR=1 THREADS=0 CLOSE=0" ;;
	wake) defaults="$defaults NEV=1 NL=1 E0=1 E1=0 WAKES=0 SHARED=0 ATONCE=0" ;;
	space) defaults="$defaults D=1 E=1 LEAVES=0" ;;
	grow) defaults="$defaults MAX=3" ;;
	port) defaults="$defaults KILLS=1" ;;
	timer) defaults="$defaults N=1 NF=1 NE=1 H=3 E=2 REVOKES=0 TAKES=0 CANCEL=0" ;;
	due) defaults="$defaults REMOVE=0 MENDER=0" ;;
	registry) defaults="$defaults K=2 NN=1 OPS0=1 OPS1=1 KILL=0 LIVE0=0
		DO_OPEN=1 DO_REMOVE=1 DO_RETIRE=1 DO_REST=0" ;;
	esac
	for d in $defaults; do
		case " $* " in *" ${d%%=*}="*) ;; *) set -- "$@" "$d" ;; esac
	done
	for d; do
		shift
		set -- "$@" "-D$d"
	done
	case $search in
	safety | deep) build='-O1 -DSAFETY' run='' ;;
	quick) build='-O0 -DSAFETY' run='' ;;
	cycle) build='-O1 -DNP' run='-l' ;;
	esac
	# Who is killed stands still: no end state. Then nobody waits for him in these two.
	case $model in registry | port) run="$run -E" ;; esac

	mkdir "$tmp/$model.$name" && cd "$tmp/$model.$name" || return
	if spin -a "$@" "$models/$model.pml" >out 2>&1 &&
	   gcc $build -w -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c >>out 2>&1; then
		./pan -m100000 -w22 $run >>out 2>&1
	fi

	verdict=FAIL
	errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' out)
	states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' out)
	why=$(sed -n 's/^pan:1: \(assertion violated\|non-progress cycle\).*/\1/p' out)
	if [ "$expect" = pass ]; then
		[ "$errors" = 0 ] && ! grep -q 'not completed\|too small\|out of memory' out && verdict=ok
	else
		[ "$errors" = 1 ] && [ -n "$why" ] && verdict=ok
	fi
	case $name in limit-*) grep -q 'assertion violated.*committed>>' out || verdict=FAIL ;; esac
	printf '%-4s %-8s %-19s %9s states  %s\n' "$verdict" "$model" "$name" "$states" "$why"
	: >"$tmp/ran"
	if [ $verdict != ok ]; then
		: >"$tmp/bad"
		tail -n 25 out
	fi
	cd "$tmp" && rm -rf "./$model.$name"
}

# is_chosen N MODEL EXPECT SEARCH NAME CHOICE...
is_chosen()
{
	k=$1 model=$2 expect=$3 search=$4 name=$5
	shift 5
	case ${1-} in
	'')	[ "$search" != deep ] &&
			{ [ "$expect" = pass ] || [ $(((k + ${SEED:-0}) % 12)) = 0 ]; } ;;
	all)	[ "$search" != deep ] ;;
	deep)	: ;;
	*)	case " $* " in *" $name "* | *" $model "*) ;; *) false ;; esac ;;
	esac
}

# worker CHOICE...: does jobs nobody has taken yet
worker()
{
	n=0
	while read -r line; do
		n=$((n + 1))
		set -f
		is_chosen $n $(echo $line | cut -d' ' -f1-4) "$@" || continue
		mkdir "$tmp/taken.$n" 2>/dev/null && (job $line) </dev/null
	done <"$tmp/jobs"
}

worker "$@" &
worker "$@"
wait
[ -e "$tmp/ran" ] && [ ! -e "$tmp/bad" ]
