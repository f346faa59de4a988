# SPDX-License-Identifier: GPL-2.0-or-later
# traffic-meter: 'make help' lists what can be made.

VERSION := 0.1.0

PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool),$(wildcard /usr/sbin/bpftool),bpftool)
PKG_CONFIG ?= pkg-config
O ?= build

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wformat=2 -Wno-format-nonliteral -Wno-missing-field-initializers
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

products := traffic-meter traffic-meter-export traffic_meter_user ipmask_tool traffic_meter.bpf.o

.PHONY: all
all: $(products)
	$(if $(not_built),@echo 'not built: $(not_built)')

.PHONY: help
help:
	@echo 'make            $(products)'
	@echo 'make check      build and run all tests (root; ./bootstrap check installs what they need)'
	@echo 'make check-X    one suite: tests/run --list names them'
	@echo 'make bench      the measurements of docs/performance.md (root)'
	@echo 'make lint       format and boundaries'
	@echo 'make analyze    static analysis: clang-tidy, cppcheck, gcc -fanalyzer'
	@echo 'make coverage   which lines of src/ the tests run (root)'
	@echo 'make install    to $$(DESTDIR)$$(PREFIX), with the systemd unit; make uninstall takes it away'
	@echo 'make clean'
	@echo
	@echo 'PREFIX DESTDIR CC CLANG BPFTOOL PKG_CONFIG CFLAGS LDFLAGS are honoured;'
	@echo 'O=DIR builds there, SANITIZE=address,undefined with sanitizers, WERROR=1 is strict,'
	@echo 'LIBSYSTEMD= or LIBSUBID= leaves an optional library out.'

.PHONY: clean
clean:
	rm -rf build $(products) traffic-meter-top traffic-meter-serve

# What a build needs is looked for once, and what is missing named with its packages.
ifeq ($(filter clean help uninstall dist,$(MAKECMDGOALS)),)
need = $(if $(shell $(1) >/dev/null 2>&1 && echo yes),,$(error $(2) not found; install it: \
	apt-get install $(3) | dnf install $(4) | zypper install $(5)))
$(call need,command -v $(CLANG),clang,clang,clang,clang)
$(call need,$(BPFTOOL) version,bpftool,bpftool (Ubuntu: linux-tools-common linux-tools-generic),bpftool,bpftool)
$(call need,command -v $(PKG_CONFIG),pkg-config,pkg-config,pkgconf-pkg-config,pkg-config)
$(call need,$(PKG_CONFIG) --atleast-version=0.7 libbpf,libbpf 0.7 or newer,libbpf-dev,libbpf-devel,libbpf-devel)
$(call need,$(PKG_CONFIG) --exists inih,inih,libinih-dev,inih-devel,inih-devel)
$(call need,$(PKG_CONFIG) --exists zlib,zlib,zlib1g-dev,zlib-devel,zlib-devel)

# What a build does without: LIBSUBID= leaves it out although it is there. It has no .pc file.
ifeq ($(origin LIBSUBID),undefined)
LIBSUBID := $(shell $(CC) $(CPPFLAGS) -E -include shadow/subid.h -x c /dev/null >/dev/null 2>&1 && echo yes)
endif
not_built := $(if $(LIBSUBID),,subordinate uids from other sources than /etc/subuid (libsubid-dev))

# The same for what pkg-config knows, a line each: module, variable, what there is not without it, and
# from which version on. LIBSYSTEMD= leaves that one out although it is there.
libraries := libbpf inih zlib
found = $(shell $(PKG_CONFIG) --exists '$(1) $(4)' && echo yes)
optional = $(if $(filter undefined,$(origin $(2))),$(eval $(2) := $(found)))$(if $($(2)),$(eval \
	libraries += $(1))$(eval have += -DHAVE_$(2)),$(eval not_built := $(if $(not_built),$(not_built); )$(3)))
# Sanitizers need calls that a filter refuses (a leak check traces its own process).
ifdef SANITIZE
LIBSECCOMP :=
endif
$(call optional,libsystemd,LIBSYSTEMD,word to systemd and its watchdog (libsystemd-dev))
$(call optional,libcap-ng,LIBCAP_NG,giving up capabilities (libcap-ng-dev))
$(call optional,libseccomp,LIBSECCOMP,a filter of system calls (libseccomp-dev),>= 2.4)
$(call optional,gnutls,GNUTLS,TLS of export's outputs (libgnutls28-dev))
# For programs of their own, whose libraries the others need not have.
$(if $(filter undefined,$(origin NCURSES)),$(eval NCURSES := $(shell $(PKG_CONFIG) --exists ncursesw && echo yes)))
$(if $(NCURSES),,$(eval not_built := $(if $(not_built),$(not_built); )the live screen, top (libncurses-dev)))
$(call optional,sqlite3,SQLITE3,the history and its reports (libsqlite3-dev),>= 3.24)
$(if $(filter undefined,$(origin MICROHTTPD)),$(eval MICROHTTPD := $(shell $(PKG_CONFIG) --exists 'libmicrohttpd >= 0.9.71' && echo yes)))
serve := $(and $(MICROHTTPD),$(SQLITE3))
$(if $(serve),,$(eval not_built := $(if $(not_built),$(not_built); )the HTTP server, serve (libmicrohttpd-dev libsqlite3-dev)))
endif

library_cflags = $(eval library_cflags := $(shell $(PKG_CONFIG) --cflags $(libraries)))$(library_cflags)
library_libs = $(eval library_libs := $(shell $(PKG_CONFIG) --libs $(libraries)) $(if $(LIBSUBID),-ldl))$(library_libs)

# A line for each product; V=1 shows the commands.
ifeq ($(V),1)
say = $(1)
else
say = @echo '  $(2)	$@'; $(1)
endif

sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
all_cflags = -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARNINGS) $(CFLAGS) -ffile-prefix-map=$(CURDIR)=. $(sanitize) \
	-Iinclude -Isrc -I$(O) -I. $(library_cflags) $(layout) $(if $(LIBSUBID),-DHAVE_LIBSUBID) \
	$(have) $(CPPFLAGS)
all_ldflags = -Wl,--as-needed $(sanitize) $(LDFLAGS)

# The kernel half. No include path of an architecture's: src/bpf/vmlinux.h has what it needs.
# TEST_LAYOUT=1, for a test: a build whose maps are as those of a later version may be.
layout := $(if $(TEST_LAYOUT),-DTEST_LAYOUT=$(TEST_LAYOUT))
bpf_cflags = $(layout) -g -O2 -ffile-prefix-map=$(CURDIR)=. -mcpu=v3 -target bpf -Wall -Wextra -Werror -Isrc/bpf \
	$(shell $(PKG_CONFIG) --cflags libbpf)

$(O)/traffic_meter.bpf.o: src/bpf/traffic_meter.bpf.c $(wildcard src/bpf/*.h) | $(O)
	$(call say,$(CLANG) $(bpf_cflags) -c $< -o $@,BPF)

$(O)/traffic_meter.skel.h: $(O)/traffic_meter.bpf.o
	$(call say,$(BPFTOOL) gen skeleton $< >$@.new && mv $@.new $@,GEN)

# The user half: all of it but the programs' own files is one archive.
sources := $(filter-out %.bpf.c src/top/% src/serve/%,$(wildcard src/*/*.c))
objects := $(sources:%.c=$(O)/%.o)
programs := src/main.c src/export_main.c tools/traffic_meter_user.c tools/ipmask_tool.c
program_objects := $(programs:%.c=$(O)/%.o)

# Made before the first compilation; from then on the compiler says who includes it.
$(objects): | $(O)/traffic_meter.skel.h

# Where the commands that are programs of their own are installed.
LIBEXECDIR ?= $(PREFIX)/libexec/traffic-meter
$(O)/src/main.o: all_cflags += -DNOT_BUILT='"$(not_built)"' -DLIBEXECDIR='"$(LIBEXECDIR)"'

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,$(CC) $(all_cflags) -MMD -MP -c $< -o $@,CC)

$(O)/traffic_meter.a: $(objects)
	$(call say,rm -f $@ && $(AR) rcs $@ $^,AR)

link = $(call say,$(CC) $(all_ldflags) -o $@ $^ $(library_libs) $(more_libs) -lpthread,LINK)

$(O)/traffic-meter: $(O)/src/main.o $(O)/traffic_meter.a
	$(link)

$(O)/traffic-meter-export: $(O)/src/export_main.o $(O)/traffic_meter.a
	$(link)

# A program of its own: `traffic-meter top` runs it.
top_objects := $(patsubst %.c,$(O)/%.o,$(wildcard src/top/*.c))

$(top_objects): all_cflags += $(if $(NCURSES),$(shell $(PKG_CONFIG) --cflags ncursesw))
$(top_objects): | $(O)/traffic_meter.skel.h

$(O)/traffic-meter-top: more_libs = $(shell $(PKG_CONFIG) --libs ncursesw)
$(O)/traffic-meter-top: $(top_objects) $(O)/traffic_meter.a
	$(link)

# The same for `traffic-meter serve`, whose page is in it.
serve_objects := $(patsubst %.c,$(O)/%.o,$(wildcard src/serve/*.c))

$(serve_objects): | $(O)/traffic_meter.skel.h
$(O)/src/serve/page.o: $(wildcard src/serve/page/*)

$(O)/traffic-meter-serve: more_libs = $(shell $(PKG_CONFIG) --libs libmicrohttpd)
$(O)/traffic-meter-serve: $(serve_objects) $(O)/traffic_meter.a
	$(link)

$(O)/traffic_meter_user: $(O)/tools/traffic_meter_user.o $(O)/traffic_meter.a
	$(link)

$(O)/ipmask_tool: $(O)/tools/ipmask_tool.o $(O)/traffic_meter.a
	$(link)

# At the root stand the products of the plain build.
all: $(if $(NCURSES),traffic-meter-top) $(if $(serve),traffic-meter-serve)
traffic-meter traffic-meter-export traffic-meter-top traffic-meter-serve traffic_meter_user ipmask_tool traffic_meter.bpf.o: %: build/%
	$(call say,cp --remove-destination $< $@,COPY)

$(O):
	mkdir -p $@

-include $(objects:.o=.d) $(program_objects:.o=.d) $(top_objects:.o=.d) $(serve_objects:.o=.d)

include tests/tests.mk

include man/manual.mk

include bench/bench.mk

.PHONY: lint
lint:
	tests/lint/run

include packaging/install.mk

include packaging/packages.mk
