# SPDX-License-Identifier: MIT
# What the bats files share: a bus of their own for each test, and bounded commands.

AIOEVT=${AIOEVT:-$BATS_TEST_DIRNAME/../.build/release/aioevt}

setup() {
	unset AIOEVT_BUS
	AIOEVT_DIR=$(mktemp -d /dev/shm/aioevt-test.XXXXXX)
	AIOEVT_BUS=test-$RANDOM$RANDOM
	BUS_FILE=$AIOEVT_DIR/aioevt.$(id -u).$AIOEVT_BUS
	OUT=$BATS_TEST_TMPDIR/out
	ERR=$BATS_TEST_TMPDIR/err
	export AIOEVT_DIR AIOEVT_BUS
}

# Fails if the test left a process, or anything but its bus file.
teardown() {
	local left pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	left=$(find "$AIOEVT_DIR" -mindepth 1 ! -path "$BUS_FILE")
	rm -rf "$AIOEVT_DIR"
	expect "left in shared memory" "$left" ""
}

# Print the version of the bus file's format.
format_version() {
	sed -n 's/^#define BUS_VERSION[[:space:]]*\([0-9]*\)u.*/\1/p' \
		"$BATS_TEST_DIRNAME/../shm/layout.h"
}

# expect WHAT ACTUAL EXPECTED
expect() {
	[ "$2" = "$3" ] && return
	printf '%s\n  expected: %q\n  actual:   %q\n' "$1" "$3" "$2"
	return 1
}

# expect_match WHAT ACTUAL PATTERN: bash's == with a pattern
expect_match() {
	# shellcheck disable=SC2053
	[[ $2 == $3 ]] && return
	printf '%s\n  expected: %s\n  actual:   %q\n' "$1" "$3" "$2"
	return 1
}

# run_aioevt [STATUS] ARGS: run it within 20 s, and check its status (0). What it wrote is
# in $output and $errors, without NULs, and in the files $OUT and $ERR.
run_aioevt() {
	local want=0 got=0

	if [[ ${1-} =~ ^[0-9]+$ ]]; then
		want=$1
		shift
	fi
	printf '$ aioevt'
	printf ' %q' "$@"
	timeout -s KILL 20 "$AIOEVT" "$@" >"$OUT" 2>"$ERR" 3>&- || got=$?
	printf ' -> %d\n' "$got"
	output=$(tr -d '\0' <"$OUT")
	errors=$(tr -d '\0' <"$ERR")
	[ "$got" -eq "$want" ] && return
	printf 'expected status %d\nstdout: %s\nstderr: %s\n' "$want" "$output" "$errors"
	return 1
}

# The names of the subcommands.
commands() {
	"$AIOEVT" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# run_usage ARGS: a usage error; one line on stderr, nothing on stdout
run_usage() {
	run_aioevt 64 "$@" || return
	expect "stdout" "$output" "" || return
	expect "lines on stderr" "$(wc -l <"$ERR")" 1 || return
	expect_match "stderr" "$errors" "aioevt: *"
}

# The words for $AIOEVT_BUS in messages.
this_bus() {
	printf 'bus "%s" of %s' "$AIOEVT_BUS" "$(id -un 2>/dev/null || echo "user $(id -u)")"
}

# start_aioevt ARGS: the same in the background, to be bounded by --timeout; end_aioevt
# [STATUS] takes its result.
start_aioevt() {
	printf '$ aioevt'
	printf ' %q' "$@"
	printf ' &\n'
	"$AIOEVT" "$@" >"$OUT.bg" 2>"$ERR.bg" </dev/null 3>&- &
	BACKGROUND=$!
}

end_aioevt() {
	local want=${1-0} got=0

	wait "$BACKGROUND" || got=$?
	output=$(tr -d '\0' <"$OUT.bg")
	errors=$(tr -d '\0' <"$ERR.bg")
	[ "$got" -eq "$want" ] && return
	printf 'expected status %d, actual %d\nstdout: %s\nstderr: %s\n' "$want" "$got" \
		"$output" "$errors"
	return 1
}

# until_true COMMAND: repeat it until it succeeds, for 10 s at most
until_true() {
	local end=$((SECONDS + 10))

	until "$@"; do
		if ((SECONDS > end)); then
			printf 'never came true: %s\n' "$*"
			return 1
		fi
	done
}

has_listeners() {
	"$AIOEVT" list --json "$1" 3>&- | jq -e --argjson n "$2" '.listeners >= $n' >/dev/null 3>&-
}

is_asleep() {
	local stat

	read -r stat <"/proc/$1/stat" || return
	[[ $stat == *') S '* ]]
}

# until_listening EVENT [N]: wait until EVENT has N (1) listeners, and what runs in the
# background is asleep. A listener shows up shortly before it has taken its place in the
# records, and does not sleep between.
until_listening() {
	local pid

	until_true has_listeners "$1" "${2-1}" || return
	for pid in $(jobs -pr); do
		until_true is_asleep "$pid" || return
	done
}
