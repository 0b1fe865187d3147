#!/usr/bin/env bats
# --ready-fd: one rule for wait and on, about which descriptors, what is written, and when.
# SPDX-License-Identifier: MIT
# bats file_tags=cli
# shellcheck disable=SC2016
load helpers

# each FUNCTION: for each command that listens, in $command; its words behind options in $rest
each() {
	command=wait rest=(e)
	"$@" || return
	command=on rest=(e --once -- cat)
	"$@"
}

refuses() {
	local fd

	for fd in 0 1 2 -1 77 2147483648 x '' 9x 8; do
		run_usage "$command" --ready-fd "$fd" "${rest[@]}" || return
		expect_match "stderr" "$errors" "aioevt: --ready-fd \"$fd\": *" || return
	done
}

@test "only a descriptor from 3 that is open for writing is taken" {
	exec 8</dev/null
	each refuses
	exec 8<&-
	expect "no bus was made" "$(ls "$AIOEVT_DIR")" ""
}

# The newline comes when it listens, nothing else does, and the other end is closed.
tells() {
	local line left fifo=$BATS_TEST_TMPDIR/$command

	mkfifo "$fifo"
	"$AIOEVT" "$command" --ready-fd 9 "${rest[@]}" 9>"$fifo" >"$OUT.bg" 2>"$ERR.bg" \
		</dev/null 3>&- &
	BACKGROUND=$!
	exec 8<"$fifo"
	read -r -t 60 line <&8
	expect "line" "$line" "" || return
	! read -r -t 60 left <&8
	expect "behind it" "$left" "" || return
	exec 8<&-
	kill -0 "$BACKGROUND" || return
	run_aioevt emit e heard || return
	end_aioevt
	expect_match "stdout" "$output" "*heard*"
}

@test "one newline is written once it listens, and the descriptor is closed" {
	each tells
}

fails() {
	local fifo=$BATS_TEST_TMPDIR/$command

	mkfifo "$fifo"
	exec 8<>"$fifo"
	exec 9>"$fifo"
	exec 8>&-
	run_aioevt 1 "$command" --ready-fd 9 "${rest[@]}" || return
	exec 9>&-
	expect "stderr" "$errors" 'aioevt: --ready-fd "9": Broken pipe' || return
	expect "stdout" "$output" "" || return
	run_aioevt 1 "$command" --ready-fd 9 "${rest[@]}" 9>/dev/full || return
	expect "stderr" "$errors" 'aioevt: --ready-fd "9": No space left on device'
}

@test "a reader who has gone is trouble: one line, status 1, and nothing runs" {
	each fails
}
