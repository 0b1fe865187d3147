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
	local line='^[^ ]+ +[0-9]+ +[0-9]+ +([0-9.]+(ms|s)|-) +[0-9]+ +-$' i

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
	expect "age of nothing" "$(awk '$1 == "waited" { print $4 }' <<<"$output")" -
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
		'["event","records","seq","time","age_ns","listeners","reliable","depth","slowest"]'
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
