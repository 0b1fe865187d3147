#!/usr/bin/env bats
# aioevt on and wait: a COMMAND that is to end does, with all of its process group.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
# shellcheck disable=SC2016
load helpers

# start_on ARGS: aioevt on in the background, listening; SIGINT as at a terminal
start_on() {
	LOG=$BATS_TEST_TMPDIR/log
	export LOG
	: >"$LOG"
	mkfifo "$BATS_TEST_TMPDIR/ready"
	exec 9<>"$BATS_TEST_TMPDIR/ready"
	rm "$BATS_TEST_TMPDIR/ready"
	env --default-signal=INT,QUIT "$AIOEVT" on --ready-fd 9 "$@" >"$OUT.bg" 2>"$ERR.bg" \
		</dev/null 3>&- &
	BACKGROUND=$!
	read -r -t 60 -u 9
	exec 9<&-
}

has_lines() {
	[ "$(wc -l <"$LOG")" -ge "$1" ]
}

# Whether the process is none, or a zombie.
is_gone() {
	local stat

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $stat == *') Z '* ]]
}

finish() {
	until_true is_gone "$BACKGROUND" || return
	end_aioevt "$@"
}

# none_left: of the processes that wrote "NAME PID" to the log
none_left() {
	local pid

	while read -r _ pid; do
		is_gone "$pid" || { echo "$pid is left"; return 1; }
	done <"$LOG"
}

# COMMANDs, which end with the test if nothing else ends them. The first leaves a child that
# ignores signals and ends when there is $LOG.go, and ends by SIGTERM itself; the second ignores all.
LEADER='sh -c "trap \"\" TERM INT; echo child \$\$ >>\"\$LOG\"
		until [ -e \"\$LOG.go\" ] || [ ! -e \"\$LOG\" ]; do sleep 0.02; done; echo over 0 >>\"\$LOG\"" &
	echo "start$1 $$" >>"$LOG"; wait'
STUBBORN='trap "" TERM INT HUP; echo "start $$" >>"$LOG"; while [ -e "$LOG" ]; do sleep 0.02; done'

@test "restart: the next starts when all of the group have ended" {
	local first

	start_on e --on-busy restart --kill-after 1h -- sh -c "$LEADER" sh {0}
	run_aioevt emit e 1
	until_true has_lines 2
	first=$(sed -n 's/^start1 //p' "$LOG")
	run_aioevt emit e 2
	until_true is_gone "$first"
	until_true is_asleep "$BACKGROUND"
	expect "lines" "$(grep -c . "$LOG")" 2
	touch "$LOG.go"
	until_true grep -q start2 "$LOG"
	expect "order" "$(sed -n 3p "$LOG")" "over 0"
	kill -TERM "$BACKGROUND"
	finish 143
	none_left
}

@test "restart: what ignores the signal is killed, with its group, and told" {
	start_on e --on-busy restart --kill-after 0.3 -- sh -c "$STUBBORN & $STUBBORN" sh {0}
	run_aioevt emit e 1
	until_true has_lines 2
	cp "$LOG" "$LOG.first"
	run_aioevt emit e 2
	until_true has_lines 4
	LOG=$LOG.first none_left
	kill -TERM "$BACKGROUND"
	finish 143
	none_left
	expect "stderr" "$errors" 'aioevt: event "e", record 1: "sh" has not ended 0.3 s after signal 15 (Terminated), and is killed
aioevt: event "e", record 2: "sh" has not ended 0.3 s after signal 15 (Terminated), and is killed'
}

@test "restart: --stop-signal is what is sent" {
	local i

	for i in INT SIGINT 2; do
		start_on e --on-busy restart --stop-signal "$i" --kill-after 1h -- sh -c '
			trap "echo got >>\"\$LOG\"; exit" INT; trap "" TERM
			echo start >>"$LOG"; while [ -e "$LOG" ]; do sleep 0.02; done'
		run_aioevt emit e
		until_true has_lines 1
		run_aioevt emit e
		until_true has_lines 3
		expect "log" "$(cat "$LOG")" $'start\ngot\nstart'
		kill -INT "$BACKGROUND"
		finish 130
		run_aioevt rm e
	done
	run_usage on e --stop-signal NONE -- true
	run_usage on e --stop-signal 0 -- true
	run_usage on e --stop-signal 65 -- true
	expect_match "stderr" "$errors" 'aioevt: --stop-signal "65": *from 1 to 64*'
	run_usage on e --kill-after never -- true
}

@test "the end waits for the group, and kills what ignores the signal" {
	start_on e --jobs 2 --kill-after 0.3 -- sh -c "$STUBBORN" sh
	run_aioevt emit e
	run_aioevt emit e
	until_true has_lines 2
	kill -TERM "$BACKGROUND"
	finish 143
	none_left
	expect "lines" "$(grep -c 'and is killed$' <<<"$errors")" 2
}

@test "the end waits for those of the group that COMMAND left" {
	start_on e --kill-after 1h -- sh -c "$LEADER" sh 1
	run_aioevt emit e
	until_true has_lines 2
	kill -TERM "$BACKGROUND"
	until_true is_gone "$(sed -n 's/^start1 //p' "$LOG")"
	until_true is_asleep "$BACKGROUND"
	kill -0 "$BACKGROUND"
	touch "$LOG.go"
	finish 143
	expect "log" "$(tail -n 1 "$LOG")" "over 0"
	none_left
}

@test "a second SIGINT kills at once" {
	local i

	for i in INT TERM; do
		start_on e --kill-after 1h -- sh -c "$STUBBORN & $STUBBORN" sh
		run_aioevt emit e
		until_true has_lines 2
		kill "-$i" "$BACKGROUND"
		until_true is_blocked_empty "$BACKGROUND"
		kill -INT "$BACKGROUND"
		finish $((128 + $(kill -l "$i")))
		none_left
		expect "stderr" "$errors" ""
		run_aioevt rm e
	done
}

# Whether a signal that was sent to the process has been taken.
is_blocked_empty() {
	grep -qE '^ShdPnd:[[:space:]]*0+$' "/proc/$1/status"
}

@test "a COMMAND that wants the terminal is told, and is killed like others" {
	LOG=$BATS_TEST_TMPDIR/log
	export LOG AIOEVT
	mkfifo "$LOG.ready"
	exec 8<>"$LOG.ready"
	# on is in the foreground of a terminal, COMMAND is not
	script -qec 'echo $$ >"$LOG.pid"; exec "$AIOEVT" on e --ready-fd 9 \
			--kill-after 1h -- sh -c "echo \$\$ >\"\$LOG\"; exec cat </dev/tty" \
			9>"$LOG.ready" 2>"$LOG.err"' /dev/null </dev/null >/dev/null 2>&1 3>&- 8>&- &
	read -r -t 60 -u 8
	exec 8>&-
	run_aioevt emit e
	until_true grep -q . "$LOG.err"
	expect "stderr" "$(cat "$LOG.err")" 'aioevt: event "e", record 1: "sh" was stopped by signal 21 (Stopped (tty input)): it wants the terminal, which COMMAND does not get'
	kill -TERM "$(cat "$LOG.pid")"
	until_true is_gone "$(cat "$LOG")"
	until_true is_gone "$(cat "$LOG.pid")"
}

# ---- wait ---------------------------------------------------------------------------------

# start_wait ARGS: in the background; COMMAND writes to $LOG
start_wait() {
	LOG=$BATS_TEST_TMPDIR/log
	export LOG
	: >"$LOG"
	env --default-signal=INT,QUIT "$AIOEVT" wait "$@" >"$OUT.bg" 2>"$ERR.bg" </dev/null 3>&- &
	BACKGROUND=$!
}

@test "wait -- COMMAND: signals are passed on, and end it" {
	local i

	for i in TERM HUP INT QUIT; do
		start_wait e -- sh -c 'trap "echo got $1 >>\"\$LOG\"; exit" "$1"
			echo "start $$" >>"$LOG"; while [ -e "$LOG" ]; do sleep 0.02; done' sh "$i"
		until_true has_lines 1
		kill "-$i" "$BACKGROUND"
		finish $((128 + $(kill -l "$i")))
		until_true has_lines 2
		expect "log" "$(tail -n 1 "$LOG")" "got $i"
		until_true is_gone "$(sed -n 's/^start //p' "$LOG")"
	done
	expect "stderr" "$errors" ""
}

@test "wait -- COMMAND: signals end it when COMMAND has ended, and are ignored if they were" {
	start_wait e -- sh -c 'echo "start $$" >>"$LOG"'
	until_true has_lines 1
	until_true is_gone "$(sed -n 's/^start //p' "$LOG")"
	kill -TERM "$BACKGROUND"
	finish 143
	: >"$LOG"
	env --ignore-signal=HUP "$AIOEVT" wait e -t 60 -- sh -c 'echo start >>"$LOG"' \
		>"$OUT.bg" 2>"$ERR.bg" </dev/null 3>&- &
	BACKGROUND=$!
	until_true has_lines 1
	kill -HUP "$BACKGROUND"
	run_aioevt emit e x
	finish
	expect "stdout" "$output" x
}

@test "wait --kill: COMMAND and its group end at the timeout" {
	local i

	for i in --kill --kill=USR1 --kill=9; do
		start_wait e -t 1 "$i" -- sh -c 'sleep 1000 & echo "child $!" >>"$LOG"
			trap "exit 0" USR1; echo "start $$" >>"$LOG"; wait'
		finish 124
		has_lines 2
		none_left
	done
	run_aioevt emit e x
	# no harm to one that has ended, or if the event comes
	run_aioevt 124 wait e -t 0.3 --kill -- true
	run_aioevt wait e --after 0 -t 20 --kill -- true
	run_usage wait e --kill -t 1
	run_usage wait e --kill -- true
	run_usage wait e --kill=none -t 1 -- true
}

@test "wait --kill: a signal kills what ignores the first" {
	local told='trap "echo told 0 >>\"\$LOG\"" TERM
		echo "start $$" >>"$LOG"; while [ -e "$LOG" ]; do sleep 0.02; done'

	start_wait e -t 2 --kill -- sh -c "$STUBBORN & $told"
	# the third tells that the time is up
	until_true has_lines 3
	kill -TERM "$BACKGROUND"
	finish 143
	none_left
}
