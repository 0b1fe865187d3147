#!/usr/bin/env bats
# aioevt gc: which buses go, and which stay.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# The buses there are. What is there is removed in the end: this file makes many.
buses() {
	local file

	for file in "$AIOEVT_DIR"/aioevt.*; do
		[ -e "$file" ] && printf '%s ' "${file##*/aioevt."$(id -u)".}"
	done
	return 0
}

@test "gc keeps what was used lately, unless --older-than says otherwise" {
	run_aioevt -b one emit a
	run_aioevt gc
	expect "output" "$output$errors" ""
	run_aioevt gc --older-than 1h
	expect "output" "$output$errors" ""
	expect "left" "$(buses)" "one "
	run_aioevt gc --older-than 0
	expect "output" "$output$errors" one
	expect "left" "$(buses)" ""
	run_aioevt gc --older-than 0
	expect "output" "$output$errors" ""
}

@test "gc prints one name on each line, sorted" {
	local i

	for i in c a b; do
		run_aioevt -b "$i" emit e
	done
	run_aioevt gc --older-than 0
	expect "stdout" "$output" 'a
b
c'
	expect "left" "$(buses)" ""
}

@test "gc --dry-run prints the same and removes nothing" {
	run_aioevt -b one emit a
	run_aioevt -b two emit a
	run_aioevt gc --dry-run --older-than 0
	expect "stdout" "$output" 'one
two'
	run_aioevt gc --dry-run
	expect "stdout" "$output" ""
	expect "left" "$(buses)" "one two "
	rm "$AIOEVT_DIR"/*
}

@test "gc never removes a bus with a live participant, not even a stopped one" {
	start_aioevt wait a --timeout 30
	until_listening a
	run_aioevt gc --older-than 0
	expect "output" "$output$errors" ""
	kill -STOP "$BACKGROUND"
	run_aioevt gc --older-than 0
	expect "output" "$output$errors" ""
	kill -CONT "$BACKGROUND"
	run_aioevt emit a news
	end_aioevt
	expect "heard" "$output" news
}

@test "gc removes a bus whose last user was killed" {
	start_aioevt wait a --timeout 30
	until_listening a
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	run_aioevt gc --older-than 0
	expect "stdout" "$output" "$AIOEVT_BUS"
	expect "left" "$(buses)" ""
}

@test "gc leaves alone what is damaged or no bus of mine, with a line each" {
	local i

	for i in damaged mode nobus; do
		run_aioevt -b "$i" emit a
	done
	printf '\001' | dd of="$AIOEVT_DIR/aioevt.$(id -u).damaged" bs=1 seek=128 conv=notrunc \
		status=none
	chmod 666 "$AIOEVT_DIR/aioevt.$(id -u).mode"
	echo text >"$AIOEVT_DIR/aioevt.$(id -u).nobus"
	: >"$AIOEVT_DIR/aioevt.$(id -u)..hidden"
	: >"$AIOEVT_DIR/aioevt.4711.foreign"
	: >"$AIOEVT_DIR/something"
	run_aioevt -b sound emit a
	run_aioevt gc --older-than 0
	expect "stdout" "$output" sound
	expect "stderr" "$errors" 'aioevt: bus ".hidden": left alone: not the name of a bus
aioevt: bus "damaged": left alone: damaged, see aioevt doctor
aioevt: bus "mode": left alone: its owner, mode or type is not what a bus has
aioevt: bus "nobus": left alone: not a bus, or a damaged one'
	expect "left" "$(find "$AIOEVT_DIR" -type f | wc -l)" 6
	rm "$AIOEVT_DIR"/*
}

# Make a bus look as if a program of another version had made it.
set_version() {
	printf '\377' | dd of="$BUS_FILE" bs=1 seek=8 conv=notrunc status=none
}

@test "gc removes a bus of another version by the same rules" {
	start_aioevt wait a --timeout 30
	until_listening a
	set_version
	run_aioevt gc --older-than 0
	expect "in use" "$output$errors$(buses)" "$AIOEVT_BUS "
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	run_aioevt gc --older-than 1h
	expect "used lately" "$output$errors$(buses)" "$AIOEVT_BUS "
	touch -d '2 hours ago' "$BUS_FILE"
	run_aioevt gc --older-than 3h
	expect "used lately" "$output$errors$(buses)" "$AIOEVT_BUS "
	run_aioevt gc --older-than 1h --dry-run
	expect "dry run" "$output$errors $(buses)" "$AIOEVT_BUS $AIOEVT_BUS "
	run_aioevt gc --older-than 1h
	expect "output" "$output$errors" "$AIOEVT_BUS"
	expect "left" "$(buses)" ""
}

@test "attaching sets the file's time, by which gc judges a bus of another version" {
	local what

	run_aioevt emit a
	for what in "emit a" "get a" list "wait a --timeout 0 --after 0"; do
		touch -d '2 hours ago' "$BUS_FILE"
		run_aioevt $what
		touch -d '1 hour ago' "$AIOEVT_DIR/then"
		[ "$BUS_FILE" -nt "$AIOEVT_DIR/then" ]
		rm "$AIOEVT_DIR/then"
	done
}

@test "gc --bus looks at that bus only; AIOEVT_BUS does not matter" {
	run_aioevt -b one emit a
	run_aioevt -b two emit a
	run_aioevt gc --bus one --older-than 0
	expect "stdout" "$output" one
	AIOEVT_BUS=none run_aioevt gc --older-than 0
	expect "stdout" "$output" two
	AIOEVT_BUS=a/b run_aioevt gc
	run_aioevt 1 gc --bus one
	expect_match "stderr" "$errors" 'aioevt: bus "one": * No such file *'
	echo text >"$BUS_FILE"
	chmod 600 "$BUS_FILE"
	run_aioevt 6 gc --bus "$AIOEVT_BUS"
	chmod 666 "$BUS_FILE"
	run_aioevt 7 gc --bus "$AIOEVT_BUS"
}

@test "1: no directory; and output that cannot be written" {
	AIOEVT_DIR=$AIOEVT_DIR/none run_aioevt 1 gc
	expect "stderr" "$errors" "aioevt: $AIOEVT_DIR/none: No such file or directory"
	run_aioevt -b one emit a
	# shellcheck disable=SC2016
	run bash -c '"$0" gc --dry-run --older-than 0 >/dev/full 3>&-' "$AIOEVT"
	expect "status" "$status" 1
	expect_match "stderr" "$output" "aioevt: standard output: *"
	rm "$AIOEVT_DIR"/*
}

@test "64: arguments, and durations that are none" {
	run_usage gc one
	run_usage gc --older-than x
	expect_match "stderr" "$errors" '*--older-than "x"*'
	run_usage gc --older-than 1y
	run_usage gc --older-than 99999999999
	expect_match "stderr" "$errors" '*3153600000*'
	run_usage gc --bus a/b
}
