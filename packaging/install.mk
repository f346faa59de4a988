# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` puts where. systemd, sysusers.d and tmpfiles.d look below /usr/local too; other
# PREFIXes may want their directories named.

SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
DOCDIR ?= $(PREFIX)/share/doc/traffic-meter
MANDIR ?= $(PREFIX)/share/man

conf := $(SYSCONFDIR)/traffic-meter.conf

# mode:file:where to. A file that is named *.service is told the PREFIX.
installed = 0755:traffic-meter:$(PREFIX)/sbin/traffic-meter \
	$(if $(NCURSES)$(filter uninstall,$(MAKECMDGOALS)),0755:traffic-meter-top:$(LIBEXECDIR)/traffic-meter-top) \
	$(if $(serve)$(filter uninstall,$(MAKECMDGOALS)),0755:traffic-meter-serve:$(LIBEXECDIR)/traffic-meter-serve \
		0644:packaging/traffic-meter-serve.service:$(UNITDIR)/traffic-meter-serve.service \
		0644:packaging/traffic-meter-serve.socket:$(UNITDIR)/traffic-meter-serve.socket) \
	0755:traffic-meter-export:$(LIBEXECDIR)/traffic-meter-export \
	0755:ipmask_tool:$(PREFIX)/bin/ipmask_tool \
	$(foreach file,$(wildcard include/traffic_meter/*.h),0644:$(file):$(PREFIX)/$(file)) \
	$(foreach file,README.md ARCHITECTURE.md $(wildcard SECURITY.md docs/*.md),0644:$(file):$(DOCDIR)/$(notdir $(file))) \
	$(foreach file,$(pages),0644:$(file):$(MANDIR)/man$(subst .,,$(suffix $(file)))/$(notdir $(file))) \
	0644:$(O)/completion/bash:$(PREFIX)/share/bash-completion/completions/traffic-meter \
	0644:$(O)/completion/zsh:$(PREFIX)/share/zsh/site-functions/_traffic-meter \
	0644:$(O)/completion/fish:$(PREFIX)/share/fish/vendor_completions.d/traffic-meter.fish \
	0644:packaging/traffic-meter.service:$(UNITDIR)/traffic-meter.service \
	0644:packaging/traffic-meter-export@.service:$(UNITDIR)/traffic-meter-export@.service \
	0644:packaging/sysusers.conf:$(SYSUSERSDIR)/traffic-meter.conf \
	0644:packaging/tmpfiles.conf:$(TMPFILESDIR)/traffic-meter.conf \
	0644:packaging/logrotate.conf:$(SYSCONFDIR)/logrotate.d/traffic-meter
owned_directories = $(LIBEXECDIR) $(PREFIX)/include/traffic_meter $(DOCDIR)

# An edited configuration stays, at installing and at uninstalling.
.PHONY: install
install: all manual
	@set -e; for entry in $(installed); do \
		mode=$${entry%%:*} file=$${entry#*:} to=$(DESTDIR)$${entry##*:}; file=$${file%%:*}; \
		echo "  INSTALL	$$to"; \
		install -D -m $$mode $$file $$to; \
		case $$to in *.service) sed -i 's|/usr/local|$(PREFIX)|g' $$to ;; esac; \
	done
	@test -e $(DESTDIR)$(conf) || install -D -m 0644 packaging/traffic-meter.conf $(DESTDIR)$(conf)
	$(if $(DESTDIR),,@echo 'now: systemd-sysusers && systemd-tmpfiles --create && \
		systemctl daemon-reload && systemctl enable --now traffic-meter')

.PHONY: uninstall
uninstall:
	@for entry in $(installed); do rm -f $(DESTDIR)$${entry##*:}; done
	@rmdir $(addprefix $(DESTDIR),$(owned_directories)) 2>/dev/null || :
	@if cmp -s packaging/traffic-meter.conf $(DESTDIR)$(conf); then rm $(DESTDIR)$(conf); \
	elif [ -e $(DESTDIR)$(conf) ]; then echo 'edited, so it stays: $(DESTDIR)$(conf)'; fi
