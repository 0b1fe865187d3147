#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs spin on small instances of the models, which must pass, and on their mutations, in
# each of which it must find an error. One line each; exit 0 if all is as expected, 1 if
# not, 77 without spin. Arguments, if any, choose jobs by name: run.sh wake MUT_REUSE
#
# Two jobs at a time, under a minute on two idle cores, at most 1 GB each.

command -v spin >/dev/null && command -v gcc >/dev/null || { echo "spin or gcc is missing"; exit 77; }
models=$(cd "$(dirname "$0")" && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# MODEL EXPECT SEARCH NAME DEFINITIONS...
#   EXPECT  pass, or caught: an assertion violated or a cycle
#   SEARCH  safety: all states; quick: the same, built in less time; cycle: find cycles
# The longest first.
sed 's/	#.*//' >"$tmp/jobs" <<'END'
wake pass   safety news              NEV=2 E1=1
wake pass   safety doorbell          NEV=1 E1=2
wake caught safety MUT_START_FIRST   NEV=2 E1=1	# subscribe: frontier taken before the bit is set
ring pass   safety reliable          REL=1 E1=3 REVOKES=0
ring pass   safety reliable-revoke   REL=1 E1=2 REVOKES=1
ring pass   safety reborn            HALT=2 E1=2 REVOKES=0
ring pass   safety plain             E1=3 REVOKES=1
ring pass   safety threads           THREADS=1 E0=2 E1=2 REVOKES=1
ring pass   safety readers           NR=2 NE=1 E0=3 E1=0 REVOKES=1
ring pass   safety halt              HALT=1 E1=2 REVOKES=1
ring pass   cycle  still             HALT=1 E1=2 REVOKES=0
ring pass   safety close             CLOSE=1 N=4 E1=3 REVOKES=0
ring pass   safety close-revoke      CLOSE=1 NE=1 E0=3 E1=1 REVOKES=2
ring pass   safety close-reliable    CLOSE=1 REL=1 NE=1 E0=3 E1=1 REVOKES=1
ring caught safety MUT_EPOCH_LAST    REL=1 E1=3 REVOKES=0	# limit: epoch loaded after the cursors
ring caught safety MUT_EPOCH_FIRST   REL=1 E1=2 REVOKES=0	# claim: epoch loaded before head and slot
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
ring caught quick  MUT_CLOSE_HELP    CLOSE=1 NE=1 E0=3 E1=1 REVOKES=1	# head pushed past CLOSED
ring caught quick  MUT_CLOSE_GONE    CLOSE=1 NE=1 E0=3 E1=1 REVOKES=1	# CLOSED hides the record that its slot holds
ring caught quick  MUT_CLOSE_WALK    CLOSE=1 REL=1 NE=1 E0=3 E1=1 REVOKES=0	# frontier walks past CLOSED
ring caught quick  MUT_NO_REAP       HALT=2 E1=2 REVOKES=0	# new owner of a port leaves the old one's slots
ring caught safety limit-crowded     N=3 NE=3 E1=2 REVOKES=0	# N/2 + 2 emitters revoke each other for ever
ring caught quick  limit-pinned      N=2 NE=3 E1=1 REVOKES=0	# N emitters rest, their slots are pinned, one more spins
ring caught quick  limit-impatient   E1=1 REVOKES=200	# reader revokes an emitter each time, for ever
wake caught quick  MUT_SLEEP_STORE   E1=1	# SLEEPING is a buffered store
wake caught quick  MUT_COMMIT_STORE  E1=1	# commit is a buffered store
wake caught quick  MUT_NO_RECHECK    E1=1	# no second look after SLEEPING is set
wake caught quick  MUT_DOOR_FIRST    E1=1	# doorbell loaded before the commit
wake caught quick  MUT_WAKE_FIRST    E1=1	# FUTEX_WAKE before SLEEPING is cleared
wake caught quick  MUT_NO_GRACE      E1=1	# sleeps on a slot in WRITING without a limit
wake caught quick  MUT_BIT_STORE     NEV=2 E1=1	# subscribe: the bit is a buffered store
wake caught quick  MUT_NEWS_LATE     NEV=2 E1=1	# news taken after the look at the rings
wake caught quick  MUT_RECHECK_NEWS  NEV=2 E1=1	# periodic re-check looks at news only
END

# job MODEL EXPECT SEARCH NAME DEFINITIONS...: one line; leaves $tmp/bad on a surprise
job()
{
	model=$1 expect=$2 search=$3 name=$4
	shift 4
	case $name in MUT_*) set -- "$@" "MUT=$name" ;; esac
	if [ "$model" = ring ]; then
		for d in N=2 NE=2 E0=1 NR=1 THREADS=0 CLOSE=0 MUT=0; do
			case " $* " in *" ${d%%=*}="*) ;; *) set -- "$@" "$d" ;; esac
		done
	fi
	for d; do
		shift
		set -- "$@" "-D$d"
	done
	case $search in
	safety) build='-O1 -DSAFETY' run='' ;;
	quick) build='-O0 -DSAFETY' run='' ;;
	cycle) build='-O1 -DNP' run='-l' ;;
	esac

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
	printf '%-4s %s %-16s %9s states  %s\n' "$verdict" "$model" "$name" "$states" "$why"
	: >"$tmp/ran"
	if [ $verdict != ok ]; then
		: >"$tmp/bad"
		tail -n 25 out
	fi
	cd "$tmp" && rm -rf "./$model.$name"
}

# worker CHOICE...: does jobs nobody has taken yet
worker()
{
	n=0
	while read -r line; do
		n=$((n + 1))
		set -f
		if [ $# -gt 0 ]; then
			case " $* " in
			*" $(echo $line | cut -d' ' -f4) "* | *" ${line%% *} "*) ;;
			*) continue ;;
			esac
		fi
		mkdir "$tmp/taken.$n" 2>/dev/null && (job $line) </dev/null
	done <"$tmp/jobs"
}

worker "$@" &
worker "$@"
wait
[ -e "$tmp/ran" ] && [ ! -e "$tmp/bad" ]
