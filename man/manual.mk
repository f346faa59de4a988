# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages and shell completion, made from the tables of options by tools/manual.c.

pages := $(patsubst man/%.in,$(O)/man/%,$(wildcard man/*.in))
completions := $(addprefix $(O)/completion/,bash zsh fish)

$(O)/manual: $(O)/tools/manual.o $(O)/traffic_meter.a
	$(link)

$(O)/man/%: man/%.in $(O)/manual
	@mkdir -p $(@D)
	$(call say,$(O)/manual page $< >$@.new && mv $@.new $@,MAN)

$(completions): $(O)/completion/%: $(O)/manual
	@mkdir -p $(@D)
	$(call say,$(O)/manual $* >$@.new && mv $@.new $@,GEN)

.PHONY: manual
manual: $(pages) $(completions)

-include $(O)/tools/manual.d
