#!/usr/bin/env bats
# The exit statuses, and the one line that says why.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# The errors of getopt come with a second line, which names what there is.
run_option_error() {
	local hint="see aioevt $1 --help"

	[[ $1 != -* ]] || hint="see aioevt --help"
	run_aioevt 64 "$@"
	expect "stdout" "$output" ""
	expect_match "stderr" "$errors" $'aioevt: *\naioevt: '"$hint"
}

@test "0: help and version, on standard output, on a screen of 24 lines" {
	local i

	for i in "" $(commands); do
		# shellcheck disable=SC2086
		run_aioevt $i --help
		expect_match "stdout" "$output" "Usage: aioevt${i:+ $i} *Status: *"
		expect "stderr" "$errors" ""
		[ "$(wc -l <"$OUT")" -le 24 ]
		[ "$(wc -L <"$OUT")" -le 80 ]
		# shellcheck disable=SC2086
		run_aioevt $i --version
		expect_match "stdout" "$output" "aioevt [0-9]*"
	done
}

@test "0: help of a command; 64: of what is none" {
	local i

	# Where the pages are not installed, or there is no man.
	for i in "" $(commands); do
		# shellcheck disable=SC2086
		MANPATH=/nowhere run_aioevt help $i
		expect_match "stdout" "$output" "Usage: aioevt${i:+ $i} *"
	done
	run_usage help nonsense
	expect_match "stderr" "$errors" '*"nonsense" is no command, nor cookbook, shm or python*'
	for i in cookbook shm python; do
		MANPATH=/nowhere run_aioevt 1 help "$i"
		expect_match "stderr" "$errors" "aioevt: the manual page aioevt-$i(7) is not installed*"
	done
	run_usage help emit wait
}

@test "help of a command is its page where there is one; man's status" {
	local bin=$BATS_TEST_TMPDIR/bin

	mkdir "$bin"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ "$1" = -w ] && { echo path; exit; }\necho "man $*"\nexit 3\n' >"$bin/man"
	chmod +x "$bin/man"
	PATH=$bin:$PATH run_aioevt 3 help wait
	expect "stdout" "$output" "man 1 aioevt-wait"
	PATH=$bin:$PATH run_aioevt 3 help cookbook
	expect "stdout" "$output" "man 7 aioevt-cookbook"
	PATH=$bin:$PATH run_aioevt 3 help
	expect "stdout" "$output" "man 1 aioevt"
	# its parent ignores SIGCHLD
	(trap '' CHLD; PATH=$bin:$PATH "$AIOEVT" help wait >"$OUT" 3>&-) || true
	expect "stdout" "$(cat "$OUT")" "man 1 aioevt-wait"
	# there is no man at all
	PATH=$BATS_TEST_TMPDIR /usr/bin/env "$AIOEVT" help wait >"$OUT" 3>&-
	expect_match "stdout" "$(cat "$OUT")" "Usage: aioevt wait *"
}

@test "1: standard output that cannot be written to" {
	local i

	run_aioevt emit e
	for i in "emit --print-seq e" "wait e --after 0 --timeout 0 --json" "list" "--help"; do
		# shellcheck disable=SC2016
		AIOEVT=$AIOEVT run bash -c '"$AIOEVT" $0 >/dev/full 3>&-' "$i"
		expect "$i" "$status" 1
		expect_match "stderr" "$output" "aioevt: standard output: *"
	done
}

@test "1: a pipe without reader" {
	local status

	run_aioevt emit e
	status=$(trap '' PIPE; { "$AIOEVT" list 2>"$ERR" 3>&-; echo $? >"$OUT"; } | true
		cat "$OUT")
	[ "$status" -eq 0 ] || [ "$status" -eq 1 ]
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	exec 7<>"$BATS_TEST_TMPDIR/pipe"
	exec 8>"$BATS_TEST_TMPDIR/pipe" 7<&-
	status=0
	"$AIOEVT" list >&8 2>"$ERR" 3>&- || status=$?
	exec 8>&-
	expect "status" "$status" 1
	expect "stderr" "$(cat "$ERR")" ""
}

@test "1: standard input that cannot be read" {
	run_aioevt 1 emit --stdin e </
	expect_match "stderr" "$errors" "aioevt: standard input: *"
}

@test "1: no directory for the bus" {
	AIOEVT_DIR=$AIOEVT_DIR/none run_aioevt 1 emit e
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": */none/*: No such file*"
}

# run_limited KILOBYTES STATUS ARGS: with this RLIMIT_FSIZE; to be run in a subshell
run_limited() {
	ulimit -f "$1"
	shift
	run_aioevt "$@"
	expect "lines" "$(wc -l <"$ERR")" 1
	printf '%s' "$errors" >"$ERR.limited"
}

@test "1: RLIMIT_FSIZE that a bus, an event or a large payload does not go with" {
	local large

	printf -v large %0200d 0
	(run_limited 100 1 emit e)
	expect "stderr" "$(cat "$ERR.limited")" "aioevt: bus \"$AIOEVT_BUS\": RLIMIT_FSIZE, \
102400 bytes, is too small to create $BUS_FILE"
	run_aioevt emit e
	(run_limited 100 1 emit new)
	expect_match "stderr" "$(cat "$ERR.limited")" \
		'aioevt: bus *, event "new": RLIMIT_FSIZE, 102400 bytes, *'
	(run_limited 100 1 wait new --timeout 0)
	expect_match "stderr" "$(cat "$ERR.limited")" \
		'aioevt: bus *, event "new": RLIMIT_FSIZE, 102400 bytes, *'
	(run_limited 1000000 1 emit e "$large")
	expect_match "stderr" "$(cat "$ERR.limited")" \
		'aioevt: event "e": a payload of 205 bytes, *limit of 104, *RLIMIT_FSIZE is 1024000000 bytes*'
	(ulimit -f 1000000 && run_aioevt emit e small)
	run_aioevt emit e "$large"
}

@test "1: a directory that is not on a tmpfs, and a large payload" {
	local large

	[ "$(stat -f -c %T "$BATS_TEST_TMPDIR")" != tmpfs ] || skip "on a tmpfs"
	printf -v large %0200d 0
	mkdir "$BATS_TEST_TMPDIR/bus"
	AIOEVT_DIR=$BATS_TEST_TMPDIR/bus run_aioevt emit e small
	AIOEVT_DIR=$BATS_TEST_TMPDIR/bus run_aioevt 1 emit e "$large"
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$errors" "aioevt: event \"e\": a payload of 205 bytes, *limit of 104, \
*$BATS_TEST_TMPDIR/bus is not on a tmpfs*"
}

@test "1: a directory without space for a large payload" {
	local bus=$BATS_TEST_TMPDIR/bus

	mkdir "$bus"
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs -o size=1m none "$0"' "$bus" 2>/dev/null ||
		skip "cannot mount"
	# shellcheck disable=SC2016
	run unshare -m sh -c 'mount -t tmpfs -o size=8m none "$0" && export AIOEVT_DIR="$0" &&
		head -c 8000000 /dev/zero | exec timeout 20 "$1" emit e --stdin 3>&-' "$bus" "$AIOEVT"
	expect "status" "$status" 1
	expect "output" "$output" "aioevt: event \"e\": no space in $bus for a payload of \
8000008 bytes, of those over 104 that may take 4194304 bytes together; nothing was emitted"
}

@test "6: what is no bus" {
	local i

	head -c 10000 /dev/urandom >"$BUS_FILE"
	chmod 600 "$BUS_FILE"
	for i in "emit e" "wait e --timeout 0" "list"; do
		# shellcheck disable=SC2086
		run_aioevt 6 $i
		expect "lines" "$(wc -l <"$ERR")" 1
		expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": * not a bus"
	done
	: >"$BUS_FILE"
	run_aioevt 6 list
}

@test "7: a mode that a bus does not have" {
	local i

	run_aioevt emit e
	chmod 666 "$BUS_FILE"
	for i in "emit e" "wait e --timeout 0" "list"; do
		# shellcheck disable=SC2086
		run_aioevt 7 $i
		expect "lines" "$(wc -l <"$ERR")" 1
		expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": *"
	done
}

@test "7: a bus of somebody else" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	run_aioevt emit e
	chown 12345 "$BUS_FILE"
	run_aioevt 7 emit e
}

@test "7: a group that is not mine" {
	local status=0 as=()

	if [ "$(id -u)" -eq 0 ]; then
		chmod 777 "$AIOEVT_DIR"
		as=(setpriv --reuid 12345 --regid 12345 --clear-groups)
		"${as[@]}" "$AIOEVT" --version 3>&- || skip "cannot run it as another user"
	elif id -G | grep -qw 0; then
		skip "in group 0"
	fi
	timeout 20 "${as[@]}" "$AIOEVT" emit e --group 0 >"$OUT" 2>"$ERR" 3>&- || status=$?
	expect "status" "$status" 7
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$(cat "$ERR")" \
		'aioevt: --group "0": this process is not in that group; *'
}

@test "7: what is no file" {
	ln -s /dev/null "$BUS_FILE"
	run_aioevt 7 emit e
}

@test "64: no command, or none that there is" {
	run_usage
	run_usage emitt
	expect_match "stderr" "$errors" '*"emitt"*emit, wait, *;*'
	run_option_error --no-such-option
}

@test "64: no NAME, or too many words" {
	run_usage emit
	run_usage wait
	run_usage wait --timeout 5
	run_usage wait -- true
	run_usage wait e --
	run_usage list a b
}

@test "64: options that there are not, and values that are missing" {
	local i

	for i in emit wait list; do
		run_option_error "$i" e --no-such-option
		run_option_error "$i" e -x
		run_option_error "$i" e --bus
	done
	run_option_error wait e --timeout
	run_option_error emit e --json
}

@test "64: names that break the rules, with the byte" {
	local long

	run_usage emit 'a b'
	expect_match "stderr" "$errors" '*event name "a b": *\(0x20\) at byte 1'
	run_usage emit ''
	run_usage emit a..b
	run_usage emit .a
	run_usage emit a.
	run_usage emit 'a.*'
	expect_match "stderr" "$errors" '*\(0x2a\) at byte 2'
	run_usage emit $'a\xff'
	expect_match "stderr" "$errors" '*\(0xff\) at byte 1'
	run_usage emit $'a\nb'
	expect_match "stderr" "$errors" '*"a\\u000ab"*\(0x0a\) at byte 1'
	run_usage wait ok 'a b'
	run_usage wait 'a.>.b'
	run_usage list 'a b'
	printf -v long %0127d 0
	run_aioevt emit "x$long" 2>/dev/null && false
	run_aioevt emit "$long"
	run_usage emit "x$long"
}

@test "64: a COMMAND of wait without -- before it" {
	run_usage wait e -t 1 sleep 9
	expect "stderr" "$errors" 'aioevt: "sleep" behind an option that follows a NAME: give all NAMEs together, and "--" before COMMAND'
	run_usage wait e --json sleep
	run_usage wait -t 1 e f --bus x g
	run_aioevt 124 wait -t 0 e f --all
}

@test "64: values out of range" {
	run_usage wait e --timeout x
	expect_match "stderr" "$errors" '*--timeout "x"*'
	run_usage wait e --timeout -1
	run_usage wait e --timeout 1y
	run_usage wait e --timeout 99999999999
	expect_match "stderr" "$errors" '*3153600000*'
	run_usage wait e --after x
	run_usage wait e --after -1
	run_usage wait e --after 9223372036854775807
	expect_match "stderr" "$errors" '*9223372036854775806'
	run_usage wait e --format xml
	expect_match "stderr" "$errors" '*"xml"*plain, json or shell*'
	run_usage emit e --group no.such.group
	run_usage emit e --group 4294967295
}

@test "64: names of buses that break the rules" {
	local i

	for i in a/b .a 'a b' "$(printf %065d 0)"; do
		run_usage emit e --bus "$i"
		run_usage wait e --bus "$i"
		run_usage list --bus "$i"
	done
	AIOEVT_BUS=a/b run_usage emit e
	expect_match "stderr" "$errors" '*bus name "a/b"*64*'
}

@test "124: timed out" {
	run_aioevt 124 wait e --timeout 1ms
}

@test "126 and 127: COMMAND that cannot be run or is not there" {
	run_aioevt 127 wait e -- no-such-command-anywhere
	expect_match "stderr" "$errors" 'aioevt: cannot run "no-such-command-anywhere": *'
	run_aioevt 127 wait e -- ./no/such/path
	run_aioevt 126 wait e -- "$BATS_TEST_TMPDIR"
	echo text >"$BATS_TEST_TMPDIR/file"
	run_aioevt 126 wait e -- "$BATS_TEST_TMPDIR/file"
}

@test "--bus and AIOEVT_BUS name the bus, --bus first; options may stand before the command" {
	local other=$AIOEVT_BUS

	run_aioevt --bus "$other" emit e 1
	AIOEVT_BUS=none run_aioevt wait --bus "$other" e --after 0 --timeout 0
	expect "stdout" "$output" 1
	AIOEVT_BUS=none run_aioevt -b none wait -b "$other" e --after 0 --timeout 0
	expect "stdout" "$output" 1
	run_aioevt -b "$(id -u):$other" -g "$(id -g)" list
	expect_match "stdout" "$output" '*e *'
}

@test "--group makes a bus for a group" {
	local group

	group=$(id -g)
	run_aioevt emit e --group "$group"
	expect "mode and group" "$(stat -c '%a %g' "$BUS_FILE")" "660 $group"
	run_aioevt wait e --group "$(getent group "$group" | cut -d: -f1)" --after 0 --timeout 0
}
