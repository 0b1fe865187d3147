# SPDX-License-Identifier: MIT
#
#   make            build the library and the program into .build/release
#   make demo       install what is missing, build, show one process wake another
#   make check      install what is missing, run every test (about 14 minutes)
#   make quick      what half a minute of a tree that is built can tell
#   make check-again   make check N=20 times; keeps what failed in .build/again
#   make fuzz       go on searching for inputs that break it (FUZZ_SECONDS=300, in all)
#   make proof      kill and stop a process at every instruction of every operation (half an hour)
#   make mutants    break each promise on purpose and see which test notices (2 minutes)
#   make models     all mutations and larger instances of the models (a quarter of an hour)
#   make bench      measure, with the machine's raw limits beside (2 minutes)
#   make examples   build lib/examples, as a program outside of this tree would be
#   make soak       all at random, killed and stopped, 10 minutes; SOAK_SECONDS= to choose
#   make soak-many  N=500 short soaks on a loaded machine; keeps what failed in .build/soak-many
#   make install    DESTDIR= PREFIX=/usr/local;  make uninstall
#   make clean
#
# Variables: CC=clang, SAN=address,undefined or SAN=thread, V=1 shows commands; ARCH=i386 or
# aarch64 for single targets of that variant, see tests/check-arch; WERROR=1 as make check has it;
# STATIC=0 links the program with all libraries shared.

VERSION := 0.1.0
SONAME := libaioevt-shm.so.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
SAN ?=
V ?= 0
WERROR ?= 0

comma := ,
variant := $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
ifneq ($(origin CC),default)
variant := $(variant)$(if $(filter-out gcc cc,$(notdir $(CC))),-$(notdir $(CC)))
else
CC := gcc
endif
# Another machine than this one: the engine and its tests alone, which need no library but
# libc. ARCH=i386 makes 32-bit programs; ARCH=aarch64 what qemu-aarch64 runs.
ARCH ?=
variant := $(variant)$(if $(ARCH),-$(ARCH))
ifeq ($(ARCH),i386)
# Debian's gcc-multilib cannot be installed beside a cross compiler; what it adds is the path.
OUR_ARCH := -m32 -idirafter /usr/include/x86_64-linux-gnu -Wno-psabi
else ifeq ($(ARCH),aarch64)
CC := aarch64-linux-gnu-gcc
OBJCOPY := aarch64-linux-gnu-objcopy
else ifneq ($(ARCH),)
$(error ARCH=$(ARCH) is not known here; i386 and aarch64 are)
endif
B := .build/$(variant)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(2);)

CFLAGS ?= -O2 -g
OBJCOPY ?= objcopy
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	$(if $(filter 1,$(WERROR)),-Werror)
OUR_CFLAGS := -std=gnu11 $(WARN) -fvisibility=hidden -ffunction-sections -fdata-sections \
	-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DAIOEVT_VERSION='"$(VERSION)"' \
	-Ishm -Ilib -pthread $(OUR_ARCH)
ifneq ($(SAN),)
OUR_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
OUR_LDFLAGS := -Wl,-z,now -pthread -Wl,--gc-sections -Wl,--as-needed

shm_obj := $(patsubst %.c,$(B)/%.o,$(wildcard shm/*.c))
lib_obj := $(patsubst %.c,$(B)/%.o,$(wildcard lib/*.c))
ifneq ($(ARCH),)
lib_obj :=
OUR_CFLAGS += -DENGINE_ALONE
endif
cli_obj := $(patsubst %.c,$(B)/%.o,$(wildcard cli/*.c))
# What tests of its parts are linked with: not the table of commands and who asks for it.
cli_parts := $(filter-out $(B)/cli/main.o $(B)/cli/help.o,$(cli_obj))
bench_obj := $(patsubst %.c,$(B)/%.o,$(filter-out tests/bench/true.c,$(wildcard tests/bench/*.c)))
soak_obj := $(patsubst %.c,$(B)/%.o,$(wildcard tests/soak/*.c))
freeze_obj := $(patsubst %.c,$(B)/%.o,$(wildcard tests/freeze*.c))
tests := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))
ifneq ($(ARCH),)
# The engine's alone.
tests := $(filter-out $(foreach t,$(shell grep -l 'cli/\|mgr\.h\|foreign\.h\|aioevt\.h' tests/test_*.c),$(B)/$(t:.c=)),$(tests))
endif

# Debian has libcbor as a shared library only; what can be linked statically is, because
# every shared library makes each start of the program slower.
cbor := $(if $(ARCH),,-lcbor)
STATIC ?= 1
cli_libs := $(if $(filter 0,$(STATIC)),-ljansson -lbsd,-Wl$(comma)-Bstatic -ljansson -lbsd -lmd \
	-Wl$(comma)-Bdynamic) -lcbor


.PHONY: all demo check check-again quick proof mutants models soak soak-many fuzz fuzz-replay \
	fuzz-targets fuzz-built \
	bench examples install uninstall clean deps tests-built tests-compiled FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/libaioevt-shm.a $(B)/$(SONAME) $(B)/aioevt

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(CPPFLAGS) \
		$(if $(filter lib/%,$<),-fexceptions) $(if $(filter shm/% lib/%,$<),-fPIC) -MMD -MP -c -o $@ $<

# For what is linked here, and may look inside.
$(B)/inner.a: $(shm_obj) $(lib_obj)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# For users: one object, in which all but the public symbols are local, because those of a program
# would be taken for ours, and ours for its. Of LTO nothing may be left: objcopy does not see inside.
one_object := -r -nostdlib -Wl,--unique $(if $(filter -flto%,$(CFLAGS)),$(if \
	$(findstring clang,$(shell $(CC) --version)),-fuse-ld=lld,-flinker-output=nolto-rel))

$(B)/libaioevt-shm.o: $(shm_obj) $(lib_obj)
	$(call say,LD,$@)$(CC) $(OUR_ARCH) $(CFLAGS) $(one_object) -o $@ $^ && \
		$(OBJCOPY) --localize-hidden $@

$(B)/libaioevt-shm.a: $(B)/libaioevt-shm.o
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/$(SONAME): $(shm_obj) $(lib_obj) shm/libaioevt-shm.map
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -shared -Wl,-z,nodelete \
		-Wl,-soname,$(SONAME) -Wl,--version-script=shm/libaioevt-shm.map \
		$(if $(SAN),,-Wl,--no-undefined) -o $@ $(shm_obj) $(lib_obj) $(cbor)
	@ln -sf $(SONAME) $(B)/libaioevt-shm.so

$(B)/aioevt: $(cli_obj) $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) \
		-static-libgcc -o $@ $^ $(cli_libs)

# Tests see the inside of the library; test_api is linked with the shared one alone. The
# JSON, the conditions and the cursor file of the program are tested with the program's own objects.
$(B)/tests/test_api: $(B)/tests/test_api.o $(B)/$(SONAME)
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $< \
		-L$(B) -laioevt-shm -Wl,-rpath,$(abspath $(B))

$(B)/tests/test_json $(B)/tests/test_where $(B)/tests/test_emit_ack $(B)/tests/test_cursor_save: $(B)/tests/%: $(B)/tests/%.o $(cli_parts) $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(cli_libs)

# Foreign loops, which nothing else needs.
pc = $(shell pkg-config $(1) 2>/dev/null)
$(B)/tests/test_loop_glib.o: CPPFLAGS += $(call pc,--cflags glib-2.0)
$(B)/tests/test_loop_glib: foreign := $(call pc,--libs glib-2.0)
$(B)/tests/test_loop_uv: foreign := -luv
$(B)/tests/test_loop_libev: foreign := -lev
$(B)/tests/test_loop_libevent: foreign := -levent
$(B)/tests/test_loop_sd_event: foreign := -lsystemd

$(filter $(B)/tests/test_freeze_%,$(tests)): $(B)/tests/%: $(B)/tests/%.o $(freeze_obj) $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcbor -lm

$(B)/tests/%: $(B)/tests/%.o $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(foreign) $(cbor) -lm

$(B)/tests/bench/bench: $(bench_obj) $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ -luv $(cbor) -lm

$(B)/tests/soak/soak: $(soak_obj) $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/bench/bench-true: tests/bench/true.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

# TESTS names those to build, if not all.
tests-built: all $(if $(TESTS),$(TESTS:%=$(B)/tests/%),$(tests)) $(B)/tests/soak/soak \
	$(B)/tests/arch/peer
# As far as a compiler warns.
tests-compiled: all $(addsuffix .o,$(tests)) $(soak_obj) $(B)/tests/arch/peer.o

tests-built: $(if $(filter release address-undefined,$(variant)),examples)

# As users build theirs: the public headers, the shared library.
examples := $(patsubst lib/examples/%.c,$(B)/examples/%,$(wildcard lib/examples/*.c))
$(B)/examples/glib: foreign := $(call pc,--cflags --libs glib-2.0)
$(B)/examples/libuv: foreign := $(call pc,--cflags --libs libuv)

$(B)/examples/%: lib/examples/%.c $(wildcard lib/aioevt*.h) $(B)/$(SONAME)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu11 $(WARN) $(if $(SAN),-fsanitize=$(SAN)) $(CFLAGS) -Ishm -Ilib \
		-o $@ $< -L$(B) -laioevt-shm -Wl,-rpath,$(abspath $(B)) $(foreign) -pthread

examples: $(examples)

# The fuzz targets, with clang and its sanitizers: a build of their own.
FUZZ_SAN := address,undefined,fuzzer-no-link
FUZZ_B := .build/$(subst $(comma),-,$(FUZZ_SAN))-clang
FUZZ_SECONDS ?= 300
fuzz_targets := attach bus json registry ring where wire

$(B)/tests/fuzz/json $(B)/tests/fuzz/where: $(cli_parts)
$(B)/tests/fuzz/bus $(B)/tests/fuzz/registry: $(B)/tests/fuzz/small-bus.o
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/inner.a
	$(call say,LD,$@)$(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer \
		$(if $(filter %/small-bus.o,$^),-Wl$(comma)--wrap=mmap64$(comma)--wrap=munmap) \
		-o $@ $(filter %.o,$^) $(filter %.a,$^) $(cli_libs) -lm

fuzz-targets: $(addprefix $(B)/tests/fuzz/,$(fuzz_targets))
fuzz-built:
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=$(FUZZ_SAN) fuzz-targets

FORCE:

# ---- what a newcomer runs ---------------------------------------------------------------

deps:
	$(Q)tests/install-deps

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)AIOEVT=$(B)/aioevt tests/demo

check: deps
	$(Q)MAKE='$(MAKE)' tests/check

quick: deps
	$(Q)$(MAKE) --no-print-directory tests-built
	$(Q)tests/quick

check-again: deps
	$(Q)MAKE='$(MAKE)' tests/check-again $(or $(N),20)

fuzz: deps fuzz-built
	$(Q)tests/fuzz/run $(FUZZ_B)/tests/fuzz $(FUZZ_SECONDS)

fuzz-replay: fuzz-built
	$(Q)tests/fuzz/run $(FUZZ_B)/tests/fuzz

proof: deps
	$(Q)$(MAKE) --no-print-directory $(filter $(B)/tests/test_freeze_%,$(tests))
	$(Q)tests/proof $(filter $(B)/tests/test_freeze_%,$(tests))

mutants: deps
	$(Q)MAKE='$(MAKE)' tests/mutants/run

models: deps
	$(Q)tests/model/run.sh deep

bench: deps
	$(Q)$(MAKE) --no-print-directory all $(B)/tests/bench/bench $(B)/tests/bench/bench-true
	$(Q)AIOEVT=$(B)/aioevt BENCH_TRUE=$(B)/tests/bench/bench-true $(B)/tests/bench/bench $(BENCH_ARGS)

soak: deps
	$(Q)$(MAKE) --no-print-directory $(B)/tests/soak/soak
	$(Q)nice $(B)/tests/soak/soak

soak-many: deps
	$(Q)$(MAKE) --no-print-directory .build/release/tests/soak/soak
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined .build/address-undefined/tests/soak/soak
	$(Q)nice tests/soak/many $(or $(N),500) .build/release/tests/soak/soak .build/address-undefined/tests/soak/soak

# ---- installing ------------------------------------------------------------------------

headers := shm/aioevt-shm.h $(wildcard lib/aioevt*.h)
man_pages := $(wildcard man/*.1 man/*.3 man/*.7)
D := $(DESTDIR)$(PREFIX)

# Of the shells, where Debian has them: what is packaged is apart from what is local.
bash_completions := $(D)/share/bash-completion/completions
zsh_completions := $(D)/share/zsh/$(if $(filter %/local,$(PREFIX)),site-functions,vendor-completions)
fish_completions := $(D)/share/fish/vendor_completions.d

# Made anew each time: PREFIX may be another.
$(B)/aioevt-shm.pc: shm/aioevt-shm.pc.in FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

install: all $(B)/aioevt-shm.pc
	$(Q)install -d $(D)/bin $(D)/include $(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)install -m 755 $(B)/aioevt $(D)/bin/aioevt
	$(Q)install -m 644 $(headers) $(D)/include/
	$(Q)install -m 644 $(B)/libaioevt-shm.a $(DESTDIR)$(LIBDIR)/libaioevt-shm.a
	$(Q)install -m 755 $(B)/$(SONAME) $(DESTDIR)$(LIBDIR)/libaioevt-shm.so.$(VERSION)
	$(Q)ln -sf libaioevt-shm.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libaioevt-shm.so
	$(Q)install -m 644 $(B)/aioevt-shm.pc $(DESTDIR)$(LIBDIR)/pkgconfig/aioevt-shm.pc
	$(Q)for page in $(man_pages); do \
		dir=$(D)/share/man/man$${page##*.}; \
		install -d $$dir && install -m 644 $$page $$dir/ || exit 1; \
	done
	$(Q)install -d $(bash_completions) $(zsh_completions) $(fish_completions)
	$(Q)install -m 644 cli/completions/aioevt.bash $(bash_completions)/aioevt
	$(Q)install -m 644 cli/completions/_aioevt $(zsh_completions)/_aioevt
	$(Q)install -m 644 cli/completions/aioevt.fish $(fish_completions)/aioevt.fish
	@[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true

uninstall:
	$(Q)rm -f $(D)/bin/aioevt $(addprefix $(D)/include/,$(notdir $(headers))) \
		$(DESTDIR)$(LIBDIR)/libaioevt-shm.a \
		$(DESTDIR)$(LIBDIR)/libaioevt-shm.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME) \
		$(DESTDIR)$(LIBDIR)/libaioevt-shm.so $(DESTDIR)$(LIBDIR)/pkgconfig/aioevt-shm.pc \
		$(bash_completions)/aioevt $(zsh_completions)/_aioevt $(fish_completions)/aioevt.fish
	$(Q)for page in $(man_pages); do rm -f $(D)/share/man/man$${page##*.}/$${page##*/}; done

clean:
	$(Q)rm -rf .build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
