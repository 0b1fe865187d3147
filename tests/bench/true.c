/* SPDX-License-Identifier: MIT */
/*
 * The least a process can do, for `make bench`. Without arguments: nothing. With "wake" or
 * "wait": wake, or be woken by, a futex word in the file that is standard input.
 */

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wait_or_wake(const char *what)
{
	_Atomic uint32_t *word;

	word = mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	if (word == MAP_FAILED)
		return 1;
	if (what[2] == 'k') {
		/* word:A  release, pairs with word:B */
		atomic_store_explicit(word, 1, memory_order_release);
		syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return 0;
	}
	/* word:B  acquire, pairs with word:A */
	while (!atomic_load_explicit(word, memory_order_acquire))
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	return argc < 2 ? 0 : wait_or_wake(argv[1]);
}
