#!/usr/bin/env bats
# aioevt list: its table, its JSON and its PATTERN.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
load helpers

@test "list of a bus that does not exist is empty and creates none" {
	run_aioevt list
	expect "output" "$output$errors" ""
	run_aioevt list --json
	expect "output" "$output$errors" ""
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

@test "list prints a table with a header, sorted by name" {
	local line='^[^ ]+ +[0-9]+ +[0-9]+ +[0-9]+ +([0-9.]+(ms|s)|-) +[0-9]+ +-$' i

	run_aioevt emit job.b
	run_aioevt emit job.a
	run_aioevt emit job.b
	run_aioevt emit Ünicode
	run_aioevt 124 wait waited --timeout 0
	run_aioevt list
	expect "first column" "$(awk '{ print $1, $2 }' <<<"$output")" 'EVENT RECORDS
job.a 1
job.b 2
waited 0
Ünicode 1'
	for i in 2 3 4 5; do
		[[ $(sed -n "${i}p" <<<"$output") =~ $line ]]
	done
	expect "age of nothing" "$(awk '$1 == "waited" { print $5 }' <<<"$output")" -
}

@test "list aligns its columns" {
	run_aioevt emit a
	run_aioevt emit a.much.longer.name.than.the.others
	run_aioevt list
	expect "widths before SLOWEST" "$(awk '{ print length($0) - length($NF) }' \
		<<<"$output" | sort -u | wc -l)" 1
}

@test "list --json prints one object for each event" {
	start_aioevt wait b --timeout 10
	until_listening b
	run_aioevt emit a
	run_aioevt emit a
	run_aioevt list --json
	expect "lines" "$(wc -l <<<"$output")" 2
	expect "events" "$(jq -c '[.event, .records, .seq, .listeners, .reliable, .slowest]' \
		<<<"$output")" '["a",2,2,0,0,null]
["b",0,0,1,0,null]'
	expect "keys" "$(jq -c keys_unsorted <<<"$output" | sort -u)" \
		'["event","records","seq","time","age_ns","listeners","observers","reliable","depth","slowest"]'
	expect "times" "$(jq -c '[(.time | type), (.age_ns | type)]' <<<"$output")" \
		'["number","number"]
["null","null"]'
	expect "depth" "$(jq '.depth >= 8' <<<"$output" | sort -u)" true
	run_aioevt emit b
	end_aioevt
}

@test "list PATTERN" {
	local i

	for i in job.1.done job.2.done job.1 other; do
		run_aioevt emit "$i"
	done
	run_aioevt list --json 'job.*.done'
	expect "events" "$(jq -r .event <<<"$output")" $'job.1.done\njob.2.done'
	run_aioevt list --json 'job.>'
	expect "events" "$(jq -r .event <<<"$output")" $'job.1\njob.1.done\njob.2.done'
	run_aioevt list --json other
	expect "events" "$(jq -r .event <<<"$output")" other
	run_aioevt list nothing
	expect "events" "$output" ""
}

@test "list --bus shows another bus, and --group is taken" {
	run_aioevt emit here
	run_aioevt list --bus elsewhere
	expect "events" "$output" ""
	run_aioevt list -b "$AIOEVT_BUS" -g "$(id -g)"
	expect_match "events" "$output" '*here*'
}

@test "list --buses shows all buses, of all users, and touches none" {
	local before uid=4294967294 me

	me=$(id -un)
	run_aioevt list --buses
	expect "output" "$output$errors" ""
	run_aioevt emit e
	run_aioevt emit e -b other
	printf 'no bus, but long enough to be one' >"$AIOEVT_DIR/aioevt.$(id -u).zz"
	chmod 600 "$AIOEVT_DIR/aioevt.$(id -u).zz"
	: >"$AIOEVT_DIR/aioevt.$uid.theirs"
	chmod 644 "$AIOEVT_DIR/aioevt.$uid.theirs"
	: >"$AIOEVT_DIR/aioevt.x.y"
	: >"$AIOEVT_DIR/aioevt.0$(id -u).zz"
	: >"$AIOEVT_DIR/aioevt.1."$'\e[31m'
	before=$(stat -c '%n %Y %Z' "$AIOEVT_DIR"/*)
	run_aioevt list --buses
	expect "header" "$(head -n 1 "$OUT" | xargs)" "BUS OWNER MEMORY USABLE"
	expect "rows" "$(tail -n +2 "$OUT" | sed 's/ [0-9]*K / /' | xargs -L 1)" "other $me yes
$AIOEVT_BUS $me yes
zz $me no: not a bus
$uid:theirs user $uid no: its owner, mode or type"
	run_aioevt list --buses --json
	expect "objects" "$(jq -c '[.bus, .uid, .owner, .memory > 3e6, .usable, .problem, .file]' "$OUT" |
		sed -n 2,3p)" \
		"[\"$AIOEVT_BUS\",$(id -u),\"$me\",true,true,null,\"$BUS_FILE\"]
[\"zz\",$(id -u),\"$me\",false,false,\"not a bus\",\"$AIOEVT_DIR/aioevt.$(id -u).zz\"]"
	expect "untouched" "$(stat -c '%n %Y %Z' "$AIOEVT_DIR"/*)" "$before"
	find "$AIOEVT_DIR" -type f ! -path "$BUS_FILE" -delete
	AIOEVT_DIR=$AIOEVT_DIR/none run_aioevt 1 list --buses
	expect "stderr" "$errors" "aioevt: $AIOEVT_DIR/none: No such file or directory"
}

@test "list --buses: usage" {
	run_usage list --buses 'a.*'
	run_usage list --buses -b other
	run_usage list --buses -g 0
}

@test "list and doctor, and messages, escape controls and what turns the direction" {
	local name=$'left\u202eright'

	run_aioevt emit "$name"
	run_aioevt emit plain
	run_aioevt list
	expect "list" "$(awk '{ print $1, length($0) - length($2) }' <<<"$output" | tail -n 2)" \
		'left\u202eright 69
plain 69'
	run_aioevt doctor
	expect_match "doctor" "$output" '*left\\u202eright  live *'
	run_aioevt 1 rm $'no\u202eevent'
	expect_match "message" "$errors" 'aioevt: *no\\u202eevent*'
	run_usage emit $'a\u0085b\x9b\x1b'
	expect_match "message" "$errors" '*"a\\u0085b\\x9b\\u001b"*'
	run_usage emit e --bus $'\xe2\x80'
	expect_match "message" "$errors" '*"\\xe2\\x80"*'
	# JSON is for programs
	run_aioevt list --json
	expect "json" "$(jq -r .event <<<"$output" | head -n 1)" "$name"
}
