# SPDX-License-Identifier: GPL-2.0-or-later
# Packages of this checkout, without a repository's help: the same files give the same bytes.

# The time of the last commit stands for the time of the build.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
dist_name := traffic-meter-$(VERSION)

.PHONY: dist
dist: | $(O)
	git archive --prefix=$(dist_name)/ HEAD | gzip -9n >$(O)/$(dist_name).tar.gz
	@echo '  DIST	$(O)/$(dist_name).tar.gz'

.PHONY: deb
deb: dist
	rm -rf $(O)/deb && mkdir -p $(O)/deb
	tar -xf $(O)/$(dist_name).tar.gz -C $(O)/deb
	cp -r packaging/debian $(O)/deb/$(dist_name)/debian
	cd $(O)/deb/$(dist_name) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -b -uc -us -j$(shell nproc)
	@echo; ls $(O)/deb/*.deb

.PHONY: rpm
rpm: dist
	rm -rf $(O)/rpm && mkdir -p $(O)/rpm/SOURCES
	cp $(O)/$(dist_name).tar.gz $(O)/rpm/SOURCES/
	env -u MAKEFLAGS -u MAKELEVEL rpmbuild -bb $(RPMFLAGS) --define '_topdir $(abspath $(O)/rpm)' \
		--define 'version_of_checkout $(VERSION)' packaging/traffic-meter.spec
	@echo; ls $(O)/rpm/RPMS/*/*.rpm
