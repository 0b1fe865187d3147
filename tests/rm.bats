#!/usr/bin/env bats
# aioevt rm: events and buses are removed, and never a bus by accident.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

events() {
	"$AIOEVT" list --json 3>&- | jq -r .event 3>&- | tr '\n' ' '
}

@test "rm removes the events that are named, and no others" {
	local i

	for i in a b c d; do
		run_aioevt emit "$i"
	done
	run_aioevt rm a c
	expect "output" "$output$errors" ""
	expect "left" "$(events)" "b d "
	run_aioevt rm -b "$AIOEVT_BUS" d
	expect "left" "$(events)" "b "
	run_aioevt 124 wait a --after 0 --timeout 0
}

@test "the numbers of a removed event go on" {
	run_aioevt emit --print-seq a
	expect "first" "$output" 1
	run_aioevt rm a
	run_aioevt emit --print-seq a
	((output > 1))
}

@test "rm under a waiter: it goes on with the fresh event" {
	start_aioevt wait a --timeout 20
	until_listening a
	run_aioevt rm a
	run_aioevt emit a news
	end_aioevt
	expect "heard" "$output" news
}

@test "1: an event that is not there is told, and the others are removed" {
	run_aioevt emit a
	run_aioevt emit b
	run_aioevt 1 rm a nothing b never
	expect "stdout" "$output" ""
	expect "stderr" "$errors" 'aioevt: event "nothing": not there
aioevt: event "never": not there'
	expect "left" "$(events)" ""
	run_aioevt 1 rm a
}

@test "1: a bus that does not exist, which is not made" {
	run_aioevt 1 rm a
	expect "lines" "$(wc -l <"$ERR")" 1
	expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": * No such file *"
	run_aioevt 1 rm --bus other
	expect_match "stderr" "$errors" "aioevt: bus \"other\": * No such file *"
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

@test "64: patterns and what is no name, before anything is removed" {
	run_aioevt emit a
	run_usage rm a 'b.*'
	expect_match "stderr" "$errors" '*event name "b.\*": "\*" in a name *'
	run_usage rm a '>'
	run_usage rm a ''
	run_usage rm a 'b c'
	expect "left" "$(events)" "a "
}

@test "64: rm with neither an event nor its own --bus removes nothing" {
	run_aioevt emit a
	run_usage rm
	run_usage --bus "$AIOEVT_BUS" rm
	run_usage rm --bus "$AIOEVT_BUS" ''
	run_usage rm --bus a/b
	[ -e "$BUS_FILE" ]
	expect "left" "$(events)" "a "
}

@test "rm --bus removes that bus and no other" {
	run_aioevt emit a
	run_aioevt --bus other emit b
	run_aioevt rm --bus other
	expect "output" "$output$errors" ""
	expect "left" "$(ls "$AIOEVT_DIR")" "${BUS_FILE##*/}"
	run_aioevt rm --bus "$(id -u):$AIOEVT_BUS"
	expect "left" "$(ls "$AIOEVT_DIR")" ""
}

@test "--bus with events removes events of that bus" {
	run_aioevt --bus other emit b
	run_aioevt --bus other emit c
	run_aioevt rm --bus other b
	run_aioevt -b other rm c
	run_aioevt list --bus other
	expect "left" "$output" ""
	rm "$AIOEVT_DIR/aioevt.$(id -u).other"
}

@test "rm --bus under a waiter: it hears what is emitted on the next bus of that name" {
	start_aioevt wait a --timeout 20
	until_listening a
	run_aioevt rm --bus "$AIOEVT_BUS"
	run_aioevt emit a news
	end_aioevt
	expect "heard" "$output" news
	expect "stderr" "$errors" ""
}

@test "rm --bus under a stopped waiter: it finds the next bus when it goes on" {
	start_aioevt wait a --timeout 20
	until_listening a
	kill -STOP "$BACKGROUND"
	run_aioevt rm --bus "$AIOEVT_BUS"
	run_aioevt emit a news
	kill -CONT "$BACKGROUND"
	end_aioevt
	expect "heard" "$output" news
}

@test "6 and 7: what is no bus of mine is not removed" {
	run_aioevt emit a
	chmod 666 "$BUS_FILE"
	run_aioevt 7 rm --bus "$AIOEVT_BUS"
	run_aioevt 7 rm a
	echo text >"$BUS_FILE"
	chmod 600 "$BUS_FILE"
	run_aioevt 6 rm --bus "$AIOEVT_BUS"
	run_aioevt 6 rm a
	expect "file" "$(cat "$BUS_FILE")" text
}

@test "rm --bus removes a bus of another version, whose events it leaves alone" {
	run_aioevt emit a
	printf '\377' | dd of="$BUS_FILE" bs=1 seek=8 conv=notrunc status=none
	run_aioevt 6 rm a
	expect "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": $BUS_FILE is of format version 255, this \
program uses version $(format_version); \"aioevt rm --bus $AIOEVT_BUS\" removes it"
	run_aioevt rm --bus "$AIOEVT_BUS"
	expect "output" "$output$errors$(ls "$AIOEVT_DIR")" ""
}

@test "rm --bus under a process of another version: it finds out as from any removal" {
	start_aioevt wait a --timeout 20
	until_listening a
	printf '\377' | dd of="$BUS_FILE" bs=1 seek=8 conv=notrunc status=none
	run_aioevt rm --bus "$AIOEVT_BUS"
	run_aioevt emit a news
	end_aioevt
	expect "heard" "$output" news
}
