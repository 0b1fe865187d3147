#!/usr/bin/env bats
# aioevt doctor: what it prints, that it changes nothing, and when a bus is healthy.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

# poke OFFSET BYTES: write printf(1)-escaped BYTES into the bus file
poke() {
	# shellcheck disable=SC2059
	printf "$2" | dd of="$BUS_FILE" bs=1 seek="$1" conv=notrunc status=none
}

state_of_file() {
	cksum <"$BUS_FILE"
	stat -c '%s %b %Y %Z %i' "$BUS_FILE"
}

@test "doctor of a healthy bus prints its file, limits, memory and events" {
	run_aioevt emit job.a
	run_aioevt emit job.a
	run_aioevt emit Ünicode
	run_aioevt doctor
	expect_match "file" "$(sed -n 1p <<<"$output")" \
		"bus     $BUS_FILE, version $(format_version), made *s ago, used *s ago"
	expect "limits" "$(sed -n 2p <<<"$output")" "limits  4096 events, 1024 listeners, \
1024 records a ring, 104 bytes inline, 16777216 at most"
	expect_match "memory" "$(sed -n 3p <<<"$output")" \
		'memory  *K: tables *K, rings *K of *M, bodies 0 of *M'
	expect "in use" "$(sed -n 4p <<<"$output")" \
		"in use  2 events, 0 listeners, 0 ports, 0 of them alive"
	expect "events" "$(awk '/^EVENT/ { on = 1 } !NF { on = 0 } on { print $1, $2, $3 }' \
		<<<"$output")" 'EVENT PHASE RECORDS
job.a live 2
Ünicode live 1'
	expect "verdict" "$(tail -n 1 <<<"$output")" healthy
	expect "stderr" "$errors" ""
}

@test "doctor aligns its columns" {
	run_aioevt emit a
	run_aioevt emit a.much.longer.name.than.the.others
	run_aioevt doctor
	expect "widths" "$(awk '/^EVENT/ { on = 1 } !NF { on = 0 } on { print length($0) }' \
		<<<"$output" | sort -u | wc -l)" 1
}

@test "doctor --json prints one object with all that there is" {
	start_aioevt wait b --timeout 20
	until_listening b
	run_aioevt emit a x
	head -c 5000 /dev/zero | run_aioevt emit a --stdin
	run_aioevt doctor --json
	expect "lines" "$(wc -l <<<"$output")" 1
	expect "keys" "$(jq -c keys_unsorted <<<"$output")" '["healthy","file","version","removed",'\
'"created","used","limits","memory","listeners","alive","ports","events","reliable","held",'\
'"problems","notes","unlisted"]'
	expect "scalars" "$(jq -c '[.healthy, .file, .version, .removed, .listeners, .alive, .unlisted]' \
		<<<"$output")" "[true,\"$BUS_FILE\",$(format_version),false,1,1,0]"
	size=$(($(stat -f -c '%b * %S' "$AIOEVT_DIR")))
	expect "limits" "$(jq -c .limits <<<"$output")" "{\"events\":4096,\"listeners\":1024,\"depth\":1024,\
\"inline\":104,\"payload\":16777216,\"rings\":$((size < 2 ** 28 ? size / 4 : 2 ** 26)),\"bodies\":$((size / 2))}"
	expect "bodies" "$(jq .memory.bodies <<<"$output")" 8192
	expect "sum" "$(jq '.memory | .all - .tables - .rings - .bodies' <<<"$output")" 0
	expect "port" "$(jq -c '.ports[] | [.port, .pid, .state, .events, .listeners]' \
		<<<"$output")" "[0,$BACKGROUND,\"alive\",1,1]"
	expect "since" "$(jq '.ports[0].since as $s | now * 1e9 - $s | . >= 0 and . < 60e9' \
		<<<"$output")" true
	expect "events" "$(jq -c '[.events[] | [.event, .phase, .records, .listeners, .reliable,
		.depth, .rings, (.time | type)]] | sort' <<<"$output")" \
		'[["a","live",2,0,0,1024,1,"number"],["b","live",0,1,0,1024,1,"null"]]'
	expect "lists" "$(jq -c '[.reliable, .held, .problems, .notes]' <<<"$output")" \
		'[[],[],[],[]]'
	run_aioevt emit b
	end_aioevt
}

@test "doctor changes nothing, on a bus that is used and on one that is left" {
	local before

	start_aioevt wait a --timeout 20
	until_listening a
	kill -STOP "$BACKGROUND"
	before=$(state_of_file)
	run_aioevt doctor
	run_aioevt doctor --json
	expect "stopped user" "$(state_of_file)" "$before"
	kill -CONT "$BACKGROUND"
	run_aioevt emit a
	end_aioevt
	before=$(state_of_file)
	run_aioevt doctor
	expect "nobody" "$(state_of_file)" "$before"
}

@test "doctor needs no more than to read the file" {
	run_aioevt emit a
	chmod 400 "$BUS_FILE"
	run_aioevt doctor
}

@test "doctor tells a dead process, which the next who comes by cleans up" {
	start_aioevt wait a --timeout 20
	until_listening a
	kill -KILL "$BACKGROUND"
	end_aioevt 137
	run_aioevt doctor
	expect_match "port" "$output" "* $BACKGROUND  dead *"
	expect_match "note" "$output" "*
note    dead-port: port 0: process $BACKGROUND is dead *
healthy"
	run_aioevt doctor --json
	expect "note" "$(jq -c '[.healthy, .alive, [.notes[].code]]' <<<"$output")" \
		'[true,0,["dead-port"]]'
	run_aioevt emit b
	run_aioevt doctor --json
	expect "cleaned" "$(jq -c '[.ports, .notes]' <<<"$output")" '[[],[]]'
}

@test "8: doctor names the problems of a damaged bus" {
	run_aioevt emit a
	poke 128 '\001'
	run_aioevt 8 doctor
	expect_match "text" "$output" '*
problem header: it is marked as removed, but the file is there

1 problem'
	expect "stderr" "$errors" ""
	run_aioevt 8 doctor --json
	expect "json" "$(jq -c '[.healthy, [.problems[].code]]' <<<"$output")" '[false,["header"]]'
	poke 128 '\000'
	run_aioevt doctor
	truncate -s 8192 "$BUS_FILE"
	run_aioevt 8 doctor
	expect_match "text" "$output" '*problem truncated: the file has 8192 bytes, *1 problem'
}

@test "2: doctor of a bus that does not exist, which it does not make" {
	run_aioevt 2 doctor
	expect "stdout" "$output" ""
	expect "stderr" "$errors" \
		"aioevt: bus \"$AIOEVT_BUS\": $BUS_FILE: No such file or directory"
	run_aioevt 2 doctor --json
	expect "stdout" "$output" ""
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

@test "1: doctor whose output cannot be written" {
	run_aioevt emit a
	# shellcheck disable=SC2016
	run bash -c '"$0" doctor >/dev/full 3>&-' "$AIOEVT"
	expect "status" "$status" 1
	expect_match "stderr" "$output" "aioevt: standard output: *"
}

@test "6: doctor says of which version a bus is, and what is none" {
	run_aioevt emit a
	poke 8 '\377'
	run_aioevt 6 doctor
	expect "stdout" "$output" ""
	expect "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": $BUS_FILE is of format version 255, this \
program uses version $(format_version); \"aioevt rm --bus $AIOEVT_BUS\" removes it"
	poke 8 "\\$(printf %03o "$(format_version)")"
	poke 12 '\001'
	run_aioevt 6 doctor
	expect_match "stderr" "$errors" "*version $(format_version) with additions*"
	head -c 10000 /dev/urandom >"$BUS_FILE"
	run_aioevt 6 doctor
	expect_match "stderr" "$errors" "aioevt: bus \"$AIOEVT_BUS\": * not a bus"
}

@test "7: doctor of a file whose mode or type is not a bus's" {
	run_aioevt emit a
	chmod 666 "$BUS_FILE"
	run_aioevt 7 doctor
	rm "$BUS_FILE"
	mkfifo -m 600 "$BUS_FILE"
	run_aioevt 7 doctor
	expect "lines" "$(wc -l <"$ERR")" 1
	rm "$BUS_FILE"
	ln -s /dev/null "$BUS_FILE"
	run_aioevt 7 doctor
}

@test "64: doctor takes no argument, and names of buses have rules" {
	run_usage doctor a
	run_usage doctor --bus a/b
}

@test "doctor --bus and AIOEVT_BUS choose the bus" {
	run_aioevt --bus other emit a
	run_aioevt 2 doctor
	run_aioevt doctor --bus other
	run_aioevt --bus other doctor
	AIOEVT_BUS=other run_aioevt doctor
	run_aioevt doctor --bus "$(id -u):other" --group "$(id -g)"
	rm "$AIOEVT_DIR/aioevt.$(id -u).other"
}
