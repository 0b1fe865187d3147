# SPDX-License-Identifier: MIT
# Completion of aioevt(1) for bash, with bash-completion. Commands and options are asked of
# "aioevt COMMAND --help", events of the bus.

# Each option of the command, "=" and what it takes.
_aioevt_options()
{
	awk '/^ +-/ {
		n = 0
		for (i = 1; i <= NF && $i ~ /^-/; i++) {
			sub(/,$/, "", $i)
			arg = $i ~ /[^[]=/ ? $i : ""
			sub(/[^=]*=/, "", arg); sub(/\]$/, "", arg)
			sub(/\[?=.*/, "", $i)
			names[++n] = $i
		}
		for (i = 1; i <= n; i++)
			print names[i] "=" arg
	}' <<<"$1"
}

_aioevt_commands()
{
	"$program" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_aioevt_events()
{
	"$program" ${bus:+--bus "$bus"} list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_aioevt_buses()
{
	local file

	for file in "${AIOEVT_DIR:-/dev/shm}/aioevt.$UID."*; do
		[[ -e $file ]] && printf '%s\n' "${file##*"/aioevt.$UID."}"
	done
}

# Take the lines that begin with $value. Not compgen -W: that would run what a name holds.
_aioevt_take()
{
	local word

	while IFS= read -r word; do
		[[ $word == "$value"* ]] && COMPREPLY+=("$(printf %q "$word")")
	done
}

# _aioevt_argument OPTION KIND
_aioevt_argument()
{
	case $1=$2 in
	-b=* | --bus=*)	_aioevt_take < <(_aioevt_buses) ;;
	--format=*)	_aioevt_take <<<$'plain\njson\nshell' ;;
	--on-busy=*)	_aioevt_take <<<$'queue\ndrop\nrestart\ncoalesce' ;;
	--on-long=*)	_aioevt_take <<<$'fail\nskip\ncut' ;;
	*=GROUP)	_aioevt_take < <(compgen -g) ;;
	*=FILE*)	compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$value") ;;
	*=SIGNAL)	_aioevt_take <<<$'TERM\nINT\nHUP\nQUIT\nUSR1\nUSR2\nKILL' ;;
	*=PID)		_aioevt_take < <(ps -eo pid= | tr -d ' ') ;;
	esac
}

_aioevt()
{
	local cur prev words cword program=$1 value bus='' command='' open='' help options option
	local i n=0 ended=

	_init_completion -n =: || return
	help=$("$program" --help 2>/dev/null)
	options=$(_aioevt_options "$help")
	for ((i = 1; i < cword; i++)); do
		value=${words[i]}
		if [[ $open ]]; then
			[[ $open == -b || $open == --bus ]] && bus=$value
			open=
		elif [[ $value == -- && ! $ended ]]; then
			if [[ ${help%%$'\n'*} == *'-- COMMAND'* ]]; then
				_command_offset $((i + 1))
				return
			fi
			ended=1
		elif [[ $value == -* && ! $ended ]]; then
			[[ $value == --bus=* ]] && bus=${value#*=}
			[[ $'\n'$options == *$'\n'"$value="[^$'\n']* ]] && open=$value
		elif [[ ! $command ]]; then
			command=$value
			help=$("$program" "$command" --help 2>/dev/null)
			options=$(_aioevt_options "$help")
		else
			n=$((n + 1))
		fi
	done

	value=$cur
	if [[ $open || $cur == --*=* && ! $ended ]]; then
		option=${open:-${cur%%=*}}
		[[ $open ]] || value=${cur#*=}
		help=$(grep -m 1 -e "^$option=" <<<"$options")
		_aioevt_argument "$option" "${help#*=}"
	elif [[ $cur == -* && ! $ended ]]; then
		while IFS= read -r option; do
			[[ $option == "$cur"* ]] && COMPREPLY+=("${option%=*}")
		done <<<"$options"
	elif [[ ! $command || $command == help ]]; then
		_aioevt_take < <(_aioevt_commands)
	elif [[ ${help%%$'\n'*} == *@(NAME|PATTERN|EVENT)* && ($command != emit || $n == 0) ]]; then
		_aioevt_take < <(_aioevt_events)
	fi
	__ltrim_colon_completions "$value"
}

complete -F _aioevt aioevt
